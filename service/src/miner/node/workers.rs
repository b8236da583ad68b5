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

    /// Until `stop` is cancelled, which it is in any case once the server has ended.
    pub(super) async fn serve(self, stop: CancellationToken) -> Result<(), ListenError> {
        match self.0 {
            None => Ok(()),
            Some((exchange, listener)) => {
                together(workers::serve(listener, exchange, stop.clone()), stop).await
            }
        }
    }
}

/// A miner that was told to take workers does not go on without: however their server ends, the miner is to end.
async fn together<T>(served: impl Future<Output = T>, stop: CancellationToken) -> T {
    let _ending = stop.drop_guard();
    served.await
}

/// Checks the ranges, and refuses to take anybody: workers are known by the names that they give, and what they send is not signed, so that certificates alone
/// tell them from others.
pub(super) fn check(settings: &Settings) -> Result<(), Failure> {
    let Some(exchange) = &settings.workers else { return Ok(()) };
    exchange.check().map_err(|error| Failure::Usage(error.to_string()))?;
    let server = &settings.workers_server;
    let is_guarded = match &server.tls {
        None => server.address.ip().is_loopback(),
        Some(tls) => tls.client_ca.is_some(),
    };
    if is_guarded {
        return Ok(());
    }
    Err(Failure::Usage(format!(
        "[workers_server] would take anybody as a worker who reaches {}: give [workers_server.tls] a certificate, a key, and client_ca, \
         so that only your own machines make windows, or listen on 127.0.0.1 without TLS",
        server.address
    )))
}

/// Which server it was.
pub(super) fn failure(error: ListenError) -> Failure {
    Failure::work("state", "the server of workers", error)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With an error or, if it is lost, without.
    #[tokio::test]
    async fn a_miner_is_told_to_end_when_the_server_of_workers_has_ended() {
        let stop = CancellationToken::new();
        let broken = async { Err::<(), _>(ListenError::Tls("broken".to_owned())) };
        let error = together(broken, stop.clone()).await.expect_err("is handed on");
        assert!(failure(error).to_string().starts_with("the server of workers: "));
        assert!(stop.is_cancelled());
        let stop = CancellationToken::new();
        let lost = tokio::spawn(together(async { panic!("as it is told") }, stop.clone()));
        lost.await.map(|()| "ended").expect_err("is lost");
        assert!(stop.is_cancelled());
        let stop = CancellationToken::new();
        Workers(None).serve(stop.clone()).await.expect("there is nothing to serve");
        assert!(!stop.is_cancelled(), "a miner without workers goes on");
    }
}
