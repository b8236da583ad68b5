//! The password protection of Bittensor's wallet files: libsodium's `pwhash` (Argon2i, version 1.3) and `secretbox`
//! (XSalsa20-Poly1305).
//!
//! A file is the tag `$NACL`, a nonce of 24 bytes, and a secret box. All files of all people have the same salt: equal passwords give
//! equal keys, and one table of guesses serves against everybody. Nothing can be done about that but a long password.

use std::fmt;

use age::secrecy::{ExposeSecret, SecretString};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use crypto_secretbox::aead::{AeadInPlace, KeyInit};
use crypto_secretbox::{Nonce, Tag, XSalsa20Poly1305};
use thiserror::Error;
use zeroize::{Zeroize, Zeroizing};

/// How a sealed file begins.
pub(super) const TAG: &[u8] = b"$NACL";
const NONCE_BYTES: usize = 24;
const AUTHENTICATOR_BYTES: usize = 16;
/// The salt that is written into `bittensor-wallet`.
const SALT: &[u8; 16] = b"\x13q\x83\xdf\xf1Z\t\xbc\x9c\x90\xb5Q\x879\xe9\xb1";
/// `crypto_pwhash_argon2i_MEMLIMIT_SENSITIVE`, in KiB.
const MEMORY_KIB: u32 = 512 << 10;
/// `crypto_pwhash_argon2i_OPSLIMIT_SENSITIVE`.
const PASSES: u32 = 8;

/// Why a sealed file stays closed, or a file could not be sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SealError {
    /// Not even an empty box.
    #[error("the file ends after {bytes} bytes, in the middle of its encryption; bring it back from a copy")]
    TooShort {
        /// Bytes of the file.
        bytes: usize,
    },
    /// The box does not open.
    #[error("wrong password, or the file is damaged")]
    WrongPassword,
    /// Not enough memory for the key derivation, whose cost the file format fixes.
    #[error("{} MiB of memory are needed to derive the key from the password, and are not to be had", MEMORY_KIB >> 10)]
    Memory,
    /// The system gives no randomness for a nonce.
    #[error("no randomness from the system: {0}")]
    Randomness(getrandom::Error),
}

/// The key that a password gives.
pub struct SealKey(XSalsa20Poly1305);

impl SealKey {
    /// Derives it: 512 MiB of memory and some seconds.
    ///
    /// # Errors
    /// [`SealError::Memory`].
    pub fn derive(password: &SecretString) -> Result<SealKey, SealError> {
        let mut key = Zeroizing::new([0; 32]);
        let parameters = Params::new(MEMORY_KIB, PASSES, 1, Some(key.len())).expect("within Argon2's ranges");
        // The allocator would end the process; a miner with a small machine is to be told.
        let mut memory: Vec<Block> = Vec::new();
        memory.try_reserve_exact(parameters.block_count()).map_err(|_| SealError::Memory)?;
        memory.resize(parameters.block_count(), Block::default());
        let argon = Argon2::new(Algorithm::Argon2i, Version::V0x13, parameters);
        let password = password.expose_secret().as_bytes();
        let derived = argon.hash_password_into_with_memory(password, SALT, &mut *key, &mut memory);
        memory.zeroize();
        // Its errors are about lengths: of the salt and the key, which are right, and of passwords of 4 GiB.
        derived.expect("lengths within Argon2's ranges");
        Ok(SealKey(XSalsa20Poly1305::new(key.as_slice().into())))
    }

    /// A sealed file of these bytes, with a fresh nonce.
    ///
    /// # Errors
    /// [`SealError::Randomness`].
    pub(super) fn seal(&self, bytes: &[u8]) -> Result<Vec<u8>, SealError> {
        let mut nonce = [0; NONCE_BYTES];
        getrandom::fill(&mut nonce).map_err(SealError::Randomness)?;
        let mut sealed = [TAG, &nonce, &[0; AUTHENTICATOR_BYTES], bytes].concat();
        let (head, body) = sealed.split_at_mut(TAG.len() + NONCE_BYTES + AUTHENTICATOR_BYTES);
        let authenticator = self.0.encrypt_in_place_detached(Nonce::from_slice(&nonce), b"", body);
        let authenticator = authenticator.expect("a key file is shorter than a box may be");
        head[TAG.len() + NONCE_BYTES..].copy_from_slice(&authenticator);
        Ok(sealed)
    }
}

impl fmt::Debug for SealKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("SealKey(redacted)")
    }
}

/// A sealed file.
#[derive(Clone, Debug)]
pub struct Sealed {
    nonce: [u8; NONCE_BYTES],
    authenticator: [u8; AUTHENTICATOR_BYTES],
    ciphertext: Vec<u8>,
}

impl Sealed {
    /// Reads the bytes after [`TAG`].
    pub(super) fn parse(after_tag: &[u8]) -> Result<Sealed, SealError> {
        let too_short = SealError::TooShort { bytes: TAG.len() + after_tag.len() };
        let (nonce, rest) = after_tag.split_first_chunk().ok_or(too_short)?;
        let (authenticator, ciphertext) = rest.split_first_chunk().ok_or(too_short)?;
        Ok(Sealed { nonce: *nonce, authenticator: *authenticator, ciphertext: ciphertext.to_vec() })
    }

    /// What is in it.
    ///
    /// # Errors
    /// [`SealError::WrongPassword`].
    pub(super) fn open(&self, key: &SealKey) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let mut bytes = Zeroizing::new(self.ciphertext.clone());
        let (nonce, authenticator) = (Nonce::from_slice(&self.nonce), Tag::from_slice(&self.authenticator));
        let opened = key.0.decrypt_in_place_detached(nonce, b"", &mut bytes, authenticator);
        opened.map_err(|_| SealError::WrongPassword).map(|()| bytes)
    }
}

#[cfg(test)]
mod tests;
