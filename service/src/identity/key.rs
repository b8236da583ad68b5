//! Secret keys with what they were made of.

use std::fmt;

use age::secrecy::{ExposeSecret, SecretString};
use holdfast_engine::account::Account;
use holdfast_engine::signature::{NotASecretKey, SECRET_KEY_BYTES, Signer};
use schnorrkel::{ExpansionMode, Keypair, MiniSecretKey};
use thiserror::Error;
use zeroize::Zeroizing;

use super::derivation::{DerivationError, SecretUri};
use super::mnemonic::{self, MnemonicError, WordCount};

/// A mini secret, which Substrate calls a secret seed.
pub type Seed = Zeroizing<[u8; 32]>;
/// A scalar and the seed of nonces.
pub type ExpandedSecret = Zeroizing<[u8; SECRET_KEY_BYTES]>;

/// An sr25519 key as wallet files keep it: the secret, and the seed and the words that it comes from, where they are known.
pub struct Key {
    secret: ExpandedSecret,
    account: Account,
    seed: Option<Seed>,
    phrase: Option<SecretString>,
}

/// A text that denotes no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum KeyError {
    /// The words are wrong.
    #[error(transparent)]
    Mnemonic(#[from] MnemonicError),
    /// The path after the words is wrong.
    #[error(transparent)]
    Derivation(#[from] DerivationError),
    /// 64 bytes that are no secret.
    #[error(transparent)]
    Secret(#[from] NotASecretKey),
}

impl Key {
    /// A fresh key with its mnemonic.
    ///
    /// # Errors
    /// The system's, when it has no randomness.
    pub fn generate(words: WordCount) -> Result<Key, getrandom::Error> {
        let phrase = mnemonic::generate(words)?;
        Ok(Key::from_uri(phrase.expose_secret()).expect("a mnemonic just made is one"))
    }

    /// The key of a mnemonic of 12 to 24 words, optionally with a path and a password: `words//hard/soft///password`.
    /// Only the words alone are kept: with a path or a password they would give another key.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn from_uri(text: &str) -> Result<Key, KeyError> {
        let uri = SecretUri::parse(text)?;
        let seed = mnemonic::seed(uri.words, uri.password.expose_secret())?;
        if uri.is_plain() {
            return Ok(Key { phrase: Some(mnemonic::normalize(uri.words)?), ..Key::from_seed(seed) });
        }
        let pair = uri.path.iter().fold(expand(&seed), |pair, junction| junction.derive(&pair));
        Ok(Key::of_pair(&pair))
    }

    /// The key of a secret seed.
    pub fn from_seed(seed: Seed) -> Key {
        Key { seed: Some(seed.clone()), ..Key::of_pair(&expand(&seed)) }
    }

    /// The key of an expanded secret.
    ///
    /// # Errors
    /// [`KeyError::Secret`].
    pub fn from_secret(secret: ExpandedSecret) -> Result<Key, KeyError> {
        let account = Signer::from_secret_key(&secret)?.account();
        Ok(Key { secret, account, seed: None, phrase: None })
    }

    fn of_pair(pair: &Keypair) -> Key {
        let secret = Zeroizing::new(pair.secret.to_bytes());
        Key { secret, account: Account(pair.public.to_bytes()), seed: None, phrase: None }
    }

    /// The public key.
    pub fn account(&self) -> Account {
        self.account
    }

    /// The mnemonic, if the key has one.
    pub fn phrase(&self) -> Option<&SecretString> {
        self.phrase.as_ref()
    }

    pub(super) fn seed(&self) -> Option<&Seed> {
        self.seed.as_ref()
    }

    pub(super) fn secret(&self) -> &ExpandedSecret {
        &self.secret
    }

    /// What signs with it.
    pub fn signer(&self) -> Signer {
        // Zero is the secret of no seed that anybody finds, and all others are reduced: they come out of schnorrkel.
        Signer::from_secret_key(&self.secret).expect("a secret that was one before")
    }
}

/// Names the account only.
impl fmt::Debug for Key {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Key({}, secret redacted)", self.account)
    }
}

fn expand(seed: &Seed) -> Keypair {
    // Fails for other lengths only, and 32 bytes are what the type says.
    let mini = MiniSecretKey::from_bytes(seed.as_slice()).expect("a mini secret of 32 bytes");
    mini.expand_to_keypair(ExpansionMode::Ed25519)
}

#[cfg(test)]
mod tests;
