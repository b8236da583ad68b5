//! `holdfast devices`: what this machine can compute with and write to.

use std::path::PathBuf;

use clap::Args;

use crate::console::{Console, Exit};
use crate::devices::Devices;
use crate::failure::Failure;

/// List back ends, I/O methods and disks: present, or absent and why
#[derive(Args, Debug)]
#[command(after_help = "Example: holdfast devices --dir /mnt/disk1")]
pub(crate) struct Arguments {
    /// Look at the disk of this directory; may be repeated
    #[arg(long = "dir", value_name = "DIR")]
    dirs: Vec<PathBuf>,
    /// Count software adapters as usable; they are slow, and for tests
    #[arg(long)]
    allow_software_gpu: bool,
}

impl Arguments {
    pub(super) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        console.report(&Devices::survey(&self.dirs, self.allow_software_gpu)?)
    }
}
