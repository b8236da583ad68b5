//! `holdfast trim`: give disk space back.

use clap::Args;

use holdfast_service::local::size;

use super::options::{ConfirmArguments, DirArguments};
use super::resize::carry_out;
use crate::console::{Console, Exit};
use crate::disks::Disk;
use crate::failure::Failure;
use crate::jobs::resize::{Change, Resized};
use crate::table;

/// Give disk space back: trim the last windows of all partitions in proportion until a disk has the bytes free
#[derive(Args, Debug)]
#[command(after_help = "\
Shows what goes before it goes. Validators notice at the next audit unless the smaller size is registered, so a new \
commitment is recorded at once. Example:
  holdfast trim --dir /mnt/disk1 --free 200GiB --dry-run")]
pub(crate) struct Arguments {
    #[command(flatten)]
    disks: DirArguments,
    /// Bytes to free on each disk
    #[arg(long, value_name = "SIZE", value_parser = size)]
    free: u64,
    #[command(flatten)]
    confirm: ConfirmArguments,
}

impl Arguments {
    pub(super) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        let mut disks = Disk::open_all(&self.disks.dirs)?;
        let mut changes = Vec::new();
        for disk in &disks {
            changes.push(self.changes(disk)?);
        }
        for (disk, changes) in disks.iter_mut().zip(&changes) {
            carry_out(disk, changes, &self.confirm, console)?;
        }
        console.report(&Resized {
            dry_run: self.confirm.dry_run,
            changes: changes.into_iter().flatten().collect(),
        })
    }

    /// Takes windows from all partitions in proportion, at least one being left to each.
    fn changes(&self, disk: &Disk) -> Result<Vec<Change>, Failure> {
        let windows: Vec<u64> = disk.manifest.partitions.iter().map(|partition| partition.windows).collect();
        let wanted = self.free.div_ceil(disk.slot_bytes());
        let Some(left) = shrink(&windows, wanted) else {
            let most =
                windows.iter().map(|windows| windows.saturating_sub(1)).sum::<u64>() * disk.slot_bytes();
            return Err(Failure::State {
                message: format!(
                    "{} can give back {} at most, with one window left to each partition",
                    disk.directory.display(),
                    table::bytes(most)
                ),
                advice: "use `holdfast remove` to delete whole partitions".to_owned(),
            });
        };
        let changed = left.into_iter().enumerate().filter(|&(place, left)| left != windows[place]);
        Ok(changed.map(|(place, left)| Change::of(disk, place, left)).collect())
    }
}

/// What is left of each partition when `wanted` windows go, each losing in proportion to what it has above one window.
/// `None` if there are not so many.
fn shrink(windows: &[u64], wanted: u64) -> Option<Vec<u64>> {
    let spare: Vec<u64> = windows.iter().map(|windows| windows.saturating_sub(1)).collect();
    let total: u64 = spare.iter().sum();
    if wanted > total {
        return None;
    }
    // Running totals: rounding errors do not add up, and the sum is exact.
    let share = |sum: u64| {
        u64::try_from(u128::from(sum) * u128::from(wanted) / u128::from(total.max(1))).unwrap_or(sum)
    };
    let mut sum = 0;
    let left = windows.iter().zip(&spare).map(|(windows, spare)| {
        let before = share(sum);
        sum += spare;
        windows - (share(sum) - before)
    });
    Some(left.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_go_in_proportion_and_exactly_as_many_as_wanted() {
        assert_eq!(shrink(&[11, 21, 1], 15), Some(vec![6, 11, 1]));
        assert_eq!(shrink(&[3, 3, 3], 4), Some(vec![2, 2, 1]));
        for wanted in 0..=30 {
            let left = shrink(&[11, 21, 1], wanted).expect("there are so many");
            assert_eq!(left.iter().sum::<u64>(), 33 - wanted);
            assert!(left.iter().all(|&left| left >= 1));
        }
    }

    #[test]
    fn the_last_window_of_a_partition_never_goes() {
        assert_eq!(shrink(&[2, 2], 3), None);
        assert_eq!(shrink(&[2, 2], 2), Some(vec![1, 1]));
        assert_eq!(shrink(&[], 1), None);
    }
}
