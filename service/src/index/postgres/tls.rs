//! Connections that are encrypted, to a server that proves who it is; or that need not be.
//!
//! `sslmode=verify-full&sslrootcert=FILE` in the URL, as PostgreSQL's own tools have it, trusts the authorities in the file
//! and nobody else. `sslmode=disable` says that the way is safe. Without either the server must be on this machine.
//! Modes that encrypt and let anybody be the server are not offered.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};
use tokio_postgres::{Client, Config, NoTls};
use tokio_rustls::TlsConnector;
use tokio_rustls::client;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::{InvalidDnsNameError, ServerName};

use crate::connect::{ConnectError, authorities};
use crate::index::IndexError;

const MODE: &str = "sslmode";
const AUTHORITIES: &str = "sslrootcert";

/// How connections are made.
#[derive(Clone)]
pub(super) enum Tls {
    /// As they are.
    Plain,
    /// Encrypted, with a server that one of some authorities vouches for.
    Verified(TlsConnector),
}

impl fmt::Debug for Tls {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Tls::Plain => "Plain",
            Tls::Verified(_) => "Verified",
        })
    }
}

/// What a URL says of encryption.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    mode: Option<String>,
    authorities: Option<String>,
}

impl Wanted {
    /// Takes the two parameters out of a URL.
    pub(super) fn take_from(url: &str) -> (String, Wanted) {
        // A question mark before the last @ belongs to a password.
        let host = url.rfind('@').unwrap_or(0);
        let Some(start) = url[host..].find('?').map(|offset| host + offset) else {
            return (url.to_owned(), Wanted::default());
        };
        let mut wanted = Wanted::default();
        let mut others = Vec::new();
        for parameter in url[start + 1..].split('&') {
            match parameter.split_once('=') {
                Some((MODE, mode)) => wanted.mode = Some(mode.to_owned()),
                Some((AUTHORITIES, path)) => wanted.authorities = Some(percent_decoded(path)),
                _ => others.push(parameter),
            }
        }
        let separator = if others.is_empty() { "" } else { "?" };
        (format!("{}{separator}{}", &url[..start], others.join("&")), wanted)
    }

    /// Applies it to the rest of the configuration.
    pub(super) fn apply(self, config: &mut Config) -> Result<Tls, IndexError> {
        match (self.mode.as_deref(), self.authorities) {
            (Some("verify-full"), Some(path)) => {
                config.ssl_mode(SslMode::Require);
                Ok(Tls::Verified(connector(&path)?))
            }
            (Some("verify-full"), None) => Err(unusable(
                "sslmode=verify-full needs sslrootcert=FILE, the certificate of the authority that vouches for the server",
            )),
            (_, Some(_)) => Err(unusable("sslrootcert is of use only with sslmode=verify-full")),
            (Some("disable"), None) => {
                config.ssl_mode(SslMode::Disable);
                Ok(Tls::Plain)
            }
            (None, None) if is_here(config) => {
                config.ssl_mode(SslMode::Disable);
                Ok(Tls::Plain)
            }
            (None, None) => Err(unusable(
                "the PostgreSQL server is on another machine: say sslmode=verify-full&sslrootcert=FILE in its URL, or \
                 sslmode=disable if nobody else can read or change what goes there and back",
            )),
            (Some(_), None) => {
                Err(unusable("sslmode is verify-full or disable; nothing between them is safe"))
            }
        }
    }
}

/// Whether nothing leaves this machine.
fn is_here(config: &Config) -> bool {
    let loopback = |name: &String| {
        name == "localhost" || name.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback())
    };
    let hosts = config.get_hosts().iter().all(|host| match host {
        Host::Tcp(name) => loopback(name),
        Host::Unix(_) => true,
    });
    // Addresses, where there are any, are what is connected to.
    let addresses = config.get_hostaddrs();
    if addresses.is_empty() { hosts } else { addresses.iter().all(std::net::IpAddr::is_loopback) }
}

fn connector(path: &str) -> Result<TlsConnector, IndexError> {
    let authorities = authorities(AUTHORITIES, path.as_ref()).map_err(|error| match error {
        ConnectError::File { source, .. } => IndexError::File {
            doing: "read the authorities in",
            place: path.to_owned(),
            source: Arc::new(source),
        },
        error => unusable(&error.to_string()),
    })?;
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable(&error.to_string()))?
        .with_root_certificates(authorities)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// Connects; a task serves the connection until the client is dropped.
pub(super) async fn connect(config: &Config, tls: &Tls) -> Result<Client, tokio_postgres::Error> {
    // What the connection fails of, the client's calls say.
    match tls {
        Tls::Plain => {
            let (client, connection) = config.connect(NoTls).await?;
            tokio::spawn(connection);
            Ok(client)
        }
        Tls::Verified(connector) => {
            let (client, connection) = config.connect(MakeConnector(connector.clone())).await?;
            tokio::spawn(connection);
            Ok(client)
        }
    }
}

struct MakeConnector(TlsConnector);

struct Connector {
    connector: TlsConnector,
    name: ServerName<'static>,
}

/// A stream of rustls as tokio-postgres wants it.
struct Encrypted<S>(client::TlsStream<S>);

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> MakeTlsConnect<S> for MakeConnector {
    type Stream = Encrypted<S>;
    type TlsConnect = Connector;
    type Error = InvalidDnsNameError;

    fn make_tls_connect(&mut self, name: &str) -> Result<Connector, InvalidDnsNameError> {
        Ok(Connector { connector: self.0.clone(), name: ServerName::try_from(name.to_owned())? })
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> TlsConnect<S> for Connector {
    type Stream = Encrypted<S>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Encrypted<S>>> + Send>>;

    fn connect(self, stream: S) -> Self::Future {
        Box::pin(async move { self.connector.connect(self.name, stream).await.map(Encrypted) })
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> TlsStream for Encrypted<S> {
    /// None: the certificate is verified, so there is nobody between.
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Encrypted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, bytes)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Encrypted<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

fn unusable(reason: &str) -> IndexError {
    IndexError::Settings { reason: reason.to_owned() }
}

/// `%2F` and its like as bytes; what is none stays as it is.
fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let mut byte = [0];
        match tail.first_chunk::<2>() {
            Some(digits) if *first == b'%' && hex::decode_to_slice(digits, &mut byte).is_ok() => {
                bytes.push(byte[0]);
                rest = &tail[2..];
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests;
