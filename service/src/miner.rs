//! The miner: shares of its disks for validators, objects for owners under validators' tickets, and answers to audits.

mod answers;
mod catalogue;
mod chains;
mod error;
mod inventory;
pub mod limits;
pub mod node;
mod serve;
mod shares;
mod stats;
mod tables;
mod uploads;
mod validators;

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use holdfast_engine::account::Account;
use holdfast_engine::policy::Policy;
use holdfast_engine::recorder::Recorder;
use holdfast_engine::rejection::Rejection;
use holdfast_engine::signature::Signer;
use tonic::service::Routes;

use crate::chain::Income;
use crate::index::Index;
use crate::local::failure::Failure;
use crate::local::machine::Machine;
use crate::operation::metrics::Metrics;
use crate::proto::miner_server::MinerServer;
use crate::wire::Correspondent;
use crate::wire::clock::Clock;
use crate::workers::Exchange;
use answers::Answers;
use catalogue::Catalogue;
use chains::Chains;
use limits::{Gate, Limits, Slots, Streams, Wholes};
use serve::Service;
use shares::Shares;
use stats::Stats;
use tables::Tables;
use uploads::Uploads;

pub use error::MinerError;
pub use inventory::{ObjectRow, Reindexed, reindex};
pub use validators::Validators;

/// The name of the service in health checks.
pub const SERVICE: &str = "holdfast.v1.Miner";

/// What a miner is made of.
pub struct Parts {
    /// Its key.
    pub signer: Arc<Signer>,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// What the chain fixed.
    pub recorder: Arc<dyn Recorder>,
    /// What must not be forgotten: receipts and the ends of their chains.
    pub index: Arc<dyn Index>,
    /// The network's policy.
    pub policy: Policy,
    /// What of this machine it may use.
    pub machine: Machine,
    /// The allocated directories.
    pub directories: Vec<PathBuf>,
    /// What callers may ask of it.
    pub limits: Limits,
    /// Who validates, as far as is known at the start.
    pub validators: Validators,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Other machines that make windows for its disks.
    pub workers: Option<Arc<Exchange>>,
}

/// A miner's state, shared by everything that serves it.
pub struct Miner {
    correspondent: Correspondent,
    recorder: Arc<dyn Recorder>,
    policy: Policy,
    machine: Machine,
    workers: Option<Arc<Exchange>>,
    limits: Limits,
    validators: Validators,
    shares: Shares,
    catalogue: Catalogue,
    uploads: Uploads,
    answers: Answers,
    chains: Chains,
    gate: Gate,
    slots: Arc<Slots>,
    /// What goes out to owners and validators, and rounds that are being answered.
    streams: Arc<Streams>,
    rounds: Arc<Streams>,
    wholes: Wholes,
    stats: Stats,
    tables: Tables,
    index: Arc<dyn Index>,
    missing_objects: u64,
    /// What this miner may expect, by the weights of late.
    income: Mutex<Option<Income>>,
}

impl fmt::Debug for Miner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Miner({})", self.account())
    }
}

impl Miner {
    /// Opens all shares of the directories for writing, and reads which objects are in them. May take long: run it where
    /// that may block nothing else.
    ///
    /// # Errors
    /// A directory was not allocated, or another process has one of its stores.
    pub async fn open(parts: Parts) -> Result<Arc<Miner>, MinerError> {
        let Parts {
            signer,
            clock,
            recorder,
            index,
            policy,
            machine,
            directories,
            limits,
            validators,
            metrics,
            workers,
        } = parts;
        let account = signer.account();
        let network = blocking({
            let recorder = Arc::clone(&recorder);
            move || recorder.network().map_err(Failure::from)
        })
        .await??;
        let (shares, catalogue) = blocking(move || {
            let shares = Shares::open(&directories)?;
            let catalogue = Catalogue::read(&shares.all())?;
            Ok::<_, Failure>((shares, catalogue))
        })
        .await??;
        let missing_objects = inventory::tell_missing(&index, &catalogue).await?;
        Ok(Arc::new(Miner {
            correspondent: Correspondent::new(network, Arc::clone(&signer), clock),
            recorder,
            policy,
            slots: Arc::new(Slots::new(2 * machine.pool.current_num_threads(), limits.queue)),
            machine,
            workers,
            streams: Arc::new(Streams::new(limits.streams, limits.streams_per_caller)),
            rounds: Arc::new(Streams::new(0, limits.rounds_per_validator)),
            wholes: Wholes::new(limits.wholes, limits.whole_queue, limits.whole_pause()),
            uploads: Uploads::new(limits.uploads, limits.uploads_per_caller, limits.upload_kept()),
            answers: Answers::new(limits.answer_cache_bytes, limits.round_age_blocks),
            chains: Chains::new(network, signer, Arc::clone(&index)),
            index,
            missing_objects,
            gate: Gate::new(limits.clone(), account),
            stats: Stats::new(metrics),
            income: Mutex::default(),
            tables: Tables::default(),
            limits,
            validators,
            shares,
            catalogue,
        }))
    }

    /// Who it is.
    pub fn account(&self) -> Account {
        self.correspondent.account()
    }

    /// Who validates; whoever follows the chain keeps it up to date.
    pub fn validators(&self) -> &Validators {
        &self.validators
    }

    /// The service, for a [`crate::listen::Listener`].
    pub fn routes(self: &Arc<Miner>, message_bytes: usize) -> Routes {
        let service = MinerServer::new(Service::new(Arc::clone(self)));
        Routes::new(service.max_decoding_message_size(message_bytes))
    }

    /// Asks the recorder where that may block.
    async fn ask_recorder<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&dyn Recorder) -> Result<T, holdfast_engine::recorder::RecorderError> + Send + 'static,
    ) -> Result<T, MinerError> {
        let recorder = Arc::clone(&self.recorder);
        Ok(blocking(move || ask(&*recorder)).await?.map_err(Failure::from)?)
    }

    fn now_seconds(&self) -> u64 {
        self.correspondent.clock().now_seconds()
    }

    /// Refused, as this is somebody else's network or miner.
    fn check_is_me(&self, what: &str, network: &[u8; 32], miner: &Account) -> Result<(), Rejection> {
        use holdfast_engine::rejection::Class;
        if *network != self.correspondent.network() {
            return Err(Class::WrongReceiver.because(format!("the {what} is of another network")));
        }
        if *miner != self.account() {
            return Err(Class::WrongReceiver
                .because(format!("the {what} is for {miner}; this is {}", self.account())));
        }
        Ok(())
    }
}

/// Runs work that waits for disks or computes on a thread where that holds up nobody.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, MinerError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| MinerError::Lost(error.to_string()))
}

#[cfg(test)]
mod tests;
