//! The worker: connects to an engine and makes windows for it.
//!
//! Each slot is a connection of its own, so that a disk that is slow for one window holds up no other one. A connection that is
//! lost is made again, after a rest that grows; a device that failed is asked first whether it can be used again.

mod connection;
mod outlet;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use holdfast_engine::accelerator::Accelerator;
use holdfast_engine::registration::WindowShape;
use serde::Serialize;
use thiserror::Error;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tonic::transport::Endpoint;

use crate::connect::Connector;
use connection::{Connection, Lost};

/// A connection that does not answer a ping within this time is closed.
const PING_TIMEOUT: Duration = Duration::from_secs(10);
const PING_INTERVAL: Duration = Duration::from_secs(20);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Why a worker ended although nobody told it to.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum WorkerError {
    /// The address is none.
    #[error("{url} is not the address of an engine ({why}); give http://HOST:PORT or https://HOST:PORT")]
    Address {
        /// What was given.
        url: String,
        /// What is wrong with it.
        why: String,
    },
    /// The engine wants nothing from this worker.
    #[error("the engine refused this worker: {message}")]
    Refused {
        /// What it said.
        message: String,
        /// The rejection class, if the engine gave one.
        class: Option<&'static str>,
    },
    /// Nothing is left that makes windows.
    #[error("{device} is not used any more{}", .why.as_ref().map_or(String::new(), |why| format!(": {why}")))]
    GivenUp {
        /// The device.
        device: String,
        /// Why.
        why: Option<String>,
    },
}

/// How a worker comes back after it lost its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// After the first loss.
    pub first: Duration,
    /// Rests are doubled up to this one.
    pub longest: Duration,
}

impl Default for Retry {
    fn default() -> Retry {
        Retry { first: Duration::from_secs(1), longest: Duration::from_secs(30) }
    }
}

impl Retry {
    fn after(self, rest: Duration) -> Duration {
        (rest * 2).min(self.longest)
    }
}

/// What a worker offers and to whom.
#[derive(Clone, Debug)]
pub struct Worker {
    /// Where the engine is.
    pub engine: Endpoint,
    /// How it is reached.
    pub connector: Connector,
    /// The same at every start: 1 to 64 letters, digits, '.', '_' and '-'.
    pub name: String,
    /// What makes windows: one entry a slot, the same device as often as it can make windows at once.
    pub slots: Vec<Arc<dyn Accelerator>>,
    /// The largest window that is made, in bytes, where a device could make larger ones.
    pub window_bytes_maximum: u64,
    /// How it comes back.
    pub retry: Retry,
}

/// What a worker did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct WorkerSummary {
    /// Windows made and sent whole.
    pub windows: u64,
    /// Bytes of these.
    pub bytes: u64,
    /// Windows begun of which the rest was not wanted, or could not be made or sent.
    pub windows_unfinished: u64,
    /// Connections that were lost, or could not be made.
    pub connections_lost: u64,
}

#[derive(Debug, Default)]
struct Counters {
    windows: AtomicU64,
    bytes: AtomicU64,
    unfinished: AtomicU64,
    lost: AtomicU64,
}

/// An engine's address with the time-outs of a worker's connection. TLS is added to it by whoever has certificates.
///
/// # Errors
/// It is no address.
pub fn endpoint(url: &str) -> Result<Endpoint, WorkerError> {
    let refused = |why: String| WorkerError::Address { url: url.to_owned(), why };
    let endpoint = Endpoint::from_shared(url.to_owned()).map_err(|error| refused(error.to_string()))?;
    if !matches!(endpoint.uri().scheme_str(), Some("http" | "https")) || endpoint.uri().host().is_none() {
        return Err(refused("it has no scheme or no host".to_owned()));
    }
    Ok(endpoint
        .connect_timeout(CONNECT_TIMEOUT)
        .http2_keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT)
        .keep_alive_while_idle(true))
}

/// The largest windows of 16 layers that a device can make, up to a limit; `None` if not even the smallest.
fn window_bytes_maximum(maker: &dyn Accelerator, limit: u64) -> Option<u64> {
    let sizes = (WindowShape::LEAST_LOG2_LABELS..=WindowShape::MOST_LOG2_LABELS).rev();
    let mut shapes = sizes.filter_map(|log2_labels| WindowShape::new(log2_labels, 16).ok());
    shapes.find(|shape| shape.bytes() <= limit && maker.window_slots(*shape).is_ok()).map(WindowShape::bytes)
}

impl Worker {
    /// Works until it is told to stop, or the engine refuses it, or no device is left.
    ///
    /// # Errors
    /// Why it ended, if nobody told it to.
    pub async fn run(self, stop: CancellationToken) -> (WorkerSummary, Result<(), WorkerError>) {
        let counters = Arc::new(Counters::default());
        let worker = Arc::new(self);
        let mut slots = JoinSet::new();
        for (number, maker) in worker.slots.iter().enumerate() {
            let slot = Slot {
                worker: Arc::clone(&worker),
                number,
                maker: Arc::clone(maker),
                counters: Arc::clone(&counters),
                stop: stop.clone(),
            };
            slots.spawn(slot.run());
        }
        let mut ended = Ok(());
        while let Some(slot) = slots.join_next().await {
            // A slot that panicked has said so; the others go on.
            let Ok(Err(error)) = slot else { continue };
            tracing::error!(%error, "a slot of this worker ended");
            // What the engine refuses in one slot it refuses in all.
            if matches!(error, WorkerError::Refused { .. }) {
                stop.cancel();
            }
            ended = ended.and(Err(error));
        }
        // Slots that were told to stop have no error; if any ended so, the worker was in order till then.
        (counters.summary(), ended)
    }
}

impl Counters {
    fn summary(&self) -> WorkerSummary {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        WorkerSummary {
            windows: read(&self.windows),
            bytes: read(&self.bytes),
            windows_unfinished: read(&self.unfinished),
            connections_lost: read(&self.lost),
        }
    }
}

/// One slot of a worker.
struct Slot {
    worker: Arc<Worker>,
    number: usize,
    maker: Arc<dyn Accelerator>,
    counters: Arc<Counters>,
    stop: CancellationToken,
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "slot {} ({})", self.number, self.maker.id())
    }
}

impl Slot {
    async fn run(self) -> Result<(), WorkerError> {
        let retry = self.worker.retry;
        let mut rest = retry.first;
        loop {
            if !self.recover().await {
                return if self.stop.is_cancelled() { Ok(()) } else { Err(self.given_up()) };
            }
            let window_bytes = window_bytes_maximum(&*self.maker, self.worker.window_bytes_maximum)
                .ok_or_else(|| self.given_up())?;
            let windows_before = self.counters.windows.load(Ordering::Relaxed);
            let why = match Connection::serve(&self, window_bytes).await {
                Ok(()) => return Ok(()),
                Err(Lost::Refused { message, class }) => return Err(WorkerError::Refused { message, class }),
                Err(Lost::Broken(why)) => why,
            };
            self.counters.lost.fetch_add(1, Ordering::Relaxed);
            if self.counters.windows.load(Ordering::Relaxed) > windows_before {
                rest = retry.first;
            }
            tracing::warn!(slot = self.number, %why, rest_seconds = rest.as_secs_f64(), "the engine is not reached");
            tokio::select! {
                () = self.stop.cancelled() => return Ok(()),
                () = tokio::time::sleep(jittered(rest)) => {}
            }
            rest = retry.after(rest);
        }
    }

    /// Waits until the device can be used; false if never again, or if the worker stops.
    async fn recover(&self) -> bool {
        let (maker, stop) = (Arc::clone(&self.maker), self.stop.clone());
        let recovered = tokio::task::spawn_blocking(move || maker.recover(&|| !stop.is_cancelled()));
        recovered.await.unwrap_or(false) && !self.stop.is_cancelled()
    }

    fn given_up(&self) -> WorkerError {
        let report = self.maker.report();
        WorkerError::GivenUp { device: self.maker.id().to_owned(), why: report.given_up_because }
    }
}

/// Between half of it and all of it, so that slots that lost their connections together do not come back together.
fn jittered(rest: Duration) -> Duration {
    let mut byte = [0xff];
    // Without randomness all of it.
    let _ = getrandom::fill(&mut byte);
    rest / 2 + rest / 2 * u32::from(byte[0]) / 255
}
