//! `holdfast commitment`: what a validator keeps of one partition.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::options::{DirArguments, PartitionArguments};
use crate::commit;
use crate::console::{Console, Exit, Report};
use crate::disks::Disk;
use crate::failure::Failure;
use crate::files;
use crate::table;

/// Write a partition's commitment: its registration, its batches and the roots of its windows (1 MiB per TiB)
#[derive(Args, Debug)]
#[command(after_help = "\
The bytes are specified in docs/spec/space-v1.md §7. Example:
  holdfast commitment --dir /mnt/disk1 --validator alice --out alice.commitment")]
pub(crate) struct Arguments {
    #[command(flatten)]
    disks: DirArguments,
    #[command(flatten)]
    which: PartitionArguments,
    /// Where to write it
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

impl Arguments {
    pub(super) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        let disks = Disk::open_all(&self.disks.dirs)?;
        let (disk, partition) = self.which.find_one(&disks, console)?;
        let commitment =
            commit::commitment(&disks[disk], &disks[disk].manifest.partitions[partition], console)?;
        let bytes = commitment.encode();
        files::write_whole(&self.out, &bytes)?;
        console.report(&Written {
            out: self.out.clone(),
            bytes: bytes.len() as u64,
            partition_id: commitment.registration.partition_id,
            windows: commitment.window_count(),
            partition_root: hex::encode(commitment.partition_root()),
            registration_digest: hex::encode(commitment.registration_digest()),
            height: commitment.last_batch().height,
            signed: !commitment.signature.is_none(),
        })
    }
}

#[derive(Serialize)]
struct Written {
    out: PathBuf,
    bytes: u64,
    partition_id: u64,
    windows: u64,
    partition_root: String,
    registration_digest: String,
    height: u64,
    signed: bool,
}

impl Report for Written {
    fn text(&self, out: &mut String) {
        out.push_str(&format!(
            "{}: {}, partition {} with {} windows, recorded at height {}{}\nroot {}\n",
            self.out.display(),
            table::bytes(self.bytes),
            self.partition_id,
            self.windows,
            self.height,
            if self.signed { "" } else { ", unsigned: the miner's key is not here" },
            self.partition_root
        ));
    }
}
