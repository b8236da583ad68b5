//! Why a call did not reach its server, in words that say what to do.

use std::error::Error;
use std::fmt::Display;

use tokio_rustls::rustls::{self, AlertDescription, CertificateError, InvalidMessage};
use tonic::Status;

use super::{Connector, Tls};
use crate::wire::status::refusal;

/// The reason of such a status, for programs.
pub const NO_CONNECTION: &str = "no-connection";

/// How far a connection came before it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Nothing was ever answered on it.
    Fresh,
    /// Something was, so both sides speak the same.
    Answered,
}

impl Connector {
    /// A status that says what became of the connection to `address` and, with its advice, what to do about it. One that the
    /// server sent is left as it is; the code stays in any case.
    pub fn explain(&self, address: impl Display, status: Status, stage: Stage) -> Status {
        let address = &address.to_string();
        // Only what goes wrong on this side has a source.
        let Some(source) = Error::source(&status) else { return status };
        let causes = causes(source);
        let (message, advice) = match (&self.tls, find::<tonic::ConnectError>(source)) {
            (Some(tls), Some(failed)) => match rustls_error(failed) {
                Some(error) => tls.refused(address, error),
                None => unreachable(address, &causes),
            },
            (None, Some(_)) => unreachable(address, &causes),
            (Some(tls), None) => tls.broken(address, &causes),
            (None, None) => broken(address, &causes, stage),
        };
        refusal(status.code(), message, NO_CONNECTION, advice)
    }
}

impl Tls {
    fn refused(&self, address: &str, error: &rustls::Error) -> (String, &'static str) {
        match error {
            rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            ) => (
                format!("the certificate of {address} is for another name: {error}"),
                "say the name that it has with server_name of [connect.tls], or --tls-server-name",
            ),
            rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
                let authorities = self.settings.ca.as_deref().unwrap_or("no file".as_ref()).display();
                (
                    format!("the certificate of {address} is of no authority in {authorities}"),
                    "give the network's authorities with ca of [connect.tls], or --tls-ca; whoever answers there may be somebody else",
                )
            }
            rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType) => (
                format!("{address} does not speak TLS, and this side does"),
                "have its operator give [server.tls], or connect without TLS",
            ),
            rustls::Error::AlertReceived(AlertDescription::CertificateRequired) => {
                self.broken(address, &error.to_string())
            }
            error => (
                format!("no TLS with {address}: {error}"),
                "see the certificates of both sides: validity, names, authorities",
            ),
        }
    }

    /// What became of a connection that stood: only then does a server say that a certificate of ours is missing or wrong.
    fn broken(&self, address: &str, causes: &str) -> (String, &'static str) {
        let text = match &self.settings.certificate {
            None => "a server that wants certificates of its callers ends connections without one so",
            Some(_) => "a server that does not know our certificate ends connections so",
        };
        (
            format!("the connection to {address} broke: {causes}; {text}"),
            "if it wants a certificate, give one that it knows: certificate and key of [connect.tls], or --tls-certificate and --tls-key",
        )
    }
}

/// What became of a connection without TLS that stood. A server that wants TLS ends it at its first bytes; so does one that is stopped.
fn broken(address: &str, causes: &str, stage: Stage) -> (String, &'static str) {
    match stage {
        Stage::Fresh => (
            format!("the connection to {address} broke before anything was answered: {causes}"),
            "see whether it runs there, and its log; perhaps it wants TLS: then connect with [connect.tls] in a configuration, --tls-ca or \
             --tls-by-seals of a command",
        ),
        Stage::Answered => {
            (format!("the connection to {address} broke: {causes}"), "see whether it runs there, and its log")
        }
    }
}

fn unreachable(address: &str, causes: &str) -> (String, &'static str) {
    (
        format!("{address} cannot be reached: {causes}"),
        "see whether it runs there, and whether a firewall is on the way",
    )
}

/// An error and what led to it, without what was said already.
pub(super) fn causes(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let of_cause = cause.to_string();
        if !text.contains(&of_cause) {
            text.push_str(": ");
            text.push_str(&of_cause);
        }
        next = cause.source();
    }
    text
}

fn find<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = error.source();
    }
    None
}

/// What rustls said. It is within an error of the system, which passes it over in its chain.
fn rustls_error(failed: &tonic::ConnectError) -> Option<&rustls::Error> {
    let io: &std::io::Error = find(&*failed.0)?;
    io.get_ref()?.downcast_ref()
}
