//! Certificates for tests: an authority, and what it vouches for.

use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

use super::{Connector, Settings, TlsSettings};
use crate::listen;

/// The name in certificates that have no address.
pub(crate) const SERVER_NAME: &str = "miner.example";

/// An authority with its files in a directory.
pub(crate) struct Authority {
    folder: PathBuf,
    issuer: Issuer<'static, KeyPair>,
    /// Its certificate.
    pub(crate) certificate: PathBuf,
}

impl Authority {
    /// A new one.
    pub(crate) fn new(folder: &Path, name: &str) -> Authority {
        let mut parameters = CertificateParams::new(Vec::new()).expect("no names");
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().expect("a key");
        let pem = parameters.self_signed(&key).expect("a certificate").pem();
        let certificate = write(folder, &format!("{name}.pem"), &pem);
        Authority { folder: folder.to_owned(), issuer: Issuer::new(parameters, key), certificate }
    }

    /// Certificate and key for a name or an address.
    pub(crate) fn issue(&self, subject: &str) -> (PathBuf, PathBuf) {
        let key = KeyPair::generate().expect("a key");
        let parameters = CertificateParams::new([subject.to_owned()]).expect("a name");
        let certificate = parameters.signed_by(&key, &self.issuer).expect("a certificate");
        let certificate = write(&self.folder, &format!("{subject}.pem"), &certificate.pem());
        (certificate, write(&self.folder, &format!("{subject}.key"), &key.serialize_pem()))
    }

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

fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).expect("writes");
    path
}
