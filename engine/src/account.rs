//! Accounts: 32-byte sr25519 public keys, and the texts that denote them (challenge-v1 §7).

use std::fmt;

use blake2::{Blake2b512, Digest};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use thiserror::Error;

use crate::signature::Signer;

/// Longest development name in bytes.
pub const DEVELOPMENT_NAME_BYTES: usize = 128;

/// The SS58 network number of generic Substrate addresses, Bittensor's among them.
const SS58_NETWORK: u8 = 42;
const SS58_CHECKSUM_BYTES: usize = 2;

/// An sr25519 public key. Not every value is a valid point; one that is not has no valid signatures.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Account(pub [u8; 32]);

/// Which of the three notations a text was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountSource {
    /// An SS58 address with a good checksum.
    Ss58,
    /// 64 hex digits.
    Hex,
    /// A development name: its secret key is known to everybody.
    DevelopmentName {
        /// The name has the form of an SS58 address, but a wrong checksum or another chain's network number: probably
        /// a mistake. Say so loudly.
        looks_like_ss58: bool,
    },
}

/// A text that denotes no account.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AccountError {
    /// Nothing was given.
    #[error("an account is empty; give an SS58 address, 64 hex digits or a development name")]
    Empty,
    /// Longer than any notation.
    #[error(
        "an account of {length} bytes is longer than a development name may be ({DEVELOPMENT_NAME_BYTES})"
    )]
    TooLong {
        /// Bytes of the text.
        length: usize,
    },
}

impl Account {
    /// Reads an SS58 address, 64 hex digits, or else a development name.
    pub fn parse(text: &str) -> Result<(Account, AccountSource), AccountError> {
        if text.is_empty() {
            return Err(AccountError::Empty);
        }
        if text.len() > DEVELOPMENT_NAME_BYTES {
            return Err(AccountError::TooLong { length: text.len() });
        }
        if let Some(account) = decode_ss58(text) {
            return Ok((account, AccountSource::Ss58));
        }
        let mut key = [0; 32];
        if hex::decode_to_slice(text, &mut key).is_ok() {
            return Ok((Account(key), AccountSource::Hex));
        }
        let source = AccountSource::DevelopmentName { looks_like_ss58: looks_like_ss58(text) };
        Ok((Signer::development(text).account(), source))
    }

    /// The SS58 address with network number 42.
    pub fn to_ss58(&self) -> String {
        let mut bytes = vec![SS58_NETWORK];
        bytes.extend_from_slice(&self.0);
        let checksum = ss58_checksum(&bytes);
        bytes.extend_from_slice(&checksum);
        bs58::encode(bytes).into_string()
    }

    /// 64 lower-case hex digits.
    pub fn to_hex(&self) -> String {
        hex::encode(self.0)
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_ss58())
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Account({self})")
    }
}

/// As an SS58 address.
impl Serialize for Account {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// From an SS58 address only: files written by programs hold no names.
impl<'de> Deserialize<'de> for Account {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Account, D::Error> {
        let text = String::deserialize(deserializer)?;
        decode_ss58(&text).ok_or_else(|| de::Error::custom("not an SS58 address with network number 42"))
    }
}

fn ss58_checksum(payload: &[u8]) -> [u8; SS58_CHECKSUM_BYTES] {
    let digest = Blake2b512::new().chain_update(b"SS58PRE").chain_update(payload).finalize();
    [digest[0], digest[1]]
}

/// Network number 42 only: another chain's address names another chain's key, even where the bytes would do.
fn decode_ss58(text: &str) -> Option<Account> {
    let bytes = bs58::decode(text).into_vec().ok()?;
    let (payload, checksum) = bytes.split_last_chunk::<SS58_CHECKSUM_BYTES>()?;
    let (network, key) = payload.split_first()?;
    (*network == SS58_NETWORK && ss58_checksum(payload) == *checksum).then_some(())?;
    key.try_into().ok().map(Account)
}

/// One of our addresses with any letter wrong, or an address with another network number.
fn looks_like_ss58(text: &str) -> bool {
    let ours = (47..=48).contains(&text.len()) && text.starts_with('5');
    let others = bs58::decode(text).into_vec().is_ok_and(|bytes| (35..=36).contains(&bytes.len()));
    (ours && text.bytes().all(|byte| byte.is_ascii_alphanumeric())) || others
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Alice's key and address as printed by `subkey inspect //Alice` (Substrate documentation).
    const ALICE_HEX: &str = "d43593c715fdd31c61141abd04a99fd6822c8558854ccde39a5684e7a56da27d";
    const ALICE_SS58: &str = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";

    #[test]
    fn substrate_address_and_hex_are_one_account() {
        let (ss58, from_ss58) = Account::parse(ALICE_SS58).unwrap();
        let (hex, from_hex) = Account::parse(ALICE_HEX).unwrap();
        assert_eq!((from_ss58, from_hex), (AccountSource::Ss58, AccountSource::Hex));
        assert_eq!(ss58, hex);
        assert_eq!((ss58.to_ss58().as_str(), ss58.to_hex().as_str()), (ALICE_SS58, ALICE_HEX));
    }

    /// A mistyped address must not pass silently as a name, and must not be taken for the address.
    #[test]
    fn mistyped_address_is_a_name_that_looks_like_one() {
        for (right, wrong) in [("Grw", "Gwr"), ("KutQY", "KutQ"), ("Grw", "Gr0")] {
            let mistyped = ALICE_SS58.replace(right, wrong);
            let (account, source) = Account::parse(&mistyped).unwrap();
            assert_eq!(source, AccountSource::DevelopmentName { looks_like_ss58: true }, "{mistyped}");
            assert_ne!(account.to_hex(), ALICE_HEX);
        }
    }

    /// Addresses of other networks (network number 0: a Polkadot address of the same key) are not ours.
    #[test]
    fn other_networks_addresses_are_not_accounts() {
        let (_, source) = Account::parse("15oF4uVJwmo4TdGW7VfQxNLavjCXviqxT9S1MgbjMNHr6Sp5").unwrap();
        assert_eq!(source, AccountSource::DevelopmentName { looks_like_ss58: true });
    }

    #[test]
    fn names_are_distinct_and_bounded() {
        let (one, source) = Account::parse("miner-1").unwrap();
        assert_eq!(source, AccountSource::DevelopmentName { looks_like_ss58: false });
        assert_ne!(one, Account::parse("miner-2").unwrap().0);
        assert_eq!(Account::parse(""), Err(AccountError::Empty));
        let long = "é".repeat(DEVELOPMENT_NAME_BYTES / 2 + 1);
        assert_eq!(Account::parse(&long), Err(AccountError::TooLong { length: DEVELOPMENT_NAME_BYTES + 2 }));
        assert!(Account::parse(&long[2..]).is_ok());
    }

    #[test]
    fn round_trip_through_text() {
        for name in ["a", "validator", "ü"] {
            let (account, _) = Account::parse(name).unwrap();
            assert_eq!(Account::parse(&account.to_ss58()), Ok((account, AccountSource::Ss58)));
            assert_eq!(Account::parse(&account.to_hex()), Ok((account, AccountSource::Hex)));
        }
    }
}
