//! Flags of age: who can decrypt, and with what.

use std::path::{Path, PathBuf};

use clap::Args;
use holdfast_service::encryption::{Identities, Recipients};

use crate::failure::Failure;
use crate::files::{read_passphrase, read_secret};

/// Who can decrypt: in the group `secrecy`, which the command defines. One of them must be said.
#[derive(Args, Clone, Debug)]
pub(crate) struct RecipientArguments {
    /// Encrypt for this public key (age1…); may be repeated
    #[arg(long, value_name = "KEY", group = "secrecy")]
    recipient: Vec<String>,
    /// Encrypt for the public keys in this file, one a line
    #[arg(long, value_name = "FILE", group = "secrecy", conflicts_with = "recipient")]
    recipients_file: Option<PathBuf>,
    /// Encrypt with the passphrase in this file (its first line)
    #[arg(long, value_name = "FILE", group = "secrecy", conflicts_with_all = ["recipient", "recipients_file"])]
    passphrase_file: Option<PathBuf>,
    /// Store the file as it is
    #[arg(long, group = "secrecy", conflicts_with_all = ["recipient", "recipients_file", "passphrase_file"])]
    no_encrypt: bool,
}

/// What decrypts.
#[derive(Args, Clone, Debug)]
pub(crate) struct DecryptionArguments {
    /// Decrypt with the secret keys in this file (AGE-SECRET-KEY-1…)
    #[arg(long, value_name = "FILE", conflicts_with = "passphrase_file")]
    identity: Option<PathBuf>,
    /// Decrypt with the passphrase in this file (its first line)
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
}

impl RecipientArguments {
    /// `None` to store as it is. `place`: what is to be stored.
    pub(crate) fn recipients(&self, place: &Path) -> Result<Option<Recipients>, Failure> {
        let failed = |error| Failure::encryption(place, error);
        if let Some(path) = &self.passphrase_file {
            return Ok(Some(Recipients::Passphrase(read_passphrase(path)?)));
        }
        if let Some(path) = &self.recipients_file {
            let text = std::fs::read_to_string(path).map_err(|error| Failure::file("read", path, error))?;
            return Recipients::of_file(&text).map(Some).map_err(failed);
        }
        if self.no_encrypt {
            return Ok(None);
        }
        Recipients::of_keys(self.recipient.iter().map(String::as_str)).map(Some).map_err(failed)
    }
}

impl DecryptionArguments {
    /// `None` to give what is stored.
    pub(crate) fn identities(&self) -> Result<Option<Identities>, Failure> {
        if let Some(path) = &self.passphrase_file {
            return Ok(Some(Identities::Passphrase(read_passphrase(path)?)));
        }
        let Some(path) = &self.identity else { return Ok(None) };
        let text = read_secret(path)?;
        Identities::of_file(&text).map(Some).map_err(|error| Failure::decryption(path, error))
    }
}
