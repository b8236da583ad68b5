//! Why an identity cannot be had, or a key not be written.

use std::io;
use std::path::PathBuf;

use holdfast_engine::account::Account;
use thiserror::Error;

use super::key_file::KeyFileError;
use super::password::PasswordError;

/// Something about keys went wrong. Messages name files and public keys, and never repeat what could be secret.
#[derive(Debug, Error)]
pub enum IdentityError {
    /// The operating system refused something about a file.
    #[error("cannot {doing} {}: {source}", path.display())]
    File {
        /// The verb.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// There is no such key.
    #[error("there is no key file {}; make one with `holdfast keys new`, or check --wallet, --hotkey and --wallet-dir", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// A file is no key file, or its password is another one.
    #[error("{}: {source}", path.display())]
    KeyFile {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: KeyFileError,
    },
    /// A file has only the public key.
    #[error("{} holds the public key of {account} alone, and nobody can sign with that", path.display())]
    PublicOnly {
        /// The file.
        path: PathBuf,
        /// Whose it is.
        account: Account,
    },
    /// The public file beside a secret one is of another key.
    #[error(
        "{} is of {public}, but the secret key beside it of {secret}; find out which is right, and move the other away",
        path.display()
    )]
    PublicFileDiffers {
        /// The public file.
        path: PathBuf,
        /// Whose it is.
        public: Account,
        /// Whose the secret key is.
        secret: Account,
    },
    /// Keys are never overwritten.
    #[error("{} exists already and is left as it is; take another name, or move it away", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// A name that is no file name.
    #[error("{name:?} cannot be the name of a {what}: {reason}")]
    Name {
        /// `wallet` or `hotkey`.
        what: &'static str,
        /// As given.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Nobody knows where wallets are.
    #[error(
        "this user has no home directory, so it is not known where its wallets are; name their directory with --wallet-dir"
    )]
    NoHome,
    /// No password.
    #[error(transparent)]
    Password(#[from] PasswordError),
    /// A key that everybody knows, where a real one is needed.
    #[error(
        "the secret key of the development name {name:?} is known to everybody; it can be used in simulations only"
    )]
    Development {
        /// The name.
        name: String,
    },
}
