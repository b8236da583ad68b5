//! `holdfast resize`: change the number of windows of one partition.

use clap::Args;

use super::options::{ConfirmArguments, DirArguments, PartitionArguments};
use crate::console::{Console, Exit};
use crate::disks::Disk;
use crate::failure::Failure;
use crate::jobs::resize::{Change, Resized, resize, windows_lost};

/// Grow or shrink one partition; windows are appended or trimmed, nothing valid is filled again
#[derive(Args, Debug)]
#[command(after_help = "Example: holdfast resize --dir /mnt/disk1 --validator alice --windows 120")]
pub(crate) struct Arguments {
    #[command(flatten)]
    disks: DirArguments,
    #[command(flatten)]
    which: PartitionArguments,
    /// The new number of windows
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    windows: u64,
    #[command(flatten)]
    confirm: ConfirmArguments,
}

impl Arguments {
    pub(super) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        let mut disks = Disk::open_all(&self.disks.dirs)?;
        let (disk, place) = self.which.find_one(&disks, console)?;
        let disk = &mut disks[disk];
        let changes = vec![Change::of(disk, place, self.windows)];
        carry_out(disk, &changes, &self.confirm, console)?;
        console.report(&Resized { dry_run: self.confirm.dry_run, changes })
    }
}

/// Asks where windows are given up, and resizes.
pub(super) fn carry_out(
    disk: &mut Disk,
    changes: &[Change],
    confirm: &ConfirmArguments,
    console: &Console,
) -> Result<(), Failure> {
    if confirm.dry_run {
        return Ok(());
    }
    let agree = || {
        let lost = windows_lost(changes);
        if lost == 0 {
            return Ok(());
        }
        if !confirm.yes {
            changes.iter().for_each(|change| console.note(change.line().trim_end()));
        }
        console.confirm(confirm.yes, &format!("Give up {lost} windows?"))
    };
    resize(disk, changes, agree, console)
}
