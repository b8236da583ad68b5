//! What an operator says about connections to others.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::ConnectError;

/// The table `[connect]` of a configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// With it TLS is spoken to everybody, without it to nobody.
    pub tls: Option<TlsSettings>,
}

/// The table `[connect.tls]`; files are PEM.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TlsSettings {
    /// How the certificate of a server is checked.
    pub check: Check,
    /// Certificates of the authorities that vouch for servers, for [`Check::Authority`].
    pub ca: Option<PathBuf>,
    /// The name that certificates of servers have, if it is not the address at which the server is reached.
    pub server_name: Option<String>,
    /// Our own certificate, with what leads to its root, for servers that ask for one (mutual TLS).
    pub certificate: Option<PathBuf>,
    /// Its private key.
    pub key: Option<PathBuf>,
}

/// How the certificate of a server is checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// An authority of `ca` vouches for it, and it is for the server's name. Nobody on the way can read anything.
    #[default]
    Authority,
    /// Not at all: that the right one answers is known by the seals of its messages alone, which nobody on the way can make. Who
    /// listens on the way reads nothing; who takes part in the connection does.
    Seals,
}

impl TlsSettings {
    /// Under the authorities of a file.
    pub fn under(ca: impl Into<PathBuf>) -> TlsSettings {
        TlsSettings { ca: Some(ca.into()), ..TlsSettings::default() }
    }

    /// With any certificate of the server.
    pub fn by_seals() -> TlsSettings {
        TlsSettings { check: Check::Seals, ..TlsSettings::default() }
    }

    pub(super) fn check(&self) -> Result<(), ConnectError> {
        let wrong = |reason| Err(ConnectError::Settings(reason));
        match (self.check, &self.ca) {
            (Check::Authority, None) => {
                return wrong(
                    "name the authorities that vouch for servers with ca, or say check = \"seals\"",
                );
            }
            (Check::Seals, Some(_)) => return wrong("ca is of use only with check = \"authority\""),
            _ => {}
        }
        if self.certificate.is_some() != self.key.is_some() {
            return wrong("certificate and key are given together");
        }
        Ok(())
    }
}
