//! Serving gRPC: the socket, TLS, limits that hold for every caller, health, reflection, and an end that lets calls finish.

pub(crate) mod accept;
mod bodies;
mod connections;
mod settings;
mod tls;

use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use axum::middleware::map_request;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tonic::service::Routes;
use tonic::transport::Server;
use tonic_health::ServingStatus;

use crate::operation::calls::counted;
use crate::operation::metrics::Metrics;
use crate::proto;
pub(crate) use connections::network_of;
use connections::{Origin, connections};

pub use settings::{Settings, TlsSettings};

/// Open streams of one connection, of whatever kind.
const STREAMS_PER_CONNECTION: u32 = 64;
/// Header bytes of one request; ours have a path and little more.
const HEADER_LIST_BYTES: u32 = 16 << 10;
/// Bytes of one stream, and of one connection, that are taken before anybody reads them.
const WINDOW_BYTES: u32 = 1 << 20;
/// Bytes of one frame that callers may send: a response of a round, so that it is not cut up.
const FRAME_BYTES: u32 = 128 << 10;
/// A connection that does not answer a ping within this time is closed.
const PING_TIMEOUT: Duration = Duration::from_secs(10);
const PING_INTERVAL: Duration = Duration::from_secs(20);

/// Why a server did not start, or ended.
#[derive(Debug, Error)]
pub enum ListenError {
    /// Anybody on the way could read and hold up what is said; on one machine nobody is on the way.
    #[error(
        "{address} can be reached from other machines and has no TLS: give [server.tls] a certificate and a key, or say \
         allow_plain_text = true (messages are signed all the same, but anybody on the way can read them)"
    )]
    PlainText {
        /// Where it was to listen.
        address: SocketAddr,
    },
    /// The address cannot be had.
    #[error("cannot listen on {address}: {source}; is another process there already?")]
    Bind {
        /// Where it was to listen.
        address: SocketAddr,
        /// The system's answer.
        source: std::io::Error,
    },
    /// A file of TLS cannot be read.
    #[error("cannot read {} ({what}): {source}", path.display())]
    TlsFile {
        /// Which setting names it.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// Certificate and key cannot be used.
    #[error("the files of [server.tls] cannot be used: {0}")]
    Tls(String),
    /// The descriptors of our own services cannot be used.
    #[error("the reflection service does not start: {0}")]
    Reflection(#[from] tonic_reflection::server::Error),
    /// The server ended by itself.
    #[error("the server at {address} ended: {source}")]
    Ended {
        /// Where it listened.
        address: SocketAddr,
        /// Why.
        source: tonic::transport::Error,
    },
}

/// A socket that is bound, so that its address is known and callers may connect already.
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
    settings: Settings,
    tls: Option<TlsAcceptor>,
    server: Server,
    metrics: Option<Arc<Metrics>>,
}

impl fmt::Debug for Listener {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Listener").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Listener {
    /// Checks the settings and takes the address. Port 0 takes any.
    pub async fn bind(settings: &Settings) -> Result<Listener, ListenError> {
        let address = settings.address;
        if settings.tls.is_none() && !settings.allow_plain_text && !address.ip().is_loopback() {
            return Err(ListenError::PlainText { address });
        }
        let tls = settings.tls.as_ref().map(tls::acceptor).transpose()?;
        let server = Server::builder()
            .concurrency_limit_per_connection(STREAMS_PER_CONNECTION as usize)
            .max_concurrent_streams(STREAMS_PER_CONNECTION)
            .http2_max_header_list_size(HEADER_LIST_BYTES)
            .initial_stream_window_size(WINDOW_BYTES)
            .initial_connection_window_size(WINDOW_BYTES)
            .max_frame_size(FRAME_BYTES)
            .http2_keepalive_interval(Some(PING_INTERVAL))
            .http2_keepalive_timeout(Some(PING_TIMEOUT));
        let failed = |source| ListenError::Bind { address, source };
        let socket = TcpListener::bind(address).await.map_err(failed)?;
        let address = socket.local_addr().map_err(failed)?;
        Ok(Listener { socket, address, settings: settings.clone(), tls, server, metrics: None })
    }

    /// Where it listens, with the port that it got.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Has all calls counted.
    pub fn counting(self, metrics: Arc<Metrics>) -> Listener {
        Listener { metrics: Some(metrics), ..self }
    }

    /// Serves until `shutdown` is ready; then takes no more connections, says so to health checks, lets calls finish for
    /// the time that the settings allow, and ends. `names` are the services whose health is told, such as
    /// `holdfast.v1.Miner`.
    pub async fn serve(
        self,
        services: Routes,
        names: &[&'static str],
        shutdown: impl Future<Output = ()>,
    ) -> Result<(), ListenError> {
        let Listener { socket, address, settings, tls, mut server, metrics } = self;
        let services = match metrics {
            Some(metrics) => counted(services, metrics),
            None => services,
        };
        let (health, health_service) = tonic_health::server::health_reporter();
        for name in names {
            health.set_service_status(*name, ServingStatus::Serving).await;
        }
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let services = services
            .add_service(health_service)
            .add_service(reflection()?.build_v1()?)
            .add_service(reflection()?.build_v1alpha()?);
        let noted = bodies::limited(services).into_axum_router().layer(map_request(noted));
        let serving = server.add_routes(Routes::from(noted)).serve_with_incoming_shutdown(
            connections(socket, tls, &settings),
            async {
                // Dropped unsent is a reason to stop, too.
                let _ = stopped.await;
            },
        );
        tokio::pin!(serving);
        let ended = |source| ListenError::Ended { address, source };
        tokio::select! {
            result = &mut serving => return result.map_err(ended),
            () = shutdown => {}
        }
        for name in names {
            health.set_service_status(*name, ServingStatus::NotServing).await;
        }
        let _ = stop.send(());
        // Who keeps a connection open for longer does not keep the process.
        match tokio::time::timeout(settings.shutdown_grace(), serving).await {
            Ok(result) => result.map_err(ended),
            Err(_) => Ok(()),
        }
    }
}

async fn noted(request: Request) -> Request {
    Origin::note(request)
}

fn reflection() -> Result<tonic_reflection::server::Builder<'static>, ListenError> {
    Ok(tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(proto::DESCRIPTORS)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET))
}

#[cfg(test)]
mod tests;
