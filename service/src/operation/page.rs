//! The page of metrics and health for monitoring: plain HTTP on an address of its own, off unless it is asked for.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use thiserror::Error;
use tokio::net::TcpListener;

use super::metrics::Metrics;

/// The media type that Prometheus asks for.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Why there is no page.
#[derive(Debug, Error)]
#[error("cannot serve metrics on {address}: {source}; choose another address, or leave it away")]
pub struct PageError {
    address: SocketAddr,
    source: std::io::Error,
}

/// A page that is being served.
#[derive(Debug)]
pub struct Page {
    listener: TcpListener,
    metrics: Arc<Metrics>,
    address: SocketAddr,
}

impl Page {
    /// Takes the address.
    pub async fn open(address: SocketAddr, metrics: Arc<Metrics>) -> Result<Page, PageError> {
        let failed = |source| PageError { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Page { listener, metrics, address })
    }

    /// Where it is, with the port that the system chose if it was 0.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves `/metrics` and `/healthz` until `end` is ready.
    pub async fn serve(self, end: impl Future<Output = ()> + Send + 'static) -> Result<(), PageError> {
        let Page { listener, metrics, address } = self;
        let routes = Router::new()
            .route("/metrics", get(text))
            .route("/healthz", get(|| async { "ok\n" }))
            .with_state(metrics);
        let served = axum::serve(listener, routes).with_graceful_shutdown(end).await;
        served.map_err(|source| PageError { address, source })
    }
}

async fn text(State(metrics): State<Arc<Metrics>>) -> impl IntoResponse {
    ([(CONTENT_TYPE, OPEN_METRICS)], metrics.text())
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;
    use tokio::sync::oneshot;

    use super::*;

    async fn get_page(address: SocketAddr, path: &str) -> String {
        let mut stream = TcpStream::connect(address).await.expect("connected");
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("answered");
        answer
    }

    #[tokio::test]
    async fn a_scraper_gets_what_was_counted() {
        let metrics = Arc::new(Metrics::new());
        metrics.receipts_signed.inc_by(3);
        let page = Page::open((Ipv4Addr::LOCALHOST, 0).into(), Arc::clone(&metrics)).await.expect("open");
        let address = page.address();
        let (end, ended) = oneshot::channel::<()>();
        let server = tokio::spawn(page.serve(async move {
            let _ = ended.await;
        }));
        let answer = get_page(address, "/metrics").await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert!(answer.to_lowercase().contains(OPEN_METRICS), "{answer}");
        assert!(answer.contains("holdfast_receipts_signed_total 3"), "{answer}");
        assert!(get_page(address, "/healthz").await.ends_with("ok\n"));
        assert!(get_page(address, "/secrets").await.starts_with("HTTP/1.1 404"));
        // The address is taken: a second page says so instead of serving nothing.
        assert!(
            Page::open(address, metrics)
                .await
                .expect_err("taken")
                .to_string()
                .contains("cannot serve metrics")
        );
        drop(end);
        server.await.expect("ended").expect("well");
    }
}
