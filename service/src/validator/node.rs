//! A validator that runs: for each new block it asks, voids what a reorganisation replaced, and closes what has become final.
//!
//! What must not be lost is in the index before it is acted on, so a process that is killed goes on from there: a round that was
//! being asked is void, one whose promises are kept is closed with what was judged. Of several processes with one index the one
//! that holds the lease does all of this; the others look on.

mod anchor;
mod begin;
mod charge;
mod close;
mod counting;
mod exporting;
pub mod monitor;
mod round;
mod score;
mod settings;
mod tend;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use holdfast_engine::account::Account;
use holdfast_engine::receipt::Receipt;
use holdfast_engine::recorder::Recorder;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::ValidatorError;
use super::audited::AuditedRecords;
use super::collect::Budget;
use super::commitments::Commitments;
use super::events::{Event, Events};
use super::holdings::Holdings;
use super::judge::Judge;
use super::peers::Peers;
use super::receipts::Chains;
use super::status::OpenRound;
use super::store::{Part, ROUNDS, RoundRow, SCORES, Stage, round_key};
use crate::chain::{Chain, Head};
use crate::connect::Connector;
use crate::export::EventKind;
use crate::index::lease::Lease;
use crate::index::{Index, KeyRange, transact};
use crate::operation::logging::Seldom;
use crate::operation::metrics::Metrics;
use crate::scoring::{MinerOutcome, Scoring, ScoringConfig, ScoringState};
use crate::wire::Correspondent;
use exporting::Written;
use monitor::Sign;

pub use counting::Observer;
pub use settings::{Exporting, Settings};

/// A miner that goes on failing in the same way is in the log once in so long.
const WARNING_INTERVAL: Duration = Duration::from_secs(3600);

/// What a validator works with.
#[derive(Debug)]
pub struct Parts {
    /// What it is told.
    pub settings: Settings,
    /// The chain.
    pub chain: Arc<dyn Chain>,
    /// What it must not forget.
    pub index: Arc<dyn Index>,
    /// What of owners' objects is audited.
    pub holdings: Arc<dyn Holdings>,
    /// Who it is.
    pub correspondent: Arc<Correspondent>,
    /// How it connects to others.
    pub connector: Connector,
    /// Judges responses.
    pub judge: Judge,
    /// What is counted.
    pub metrics: Arc<Metrics>,
}

/// A validator.
#[derive(Debug)]
pub struct Node {
    settings: Settings,
    chain: Arc<dyn Chain>,
    index: Arc<dyn Index>,
    holdings: Arc<dyn Holdings>,
    peers: Peers,
    judge: Judge,
    /// Memory for bodies, by [`Part`]: who lets a seal audit lie for hours takes nothing from samples.
    budgets: [Budget; 2],
    chains: Chains,
    commitments: Commitments,
    audited: AuditedRecords,
    events: Events,
    scoring: tokio::sync::Mutex<Scoring>,
    lease: Mutex<Option<Lease>>,
    /// Rounds that are neither linked nor void.
    open: Mutex<BTreeMap<(Part, u64), Open>>,
    /// Outcomes that wait for the next round that is scored.
    outcomes: Mutex<Vec<MinerOutcome>>,
    tasks: TaskTracker,
    /// Held by what is done once at a time.
    closing: tokio::sync::Mutex<()>,
    tending: tokio::sync::Mutex<()>,
    fetching: tokio::sync::Mutex<()>,
    export: tokio::sync::Mutex<Written>,
    /// Miners that receipts are being shown to.
    showing: Mutex<BTreeSet<Account>>,
    signs: Mutex<BTreeMap<Account, Sign>>,
    /// What other validators showed of their rounds last.
    histories: Mutex<BTreeMap<Account, Vec<Receipt>>>,
    metrics: Arc<Metrics>,
    /// Warnings that were written of late.
    warned: Seldom,
    weights_tried_at: AtomicU64,
    /// Set once this process has asked for all commitments that were registered when it began.
    fetched: tokio::sync::OnceCell<()>,
}

/// A round that is not over.
#[derive(Clone, Debug)]
struct Open {
    beacon: [u8; 32],
    /// Ends the task that asks, while there is one.
    asking: Option<CancellationToken>,
    /// Partitions whose seal audit it is: no other begins before it is over.
    sealing: Vec<u64>,
}

impl Node {
    /// Opens what the index holds.
    ///
    /// # Errors
    /// Those of the index; a scoring that does not fit what is kept.
    pub async fn open(parts: Parts) -> Result<Arc<Node>, ValidatorError> {
        let Parts { settings, chain, index, holdings, correspondent, connector, judge, metrics } = parts;
        let signer = Arc::clone(correspondent.signer());
        let scoring = restore(&*index, settings.scoring.clone()).await?;
        let events = Events::new(Arc::clone(&index), Arc::clone(correspondent.clock()));
        Ok(Arc::new(Node {
            chain,
            holdings,
            peers: Peers::new(Arc::clone(&correspondent), connector),
            judge,
            budgets: [settings.held_bytes / 4 * 3, settings.held_bytes / 4].map(Budget::new),
            chains: Chains::new(Arc::clone(&index), correspondent.network(), signer),
            commitments: Commitments::open(Arc::clone(&index)).await?,
            audited: AuditedRecords::default(),
            events,
            scoring: tokio::sync::Mutex::new(scoring),
            lease: Mutex::default(),
            open: Mutex::default(),
            outcomes: Mutex::default(),
            tasks: TaskTracker::new(),
            closing: tokio::sync::Mutex::default(),
            tending: tokio::sync::Mutex::default(),
            fetching: tokio::sync::Mutex::default(),
            export: tokio::sync::Mutex::default(),
            showing: Mutex::default(),
            signs: Mutex::default(),
            histories: Mutex::default(),
            metrics,
            warned: Seldom::every(WARNING_INTERVAL),
            weights_tried_at: AtomicU64::new(0),
            fetched: tokio::sync::OnceCell::new(),
            index,
            settings,
        }))
    }

    /// Follows the chain until it is told to stop; then lets rounds under way end and gives the lease up.
    ///
    /// # Errors
    /// The lease could not be given up. What fails before is tried again with the next block.
    pub async fn run(self: Arc<Node>, stop: CancellationToken) -> Result<(), ValidatorError> {
        let mut heads = self.chain.heads();
        heads.mark_changed();
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                changed = heads.changed() => if changed.is_err() { break },
            }
            let head = *heads.borrow_and_update();
            if let Err(error) = self.on_head(head).await {
                tracing::error!(height = head.height, %error, "a block was not followed");
            }
        }
        // Samples end within the deadline of bodies. Seal audits take hours; they are asked again.
        for ((part, _), open) in lock(&self.open).iter() {
            if let (Part::Seals, Some(asking)) = (part, &open.asking) {
                asking.cancel();
            }
        }
        self.idle().await;
        if self.is_in_charge() {
            let head = *heads.borrow();
            self.note(EventKind::ValidatorStopped, head.height, "it was told to stop").await;
            self.export_last().await;
        }
        let lease = lock(&self.lease).take();
        if let Some(lease) = lease {
            lease.release(&*self.index).await?;
        }
        Ok(())
    }

    /// Does what a new head asks for. Miners are asked, and rounds are closed, in tasks of their own.
    ///
    /// # Errors
    /// Those of the chain and the index; all is tried again with the next head.
    pub async fn on_head(self: &Arc<Node>, head: Head) -> Result<(), ValidatorError> {
        if !self.take_charge().await? {
            return Ok(());
        }
        // Miners were asked for what they registered before this validator began; who is not asked has not refused.
        self.fetched.get_or_try_init(|| self.fetch_first()).await?;
        self.ask(head).await?;
        self.void_replaced(head).await?;
        let node = Arc::clone(self);
        self.tasks.spawn(async move { node.close_final(head).await });
        let node = Arc::clone(self);
        self.tasks.spawn(async move { node.fetch().await });
        let node = Arc::clone(self);
        self.tasks.spawn(async move { node.tend(head).await });
        let node = Arc::clone(self);
        self.tasks.spawn(async move { node.export_due(head).await });
        Ok(())
    }

    /// Waits until nothing is under way.
    pub async fn idle(&self) {
        self.tasks.close();
        self.tasks.wait().await;
        self.tasks.reopen();
    }

    /// Who it is.
    pub fn account(&self) -> Account {
        self.peers.correspondent().account()
    }

    /// The chain that it follows.
    pub fn chain(&self) -> &Arc<dyn Chain> {
        &self.chain
    }

    /// What it must not forget.
    pub fn index(&self) -> &Arc<dyn Index> {
        &self.index
    }

    /// Its side of conversations.
    pub fn correspondent(&self) -> &Arc<Correspondent> {
        self.peers.correspondent()
    }

    /// Its receipts.
    pub fn chains(&self) -> &Chains {
        &self.chains
    }

    fn budget(&self, part: Part) -> &Budget {
        let [samples, seals] = &self.budgets;
        match part {
            Part::Samples => samples,
            Part::Seals => seals,
        }
    }

    pub(super) fn scoring(&self) -> &tokio::sync::Mutex<Scoring> {
        &self.scoring
    }

    /// Whether this process runs the rounds, as far as it knows.
    pub fn is_in_charge(&self) -> bool {
        lock(&self.lease).is_some()
    }

    pub(super) fn open_rounds(&self) -> Vec<OpenRound> {
        let open = lock(&self.open);
        let mut rounds: Vec<OpenRound> = open
            .iter()
            .map(|((part, height), open)| OpenRound {
                height: *height,
                part: *part,
                asking: open.asking.is_some(),
            })
            .collect();
        rounds.sort_by_key(|round| (round.height, round.part));
        rounds
    }

    /// Writes down what happened when a block was the newest.
    async fn note(&self, kind: EventKind, height: u64, message: impl Into<String>) {
        self.events.note([Event::new(kind, height, message)]).await;
    }

    /// Runs a call to the recorder where it may block.
    async fn recorder<T: Send + 'static>(
        &self,
        doing: &'static str,
        call: impl FnOnce(&dyn Recorder) -> Result<T, ValidatorError> + Send + 'static,
    ) -> Result<T, ValidatorError> {
        let recorder = self.chain.recorder();
        self.blocking(doing, move || call(&*recorder)).await?
    }

    async fn blocking<T: Send + 'static>(
        &self,
        doing: &'static str,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ValidatorError> {
        let ended =
            |error: tokio::task::JoinError| ValidatorError::Ended { doing, detail: error.to_string() };
        tokio::task::spawn_blocking(work).await.map_err(ended)
    }

    /// Marks a round as void, ends its task and forgets it.
    async fn void(&self, part: Part, height: u64, why: &str) -> Result<(), ValidatorError> {
        self.forget(part, height);
        tracing::info!(height, ?part, why, "a round is void");
        self.change_round(part, height, |row| row.stage = Stage::Void(why.to_owned())).await
    }

    /// Changes the row of a round, if the lease is held.
    async fn change_round(
        &self,
        part: Part,
        height: u64,
        change: impl Fn(&mut RoundRow),
    ) -> Result<(), ValidatorError> {
        let (lease, key) = (self.in_charge()?, round_key(height, part));
        let (lease, key, change) = (&lease, &key, &change);
        transact(&*self.index, |work| async move {
            self.chains.check_lease(Some(lease), &work).await?;
            let Some(mut row) = ROUNDS.read(&work, key).await? else { return Ok(()) };
            change(&mut row);
            ROUNDS.write(&work, key, &row)?;
            Ok::<_, ValidatorError>(())
        })
        .await
    }

    /// Voids the open rounds whose blocks were replaced.
    async fn void_replaced(&self, head: Head) -> Result<(), ValidatorError> {
        let open: Vec<_> = lock(&self.open).iter().map(|(key, open)| (*key, open.beacon)).collect();
        for ((part, height), beacon) in open {
            if self.chain.block_hash(height).await? != Some(beacon) {
                let newest = head.height;
                let message = format!("block {height}, whose round was open, was replaced");
                self.note(EventKind::Reorganisation, newest, message).await;
                self.void(part, height, &format!("its block was replaced, as seen at height {newest}"))
                    .await?;
            }
        }
        Ok(())
    }
}

/// The scoring that the index holds.
async fn restore(index: &dyn Index, config: ScoringConfig) -> Result<Scoring, ValidatorError> {
    let rows = SCORES.scan(index, &KeyRange::all(), usize::MAX).await?;
    let states = rows.into_iter().map(|row| row.value);
    let state = states.reduce(|mut all: ScoringState, row| {
        all.miners.extend(row.miners);
        all
    });
    Ok(match state {
        None => Scoring::new(config)?,
        Some(state) => Scoring::restore(config, state)?,
    })
}

/// What these locks guard is never left half changed.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
