//! Secret URIs as Substrate's tools take them: `words//hard/soft///password`.

use age::secrecy::{ExposeSecret, SecretString};
use blake2::digest::consts::U32;
use blake2::{Blake2b, Digest};
use schnorrkel::derive::{ChainCode, Derivation};
use schnorrkel::{ExpansionMode, Keypair};
use thiserror::Error;

/// Longest name of a junction in bytes; Substrate has no limit, and nobody writes a longer one.
const JUNCTION_BYTES_MAXIMUM: usize = 255;

/// A path that cannot be followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum DerivationError {
    /// Two slashes too many, or one at the end.
    #[error("step {number} of the derivation path has no name; a path looks like //hard/soft")]
    Empty {
        /// Which one, from 1.
        number: usize,
    },
    /// A name that is too long.
    #[error(
        "step {number} of the derivation path has a name of {length} bytes; at most {JUNCTION_BYTES_MAXIMUM} are taken"
    )]
    TooLong {
        /// Which one, from 1.
        number: usize,
        /// Bytes of the name.
        length: usize,
    },
}

/// A secret URI in its parts.
pub(super) struct SecretUri<'a> {
    /// The words.
    pub(super) words: &'a str,
    /// The steps from the words' key to the one that is meant.
    pub(super) path: Vec<Junction>,
    /// What is mixed into the seed; empty unless given.
    pub(super) password: SecretString,
}

/// One step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Junction {
    /// Whether the secret key is needed to take it.
    hard: bool,
    chain_code: [u8; 32],
}

impl<'a> SecretUri<'a> {
    /// Splits a text; whether the words are a mnemonic is not looked at.
    ///
    /// # Errors
    /// [`DerivationError`].
    pub(super) fn parse(text: &'a str) -> Result<SecretUri<'a>, DerivationError> {
        let (rest, password) = text.split_once("///").unwrap_or((text, ""));
        let (words, mut path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let mut junctions = Vec::new();
        while let Some(after) = path.strip_prefix('/') {
            let (hard, after) = after.strip_prefix('/').map_or((false, after), |after| (true, after));
            let (name, further) = after.split_at(after.find('/').unwrap_or(after.len()));
            junctions.push(Junction::new(hard, name, junctions.len() + 1)?);
            path = further;
        }
        Ok(SecretUri { words, path: junctions, password: SecretString::from(password) })
    }

    /// Whether the words alone are the key.
    pub(super) fn is_plain(&self) -> bool {
        self.path.is_empty() && self.password.expose_secret().is_empty()
    }
}

impl Junction {
    /// The chain code is the SCALE encoding of a number or a text, filled up with zeros; of longer ones, their hash (`DeriveJunction`
    /// in `sp-core`).
    fn new(hard: bool, name: &str, number: usize) -> Result<Junction, DerivationError> {
        let length = name.len();
        if length == 0 {
            return Err(DerivationError::Empty { number });
        }
        if length > JUNCTION_BYTES_MAXIMUM {
            return Err(DerivationError::TooLong { number, length });
        }
        let encoded = match name.parse::<u64>() {
            Ok(index) => index.to_le_bytes().to_vec(),
            Err(_) => [compact(length).as_slice(), name.as_bytes()].concat(),
        };
        let mut chain_code = [0; 32];
        match chain_code.get_mut(..encoded.len()) {
            Some(start) => start.copy_from_slice(&encoded),
            None => chain_code = Blake2b::<U32>::digest(&encoded).into(),
        }
        Ok(Junction { hard, chain_code })
    }

    /// The key one step further.
    pub(super) fn derive(&self, pair: &Keypair) -> Keypair {
        let code = ChainCode(self.chain_code);
        if self.hard {
            let (seed, _) = pair.hard_derive_mini_secret_key(Some(code), b"");
            seed.expand_to_keypair(ExpansionMode::Ed25519)
        } else {
            pair.derived_key_simple(code, []).0
        }
    }
}

/// A length up to [`JUNCTION_BYTES_MAXIMUM`] as SCALE's compact integer: the low two bits say that it has one byte, or two.
fn compact(length: usize) -> Vec<u8> {
    match u8::try_from(length << 2) {
        Ok(byte) => vec![byte],
        Err(_) => {
            let two_bytes = u16::try_from(length << 2 | 1).expect("lengths up to 255 have ten bits");
            two_bytes.to_le_bytes().to_vec()
        }
    }
}
