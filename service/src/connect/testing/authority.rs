//! An authority for tests, and what it vouches for. Tests from outside use this file, too.

use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};

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
        self.sign(subject, CertificateParams::new([subject.to_owned()]).expect("a name"))
    }

    /// The same, no longer valid.
    pub(crate) fn issue_expired(&self, subject: &str) -> (PathBuf, PathBuf) {
        let mut parameters = CertificateParams::new([subject.to_owned()]).expect("a name");
        (parameters.not_before, parameters.not_after) =
            (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1));
        self.sign(subject, parameters)
    }

    fn sign(&self, subject: &str, parameters: CertificateParams) -> (PathBuf, PathBuf) {
        let key = KeyPair::generate().expect("a key");
        let certificate = parameters.signed_by(&key, &self.issuer).expect("a certificate");
        let certificate = write(&self.folder, &format!("{subject}.pem"), &certificate.pem());
        (certificate, write(&self.folder, &format!("{subject}.key"), &key.serialize_pem()))
    }
}

fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).expect("writes");
    path
}
