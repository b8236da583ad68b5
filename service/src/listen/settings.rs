//! What an operator says about a server.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The table `[server]` of a configuration. Every key has a default but the address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Where to listen, `ADDRESS:PORT`. Port 0 takes any.
    #[serde(rename = "listen")]
    pub address: SocketAddr,
    /// Certificates; without them nobody from other machines is served, unless plain text is allowed.
    #[serde(default)]
    pub tls: Option<TlsSettings>,
    /// Serve other machines without TLS. Messages are signed and objects encrypted by their owners, but who is on the way
    /// sees who asks for what.
    #[serde(default)]
    pub allow_plain_text: bool,
    /// Connections at once; more are closed as they come.
    #[serde(default = "connections")]
    pub connections: usize,
    /// Connections of one IP address at once.
    #[serde(default = "connections_per_address")]
    pub connections_per_address: usize,
    /// From connecting until a caller has agreed on TLS, if that is spoken, and begun its first call, in milliseconds. Who takes
    /// longer is disconnected.
    #[serde(default = "handshake_ms")]
    pub handshake_ms: u64,
    /// Bytes of one message that are taken.
    #[serde(default = "message_bytes")]
    pub message_bytes: usize,
    /// How long calls may take to finish when the server ends, in milliseconds.
    #[serde(default = "shutdown_grace_ms")]
    pub shutdown_grace_ms: u64,
}

/// The table `[server.tls]`: PEM files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsSettings {
    /// The server's certificate, with what leads to its root.
    pub certificate: PathBuf,
    /// The certificate's private key.
    pub key: PathBuf,
    /// Only callers with a certificate under this root are served (mutual TLS).
    #[serde(default)]
    pub client_ca: Option<PathBuf>,
}

impl Settings {
    /// Defaults at an address.
    pub fn at(address: SocketAddr) -> Settings {
        Settings {
            address,
            tls: None,
            allow_plain_text: false,
            connections: connections(),
            connections_per_address: connections_per_address(),
            handshake_ms: handshake_ms(),
            message_bytes: message_bytes(),
            shutdown_grace_ms: shutdown_grace_ms(),
        }
    }

    pub(super) fn handshake(&self) -> Duration {
        Duration::from_millis(self.handshake_ms)
    }

    pub(super) fn shutdown_grace(&self) -> Duration {
        Duration::from_millis(self.shutdown_grace_ms)
    }
}

fn connections() -> usize {
    1024
}

fn connections_per_address() -> usize {
    128
}

fn handshake_ms() -> u64 {
    10_000
}

fn message_bytes() -> usize {
    4 << 20
}

fn shutdown_grace_ms() -> u64 {
    10_000
}
