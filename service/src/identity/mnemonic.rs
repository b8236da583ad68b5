//! Mnemonics of BIP 39 in English, and the seeds that Substrate makes of them.
//!
//! Substrate stretches the *entropy* of the words, where BIP 39 stretches the words themselves: the same words give other keys in
//! wallets of other chains.

use age::secrecy::SecretString;
use bip39::{Language, Mnemonic};
use pbkdf2::pbkdf2_hmac;
use sha2::Sha512;
use thiserror::Error;
use zeroize::{Zeroize, Zeroizing};

use super::key::Seed;

const STRETCHING_ROUNDS: u32 = 2048;

/// Words of a new mnemonic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WordCount {
    /// 128 bits of entropy, which is the strength of the curve.
    Twelve,
    /// 256 bits.
    TwentyFour,
}

impl WordCount {
    fn entropy_bytes(self) -> usize {
        match self {
            WordCount::Twelve => 16,
            WordCount::TwentyFour => 32,
        }
    }
}

/// Words that are no mnemonic. The words are not repeated: most of them are still somebody's secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum MnemonicError {
    /// Too many or too few words.
    #[error("a mnemonic has 12, 15, 18, 21 or 24 words, not {words}")]
    Words {
        /// How many there are.
        words: usize,
    },
    /// A word that is not in the list.
    #[error("word {number} of the mnemonic is not in the English word list of BIP 39")]
    Unknown {
        /// Which one, from 1.
        number: usize,
    },
    /// The last word does not fit the others.
    #[error("the checksum of the mnemonic is wrong: a word is mistyped, or two are swapped")]
    Checksum,
}

/// A fresh mnemonic of the system's random source.
///
/// # Errors
/// The system's, when it has no randomness.
pub(super) fn generate(words: WordCount) -> Result<SecretString, getrandom::Error> {
    let mut entropy = Zeroizing::new([0; 32]);
    let entropy = &mut entropy[..words.entropy_bytes()];
    getrandom::fill(entropy)?;
    let mnemonic = Mnemonic::from_entropy_in(Language::English, entropy);
    // 16 and 32 bytes are among the five lengths that BIP 39 has.
    Ok(SecretString::from(mnemonic.expect("entropy of a length of BIP 39").to_string()))
}

/// The words in lower case with single spaces between them, as wallet files keep them.
///
/// # Errors
/// [`MnemonicError`].
pub(super) fn normalize(words: &str) -> Result<SecretString, MnemonicError> {
    parse(words).map(|mnemonic| SecretString::from(mnemonic.to_string()))
}

/// The seed of a mnemonic: the first 32 bytes of PBKDF2-HMAC-SHA512 over its entropy, salted with `mnemonic` and the password, in
/// 2048 rounds (the `substrate-bip39` crate; `subkey` and Bittensor's wallets do the same).
///
/// # Errors
/// [`MnemonicError`].
pub(super) fn seed(words: &str, password: &str) -> Result<Seed, MnemonicError> {
    let (mut bytes, length) = parse(words)?.to_entropy_array();
    let salt = Zeroizing::new(["mnemonic", password].concat());
    let mut seed = Zeroizing::new([0; 32]);
    pbkdf2_hmac::<Sha512>(&bytes[..length], salt.as_bytes(), STRETCHING_ROUNDS, seed.as_mut_slice());
    bytes.zeroize();
    Ok(seed)
}

/// Takes any case and any spaces between words, as people type them.
fn parse(words: &str) -> Result<Mnemonic, MnemonicError> {
    let mut normalized = Zeroizing::new(String::with_capacity(words.len()));
    for (index, word) in words.split_whitespace().enumerate() {
        if index > 0 {
            normalized.push(' ');
        }
        normalized.extend(word.chars().map(|letter| letter.to_ascii_lowercase()));
    }
    Mnemonic::parse_in_normalized(Language::English, &normalized).map_err(|error| match error {
        bip39::Error::BadWordCount(words) => MnemonicError::Words { words },
        bip39::Error::UnknownWord(index) => MnemonicError::Unknown { number: index + 1 },
        // The two others are about entropy and about several languages, which parsing in one language never meets.
        _ => MnemonicError::Checksum,
    })
}

#[cfg(test)]
mod tests;
