//! Flags that several commands share, and how raw words become values.

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use clap::Args;
use holdfast_engine::backend;
use holdfast_engine::jobs::answer;
use holdfast_engine::policy::{Policy, PolicyError};
use holdfast_engine::registration::{Profile, Registration, WindowShape};
use holdfast_partition::allocate::{StakeError, StakeTable};
use holdfast_partition::io::IoChoice;
use holdfast_service::local::size;

use crate::allocation::{NamedAccount, Shares};
use crate::committing::{OWNER, Parties};
use crate::console::Console;
use crate::disks::Disk;
use crate::failure::Failure;
use crate::gpus::Gpus;
use crate::machine::{self, Machine};
use crate::objects::ObjectDirectory;
use crate::settings;

/// `--dir`, once for every disk.
#[derive(Args, Clone, Debug)]
pub(crate) struct DirArguments {
    /// Directory that holds the partitions of one disk; repeat for several disks
    #[arg(long = "dir", value_name = "DIR", required = true)]
    pub(crate) dirs: Vec<PathBuf>,
}

/// What is to be divided among whom.
#[derive(Args, Clone, Debug)]
pub(crate) struct StakeArguments {
    /// Stake table: JSON [{"uid":0,"hotkey":"5E…","stake":900.0}, …] or CSV with these columns
    #[arg(long, value_name = "FILE")]
    pub(crate) stakes: PathBuf,
    /// Share of each disk's free bytes to use, 0 to 1 (bytes already allocated count as free)
    #[arg(long, value_name = "FRACTION", value_parser = fraction)]
    pub(crate) threshold: f64,
    /// Never use more than this many bytes of a disk (500GB, 2TiB, …)
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(crate) max_bytes: Option<u64>,
    /// Bytes of one window, a power of two: the unit of filling, sampling and memory (two windows are held)
    /// [default: as allocated before, else 1GiB, or 64MiB on disks for fewer than 64 of these]
    #[arg(long, value_name = "SIZE", value_parser = window)]
    pub(crate) window: Option<u64>,
    /// Work per window: swift 12 layers, standard 16, hard 32 [default: as allocated before, else standard]
    #[arg(long, value_name = "NAME", value_parser = profile)]
    pub(crate) profile: Option<Profile>,
}

/// `--policy`.
#[derive(Args, Clone, Debug)]
pub(crate) struct PolicyArguments {
    /// Audit policy: default, test (small windows, few samples), or a JSON file
    #[arg(long, value_name = "POLICY", default_value = "default")]
    pub(crate) policy: String,
}

/// How a command uses the machine.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Machine")]
pub(crate) struct MachineArguments {
    /// Who computes on the processor: auto takes the fastest of portable, neon, avx2, avx512 that is present
    #[arg(long, value_name = "NAME", default_value = "auto", value_parser = backend_choice)]
    pub(crate) backend: backend::Choice,
    /// How disks are read and written: auto takes uring or else pread, both direct; buffered and mmap use the page cache
    #[arg(long, value_name = "NAME", default_value = "auto", value_parser = io_choice)]
    pub(crate) io: IoChoice,
    /// Compute threads [default: tuned value, else all cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) threads: Option<u16>,
    /// Requests in flight on each disk [default: 128 for an answer; tuned value, else 8 for the rest]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) queue_depth: Option<u16>,
    /// Memory for data that waits for a disk, for each disk [default: tuned value, else 64MiB]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(crate) staging: Option<u64>,
    /// Read or write at most this many bytes a second on each disk
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(crate) rate_limit: Option<u64>,
    /// Run at the lowest processor and disk priority
    #[arg(long)]
    pub(crate) low_priority: bool,
}

/// Which one of the partitions in the directories.
#[derive(Args, Clone, Debug)]
#[group(required = true, multiple = false)]
pub(crate) struct PartitionArguments {
    /// The partition of this validator (address, 64 hex digits, or development name)
    #[arg(long, value_name = "KEY")]
    pub(crate) validator: Option<String>,
    /// The partition with this id
    #[arg(long, value_name = "ID")]
    pub(crate) partition: Option<u64>,
}

/// Who is named in the records of objects.
#[derive(Args, Clone, Debug)]
pub(crate) struct PartyArguments {
    /// Who checks the commitments and signs the record
    #[arg(long, value_name = "KEY", default_value = OWNER)]
    checker: String,
    /// Who keeps the object [default: whom the directory was allocated for, else the development name "miner"]
    #[arg(long, value_name = "KEY")]
    miner: Option<String>,
}

impl PartyArguments {
    /// The accounts.
    pub(crate) fn resolve(&self, directory: &ObjectDirectory, console: &Console) -> Result<Parties, Failure> {
        Parties::resolve(&self.checker, self.miner.as_deref(), directory, console)
    }
}

/// Flags of commands that take something away.
#[derive(Args, Clone, Debug)]
pub(crate) struct ConfirmArguments {
    /// Do it without asking
    #[arg(long)]
    pub(crate) yes: bool,
    /// Show what would be done and do nothing
    #[arg(long, conflicts_with = "yes")]
    pub(crate) dry_run: bool,
}

/// A share in (0, 1].
pub(crate) fn fraction(word: &str) -> Result<f64, String> {
    let value: f64 = word.parse().map_err(|_| "expected a number such as 0.8".to_owned())?;
    if value > 0.0 && value <= 1.0 {
        Ok(value)
    } else {
        Err("expected a number above 0, at most 1".to_owned())
    }
}

/// A time such as `90s`, `15m`, `12h` or `30d`, in seconds.
pub(crate) fn expiry(word: &str) -> Result<u64, String> {
    let expected = || "expected a time such as 90s, 15m, 12h or 30d".to_owned();
    let unit = word.chars().last().ok_or_else(expected)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => return Err(expected()),
    };
    let count: u64 = word[..word.len() - 1].parse().map_err(|_| expected())?;
    count.checked_mul(seconds).filter(|seconds| *seconds > 0).ok_or_else(expected)
}

/// Bytes of a window: a power of two from 32 KiB to 32 GiB.
pub(crate) fn window(word: &str) -> Result<u64, String> {
    let bytes = size(word)?;
    let shape = WindowShape::of_bytes(bytes, Profile::Standard).map_err(|rejection| rejection.detail)?;
    Ok(shape.bytes())
}

/// A profile by name.
pub(crate) fn profile(word: &str) -> Result<Profile, String> {
    Profile::from_name(word).ok_or_else(|| "expected swift, standard or hard".to_owned())
}

fn io_choice(word: &str) -> Result<IoChoice, String> {
    IoChoice::from_str(word).map_err(|error| error.to_string())
}

pub(crate) fn backend_choice(word: &str) -> Result<backend::Choice, String> {
    word.parse().map_err(|error: backend::BackendError| error.to_string())
}

/// 32 bytes as 64 hex digits.
pub(crate) fn hex_digest(word: &str) -> Result<[u8; 32], String> {
    let bytes = hex::decode(word.trim_start_matches("0x"))
        .map_err(|error| format!("expected 64 hex digits: {error}"))?;
    let length = bytes.len();
    bytes.try_into().map_err(|_| format!("expected 64 hex digits (32 bytes), found {length} bytes"))
}

impl StakeArguments {
    /// Reads the stake table; the rest is values already.
    pub(crate) fn resolve(&self) -> Result<Shares, Failure> {
        let stakes = StakeTable::read(&self.stakes).map_err(|error| match error {
            StakeError::Read { source, .. } => Failure::file("read", &self.stakes, source),
            other => Failure::Foreign {
                path: self.stakes.clone(),
                expected: "a stake table",
                reason: other.to_string(),
            },
        })?;
        if stakes.is_empty() {
            return Err(Failure::Foreign {
                path: self.stakes.clone(),
                expected: "a stake table",
                reason: "it lists nobody to allocate space for".to_owned(),
            });
        }
        Ok(Shares {
            stakes,
            threshold: self.threshold,
            max_bytes: self.max_bytes,
            window_bytes: self.window,
            profile: self.profile,
            object_reserve: 0.0,
        })
    }
}

impl MachineArguments {
    /// The back end, threads and buffers: as given, else as tuned for this host, else sensible. No graphics processors.
    pub(crate) fn resolve(&self) -> Result<Machine, Failure> {
        self.resolve_with(Gpus::off())
    }

    /// The same, with graphics processors.
    pub(crate) fn resolve_with(&self, gpus: Gpus) -> Result<Machine, Failure> {
        let tuned = settings::load()?;
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let tuned = tuned.as_ref();
        let threads = self.threads.or(tuned.map(|tuned| tuned.threads)).map_or(cores, usize::from);
        if self.low_priority {
            machine::lower_priority()?;
        }
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        let pool =
            pool.map_err(|error| Failure::Absent(format!("cannot start {threads} threads: {error}")))?;
        Ok(Machine {
            backend: backend::select(self.backend).map_err(|error| Failure::Absent(error.to_string()))?,
            gpus,
            io: self.io,
            pool: Arc::new(pool),
            answer_depth: self.queue_depth.map_or(answer::QUEUE_DEPTH, usize::from),
            queue_depth: self
                .queue_depth
                .or(tuned.map(|tuned| tuned.queue_depth))
                .map_or(machine::QUEUE_DEPTH, usize::from),
            staging_bytes: self
                .staging
                .or(tuned.map(|tuned| tuned.staging_bytes))
                .unwrap_or(machine::STAGING_BYTES),
        })
    }
}

impl PartitionArguments {
    /// The one partition that is meant: its disk and its place there.
    pub(crate) fn find_one(&self, disks: &[Disk], console: &Console) -> Result<(usize, usize), Failure> {
        let validators: Vec<String> = self.validator.iter().cloned().collect();
        let ids: Vec<u64> = self.partition.iter().copied().collect();
        match find_partitions(disks, &validators, &ids, console)?.as_slice() {
            [one] => Ok(*one),
            several => {
                let paths: Vec<String> = several
                    .iter()
                    .map(|&(disk, place)| disks[disk].path(&disks[disk].manifest.partitions[place]))
                    .map(|path| path.display().to_string())
                    .collect();
                Err(Failure::NotFound(format!(
                    "several partitions match: {}; name one --dir",
                    paths.join(", ")
                )))
            }
        }
    }
}

/// The partitions of these validators or with these ids; each must match at least one.
pub(crate) fn find_partitions(
    disks: &[Disk],
    validators: &[String],
    ids: &[u64],
    console: &Console,
) -> Result<Vec<(usize, usize)>, Failure> {
    let mut all = Vec::new();
    for (d, disk) in disks.iter().enumerate() {
        for (p, partition) in disk.manifest.partitions.iter().enumerate() {
            all.push((d, p, disk.registration(partition)?));
        }
    }
    let mut found = Vec::new();
    let mut matching = |wanted: &dyn Fn(&Registration) -> bool, what: String| {
        let before = found.len();
        found.extend(all.iter().filter(|(_, _, registration)| wanted(registration)).map(|&(d, p, _)| (d, p)));
        if found.len() > before { Ok(()) } else { Err(Failure::NotFound(unknown(disks, &what))) }
    };
    for name in validators {
        let account = NamedAccount::parse(name, console)?.account;
        matching(
            &|registration| registration.intent.validator == account,
            format!("no partition for validator {name}"),
        )?;
    }
    for id in ids {
        matching(&|registration| registration.partition_id == *id, format!("no partition with id {id}"))?;
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

/// What was not found, and what there is instead.
fn unknown(disks: &[Disk], what: &str) -> String {
    const SHOWN: usize = 20;
    let partitions = disks.iter().flat_map(|disk| &disk.manifest.partitions);
    let mut names: Vec<String> = partitions.map(|partition| partition.validator_hotkey.clone()).collect();
    let more = names.len().saturating_sub(SHOWN);
    names.truncate(SHOWN);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{what}; there are partitions for {}{more}", names.join(", "))
}

impl PolicyArguments {
    /// The policy that is meant.
    pub(crate) fn resolve(&self) -> Result<Policy, Failure> {
        Policy::resolve(&self.policy).map_err(|error| match error {
            PolicyError::Unreadable { source, given } => Failure::file("read policy", given, source),
            other => Failure::Foreign {
                path: self.policy.clone().into(),
                expected: "a policy",
                reason: other.to_string(),
            },
        })
    }
}
