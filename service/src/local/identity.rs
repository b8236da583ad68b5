//! Whose key a command works with, and what goes wrong with keys.

use std::path::PathBuf;

use crate::identity::{
    IdentityError, IdentitySource, KeyFileError, KeyFiles, KeyName, PasswordError, PasswordSource, SealError,
    default_wallets,
};
use clap::Args;

use crate::local::failure::Failure;

/// Which key of which wallet, and where its password is.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Key")]
pub struct IdentityArguments {
    /// Name of the Bittensor wallet
    #[arg(long, value_name = "NAME", default_value = "default")]
    wallet: String,
    /// Name of the hotkey in it
    #[arg(long, value_name = "NAME", default_value = "default")]
    hotkey: String,
    /// Directory of all wallets [default: ~/.bittensor/wallets]
    #[arg(long, value_name = "DIR")]
    wallet_dir: Option<PathBuf>,
    /// The key file itself, in place of a wallet and names
    #[arg(long, value_name = "FILE", conflicts_with_all = ["wallet", "hotkey", "wallet_dir"])]
    key_file: Option<PathBuf>,
    /// File whose first line is the key's password [default: $HOLDFAST_WALLET_PASSWORD if set, else ask]
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

/// The same, or a wallet's coldkey.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Key")]
pub struct KeyArguments {
    #[command(flatten)]
    identity: IdentityArguments,
    /// The wallet's coldkey, in place of a hotkey
    #[arg(long, conflicts_with_all = ["hotkey", "key_file"])]
    coldkey: bool,
}

impl IdentityArguments {
    /// The key that is meant.
    pub fn source(&self) -> IdentitySource {
        match &self.key_file {
            Some(path) => IdentitySource::KeyFile(path.clone()),
            None => IdentitySource::Wallet {
                wallets: self.wallet_dir.clone(),
                wallet: self.wallet.clone(),
                hotkey: self.hotkey.clone(),
            },
        }
    }

    /// Where its password is.
    pub fn passwords(&self) -> PasswordSource {
        PasswordSource::new(self.password_file.clone())
    }
}

impl KeyArguments {
    /// The key's files, whether they are there or not.
    pub fn files(&self) -> Result<KeyFiles, Failure> {
        if let IdentitySource::KeyFile(path) = self.identity.source() {
            return Ok(KeyFiles::at(path));
        }
        let wallets = self.identity.wallet_dir.clone().map_or_else(default_wallets, Ok)?;
        let name = match self.coldkey {
            true => KeyName::Coldkey,
            false => KeyName::Hotkey(self.identity.hotkey.clone()),
        };
        Ok(KeyFiles::in_wallet(&wallets, &self.identity.wallet, &name)?)
    }

    /// Where its password is.
    pub fn passwords(&self) -> PasswordSource {
        self.identity.passwords()
    }
}

impl From<IdentityError> for Failure {
    fn from(error: IdentityError) -> Failure {
        match error {
            IdentityError::File { doing, path, source } => Failure::file(doing, path, source),
            IdentityError::Missing { .. } => Failure::NotFound(error.to_string()),
            IdentityError::KeyFile { path, source } => key_file_failure(path, source),
            IdentityError::PublicOnly { .. }
            | IdentityError::PublicFileDiffers { .. }
            | IdentityError::Exists { .. } => Failure::work("state", "the wallet", error),
            IdentityError::Password(PasswordError::Read { place, source }) => {
                Failure::file("read the password from", place, source)
            }
            IdentityError::NoHome
            | IdentityError::Name { .. }
            | IdentityError::Password(_)
            | IdentityError::Development { .. } => Failure::Usage(error.to_string()),
        }
    }
}

fn key_file_failure(path: PathBuf, error: KeyFileError) -> Failure {
    match error {
        KeyFileError::Seal(SealError::WrongPassword) => Failure::work("decryption", path, error),
        KeyFileError::Seal(SealError::Memory | SealError::Randomness(_)) => {
            Failure::Absent(error.to_string())
        }
        _ => Failure::Foreign { path, expected: "a key file that can be used", reason: error.to_string() },
    }
}
