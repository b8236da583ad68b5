//! Disks follow the stakes: divided among validators, filled, recorded, with room for objects beside the windows.

mod chain;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use holdfast_engine::account::Account;
use holdfast_engine::registration::Profile;
use holdfast_partition::allocate::{Stake, StakeTable};
use tokio_util::sync::CancellationToken;

use super::filling::Filling;
use super::follow::stakes;
use super::settings::Settings;
use super::stability::Stability;
use crate::chain::{Chain, Metagraph, RECORDER_FILE};
use crate::local::allocation::{NamedAccount, Proposal, Shares, Site, apply_registered, propose, register};
use crate::local::commit::{record_batches, record_progress};
use crate::local::console::{Console, OutputArguments, ProgressWhen};
use crate::local::disks::{self, DirectoryLock, Disk};
use crate::local::failure::Failure;
use crate::local::recording::{Recording, Registrar};
use crate::miner::{Miner, MinerError, blocking};
use chain::ChainRecording;

/// How long to wait after dividing the disks failed.
const PAUSE: Duration = Duration::from_secs(10);
const RAO: f64 = 1e9;

/// Makes directories that are not there, and keeps other processes from changing anything in them.
pub(super) fn take(directories: &[PathBuf]) -> Result<Vec<DirectoryLock>, Failure> {
    let take = |directory: &PathBuf| {
        std::fs::create_dir_all(directory).map_err(|error| Failure::file("create", directory, error))?;
        disks::lock(directory)
    };
    directories.iter().map(take).collect()
}

/// Keeps the disks as the stakes ask for.
#[derive(Debug)]
pub(super) struct Disks {
    miner: Arc<Miner>,
    chain: Arc<dyn Chain>,
    wanted: Wanted,
    stability: Stability,
    bytes_per_second: Option<u64>,
    stable_blocks: u64,
    stop: CancellationToken,
    /// Other processes change nothing in these directories while this one lives.
    _locks: Vec<DirectoryLock>,
}

/// What does not change while the process runs.
#[derive(Clone, Debug)]
struct Wanted {
    disks: Vec<(PathBuf, Option<u64>)>,
    threshold: f64,
    window_bytes: Option<u64>,
    profile: Option<Profile>,
    object_reserve: f64,
    netuid: u16,
    wallet: Option<String>,
    hotkey: Option<String>,
    recorder: PathBuf,
}

impl Disks {
    pub(super) fn new(
        settings: &Settings,
        miner: Arc<Miner>,
        chain: Arc<dyn Chain>,
        locks: Vec<DirectoryLock>,
        stop: CancellationToken,
    ) -> Result<Disks, Failure> {
        Ok(Disks {
            _locks: locks,
            miner,
            chain,
            wanted: Wanted::of(settings)?,
            stability: Stability::new(settings.patience()),
            bytes_per_second: settings.filling.bytes_per_second,
            stable_blocks: settings.allocation.stable_blocks,
            stop,
        })
    }

    /// Until it is stopped.
    pub(super) async fn keep(mut self) {
        let mut heads = self.chain.heads();
        let mut filling: Option<Filling> = None;
        let mut looked_at = None;
        while !self.stop.is_cancelled() {
            match self.look(&mut filling, &mut looked_at).await {
                Ok(()) => {}
                Err(MinerError::Failed(Failure::Cancelled(_))) => break,
                Err(error) => {
                    tracing::error!(%error, "the disks are not divided as the stakes ask for");
                    // The next look begins anew.
                    looked_at = None;
                    tokio::select! {
                        () = self.stop.cancelled() => break,
                        () = tokio::time::sleep(PAUSE) => continue,
                    }
                }
            }
            tokio::select! {
                () = self.stop.cancelled() => break,
                changed = heads.changed() => if changed.is_err() { break },
                () = done(&mut filling) => {
                    filling = None;
                    if let Err(error) = self.record(true).await {
                        tracing::error!(%error, "filled windows are not recorded yet");
                        looked_at = None;
                    }
                }
            }
        }
        if let Some(filling) = filling {
            filling.stop().await;
        }
    }

    /// Divides the disks anew if that is due; else records what was filled.
    async fn look(
        &mut self,
        filling: &mut Option<Filling>,
        looked_at: &mut Option<u64>,
    ) -> Result<(), MinerError> {
        let metagraph = self.chain.metagraph().await.map_err(super::chain_failure)?;
        let height = metagraph.height;
        let stakes = stakes(&metagraph, &self.miner.account());
        let moved = self.stability.observe(height, &stakes) || looked_at.is_none();
        // Rooms are looked at no more often than stakes may move bytes.
        let rested = looked_at.is_none_or(|looked| height.saturating_sub(looked) >= self.stable_blocks);
        if stakes.is_empty()
            || !(moved || rested && self.miner.shares.rooms_are_off(self.wanted.object_reserve)?)
        {
            if filling.is_some() {
                self.record(false).await?;
            }
            return Ok(());
        }
        if let Some(filling) = filling.take() {
            filling.stop().await;
        }
        self.divide(&metagraph, stakes).await?;
        *looked_at = Some(height);
        let mut disks: Vec<Arc<Disk>> = Vec::new();
        for share in self.miner.shares.all() {
            if disks.last().is_none_or(|last| !Arc::ptr_eq(last, &share.disk)) {
                disks.push(Arc::clone(&share.disk));
            }
        }
        *filling = Some(Filling::start(&self.miner, disks, self.bytes_per_second));
        Ok(())
    }

    async fn divide(&self, metagraph: &Metagraph, stakes: BTreeMap<Account, u64>) -> Result<(), MinerError> {
        let (wanted, miner, recording) = (self.wanted.clone(), Arc::clone(&self.miner), self.recording());
        let table = table(metagraph, &stakes)?;
        blocking(move || wanted.divide(&miner, &table, &recording)).await??;
        tracing::info!(validators = stakes.len(), "the disks are divided");
        Ok(())
    }

    /// Records what was filled: all that is complete, or the beginnings of what is not.
    async fn record(&self, complete: bool) -> Result<(), MinerError> {
        let (miner, recording) = (Arc::clone(&self.miner), self.recording());
        blocking(move || {
            let account = NamedAccount::of_signer(Arc::clone(miner.correspondent.signer()));
            let registrar = Registrar { recording: &recording, miner: &account };
            for share in miner.shares.all() {
                if complete {
                    record_batches(&share.disk, registrar)?;
                } else {
                    record_progress(&share.disk, share.partition(), registrar)?;
                }
            }
            Ok::<_, Failure>(())
        })
        .await??;
        Ok(())
    }

    fn recording(&self) -> ChainRecording {
        ChainRecording::new(self.chain.recorder(), self.chain.heads(), self.stop.clone())
    }
}

/// Ready when the filling is done; never, if there is none.
async fn done(filling: &mut Option<Filling>) {
    match filling {
        Some(filling) => filling.done().await,
        None => std::future::pending().await,
    }
}

/// The stakes as allocation takes them.
fn table(metagraph: &Metagraph, stakes: &BTreeMap<Account, u64>) -> Result<StakeTable, Failure> {
    let row = |(hotkey, stake_rao): (&Account, &u64)| Stake {
        uid: metagraph.neuron_of(hotkey).map_or(0, |neuron| neuron.uid.into()),
        hotkey: hotkey.to_string(),
        #[expect(
            clippy::cast_precision_loss,
            reason = "stakes below 2^53 rao are exact, others to a millionth"
        )]
        stake: *stake_rao as f64 / RAO,
    };
    StakeTable::new(stakes.iter().map(row).collect())
        .map_err(|error| Failure::work("state", "the metagraph", error))
}

impl Wanted {
    fn of(settings: &Settings) -> Result<Wanted, Failure> {
        let usage = |key: &str, error: String| Failure::Usage(format!("{key}: {error}"));
        let size = |key: &str, word: &Option<String>| {
            word.as_deref().map(crate::local::size).transpose().map_err(|error| usage(key, error))
        };
        let mut disks = Vec::with_capacity(settings.disks.len());
        for disk in &settings.disks {
            disks.push((disk.directory.clone(), size("disk.max", &disk.max)?));
        }
        let profile = settings.allocation.profile.as_deref().map(|name| {
            Profile::from_name(name).ok_or_else(|| {
                usage("allocation.profile", format!("{name:?}; there are swift, standard and hard"))
            })
        });
        let recorder = settings.chain.directory.join(RECORDER_FILE);
        Ok(Wanted {
            disks,
            threshold: settings.allocation.threshold,
            window_bytes: size("allocation.window", &settings.allocation.window)?,
            profile: profile.transpose()?,
            object_reserve: settings.allocation.object_reserve,
            netuid: settings.chain.netuid,
            wallet: settings.identity.wallet.clone(),
            hotkey: settings.identity.hotkey.clone(),
            recorder: std::path::absolute(&recorder)
                .map_err(|error| Failure::file("resolve", &recorder, error))?,
        })
    }

    /// Divides all disks. Waits for blocks; partitions of all disks are registered before, so that it waits once.
    fn divide(&self, miner: &Miner, stakes: &StakeTable, recording: &ChainRecording) -> Result<(), Failure> {
        let account = NamedAccount::of_signer(Arc::clone(miner.correspondent.signer()));
        let site = Site {
            miner: &account,
            netuid: self.netuid,
            wallet: self.wallet.clone(),
            hotkey: self.hotkey.clone(),
            recorder: self.recorder.clone(),
        };
        let silent = Console::new(&OutputArguments { json: false, progress: ProgressWhen::Never });
        let mut divided = Vec::with_capacity(self.disks.len());
        for (directory, max_bytes) in &self.disks {
            let shares = Shares {
                stakes: stakes.clone(),
                threshold: self.threshold,
                max_bytes: *max_bytes,
                window_bytes: self.window_bytes,
                profile: self.profile,
                object_reserve: self.object_reserve,
            };
            let proposal = propose(directory, &shares)?;
            check_owner(&proposal, &account)?;
            let ids = register(&proposal, &site, recording.recorder(), &silent)?;
            divided.push((proposal, ids));
        }
        let mut budgets = BTreeMap::new();
        for (proposal, ids) in divided {
            for line in &proposal.partitions {
                budgets.insert((proposal.directory.clone(), line.validator.clone()), line.bytes);
            }
            miner.shares.make_way(&proposal);
            apply_registered(proposal, &site, &ids, recording)?;
        }
        let directories: Vec<PathBuf> = self.disks.iter().map(|(directory, _)| directory.clone()).collect();
        miner.shares.reopen(&directories)?;
        miner.shares.set_budgets(&budgets)
    }
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
