//! Flags of commands that talk to nodes, and what is said when nodes do not answer.

use std::path::PathBuf;

use clap::Args;
use holdfast_service::connect::{Check, ConnectError, Connector, Settings, TlsSettings};
use holdfast_service::validator::peers::PeerError;
use holdfast_service::wire::status::advice_of;
use tonic::Code;

use crate::failure::Failure;

/// With TLS, or without if none of it is given.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "TLS")]
pub(crate) struct ConnectArguments {
    /// Connect with TLS, to nodes that one of these authorities vouches for (certificates in PEM)
    #[arg(long, value_name = "FILE")]
    tls_ca: Option<PathBuf>,
    /// Connect with TLS to nodes with any certificate; the seals of their messages alone say who they are
    #[arg(long, conflicts_with = "tls_ca")]
    tls_by_seals: bool,
    /// The name in the certificates of nodes [default: the address of each]
    #[arg(long, value_name = "NAME")]
    tls_server_name: Option<String>,
    /// A certificate of our own (PEM), for nodes that ask for one
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_certificate: Option<PathBuf>,
    /// Its private key
    #[arg(long, value_name = "FILE", requires = "tls_certificate")]
    tls_key: Option<PathBuf>,
}

impl ConnectArguments {
    /// What makes the connections.
    pub(crate) fn connector(&self) -> Result<Connector, Failure> {
        Connector::new(&Settings { tls: self.settings()? }).map_err(failure)
    }

    /// The same for our own node, which speaks TLS if `has_tls`. Nobody has to vouch for it: its key is ours, and so its seals
    /// tell it from others.
    pub(crate) fn connector_to_own(&self, has_tls: bool) -> Result<Connector, Failure> {
        let given = self.tls_ca.is_some() || self.tls_by_seals || !has_tls;
        ConnectArguments { tls_by_seals: self.tls_by_seals || !given, ..self.clone() }.connector()
    }

    fn settings(&self) -> Result<Option<TlsSettings>, Failure> {
        let ConnectArguments { tls_ca, tls_by_seals, tls_server_name, tls_certificate, tls_key } = self;
        if tls_ca.is_none() && !tls_by_seals {
            if tls_server_name.is_some() || tls_certificate.is_some() {
                let message = "TLS is spoken with --tls-ca or --tls-by-seals only; give one of them";
                return Err(Failure::Usage(message.to_owned()));
            }
            return Ok(None);
        }
        Ok(Some(TlsSettings {
            check: if *tls_by_seals { Check::Seals } else { Check::Authority },
            ca: tls_ca.clone(),
            server_name: tls_server_name.clone(),
            certificate: tls_certificate.clone(),
            key: tls_key.clone(),
        }))
    }
}

/// What of the settings cannot be used.
pub(crate) fn failure(error: ConnectError) -> Failure {
    match error {
        ConnectError::File { path, source, .. } => Failure::file("read", path, source),
        ConnectError::Authorities { path, reason } => {
            Failure::Foreign { path, expected: "a file of certificates in PEM", reason }
        }
        error => Failure::Usage(error.to_string()),
    }
}

/// A node that gave no answer that can be used.
pub(crate) fn peer_failure(error: PeerError) -> Failure {
    match error {
        PeerError::Rejected { miner, rejection, .. } => Failure::rejected(miner.to_string(), rejection),
        PeerError::Status { ref status, .. } if status.code() == Code::NotFound => {
            Failure::NotFound(status.message().to_owned())
        }
        PeerError::Status { ref status, .. } => {
            let advice =
                advice_of(status).unwrap_or_else(|| "see whether it runs there, and its log".to_owned());
            Failure::State { message: error.to_string(), advice }
        }
    }
}
