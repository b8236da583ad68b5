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

pub use explain::{NO_CONNECTION, Stage};
pub use settings::{Check, Settings, TlsSettings};

/// A connection that is not made in this time is not made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Bytes of one frame that servers may send: a part of an object is not to be cut up more than this.
const FRAME_BYTES: u32 = 128 << 10;
/// A connection whose TLS is not agreed upon in this time is not made.
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
    /// An address and the settings say different things about TLS.
    #[error("{url}: {why}")]
    Scheme {
        /// The address.
        url: String,
        /// What does not fit.
        why: &'static str,
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

    /// The same endpoint, secured as the settings say, for services whose messages have no seals: an engine is told from others by
    /// its certificate alone, so an authority must vouch for it.
    ///
    /// # Errors
    /// Its address is `https` and there is no TLS here, or the other way round, or nobody vouches for it.
    pub fn secured(&self, endpoint: Endpoint) -> Result<Endpoint, ConnectError> {
        let refused = |why| Err(ConnectError::Scheme { url: endpoint.uri().to_string(), why });
        match (endpoint.uri().scheme_str() == Some("https"), &self.tls) {
            (false, None) => Ok(endpoint),
            (false, Some(_)) => refused("it is no https address, and TLS is asked for"),
            (true, None) => refused("an https address takes an authority that vouches for it: give --tls-ca"),
            (true, Some(tls)) if tls.settings.check == Check::Seals => {
                refused("an engine's messages have no seals that tell who it is: give --tls-ca")
            }
            (true, Some(tls)) => {
                let host = endpoint.uri().host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
                let secured = tls.secure(endpoint, host);
                secured.map_err(|error| ConnectError::Tls(explain::causes(&error)))
            }
        }
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
        self.secure(endpoint("https", address), address.ip().to_string())
    }

    fn secure(&self, endpoint: Endpoint, host: String) -> Result<Endpoint, tonic::transport::Error> {
        let name = self.settings.server_name.clone().unwrap_or(host);
        let config = self.config.clone().domain_name(name);
        endpoint.tls_config_with_verifier(config, Arc::clone(&self.verifier))
    }
}

fn endpoint(scheme: &str, address: SocketAddr) -> Endpoint {
    let endpoint = Endpoint::from_shared(format!("{scheme}://{address}"));
    endpoint.expect("a socket address makes a URI").max_frame_size(FRAME_BYTES)
}

fn read(what: &'static str, path: &Path) -> Result<Vec<u8>, ConnectError> {
    std::fs::read(path).map_err(|source| ConnectError::File { what, path: path.to_owned(), source })
}

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
