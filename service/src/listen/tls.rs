//! TLS of a server: its certificate, and whose certificates it takes.

use std::fmt::Display;
use std::path::Path;
use std::sync::Arc;

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use zeroize::Zeroizing;

use super::{ListenError, TlsSettings};
use crate::connect::{ConnectError, authorities};

/// What gRPC is spoken over.
const HTTP2: &[u8] = b"h2";

/// Agrees on TLS with callers as the settings say. Reads the files that they name, once.
pub(super) fn acceptor(settings: &TlsSettings) -> Result<TlsAcceptor, ListenError> {
    let provider = Arc::new(default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
    let builder = builder.with_safe_default_protocol_versions().map_err(unusable)?;
    let builder = match &settings.client_ca {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let roots = Arc::new(authorities("client_ca", path).map_err(of_authorities)?);
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider).build();
            builder.with_client_cert_verifier(verifier.map_err(unusable)?)
        }
    };
    let certificates = read("certificate", &settings.certificate)?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&certificates).collect();
    let key = Zeroizing::new(read("key", &settings.key)?);
    let key = PrivateKeyDer::from_pem_slice(&key).map_err(unusable)?;
    let config = builder.with_single_cert(certificates.map_err(unusable)?, key);
    let mut config = config.map_err(unusable)?;
    config.alpn_protocols.push(HTTP2.to_vec());
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn unusable(error: impl Display) -> ListenError {
    ListenError::Tls(error.to_string())
}

fn of_authorities(error: ConnectError) -> ListenError {
    match error {
        ConnectError::File { what, path, source } => ListenError::TlsFile { what, path, source },
        error => unusable(error),
    }
}

fn read(what: &'static str, path: &Path) -> Result<Vec<u8>, ListenError> {
    std::fs::read(path).map_err(|source| ListenError::TlsFile { what, path: path.to_owned(), source })
}
