//! `holdfast seal-audit`: are the windows what the rule makes?

use std::path::PathBuf;

use clap::Args;

use super::options::{MachineArguments, PolicyArguments, hex_digest};
use crate::console::{Console, Exit};
use crate::disks::Disk;
use crate::failure::Failure;
use crate::files;
use crate::interrupt;
use crate::jobs::seal_audit::SealAudit;

/// Audit how windows were made: challenge, answer and verify in one, or recompute them with --replay
#[derive(Args, Debug)]
#[command(after_help = "\
With --dir: what a validator would ask about every batch of every partition, answered and verified here. With \
--commitment --replay: makes windows again from the commitment alone, without the miner. Examples:
  holdfast seal-audit --dir /mnt/disk1
  holdfast seal-audit --commitment a.commitment --replay --windows 2")]
pub(crate) struct Arguments {
    /// Directory that holds the partitions of one disk; repeat for several disks
    #[arg(
        long = "dir",
        value_name = "DIR",
        required_unless_present = "commitment",
        conflicts_with = "commitment"
    )]
    dirs: Vec<PathBuf>,
    /// A commitment to replay from
    #[arg(long, value_name = "FILE", requires = "replay")]
    commitment: Option<PathBuf>,
    /// Make whole windows again and compare all their roots
    #[arg(long)]
    replay: bool,
    /// How many windows of each partition to replay, chosen by the beacon [default: all]
    #[arg(long, value_name = "N", requires = "replay", value_parser = clap::value_parser!(u64).range(1..))]
    windows: Option<u64>,
    /// Beacon that chooses what is asked, 64 hex digits [default: the recorder's; zeros with --commitment]
    #[arg(long, value_name = "HEX", value_parser = hex_digest)]
    beacon: Option<[u8; 32]>,
    #[command(flatten)]
    policy: PolicyArguments,
    #[command(flatten)]
    machine: MachineArguments,
}

impl Arguments {
    pub(super) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        let audit = SealAudit {
            policy: self.policy.resolve()?,
            beacon: self.beacon,
            replay: self.replay,
            windows: self.windows,
        };
        let machine = self.machine.resolve()?;
        let control = interrupt::control(self.machine.rate_limit);
        let report = match &self.commitment {
            Some(path) => audit.of_commitment(&files::read_commitment(path)?, (&machine, &control))?,
            None => audit.of_disks(&Disk::open_all(&self.dirs)?, (&machine, &control), console)?,
        };
        console.report(&report)
    }
}
