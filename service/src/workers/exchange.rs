//! Who is connected, who is free, and what each worker did.

use std::collections::{BTreeMap, VecDeque};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use holdfast_engine::accelerator::Accelerator;
use holdfast_engine::backend::Backend;
use holdfast_engine::rejection::Rejection;
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status};

use super::event::Offer;
use super::remote::RemoteSlot;
use super::report::{ExchangeReport, Outcome, WorkerReport};
use super::session::{Ending, Inlet, Link, STEPS_WAITING, Session};
use super::settings::{ExchangeSettings, ExchangeSettingsError};
use crate::operation::metrics::{Metrics, WorkerWindowLabels};
use crate::proto::WorkOrder;
use crate::wire::status;

/// Workers that are remembered, connected or not.
const WORKERS_KNOWN: usize = 1024;

/// The side of the disks: workers as they come, and orders for them.
#[derive(Debug)]
pub struct Exchange {
    settings: ExchangeSettings,
    backend: &'static dyn Backend,
    metrics: Arc<Metrics>,
    state: Mutex<State>,
    /// Told when a slot becomes free, and when one ends.
    changed: Condvar,
    closing: CancellationToken,
}

#[derive(Debug, Default)]
struct State {
    /// By name.
    workers: BTreeMap<String, WorkerReport>,
    /// Every slot that is connected.
    links: BTreeMap<u64, Arc<Link>>,
    /// Those of them that nobody uses.
    idle: VecDeque<Session>,
    in_flight: usize,
    in_flight_maximum: usize,
    slots_ever: u64,
    orders_ever: u64,
}

impl Exchange {
    /// Without workers; `backend` checks what they send, `metrics` counts it.
    ///
    /// # Errors
    /// The settings are out of range.
    pub fn new(
        settings: ExchangeSettings,
        backend: &'static dyn Backend,
        metrics: Arc<Metrics>,
    ) -> Result<Arc<Exchange>, ExchangeSettingsError> {
        settings.check()?;
        Ok(Arc::new(Exchange {
            settings,
            backend,
            metrics,
            state: Mutex::default(),
            changed: Condvar::new(),
            closing: CancellationToken::new(),
        }))
    }

    /// The workers as accelerators for one fill, to be added to its
    /// [`Devices`](holdfast_engine::accelerator::Devices) and dropped with them; every fill takes its own. There is one for each
    /// window that may be in flight; it waits for a free worker as long as windows are left that nobody has taken. While the
    /// processor only takes over, the fill waits for workers, too.
    pub fn accelerators(self: &Arc<Self>) -> Vec<Arc<dyn Accelerator>> {
        let slot = |_| Arc::new(RemoteSlot::new(Arc::clone(self))) as Arc<dyn Accelerator>;
        (0..self.settings.windows_in_flight).map(slot).collect()
    }

    /// Sends all workers away and takes no more; fills go on without them.
    pub fn close(&self) {
        self.closing.cancel();
        self.changed.notify_all();
    }

    /// What workers did so far.
    pub fn report(&self) -> ExchangeReport {
        let state = self.lock();
        let mut workers = state.workers.clone();
        for link in state.links.values() {
            if let Some(worker) = workers.get_mut(&link.offer.name) {
                worker.devices.push(link.offer.device.clone());
            }
        }
        ExchangeReport {
            windows_in_flight: state.in_flight,
            windows_in_flight_maximum: state.in_flight_maximum,
            workers: workers.into_values().collect(),
        }
    }

    pub(super) fn settings(&self) -> &ExchangeSettings {
        &self.settings
    }

    pub(super) fn backend(&self) -> &'static dyn Backend {
        self.backend
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closing.is_cancelled()
    }

    /// Takes a slot in, idle.
    pub(super) fn register(
        &self,
        offer: Offer,
        orders: &mpsc::Sender<Result<WorkOrder, Status>>,
    ) -> Result<Inlet, Status> {
        let mut state = self.lock();
        self.admit(&mut state, &offer)?;
        state.slots_ever += 1;
        let link = Arc::new(Link::new(state.slots_ever, offer, self.closing.child_token()));
        let (steps, taken) = sync_channel(STEPS_WAITING);
        let room = Arc::new(Semaphore::new(STEPS_WAITING));
        tracing::info!(
            worker = link.offer.name,
            device = link.offer.device,
            slot = link.number,
            "a worker came"
        );
        state.links.insert(link.number, Arc::clone(&link));
        self.metrics.worker_slots.inc();
        state.idle.push_back(Session {
            link: Arc::clone(&link),
            orders: orders.clone(),
            steps: taken,
            room: Arc::clone(&room),
        });
        drop(state);
        self.changed.notify_all();
        Ok(Inlet { link, steps, room })
    }

    /// Whether another slot of this worker is taken; it is known from now on.
    fn admit(&self, state: &mut State, offer: &Offer) -> Result<(), Status> {
        if self.is_closed() {
            return Err(Status::unavailable("the engine ends"));
        }
        let known = state.workers.get(&offer.name);
        if let Some(why) = known.and_then(|worker| worker.dismissed_because.as_ref()) {
            let message = format!("worker {} was dismissed: {}: {}", offer.name, why.class, why.detail);
            let advice =
                "test that machine's memory and devices; it may come back once the engine was started anew";
            return Err(status::refusal(Code::PermissionDenied, message, "dismissed", advice));
        }
        let (slots, most) = (state.links.len(), self.settings.slots);
        if slots >= most {
            let message = format!("{slots} slots of workers are connected, of {most} at most");
            return Err(status::refusal(Code::ResourceExhausted, message, "workers", "raise workers.slots"));
        }
        if known.is_none() {
            make_room(state)?;
            let worker = WorkerReport { name: offer.name.clone(), ..WorkerReport::default() };
            state.workers.insert(offer.name.clone(), worker);
        }
        Ok(())
    }

    /// Forgets a slot that has ended.
    pub(super) fn remove(&self, link: &Link) {
        let mut state = self.lock();
        if state.links.remove(&link.number).is_some() {
            self.metrics.worker_slots.dec();
        }
        state.idle.retain(|session| session.link.number != link.number);
        drop(state);
        if let Some(Ending::Dismissed(rejection)) = link.ending() {
            self.dismiss(&link.offer.name, rejection);
        }
        tracing::info!(worker = link.offer.name, slot = link.number, why = ?link.ending(), "a worker left");
        self.changed.notify_all();
    }

    /// A free slot for windows of so many bytes, if another window may be in flight.
    pub(super) fn claim(&self, window_bytes: u64) -> Option<Session> {
        let mut state = self.lock();
        if state.in_flight >= self.settings.windows_in_flight || self.is_closed() {
            return None;
        }
        let suits = |session: &Session| {
            session.link.offer.window_bytes_maximum >= window_bytes && session.link.ending().is_none()
        };
        let place = state.idle.iter().position(suits)?;
        let session = state.idle.remove(place)?;
        state.in_flight += 1;
        state.in_flight_maximum = state.in_flight_maximum.max(state.in_flight);
        Some(session)
    }

    /// Waits for a change, no longer than this.
    pub(super) fn wait(&self, limit: Duration) {
        let state = self.lock();
        drop(self.changed.wait_timeout(state, limit).unwrap_or_else(PoisonError::into_inner));
    }

    /// Takes a claimed slot back.
    pub(super) fn release(&self, session: Session) {
        let mut state = self.lock();
        state.in_flight = state.in_flight.saturating_sub(1);
        // One that has ended may have been removed before it came back.
        if session.link.ending().is_none() {
            state.idle.push_back(session);
        }
        drop(state);
        self.changed.notify_all();
    }

    pub(super) fn next_order(&self) -> u64 {
        let mut state = self.lock();
        state.orders_ever += 1;
        state.orders_ever
    }

    pub(super) fn count(&self, worker: &str, outcome: Outcome) {
        let label = WorkerWindowLabels { outcome: outcome.name() };
        self.metrics.worker_windows.get_or_create(&label).inc();
        if let Outcome::Delivered { bytes } = outcome {
            self.metrics.worker_bytes.inc_by(bytes);
        }
        if let Some(worker) = self.lock().workers.get_mut(worker) {
            worker.count(outcome);
        }
    }

    /// A worker that sent what is wrong gets no more orders, in none of its slots, as long as this exchange lives.
    pub(super) fn dismiss(&self, worker: &str, rejection: &Rejection) {
        let mut state = self.lock();
        let Some(standing) = state.workers.get_mut(worker) else { return };
        if standing.dismissed_because.is_none() {
            tracing::warn!(
                worker,
                class = rejection.class.name(),
                detail = rejection.detail,
                "a worker was dismissed"
            );
            standing.dismissed_because = Some(rejection.into());
            self.metrics.workers_dismissed.inc();
        }
        state.idle.retain(|session| session.link.offer.name != worker);
        for link in state.links.values().filter(|link| link.offer.name == worker) {
            link.end(Ending::Dismissed(rejection.clone()));
        }
        drop(state);
        self.changed.notify_all();
    }

    /// The worker of a slot that is connected.
    pub(super) fn worker_of(&self, slot: u64) -> Option<String> {
        self.lock().links.get(&slot).map(|link| link.offer.name.clone())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Forgets a worker that is gone and did nothing wrong, if too many are known.
fn make_room(state: &mut State) -> Result<(), Status> {
    if state.workers.len() < WORKERS_KNOWN {
        return Ok(());
    }
    let is_connected = |name: &str| state.links.values().any(|link| link.offer.name == name);
    let gone = |worker: &&WorkerReport| worker.dismissed_because.is_none() && !is_connected(&worker.name);
    let name = state.workers.values().find(gone).map(|worker| worker.name.clone());
    let name = name.ok_or_else(|| Status::resource_exhausted("too many workers are known"))?;
    state.workers.remove(&name);
    Ok(())
}
