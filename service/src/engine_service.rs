//! The engine as a service: jobs over a machine's disks, answers from them, verification, and what the machine has.
//!
//! It is for the machine's own people and front ends. Whoever reaches it may use all of it, so it listens on loopback, or
//! serves callers with a certificate under its root (mutual TLS); messages are not sealed.

mod answer;
mod error;
pub mod jobs;
mod observe;
mod outlet;
mod serve;
mod settings;
mod turns;
mod verify;
mod watch;

use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use holdfast_engine::policy::Policy;
use serde::Serialize;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;

use crate::index::{EmbeddedIndex, EmbeddedSettings};
use crate::listen::{ListenError, Listener};
use crate::local::failure::Failure;
use crate::local::machine::Machine;
use crate::operation::metrics::Metrics;
use crate::operation::page::{self, Page, PageError};
use crate::proto::engine_server::EngineServer;
use crate::workers::Exchange;
use jobs::{Jobs, ThisMachine};
use observe::Observer;
use serve::Service;
use turns::Turns;

pub use error::EngineError;
pub use settings::{Limits, MachineSettings, PORT, Settings};

/// The name of the service in health checks.
pub const SERVICE: &str = "holdfast.v1.Engine";

/// What all calls share.
#[derive(Debug)]
struct Engine {
    machine: Arc<Machine>,
    directories: Vec<PathBuf>,
    limits: Limits,
    jobs: Jobs,
    answers: Turns,
    verifications: Turns,
    surveys: Turns,
    workers: Option<Arc<Exchange>>,
    stop: CancellationToken,
}

/// What is known once an engine serves.
#[derive(Clone, Debug, Serialize)]
pub struct Ready {
    /// Where it serves.
    pub address: SocketAddr,
    /// What it works on.
    pub directories: Vec<PathBuf>,
    /// Where its metrics are, if it was told to show them.
    pub metrics: Option<SocketAddr>,
}

/// Runs an engine until `shutdown` is ready. `ready` is called once it serves. Then streams end, jobs that run are ended at
/// their next safe points, and wait when the engine runs again.
///
/// # Errors
/// What keeps it from starting, or ends it.
pub async fn run(
    settings: &Settings,
    shutdown: impl Future<Output = ()>,
    ready: impl FnOnce(&Ready),
) -> Result<(), EngineError> {
    settings.check()?;
    let metrics = Arc::new(Metrics::new());
    let listener = Listener::bind(&settings.server).await?.counting(Arc::clone(&metrics));
    let address = listener.address();
    let machine = Arc::new(settings.machine.resolve()?);
    let index = EmbeddedIndex::open(&settings.state_file(), EmbeddedSettings::default()).await?;
    let workers = settings
        .workers
        .clone()
        .map(|settings| Exchange::new(settings, machine.backend, Arc::clone(&metrics)));
    let workers = workers.transpose().map_err(|error| EngineError::usage(error.to_string()))?;
    let performer = Arc::new(ThisMachine { machine: Arc::clone(&machine), workers: workers.clone() });
    let limits = settings.limits.clone();
    let jobs =
        Jobs::open(&settings.directories, limits.clone(), Arc::new(index), performer, &metrics).await?;
    let engine = Arc::new(Engine {
        answers: Turns::new("be answered", limits.answers_at_once, limits.queue),
        verifications: Turns::new("be verified", limits.verifications_at_once, limits.queue),
        surveys: Turns::new("be told of devices", 1, limits.queue),
        machine,
        directories: settings.directories.clone(),
        limits,
        jobs: jobs.clone(),
        workers,
        stop: CancellationToken::new(),
    });
    let observer = Arc::new(Observer(jobs.clone()));
    let page =
        page::open(&settings.metrics, &metrics, observer).await.inspect_err(|_| engine.begin_stop())?;
    let shown_at = page.as_ref().map(Page::address);
    let shown = tokio::spawn(page::serve(page, engine.stop.clone()));
    ready(&Ready { address, directories: settings.directories.clone(), metrics: shown_at });
    let service = EngineServer::new(Service(Arc::clone(&engine)));
    let routes = Routes::new(service.max_decoding_message_size(settings.server.message_bytes));
    let served = listener
        .serve(routes, &[SERVICE], async {
            shutdown.await;
            engine.begin_stop();
        })
        .await;
    // The server may have ended by itself.
    engine.begin_stop();
    jobs.stopped().await;
    shown.await.map_err(|error| EngineError::Lost(error.to_string()))?;
    Ok(served?)
}

impl Engine {
    /// Ends streams and sends workers away; jobs end at their next safe points.
    fn begin_stop(&self) {
        self.stop.cancel();
        if let Some(workers) = &self.workers {
            workers.close();
        }
        self.jobs.begin_stop();
    }
}

impl From<ListenError> for EngineError {
    fn from(error: ListenError) -> EngineError {
        match error {
            ListenError::PlainText { .. } => EngineError::usage(error.to_string()),
            error => Failure::work("state", "the server", error).into(),
        }
    }
}

impl From<PageError> for EngineError {
    fn from(error: PageError) -> EngineError {
        Failure::work("state", "the metrics", error).into()
    }
}

/// The policy that a caller names, or writes as JSON. No file: callers have no files here.
fn policy_of(text: &str) -> Result<Policy, EngineError> {
    match if text.is_empty() { Policy::named("default") } else { Policy::named(text) } {
        Some(policy) => Ok(policy),
        None => Ok(Policy::from_json(text)?),
    }
}

/// Runs work that waits for disks or computes on a thread where that holds up nobody.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, EngineError> + Send + 'static,
) -> Result<T, EngineError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| EngineError::Lost(error.to_string()))?
}

#[cfg(test)]
mod tests;
