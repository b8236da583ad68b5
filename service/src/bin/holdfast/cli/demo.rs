//! `holdfast demo`: the whole story on real files.

use std::path::PathBuf;

use clap::Args;

use crate::console::{Console, Exit};
use crate::demo::{self, Wishes};
use crate::failure::Failure;
use holdfast_service::local::size;

/// See everything work on real files in two minutes: plan, fill, kill, resume, audit, cheat, corrupt, repair, objects
#[derive(Args, Debug)]
#[command(
    after_help = "Needs no network and no configuration. Files are deleted at the end unless --keep is given."
)]
pub(crate) struct Arguments {
    /// Disk space to use
    #[arg(long, value_name = "SIZE", default_value = "320MiB", value_parser = size)]
    size: u64,
    /// Where to work [default: a new directory under the system's temporary directory]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Keep the files, to try the other commands on them
    #[arg(long)]
    keep: bool,
}

impl Arguments {
    pub(super) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        demo::run(&Wishes { bytes: self.size, dir: self.dir.clone(), keep: self.keep }, console)
    }
}
