//! Who a node is: an sr25519 key of a Bittensor wallet, or of a development name in simulations.
//!
//! Wallet files are read and written as `bittensor-wallet` has them, so that one key serves holdfast, `btcli` and Bittensor's Python
//! packages. See `docs/guide/keys.md`.

mod derivation;
mod error;
mod files;
mod key;
mod key_file;
mod mnemonic;
mod password;
mod sealed;
mod wallet;

use std::path::PathBuf;

use holdfast_engine::account::Account;
use holdfast_engine::signature::Signer;

pub use derivation::DerivationError;
pub use error::IdentityError;
pub use key::{ExpandedSecret, Key, KeyError, Seed};
pub use key_file::{KEY_FILE_BYTES_MAXIMUM, KeyFile, KeyFileError, OpenKey};
pub use mnemonic::{MnemonicError, WordCount};
pub use password::{PASSWORD_VARIABLE, PasswordError, PasswordSource};
pub use sealed::{SealError, SealKey, Sealed};
pub use wallet::{ExposedFile, KeyDescription, KeyFiles, KeyName, LoadedKey, Secrecy, default_wallets};

/// Which key a node is to have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IdentitySource {
    /// A hotkey of a wallet.
    Wallet {
        /// The directory of all wallets; [`default_wallets`] unless given.
        wallets: Option<PathBuf>,
        /// The wallet's name.
        wallet: String,
        /// The hotkey's name.
        hotkey: String,
    },
    /// The key in this file.
    KeyFile(PathBuf),
    /// The key of a development name, which everybody has.
    Development(String),
}

/// Whether keys that everybody knows will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DevelopmentNames {
    /// In simulations and on development networks.
    Allowed,
    /// Everywhere else.
    Refused,
}

/// A node's key.
#[derive(Debug)]
pub struct Identity {
    signer: Signer,
    exposed: Option<ExposedFile>,
}

impl Identity {
    /// Reads the key; asks `passwords` if it is sealed.
    ///
    /// # Errors
    /// [`IdentityError`].
    pub fn load(
        source: &IdentitySource,
        development: DevelopmentNames,
        passwords: &PasswordSource,
    ) -> Result<Identity, IdentityError> {
        let files = match source {
            IdentitySource::Wallet { wallets, wallet, hotkey } => {
                let wallets = wallets.clone().map_or_else(default_wallets, Ok)?;
                KeyFiles::in_wallet(&wallets, wallet, &KeyName::Hotkey(hotkey.clone()))?
            }
            IdentitySource::KeyFile(path) => KeyFiles::at(path.clone()),
            IdentitySource::Development(name) if development == DevelopmentNames::Allowed => {
                return Ok(Identity { signer: Signer::development(name), exposed: None });
            }
            IdentitySource::Development(name) => {
                return Err(IdentityError::Development { name: name.clone() });
            }
        };
        let LoadedKey { key, exposed } = files.load(passwords)?;
        Ok(Identity { signer: key.signer(), exposed })
    }

    /// The public key.
    pub fn account(&self) -> Account {
        self.signer.account()
    }

    /// What signs.
    pub fn signer(&self) -> &Signer {
        &self.signer
    }

    /// The same, to keep.
    pub fn into_signer(self) -> Signer {
        self.signer
    }

    /// A warning for people: others can get at the key's file.
    pub fn exposed(&self) -> Option<&ExposedFile> {
        self.exposed.as_ref()
    }
}
