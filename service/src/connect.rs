//! Connections to other nodes: with TLS or without, and what to do when one is not made.
//!
//! Who a peer is, the seals of its messages prove (message-v1). TLS is about those on the way: that they cannot read what is
//! said, nor cut it off unnoticed. A [`Connector`] speaks TLS to everybody or to nobody. There is no mode that takes TLS where
//! it is offered: whoever is on the way would say that it is not.

mod explain;
mod settings;
mod verifier;

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio_rustls::rustls::client::danger::ServerCertVerifier;
use tonic::transport::{Channel, ClientTlsConfig, Endpoint, Identity};

pub(crate) use verifier::authorities;

pub use settings::{Check, Settings, TlsSettings};

/// A connection that is not made in this time is not made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The same for what TLS needs to begin.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Why nobody can be connected to as the settings say.
#[derive(Debug, Error)]
pub enum ConnectError {
    /// Settings that contradict each other.
    #[error("[connect.tls]: {0}")]
    Settings(&'static str),
    /// A file cannot be read.
    #[error("cannot read {} ({what}): {source}", path.display())]
    File {
        /// Which setting names it.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// A file of certificates is none.
    #[error("{} has no usable certificates in PEM: {reason}", path.display())]
    Authorities {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Our certificate, its key, or the name cannot be used.
    #[error("certificate, key or server_name of [connect.tls] cannot be used: {0}")]
    Tls(String),
}

/// Makes connections to nodes. Clones are the same connector.
#[derive(Clone, Debug)]
pub struct Connector {
    tls: Option<Arc<Tls>>,
}

/// How TLS is spoken.
struct Tls {
    settings: TlsSettings,
    config: ClientTlsConfig,
    verifier: Arc<dyn ServerCertVerifier>,
}

impl fmt::Debug for Tls {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.settings.fmt(out)
    }
}

impl Connector {
    /// Without TLS.
    pub fn plain() -> Connector {
        Connector { tls: None }
    }

    /// As the settings say. Reads the files that they name, once.
    ///
    /// # Errors
    /// [`ConnectError`].
    pub fn new(settings: &Settings) -> Result<Connector, ConnectError> {
        let Some(tls) = &settings.tls else { return Ok(Connector::plain()) };
        let tls = Tls::new(tls)?;
        // What is wrong with certificate, key or name is said now, not when somebody is to be reached.
        let anywhere = SocketAddr::from(([127, 0, 0, 1], 443));
        tls.endpoint(anywhere).map_err(|error| ConnectError::Tls(explain::causes(&error)))?;
        Ok(Connector { tls: Some(Arc::new(tls)) })
    }

    /// A connection to whoever serves there. It is made when it is first used, and again when it broke, so a call can fail of
    /// it; [`Connector::explain`] says of what.
    pub fn channel(&self, address: SocketAddr) -> Channel {
        let endpoint = match &self.tls {
            None => endpoint("http", address),
            Some(tls) => tls.endpoint(address).expect("the same was accepted at the start"),
        };
        endpoint.connect_timeout(CONNECT_TIMEOUT).connect_lazy()
    }
}

impl Tls {
    fn new(settings: &TlsSettings) -> Result<Tls, ConnectError> {
        settings.check()?;
        let verifier = match &settings.ca {
            Some(path) => verifier::under(authorities("ca", path)?, path)?,
            None => verifier::anybody(),
        };
        let mut config = ClientTlsConfig::new().timeout(HANDSHAKE_TIMEOUT);
        if let Some((certificate, key)) = settings.certificate.as_ref().zip(settings.key.as_ref()) {
            let certificate = read("certificate", certificate)?;
            let key = zeroize::Zeroizing::new(read("key", key)?);
            config = config.identity(Identity::from_pem(certificate, key.as_slice()));
        }
        Ok(Tls { settings: settings.clone(), config, verifier })
    }

    fn endpoint(&self, address: SocketAddr) -> Result<Endpoint, tonic::transport::Error> {
        let name = self.settings.server_name.clone().unwrap_or_else(|| address.ip().to_string());
        let config = self.config.clone().domain_name(name);
        endpoint("https", address).tls_config_with_verifier(config, Arc::clone(&self.verifier))
    }
}

fn endpoint(scheme: &str, address: SocketAddr) -> Endpoint {
    Endpoint::from_shared(format!("{scheme}://{address}")).expect("a socket address makes a URI")
}

fn read(what: &'static str, path: &Path) -> Result<Vec<u8>, ConnectError> {
    std::fs::read(path).map_err(|source| ConnectError::File { what, path: path.to_owned(), source })
}

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
