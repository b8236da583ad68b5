//! Workers of a miner: an exchange for its fills, served on an address of its own.

use std::net::SocketAddr;
use std::sync::Arc;

use holdfast_engine::backend::Backend;
use tokio_util::sync::CancellationToken;

use super::settings::Settings;
use crate::listen::{ListenError, Listener};
use crate::local::failure::Failure;
use crate::operation::metrics::Metrics;
use crate::workers::{self, Exchange};

/// An exchange and the address that it has taken, if the configuration asks for workers.
#[derive(Debug)]
pub(super) struct Workers(Option<(Arc<Exchange>, Listener)>);

impl Workers {
    /// Takes the address; `backend` checks what workers send.
    pub(super) async fn open(
        settings: &Settings,
        backend: &'static dyn Backend,
        metrics: &Arc<Metrics>,
    ) -> Result<Workers, Failure> {
        let Some(exchange) = settings.workers.clone() else { return Ok(Workers(None)) };
        let exchange = Exchange::new(exchange, backend, Arc::clone(metrics));
        let exchange = exchange.map_err(|error| Failure::Usage(error.to_string()))?;
        let listener = Listener::bind(&settings.workers_server).await.map_err(failure)?;
        Ok(Workers(Some((exchange, listener))))
    }

    pub(super) fn exchange(&self) -> Option<Arc<Exchange>> {
        self.0.as_ref().map(|(exchange, _)| Arc::clone(exchange))
    }

    pub(super) fn address(&self) -> Option<SocketAddr> {
        self.0.as_ref().map(|(_, listener)| listener.address())
    }

    /// Until `stop` is cancelled. That it ends before is in the log: fills go on without workers.
    pub(super) async fn serve(self, stop: CancellationToken) {
        if let Some((exchange, listener)) = self.0
            && let Err(error) = workers::serve(listener, exchange, stop).await
        {
            tracing::error!(%error, "workers are not taken any more");
        }
    }
}

/// Which server it was.
fn failure(error: ListenError) -> Failure {
    match error {
        ListenError::PlainText { address } => Failure::Usage(format!(
            "workers_server.listen: {address} can be reached from other machines and has no TLS: give \
             [workers_server.tls] a certificate, a key, and client_ca, so that only your own machines make windows"
        )),
        error => Failure::work("state", "the server of workers", error),
    }
}
