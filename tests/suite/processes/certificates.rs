//! TLS in a network: whose certificates nodes have, and what configurations say of them.

use holdfast_service::connect::{Connector, Settings, TlsSettings};

use super::Network;

#[allow(dead_code, reason = "what other tests need, of which this needs a part")]
#[path = "../../../service/src/connect/testing/authority.rs"]
mod authority;

pub(super) use authority::Authority;

impl Network {
    /// What a configuration says of a node's certificate; nothing without TLS. All nodes are on one address.
    pub(super) fn server_tls(&self) -> String {
        if !self.terms.encrypted {
            return String::new();
        }
        // One for all, written before anybody reads it.
        if !self.path("127.0.0.1.pem").exists() {
            self.authority.issue("127.0.0.1");
        }
        let [certificate, key] = ["127.0.0.1.pem", "127.0.0.1.key"].map(|file| self.text(file));
        format!("[server.tls]\ncertificate = \"{certificate}\"\nkey = \"{key}\"\n")
    }

    /// What it says of those to whom it connects.
    pub(super) fn connect_tls(&self) -> String {
        let ca = self.authority.certificate.display();
        if self.terms.encrypted { format!("[connect.tls]\nca = \"{ca}\"\n") } else { String::new() }
    }

    /// The certificate of an authority that vouches for nobody here.
    #[allow(dead_code, reason = "the tests of TLS ask, the example network_figures does not")]
    pub(crate) fn authority_of_nobody(&self) -> String {
        Authority::new(self.folder.path(), "nobody").certificate.display().to_string()
    }

    /// Connects as everybody here does.
    pub(super) fn connector(&self) -> Connector {
        let tls = self.terms.encrypted.then(|| TlsSettings::under(&self.authority.certificate));
        Connector::new(&Settings { tls }).expect("can be used")
    }
}
