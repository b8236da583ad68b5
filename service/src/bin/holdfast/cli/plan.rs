//! `holdfast plan`: what each validator would get, and what the result would be worth as a proof.

mod audit;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use holdfast_engine::policy::Policy;
use holdfast_engine::space::response::opening_bytes;
use holdfast_engine::space::security::Estimate;
use holdfast_engine::tree::{BLOCK_BYTES, PAGE_BYTES};
use serde::Serialize;

use super::allocate::write_partitions;
use super::options::{DirArguments, PolicyArguments, StakeArguments};
use crate::allocation::{Proposal, ProposedPartition, propose};
use crate::console::{Console, Exit, Report};
use crate::disks::check_distinct;
use crate::failure::Failure;
use crate::table;

/// Show how a disk would be divided among validators, what audits would cost, and what they would prove
#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
#[command(after_help = "\
Nothing is written. Examples:
  holdfast plan --dir /mnt/disk1 --stakes stakes.json --threshold 0.8
  holdfast plan audit --size 1TiB --loss 0.01 --rounds 24")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    disks: Option<DirArguments>,
    // Not with a struct flattened into it: clap would take that for absent.
    #[command(flatten)]
    shares: Option<StakeArguments>,
    #[command(flatten)]
    policy: PolicyArguments,
}

#[derive(Debug, Subcommand)]
enum What {
    Audit(audit::Arguments),
}

impl Arguments {
    pub(super) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        match (&self.what, &self.disks, &self.shares) {
            (Some(What::Audit(audit)), _, _) => audit.run(console),
            (None, Some(disks), Some(shares)) => plan_space(disks, shares, &self.policy, console),
            (None, _, _) => Err(Failure::Usage(
                "a plan takes --dir, --stakes and --threshold, or `holdfast plan audit`".to_owned(),
            )),
        }
    }
}

fn plan_space(
    disks: &DirArguments,
    shares: &StakeArguments,
    policy: &PolicyArguments,
    console: &Console,
) -> Result<Exit, Failure> {
    let policy = policy.resolve()?;
    let shares = shares.resolve()?;
    check_distinct(&disks.dirs)?;
    let plans = disks.dirs.iter().map(|directory| DiskPlan::new(propose(directory, &shares)?, &policy));
    console.report(&Plan { policy: policy.name.clone(), disks: plans.collect::<Result<_, _>>()? })
}

#[derive(Serialize)]
struct Plan {
    policy: String,
    disks: Vec<DiskPlan>,
}

#[derive(Serialize)]
struct DiskPlan {
    directory: PathBuf,
    available_bytes: u64,
    threshold_bytes: u64,
    planned_bytes: u64,
    windows: u64,
    window_bytes: u64,
    layers: u8,
    partitions: Vec<ProposedPartition>,
    audit: Option<AuditCost>,
    security: Option<Estimate>,
    /// Why the policy refuses these windows, if it does.
    refused: Option<String>,
}

/// What one round of space audits of all partitions of the disk costs.
#[derive(Serialize)]
struct AuditCost {
    samples: u64,
    /// Random reads of the disk: blocks and outboard pages.
    reads: u64,
    bytes_read: u64,
    bytes_sent: u64,
    deadline_ms: u32,
}

impl DiskPlan {
    fn new(proposal: Proposal, policy: &Policy) -> Result<DiskPlan, Failure> {
        let (log2_labels, layers) = (proposal.shape.log2_labels(), proposal.shape.layers());
        let (audit, security, refused) = match policy.samples_per_tib(log2_labels, layers) {
            Ok(samples) => {
                let estimate = Estimate::of(log2_labels, layers, samples, policy.deadline_ms);
                (Some(AuditCost::of(&proposal, policy)), Some(estimate), None)
            }
            Err(error) => (None, None, Some(error.to_string())),
        };
        Ok(DiskPlan {
            directory: proposal.directory,
            available_bytes: proposal.plan.available_bytes,
            threshold_bytes: proposal.plan.threshold_bytes,
            planned_bytes: proposal.plan.planned_bytes,
            windows: proposal.partitions.iter().map(|partition| partition.windows).sum(),
            window_bytes: proposal.shape.bytes(),
            layers,
            partitions: proposal.partitions,
            audit,
            security,
            refused,
        })
    }
}

impl AuditCost {
    fn of(proposal: &Proposal, policy: &Policy) -> AuditCost {
        let shape = proposal.shape;
        let samples = proposal.partitions.iter().filter(|partition| partition.windows > 0).map(|partition| {
            policy.samples(shape.log2_labels(), shape.layers(), partition.windows).map_or(0, u64::from)
        });
        let samples = samples.sum();
        AuditCost {
            samples,
            // A block and its outboard page each (tree-v1 §4).
            reads: samples * 2,
            bytes_read: samples * (BLOCK_BYTES + PAGE_BYTES) as u64,
            bytes_sent: samples * opening_bytes(shape) as u64,
            deadline_ms: policy.deadline_ms,
        }
    }
}

impl Report for Plan {
    fn text(&self, out: &mut String) {
        for disk in &self.disks {
            out.push_str(&format!(
                "{}: {} of {} in {} windows of {} with {} layers\n",
                disk.directory.display(),
                table::bytes(disk.planned_bytes),
                table::bytes(disk.available_bytes),
                disk.windows,
                table::bytes(disk.window_bytes),
                disk.layers
            ));
            write_partitions(&disk.partitions, out);
            if let Some(audit) = &disk.audit {
                out.push_str(&format!(
                    "\nOne round of audits: {} samples, at most {} random reads ({}), {} sent, within {} ms\n",
                    audit.samples,
                    audit.reads,
                    table::bytes(audit.bytes_read),
                    table::bytes(audit.bytes_sent),
                    audit.deadline_ms
                ));
            }
            if let Some(security) = &disk.security {
                out.push_str(&format!("\nSecurity under policy {:?}\n{security}", self.policy));
            }
            if let Some(refused) = &disk.refused {
                out.push_str(&format!("\nREFUSED by policy {:?}: {refused}\n", self.policy));
            }
            out.push('\n');
        }
    }
}
