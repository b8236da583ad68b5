//! Bittensor's key files, byte by byte: what they may hold, and what is refused.
//!
//! A key file is a JSON object, of which `bittensor-wallet` 4.1.1 writes `accountId`, `publicKey`, `ss58Address`, `cryptoType`, and for
//! secret keys `privateKey`, `secretSeed` and `secretPhrase`; older versions and other tools leave some out or write `null`. It may be
//! [sealed](super::sealed) with a password.

use age::secrecy::ExposeSecret;
use holdfast_engine::account::{Account, AccountSource};
use serde::{Deserialize, Deserializer, Serialize};
use thiserror::Error;
use zeroize::Zeroizing;

use super::key::{Key, KeyError};
use super::sealed::{SealError, SealKey, Sealed, TAG};

/// No key file is larger; real ones have less than 1 KiB.
pub const KEY_FILE_BYTES_MAXIMUM: usize = 64 << 10;

/// sr25519, as `cryptoType` numbers it; 0 is ed25519.
const SR25519: u64 = 1;
/// Encryptions that `bittensor-wallet` used before, by how their files begin.
const FORMER_ENCRYPTIONS: [(&[u8], &str); 2] = [(b"$ANSIBLE_VAULT", "Ansible Vault"), (b"gAAAAA", "Fernet")];

/// Why a key file is refused. Nothing that could be secret is repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum KeyFileError {
    /// Larger than any key file.
    #[error("it has more than {KEY_FILE_BYTES_MAXIMUM} bytes, and no key file has")]
    TooLarge,
    /// Encrypted as `bittensor-wallet` did long ago.
    #[error(
        "it is encrypted with {method}, as Bittensor's tools did until 2023; convert it with `btcli wallet update`, or make it \
         anew from its mnemonic with `holdfast keys import`"
    )]
    FormerEncryption {
        /// Ansible Vault or Fernet.
        method: &'static str,
    },
    /// Neither JSON of the right form nor sealed.
    #[error("it is no JSON object of a Bittensor key (line {line}, column {column})")]
    NotJson {
        /// Where it goes wrong, from 1; 0 at the end of an empty file.
        line: usize,
        /// As above.
        column: usize,
    },
    /// A key for other signatures.
    #[error(
        "it holds a key of type {crypto_type} (0 is ed25519), but sr25519 keys, type {SR25519}, are needed"
    )]
    CryptoType {
        /// The number in the file.
        crypto_type: u64,
    },
    /// A field is not what it should be.
    #[error("its field `{field}` is not {expected}")]
    Field {
        /// The name in JSON.
        field: &'static str,
        /// What should be there.
        expected: &'static str,
    },
    /// The secret in a field is none.
    #[error("its field `{field}`: {error}")]
    Secret {
        /// The name in JSON.
        field: &'static str,
        /// What is wrong.
        error: KeyError,
    },
    /// Two fields denote different keys.
    #[error("it contradicts itself: `{field}` is of {found}, but other fields are of {expected}")]
    Contradiction {
        /// The first one that does not fit: addresses and public keys are read before secrets.
        field: &'static str,
        /// Its account.
        found: Account,
        /// The others' account.
        expected: Account,
    },
    /// No field denotes a key.
    #[error("it names no key: it has neither an address, a public key nor a secret")]
    NoKey,
    /// The seal.
    #[error(transparent)]
    Seal(#[from] SealError),
}

/// A key file's content.
#[derive(Debug)]
pub enum KeyFile {
    /// Readable by everybody who can read the file.
    Open(OpenKey),
    /// Protected by a password.
    Sealed(Sealed),
}

/// What an open key file says.
#[derive(Debug)]
pub struct OpenKey {
    /// Whose key it is.
    pub account: Account,
    /// The secret; `None` in public files.
    pub key: Option<Key>,
}

impl KeyFile {
    /// Reads a key file. Total: any bytes give a key file or an error.
    ///
    /// # Errors
    /// [`KeyFileError`].
    pub fn parse(bytes: &[u8]) -> Result<KeyFile, KeyFileError> {
        if bytes.len() > KEY_FILE_BYTES_MAXIMUM {
            return Err(KeyFileError::TooLarge);
        }
        if let Some(rest) = bytes.strip_prefix(TAG) {
            return Ok(KeyFile::Sealed(Sealed::parse(rest)?));
        }
        for (prefix, method) in FORMER_ENCRYPTIONS {
            if bytes.starts_with(prefix) {
                return Err(KeyFileError::FormerEncryption { method });
            }
        }
        OpenKey::parse(bytes).map(KeyFile::Open)
    }
}

impl OpenKey {
    fn parse(bytes: &[u8]) -> Result<OpenKey, KeyFileError> {
        // The error's own text may repeat what stands in the file.
        let fields: Fields = serde_json::from_slice(bytes)
            .map_err(|error| KeyFileError::NotJson { line: error.line(), column: error.column() })?;
        fields.check()
    }

    /// Opens a sealed file with the key of its password.
    ///
    /// # Errors
    /// [`SealError::WrongPassword`], and whatever is wrong inside.
    pub fn unseal(sealed: &Sealed, key: &SealKey) -> Result<OpenKey, KeyFileError> {
        OpenKey::parse(&sealed.open(key)?)
    }
}

/// The JSON object. Unknown fields are left alone.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Fields {
    account_id: Option<String>,
    public_key: Option<String>,
    ss58_address: Option<String>,
    crypto_type: Option<u64>,
    #[serde(default, deserialize_with = "secret")]
    secret_phrase: Option<Zeroizing<String>>,
    #[serde(default, deserialize_with = "secret")]
    secret_seed: Option<Zeroizing<String>>,
    #[serde(default, deserialize_with = "secret")]
    private_key: Option<Zeroizing<String>>,
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Zeroizing<String>>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.map(Zeroizing::new))
}

impl Fields {
    /// Every field that is there must denote one and the same key: a wallet whose secret is not of the address that it shows would
    /// sign for somebody else, and `bittensor-wallet` would let it.
    fn check(&self) -> Result<OpenKey, KeyFileError> {
        if let Some(crypto_type) = self.crypto_type.filter(|number| *number != SR25519) {
            return Err(KeyFileError::CryptoType { crypto_type });
        }
        let mut agreed = None;
        for (field, account) in self.accounts()? {
            agree(&mut agreed, field, account)?;
        }
        // The first one knows most: the words give the seed, and the seed the secret.
        let mut key = None;
        for (field, candidate) in self.keys()? {
            agree(&mut agreed, field, candidate.account())?;
            key.get_or_insert(candidate);
        }
        Ok(OpenKey { account: agreed.ok_or(KeyFileError::NoKey)?, key })
    }

    fn accounts(&self) -> Result<Vec<(&'static str, Account)>, KeyFileError> {
        let mut accounts = Vec::new();
        if let Some(address) = &self.ss58_address {
            let parsed = Account::parse(address).ok();
            let account =
                parsed.filter(|(_, source)| *source == AccountSource::Ss58).map(|(account, _)| account);
            let expected = "an SS58 address with network number 42";
            let field = "ss58Address";
            accounts.push((field, account.ok_or(KeyFileError::Field { field, expected })?));
        }
        for (field, text) in [("publicKey", &self.public_key), ("accountId", &self.account_id)] {
            if let Some(text) = text {
                accounts.push((field, Account(*bytes(field, text, "64 hex digits")?)));
            }
        }
        Ok(accounts)
    }

    fn keys(&self) -> Result<Vec<(&'static str, Key)>, KeyFileError> {
        let mut keys = Vec::new();
        if let Some(phrase) = &self.secret_phrase {
            let field = "secretPhrase";
            let key = Key::from_uri(phrase).map_err(|error| KeyFileError::Secret { field, error })?;
            keys.push((field, key));
        }
        if let Some(seed) = &self.secret_seed {
            let field = "secretSeed";
            keys.push((field, Key::from_seed(bytes(field, seed, "64 hex digits")?)));
        }
        if let Some(secret) = &self.private_key {
            let field = "privateKey";
            let secret = bytes(field, secret, "128 hex digits")?;
            keys.push((
                field,
                Key::from_secret(secret).map_err(|error| KeyFileError::Secret { field, error })?,
            ));
        }
        Ok(keys)
    }
}

fn agree(agreed: &mut Option<Account>, field: &'static str, found: Account) -> Result<(), KeyFileError> {
    let expected = *agreed.get_or_insert(found);
    if found == expected { Ok(()) } else { Err(KeyFileError::Contradiction { field, found, expected }) }
}

/// Hex digits, with or without `0x`.
fn bytes<const N: usize>(
    field: &'static str,
    text: &str,
    expected: &'static str,
) -> Result<Zeroizing<[u8; N]>, KeyFileError> {
    let mut bytes = Zeroizing::new([0; N]);
    let digits = text.strip_prefix("0x").unwrap_or(text);
    hex::decode_to_slice(digits, bytes.as_mut_slice())
        .map_err(|_| KeyFileError::Field { field, expected })?;
    Ok(bytes)
}

/// What is written: the fields that every version of `bittensor-wallet` reads. `cryptoType` is not among them: version 3 and older
/// refuse it, and version 4 takes sr25519 where it is missing.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Written<'a> {
    account_id: String,
    public_key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    private_key: Option<Zeroized>,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret_phrase: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret_seed: Option<Zeroized>,
    ss58_address: String,
}

/// A text that is erased after it was written.
struct Zeroized(Zeroizing<String>);

impl Zeroized {
    fn hex(bytes: &[u8]) -> Zeroized {
        let digits = Zeroizing::new(hex::encode(bytes));
        Zeroized(Zeroizing::new(format!("0x{}", *digits)))
    }
}

impl Serialize for Zeroized {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// A file with the secret, not sealed.
pub(super) fn encode(key: &Key) -> Zeroizing<Vec<u8>> {
    write(&Written {
        private_key: Some(Zeroized::hex(key.secret().as_slice())),
        secret_phrase: key.phrase().map(|phrase| phrase.expose_secret()),
        secret_seed: key.seed().map(|seed| Zeroized::hex(seed.as_slice())),
        ..public_fields(key.account())
    })
}

/// A file without a secret.
pub(super) fn encode_public(account: Account) -> Zeroizing<Vec<u8>> {
    write(&public_fields(account))
}

fn public_fields(account: Account) -> Written<'static> {
    let public_key = format!("0x{}", account.to_hex());
    Written {
        account_id: public_key.clone(),
        public_key,
        private_key: None,
        secret_phrase: None,
        secret_seed: None,
        ss58_address: account.to_ss58(),
    }
}

fn write(fields: &Written<'_>) -> Zeroizing<Vec<u8>> {
    // Room for everything, so that no part is left behind in memory by growing.
    let mut bytes = Zeroizing::new(Vec::with_capacity(2048));
    serde_json::to_writer(&mut *bytes, fields).expect("texts become JSON, and memory takes it");
    bytes
}

#[cfg(test)]
mod tests;
