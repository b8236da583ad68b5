//! `holdfast fill`: make and write every window that is not there yet.

use clap::Args;

use super::options::{DirArguments, MachineArguments};
use crate::console::{Console, Exit};
use crate::disks::Disk;
use crate::failure::Failure;
use crate::gpus::GpuArguments;
use crate::interrupt;
use crate::jobs::fill::fill_disks;

/// Fill allocated partitions; continues where it was interrupted
#[derive(Args, Debug)]
#[command(after_help = "\
Every window is durable before it is counted, so a crash, kill or power cut costs at most the windows in flight. Disks \
are filled side by side; one that fails does not stop the others. Ctrl-C stops cleanly. Example:
  holdfast fill --dir /mnt/disk1 --dir /mnt/disk2")]
pub(crate) struct Arguments {
    #[command(flatten)]
    disks: DirArguments,
    #[command(flatten)]
    machine: MachineArguments,
    #[command(flatten)]
    gpus: GpuArguments,
}

impl Arguments {
    pub(super) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        let mut disks = Disk::open_all(&self.disks.dirs)?;
        let machine = self.machine.resolve_with(self.gpus.resolve()?)?;
        let control = interrupt::control(self.machine.rate_limit);
        console.report(&fill_disks(&mut disks, (&machine, &[]), &control, console)?)
    }
}
