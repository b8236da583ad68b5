//! `holdfast allocate`: a partition per validator, registered and reserved on the disk.

use std::num::NonZeroU64;
use std::path::PathBuf;

use clap::Args;
use holdfast_engine::policy::Policy;
use holdfast_engine::recorder::{FileRecorder, SimulationSettings};
use holdfast_engine::registration::network_digest;
use serde::Serialize;

use super::options::{ConfirmArguments, DirArguments, PolicyArguments, StakeArguments};
use crate::allocation::{Action, NamedAccount, Proposal, ProposedPartition, Site, apply, propose};
use crate::console::{Console, Exit, Report};
use crate::disks::{self, Disk, RECORDER_NAME};
use crate::failure::Failure;
use crate::table::{self, Table};

/// Divide disks among validators by stake: register partitions and reserve their files
#[derive(Args, Debug)]
#[command(after_help = "\
Run it again with a new stake table: validators keep their partitions, sizes follow the stakes, and nothing valid is \
filled again. What would be taken away is shown first and needs --yes. Examples:
  holdfast allocate --dir /mnt/disk1 --stakes stakes.json --miner alice --threshold 0.8 --dry-run
  holdfast allocate --dir /mnt/disk1 --stakes stakes.json --miner alice --threshold 0.8 --yes")]
pub(crate) struct Arguments {
    #[command(flatten)]
    disks: DirArguments,
    #[command(flatten)]
    shares: StakeArguments,
    #[command(flatten)]
    policy: PolicyArguments,
    /// The miner's account: SS58 address, 64 hex digits, or a development name of the simulated network
    #[arg(long, value_name = "KEY")]
    miner: String,
    /// Number of the subnet that the partitions are for
    #[arg(long, value_name = "N", default_value_t = 0)]
    netuid: u16,
    /// Name of the wallet, noted in partition.json
    #[arg(long, value_name = "NAME")]
    wallet: Option<String>,
    /// Name of the hotkey in the wallet, noted in partition.json
    #[arg(long, value_name = "NAME")]
    hotkey: Option<String>,
    #[command(flatten)]
    confirm: ConfirmArguments,
}

impl Arguments {
    pub(super) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        let shares = self.shares.resolve()?;
        let policy = self.policy.resolve()?;
        let miner = NamedAccount::parse(&self.miner, console)?;
        disks::check_distinct(&self.disks.dirs)?;
        let proposals = self.disks.dirs.iter().map(|directory| propose(directory, &shares));
        let proposals = proposals.collect::<Result<Vec<_>, _>>()?;
        proposals.iter().try_for_each(|proposal| check_owner(proposal, &miner))?;
        for proposal in &proposals {
            let (log2_labels, layers) = (proposal.shape.log2_labels(), proposal.shape.layers());
            if let Err(error) = policy.check_profile(log2_labels, layers) {
                console.warn(format!("audits will fail: {error}"));
            }
        }
        let report = Allocated::new(&proposals, self.confirm.dry_run);
        if self.confirm.dry_run {
            return console.report(&report);
        }
        if !self.confirm.yes {
            let mut text = String::new();
            report.text(&mut text);
            console.note(text);
        }
        console.confirm(self.confirm.yes, &question(&proposals))?;
        let site = self.site(&proposals, &miner)?;
        let recorder =
            FileRecorder::open_or_create(&site.recorder, simulation_settings(self.netuid, &policy))?;
        for proposal in proposals {
            apply(proposal, &site, &recorder, console)?;
        }
        let disks = Disk::open_all(&self.disks.dirs)?;
        console.report(&report.done(&disks))
    }

    /// The recorder of the directories that have one, else a new one in the first.
    fn site<'a>(&self, proposals: &[Proposal], miner: &'a NamedAccount) -> Result<Site<'a>, Failure> {
        let mut recorders: Vec<PathBuf> = Vec::new();
        for disk in proposals.iter().filter_map(|proposal| proposal.disk.as_ref()) {
            recorders.push(absolute(disk.recorder_path()?)?);
        }
        recorders.dedup();
        if let [one, other, ..] = recorders.as_slice() {
            return Err(Failure::Usage(format!(
                "the directories have different recorders, {} and {}: allocate them one by one",
                one.display(),
                other.display()
            )));
        }
        let recorder = match recorders.pop() {
            Some(recorder) => recorder,
            None => absolute(self.disks.dirs.first().map(|dir| dir.join(RECORDER_NAME)).unwrap_or_default())?,
        };
        Ok(Site {
            miner,
            netuid: self.netuid,
            wallet: self.wallet.clone(),
            hotkey: self.hotkey.clone(),
            recorder,
        })
    }
}

/// A simulated chain with the network of this subnet and the finality of this policy.
pub(crate) fn simulation_settings(netuid: u16, policy: &Policy) -> SimulationSettings {
    let defaults = SimulationSettings::default();
    SimulationSettings {
        network: network_digest(&[0; 32], netuid),
        finality_blocks: NonZeroU64::new(policy.finality_blocks).unwrap_or(defaults.finality_blocks),
        ..defaults
    }
}

fn absolute(path: PathBuf) -> Result<PathBuf, Failure> {
    std::path::absolute(&path).map_err(|error| Failure::file("resolve", path, error))
}

/// One directory belongs to one miner.
fn check_owner(proposal: &Proposal, miner: &NamedAccount) -> Result<(), Failure> {
    match &proposal.disk {
        Some(disk) if disk.manifest.miner.hotkey != miner.name => Err(Failure::State {
            message: format!(
                "{} belongs to miner {}, not {}",
                disk.directory.display(),
                disk.manifest.miner.hotkey,
                miner.name
            ),
            advice: "use another directory, or remove what is there".to_owned(),
        }),
        _ => Ok(()),
    }
}

fn question(proposals: &[Proposal]) -> String {
    let bytes: u64 = proposals.iter().map(|proposal| proposal.plan.planned_bytes).sum();
    let lost: u64 = proposals.iter().map(Proposal::windows_lost).sum();
    match lost {
        0 => format!("Reserve {}?", table::bytes(bytes)),
        lost => format!("Reserve {} and GIVE UP {lost} windows?", table::bytes(bytes)),
    }
}

#[derive(Serialize)]
struct Allocated {
    dry_run: bool,
    disks: Vec<AllocatedDisk>,
}

#[derive(Serialize)]
struct AllocatedDisk {
    directory: PathBuf,
    available_bytes: u64,
    threshold_bytes: u64,
    planned_bytes: u64,
    window_bytes: u64,
    layers: u8,
    partitions: Vec<ProposedPartition>,
}

impl Allocated {
    fn new(proposals: &[Proposal], dry_run: bool) -> Allocated {
        let disks = proposals.iter().map(|proposal| AllocatedDisk {
            directory: proposal.directory.clone(),
            available_bytes: proposal.plan.available_bytes,
            threshold_bytes: proposal.plan.threshold_bytes,
            planned_bytes: proposal.plan.planned_bytes,
            window_bytes: proposal.shape.bytes(),
            layers: proposal.shape.layers(),
            partitions: proposal.partitions.clone(),
        });
        Allocated { dry_run, disks: disks.collect() }
    }

    /// Notes the files that were made.
    fn done(mut self, disks: &[Disk]) -> Allocated {
        for (allocated, disk) in self.disks.iter_mut().zip(disks) {
            for line in &mut allocated.partitions {
                let mut partitions = disk.manifest.partitions.iter();
                let partition = partitions.find(|partition| partition.validator_hotkey == line.validator);
                line.path = partition.map(|partition| disk.path(partition));
            }
        }
        self
    }
}

impl Report for Allocated {
    fn text(&self, out: &mut String) {
        for disk in &self.disks {
            out.push_str(&format!(
                "{}: {} of {} in windows of {}, {} layers\n",
                disk.directory.display(),
                table::bytes(disk.planned_bytes),
                table::bytes(disk.available_bytes),
                table::bytes(disk.window_bytes),
                disk.layers
            ));
            write_partitions(&disk.partitions, out);
        }
        if self.dry_run {
            out.push_str("nothing was changed (--dry-run)\n");
        } else {
            out.push_str("next: holdfast fill\n");
        }
    }
}

/// The table of a proposal, for `plan` and `allocate`.
pub(crate) fn write_partitions(partitions: &[ProposedPartition], out: &mut String) {
    let mut lines = Table::new(&[">uid", "validator", ">stake", ">windows", ">size", "", ""]);
    for line in partitions {
        let change = match line.action {
            Action::Create => "new".to_owned(),
            Action::Keep => "unchanged".to_owned(),
            Action::Grow => format!("{} more", line.windows - line.windows_before),
            Action::Shrink => format!("{} GIVEN UP", line.windows_before - line.windows),
            Action::LeftOut => "gets none: its share is below one window".to_owned(),
            Action::Outside => "has no share any more; kept (see `holdfast remove`)".to_owned(),
        };
        lines.row([
            line.uid.to_string(),
            line.validator.clone(),
            format!("{:.1}", line.stake),
            line.windows.to_string(),
            table::bytes(line.bytes),
            change,
        ]);
    }
    lines.write("  ", out);
}
