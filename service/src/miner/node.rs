//! A miner as a process: from its configuration to its end. Three things go on side by side: it serves, it follows who
//! validates, and it makes its disks what the stakes ask for.

mod disks;
mod filling;
mod follow;
mod observe;
mod settings;
mod stability;
mod workers;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use holdfast_engine::account::Account;
use holdfast_engine::policy::{Policy, PolicyError};
use holdfast_engine::signature::Signer;
use serde::Serialize;
use tokio::task::JoinError;
use tokio_util::sync::CancellationToken;

use super::{Miner, MinerError, Parts, SERVICE, Validators};
use crate::chain::{Chain, ChainError, FileChain};
use crate::identity::{DevelopmentNames, Identity, PasswordSource};
use crate::index;
use crate::listen::{ListenError, Listener};
use crate::local::failure::Failure;
use crate::local::machine::Machine;
use crate::operation::counted::{CountedChain, CountedIndex};
use crate::operation::metrics::Metrics;
use crate::operation::page::{self, Page, PageError};
use crate::wire::clock::SystemClock;
use disks::Disks;
use observe::Observer;
use workers::Workers;

pub use settings::{
    AllocationSettings, ChainSettings, DiskSettings, FillingSettings, IdentitySettings, IndexSettings,
    Settings,
};

/// What is known once a miner serves.
#[derive(Clone, Debug, Serialize)]
pub struct Ready {
    /// Who it is.
    pub miner: Account,
    /// Where it serves.
    pub address: SocketAddr,
    /// Where its metrics are, if it was told to show them.
    pub metrics: Option<SocketAddr>,
    /// Where workers connect to, if it takes them.
    pub workers: Option<SocketAddr>,
}

/// Runs a miner on the chain that its configuration names, until `shutdown` is ready. `ready` is called once it serves.
///
/// # Errors
/// What keeps it from starting, or ends it.
pub async fn run(
    settings: &Settings,
    shutdown: impl Future<Output = ()>,
    ready: impl FnOnce(&Ready),
) -> Result<(), MinerError> {
    let chain = FileChain::open(&settings.chain.directory).map_err(chain_failure)?;
    let passwords = PasswordSource::new(settings.identity.password_file.clone());
    let identity = Identity::load(&settings.identity.source()?, DevelopmentNames::Allowed, &passwords);
    let identity = identity.map_err(Failure::from)?;
    if let Some(exposed) = identity.exposed() {
        tracing::warn!("{exposed}");
    }
    run_on(settings, Arc::new(chain), Arc::new(identity.into_signer()), shutdown, ready).await
}

/// Runs a miner on this chain with this key, until `shutdown` is ready.
///
/// # Errors
/// As [`run`].
pub async fn run_on(
    settings: &Settings,
    chain: Arc<dyn Chain>,
    signer: Arc<Signer>,
    shutdown: impl Future<Output = ()>,
    ready: impl FnOnce(&Ready),
) -> Result<(), MinerError> {
    settings.check()?;
    let policy = Policy::resolve(&settings.policy).map_err(policy_failure)?;
    let recorder = chain.recorder();
    let finality_blocks = {
        let recorder = Arc::clone(&recorder);
        super::blocking(move || recorder.finality_blocks()).await?.map_err(Failure::from)?
    };
    if finality_blocks != policy.finality_blocks {
        let ours = policy.finality_blocks;
        return Err(Failure::Usage(format!(
            "policy {:?} says that blocks are final after {ours} others, the chain says {finality_blocks}",
            settings.policy
        ))
        .into());
    }
    let metrics = Arc::new(Metrics::new());
    let chain = CountedChain::over(chain, &metrics);
    let listener = Listener::bind(&settings.server).await.map_err(listen_failure)?;
    let listener = listener.counting(Arc::clone(&metrics));
    let address = listener.address();
    let machine = Machine::of_this_host(settings.filling.threads)?;
    let workers = Workers::open(settings, machine.backend, &metrics).await?;
    let locks = disks::take(&settings.directories())?;
    let miner = Miner::open(Parts {
        signer: Arc::clone(&signer),
        clock: Arc::new(SystemClock),
        recorder,
        index: CountedIndex::over(index::open(&settings.index_location()).await?, &metrics),
        policy,
        machine,
        directories: settings.directories(),
        limits: settings.limits.clone(),
        validators: Validators::default(),
        metrics: Arc::clone(&metrics),
        workers: workers.exchange(),
    })
    .await?;
    let stop = CancellationToken::new();
    let observer = Arc::new(Observer::of(&miner, &*chain));
    let page = page::open(&settings.metrics, &metrics, observer).await.map_err(page_failure)?;
    let metrics_address = page.as_ref().map(Page::address);
    let shown = tokio::spawn(page::serve(page, stop.clone()));
    let following = tokio::spawn(follow::follow(
        Arc::clone(&miner),
        Arc::clone(&chain),
        settings.chain.announce,
        stop.clone(),
    ));
    let workers_address = workers.address();
    let working = tokio::spawn(workers.serve(stop.clone()));
    let disks = Disks::new(settings, Arc::clone(&miner), chain, locks, stop.clone())?;
    let dividing = tokio::spawn(disks.keep());
    let account = miner.account();
    ready(&Ready { miner: account, address, metrics: metrics_address, workers: workers_address });
    let routes = miner.routes(settings.server.message_bytes);
    let ending = async {
        tokio::select! {
            () = shutdown => {}
            () = stop.cancelled() => {}
        }
    };
    let served = listener.serve(routes, &[SERVICE], ending).await;
    stop.cancel();
    // What is acknowledged is durable; these end at the next safe point.
    let (followed, divided, worked, _) = tokio::join!(following, dividing, working, shown);
    served.map_err(listen_failure)?;
    worked.map_err(lost)?.map_err(workers::failure)?;
    followed.and(divided).map_err(lost)
}

fn lost(error: JoinError) -> MinerError {
    MinerError::Lost(error.to_string())
}

fn chain_failure(error: ChainError) -> Failure {
    match error {
        ChainError::Recorder(error) => error.into(),
        error => Failure::work("state", "the chain", error),
    }
}

fn policy_failure(error: PolicyError) -> Failure {
    match error {
        PolicyError::Unreadable { source, given } => Failure::file("read policy", given, source),
        error => Failure::Usage(error.to_string()),
    }
}

fn page_failure(error: PageError) -> Failure {
    Failure::work("state", "the metrics", error)
}

fn listen_failure(error: ListenError) -> Failure {
    match error {
        ListenError::PlainText { .. } => Failure::Usage(error.to_string()),
        error => Failure::work("state", "the server", error),
    }
}

#[cfg(test)]
mod tests;
