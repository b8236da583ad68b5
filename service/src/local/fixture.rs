//! Directories for tests.

use std::num::NonZeroU64;
use std::path::Path;

use holdfast_engine::policy::Policy;
use holdfast_engine::recorder::{FileRecorder, SimulationSettings};
use holdfast_engine::registration::Profile;
use holdfast_partition::allocate::{Stake, StakeTable};

use super::allocation::{NamedAccount, Shares, Site, apply, propose};
use super::console::{Console, OutputArguments, ProgressWhen};
use super::disks::{Disk, RECORDER_NAME};

/// A console that shows no progress.
pub(crate) fn console() -> Console {
    Console::new(&OutputArguments { json: false, progress: ProgressWhen::Never })
}

/// Makes a directory with partitions of small windows for these validators, by stake in rao, and a simulated chain in it.
pub(crate) fn allocated(
    path: &Path,
    miner: &NamedAccount,
    validators: &[(&str, u64)],
    (policy, max_bytes): (&Policy, u64),
) -> (Disk, FileRecorder) {
    std::fs::create_dir(path).expect("creates");
    let stake = |(uid, (name, rao)): (u32, &(&str, u64))| Stake {
        uid,
        hotkey: (*name).to_owned(),
        #[expect(clippy::cast_precision_loss, reason = "round numbers")]
        stake: *rao as f64 / 1e9,
    };
    let rows = (0..).zip(validators).map(stake).collect();
    let shares = Shares {
        stakes: StakeTable::new(rows).expect("stakes"),
        threshold: 1.0,
        max_bytes: Some(max_bytes),
        window_bytes: Some(32 << 10),
        profile: Some(Profile::Custom(4)),
        object_reserve: 0.0,
    };
    let recorder = path.join(RECORDER_NAME);
    let site = Site { miner, netuid: 0, wallet: None, hotkey: None, recorder };
    let settings = SimulationSettings {
        finality_blocks: NonZeroU64::new(policy.finality_blocks).expect("at least 1"),
        ..SimulationSettings::default()
    };
    let chain = FileRecorder::open_or_create(&site.recorder, settings).expect("a recorder");
    let proposal = propose(path, &shares).expect("a proposal");
    let disk = apply(proposal, &site, &chain, &console()).expect("allocates");
    (disk, chain)
}
