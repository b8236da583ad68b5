//! `holdfast scrub`: read everything back, find what the disk lost, make it again.

use clap::Args;

use super::options::{DirArguments, MachineArguments};
use crate::console::{Console, Exit};
use crate::disks::Disk;
use crate::failure::Failure;
use crate::interrupt;
use crate::jobs::scrub::scrub_disks;

/// Read all data back and compare it with its roots; --repair makes damaged windows again
#[derive(Args, Debug)]
#[command(after_help = "\
Damaged windows are marked, and the next `fill` or --repair makes them again, byte for byte as they were. An interrupted \
scrub goes on where it stopped. Exit code 0: everything is right, or was repaired; 1: damage remains.")]
pub(crate) struct Arguments {
    #[command(flatten)]
    disks: DirArguments,
    #[command(flatten)]
    machine: MachineArguments,
    /// Make damaged windows again
    #[arg(long)]
    repair: bool,
}

impl Arguments {
    pub(super) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        let disks = Disk::open_all(&self.disks.dirs)?;
        let machine = self.machine.resolve()?;
        let control = interrupt::control(self.machine.rate_limit);
        console.report(&scrub_disks(&disks, self.repair, &machine, &control, console)?)
    }
}
