//! The page of metrics and health for monitoring: plain HTTP on an address of its own, off unless it is asked for.

mod visitors;

use std::fmt;
use std::future::{Future, IntoFuture};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::{CONNECTION, CONTENT_TYPE};
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::metrics::Metrics;
use visitors::Visitors;

/// The media type that Prometheus asks for.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What is not known after so long is shown as it was.
const OBSERVE_TIMEOUT: Duration = Duration::from_secs(5);

/// Why there is no page.
#[derive(Debug, Error)]
#[error("cannot serve metrics on {address}: {source}; choose another address, or leave it away")]
pub struct PageError {
    address: SocketAddr,
    source: std::io::Error,
}

/// Somebody who knows what changes by itself, such as what is free on a disk. It is asked when the page is.
#[async_trait]
pub trait Observe: Send + Sync {
    /// Brings gauges up to date. Not called twice at once.
    async fn observe(&self, metrics: &Metrics);
}

/// For a node whose metrics are all kept as things happen.
#[async_trait]
impl Observe for () {
    async fn observe(&self, _: &Metrics) {}
}

/// The table `[metrics]` of a configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Where the page is served, `ADDRESS:PORT`; nowhere unless it is said. It has no access control.
    pub address: Option<SocketAddr>,
}

/// Opens the page that a configuration asks for.
///
/// # Errors
/// The address cannot be had.
pub async fn open(
    settings: &Settings,
    metrics: &Arc<Metrics>,
    observer: Arc<dyn Observe>,
) -> Result<Option<Page>, PageError> {
    match settings.address {
        Some(address) => Page::open(address, Arc::clone(metrics), observer).await.map(Some),
        None => Ok(None),
    }
}

/// Serves a page, if there is one, until `stop` is cancelled. That it ends before is in the log: a node goes on without it.
pub async fn serve(page: Option<Page>, stop: CancellationToken) {
    if let Some(page) = page
        && let Err(error) = page.serve(stop.cancelled()).await
    {
        tracing::error!(%error, "metrics are not shown any more");
    }
}

/// A page whose address is taken.
pub struct Page {
    listener: TcpListener,
    address: SocketAddr,
    state: Arc<Shown>,
}

/// What is on it.
struct Shown {
    metrics: Arc<Metrics>,
    observer: Arc<dyn Observe>,
    observing: tokio::sync::Mutex<()>,
}

impl fmt::Debug for Page {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Page({})", self.address)
    }
}

impl Page {
    /// Takes the address. `observer` is asked for what it knows whenever somebody looks.
    pub async fn open(
        address: SocketAddr,
        metrics: Arc<Metrics>,
        observer: Arc<dyn Observe>,
    ) -> Result<Page, PageError> {
        let failed = |source| PageError { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        if !address.ip().is_loopback() {
            tracing::warn!(%address, "metrics are served to whoever can reach this address");
        }
        Ok(Page {
            listener,
            address,
            state: Arc::new(Shown { metrics, observer, observing: Default::default() }),
        })
    }

    /// Where it is, with the port that the system chose if it was 0.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves `/metrics` and `/healthz` until `end` is ready; then it waits for nobody.
    pub async fn serve(self, end: impl Future<Output = ()>) -> Result<(), PageError> {
        let Page { listener, address, state } = self;
        let routes = Router::new()
            .route("/metrics", get(text))
            .route("/healthz", get(|| async { "ok\n" }))
            .layer(map_response(close))
            .with_state(state);
        tokio::select! {
            served = axum::serve(Visitors::of(address, listener), routes).into_future() => {
                served.map_err(|source| PageError { address, source })
            }
            () = end => Ok(()),
        }
    }
}

async fn text(State(shown): State<Arc<Shown>>) -> impl IntoResponse {
    let _observing = shown.observing.lock().await;
    let observed = tokio::time::timeout(OBSERVE_TIMEOUT, shown.observer.observe(&shown.metrics)).await;
    if observed.is_err() {
        tracing::warn!(
            seconds = OBSERVE_TIMEOUT.as_secs(),
            "metrics are shown as they were: looking took too long"
        );
    }
    ([(CONTENT_TYPE, OPEN_METRICS)], shown.metrics.text())
}

/// Each look is a connection of its own: scrapers come seldom, and connections are few.
async fn close(mut response: Response) -> Response {
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
