//! Certificates for tests, and whoever trusts them.

mod authority;

pub(crate) use authority::Authority;

use super::{Connector, Settings, TlsSettings};
use crate::listen;

/// The name in certificates that have no address.
pub(crate) const SERVER_NAME: &str = "miner.example";

impl Authority {
    /// What a server is told that has a certificate for this subject.
    pub(crate) fn server(&self, subject: &str) -> listen::TlsSettings {
        let (certificate, key) = self.issue(subject);
        listen::TlsSettings { certificate, key, client_ca: None }
    }

    /// What trusts this authority.
    pub(crate) fn trusted(&self) -> TlsSettings {
        TlsSettings::under(&self.certificate)
    }
}

/// The connector of these settings.
pub(crate) fn connector(tls: TlsSettings) -> Connector {
    Connector::new(&Settings { tls: Some(tls) }).expect("can be used")
}
