//! Sealed tokens: keyed hashes of all bytes under one-time keys (possession-v1 §8).
//!
//! Who holds the bytes at store time makes tokens ([`TokenMaker`]) and keeps them ([`TokenFile`]); the record has the root of
//! their list. Showing a key asks the miner to read everything: nobody can compute the digest without the bytes once the
//! key is known, and a key that has been shown proves nothing again.

mod file;

use std::io::{self, ErrorKind, Read};

use rayon::prelude::*;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::challenge::{AuditKind, OBJECT_CHALLENGE_BYTES, ObjectChallenge};
use super::header::{AnswerFailure, HEADER_BYTES, decode_header, demand_kind, encode_header};
use super::record::{ObjectRecord, TokenList};
use crate::codec::Reader;
use crate::rejection::{Class, Rejection};
use crate::transcript::Context;
use crate::tree;

pub use file::{TokenFile, TokenFileError};

/// Bytes of a token challenge.
pub const TOKEN_CHALLENGE_BYTES: usize = OBJECT_CHALLENGE_BYTES + 40;
/// Bytes of the response to it.
pub const TOKEN_RESPONSE_BYTES: usize = HEADER_BYTES + 32;

/// Bytes that are read at once.
const READ_BYTES: usize = 1 << 20;

/// A one-time key and the digest of all bytes under it. Zeroized on drop and never shown.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Token {
    key: [u8; 32],
    digest: [u8; 32],
}

impl Token {
    /// K_t; whoever sees it knows what to compute.
    pub fn key(&self) -> &[u8; 32] {
        &self.key
    }

    /// What the record's list says of it: `derive(token, K_t ‖ D_t)`.
    pub fn entry(&self) -> [u8; 32] {
        entry(&self.key, &self.digest)
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(redacted)")
    }
}

fn entry(key: &[u8; 32], digest: &[u8; 32]) -> [u8; 32] {
    Context::TOKEN.derive(&[key, digest])
}

/// The list of these tokens, as the record states it: `H` of their entries.
///
/// Refused: `malformed` unless there are 1 to 2^20.
pub fn token_list(entries: &[[u8; 32]]) -> Result<TokenList, Rejection> {
    TokenList::new(tree::root(entries.as_flattened()), entries.len() as u64)
}

/// Makes several tokens over one pass of an object's bytes. 2 KiB of memory a token; each costs a hash of all bytes.
pub struct TokenMaker {
    keys: Vec<Zeroizing<[u8; 32]>>,
    hashers: Vec<blake3::Hasher>,
}

impl TokenMaker {
    /// For so many tokens, with fresh keys.
    ///
    /// # Errors
    /// The operating system gives no randomness.
    pub fn new(tokens: usize) -> Result<TokenMaker, getrandom::Error> {
        let fresh = |_| {
            let mut key = Zeroizing::new([0; 32]);
            getrandom::fill(&mut *key).map(|()| key)
        };
        let keys: Vec<Zeroizing<[u8; 32]>> = (0..tokens).map(fresh).collect::<Result<_, _>>()?;
        let hashers = keys.iter().map(|key| blake3::Hasher::new_keyed(key)).collect();
        Ok(TokenMaker { keys, hashers })
    }

    /// Takes the next bytes; tokens are hashed side by side.
    pub fn update(&mut self, bytes: &[u8]) {
        self.hashers.par_iter_mut().for_each(|hasher| {
            hasher.update(bytes);
        });
    }

    /// The bytes are complete.
    pub fn finish(self) -> Vec<Token> {
        let token = |(key, hasher): (&Zeroizing<[u8; 32]>, &blake3::Hasher)| Token {
            key: **key,
            digest: *hasher.finalize().as_bytes(),
        };
        self.keys.iter().zip(&self.hashers).map(token).collect()
    }
}

impl Drop for TokenMaker {
    fn drop(&mut self) {
        self.hashers.zeroize();
    }
}

/// A challenge that shows a token's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenChallenge {
    challenge: ObjectChallenge,
    token: u64,
    key: [u8; 32],
}

impl TokenChallenge {
    /// Asks for the digest under this key, which is that of token number `token`.
    ///
    /// Refused: `wrong-challenge` unless the challenge is of kind `whole`.
    pub fn new(challenge: ObjectChallenge, token: u64, key: [u8; 32]) -> Result<TokenChallenge, Rejection> {
        demand_kind(&challenge, AuditKind::Whole)?;
        Ok(TokenChallenge { challenge, token, key })
    }

    /// What is asked of which object.
    pub fn challenge(&self) -> &ObjectChallenge {
        &self.challenge
    }

    /// Which of the record's tokens it is.
    pub fn token(&self) -> u64 {
        self.token
    }

    /// The 288 bytes.
    pub fn encode(&self) -> [u8; TOKEN_CHALLENGE_BYTES] {
        let mut bytes = [0; TOKEN_CHALLENGE_BYTES];
        bytes[..OBJECT_CHALLENGE_BYTES].copy_from_slice(&self.challenge.encode());
        bytes[OBJECT_CHALLENGE_BYTES..][..8].copy_from_slice(&self.token.to_le_bytes());
        bytes[OBJECT_CHALLENGE_BYTES + 8..].copy_from_slice(&self.key);
        bytes
    }

    /// Reads exactly 288 bytes.
    ///
    /// Refused: `wrong-length`, `malformed`, `wrong-challenge`.
    pub fn decode(bytes: &[u8]) -> Result<TokenChallenge, Rejection> {
        let mut reader = Reader::exactly("token challenge", bytes, TOKEN_CHALLENGE_BYTES)?;
        TokenChallenge::new(ObjectChallenge::read(&mut reader)?, reader.u64()?, reader.array()?)
    }

    /// What a response names: `derive(challenge digest, all 288 bytes)`.
    pub fn digest(&self) -> [u8; 32] {
        Context::CHALLENGE_DIGEST.derive(&[&self.encode()])
    }

    /// Checks that this is a challenge of the object with this record, which has such a token.
    ///
    /// Refused: `wrong-challenge`.
    pub fn check_place(&self, record: &ObjectRecord) -> Result<(), Rejection> {
        self.challenge.check_place(record)?;
        let count = record.tokens.map_or(0, |list| list.count());
        if self.token >= count {
            let token = self.token;
            return Err(Class::WrongChallenge.because(format!("token {token}; the record has {count}")));
        }
        Ok(())
    }
}

/// Answers a token challenge from all bytes of the object, read once as a stream; `progress` is told of every part, and returns
/// false to stop. The bytes are compared with the object's root on the way.
///
/// # Errors
/// Reading fails or is stopped, the challenge is not of this record, or the bytes are not the object's.
pub fn answer_token(
    record: &ObjectRecord,
    challenge: &TokenChallenge,
    mut object: impl Read,
    mut progress: impl FnMut(u64) -> bool,
) -> Result<Vec<u8>, AnswerFailure<io::Error>> {
    challenge.check_place(record).map_err(AnswerFailure::Wrong)?;
    let (mut keyed, mut plain) = (blake3::Hasher::new_keyed(&challenge.key), blake3::Hasher::new());
    let mut buffer = vec![0; READ_BYTES];
    loop {
        let bytes = match object.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => &buffer[..read],
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error.into()),
        };
        rayon::join(|| keyed.update(bytes).count(), || plain.update(bytes).count());
        if !progress(bytes.len() as u64) {
            let stopped =
                io::Error::new(ErrorKind::ConnectionAborted, "nobody waits for the answer any more");
            return Err(stopped.into());
        }
    }
    if plain.finalize().as_bytes() != record.replica.object_root() || plain.count() != record.replica.length()
    {
        let found = plain.count();
        let detail = format!("the {found} bytes that were read do not have the object's root");
        return Err(AnswerFailure::Wrong(Class::WrongRoot.because(detail)));
    }
    let mut response = encode_header(AuditKind::Whole, 1, &challenge.digest()).to_vec();
    response.extend_from_slice(keyed.finalize().as_bytes());
    Ok(response)
}

/// Verifies a response to a token challenge, with the list whose root is in the record. That the challenge came late enough
/// after the record is [`ObjectChallenge::check_against`]'s to say.
///
/// Refused: `wrong-record` (not the record's list), `wrong-challenge`, `malformed`, `wrong-length`, `wrong-proof`.
pub fn verify_token(
    record: &ObjectRecord,
    entries: &[[u8; 32]],
    challenge: &TokenChallenge,
    response: &[u8],
) -> Result<(), Rejection> {
    challenge.check_place(record)?;
    if record.tokens != token_list(entries).ok() {
        return Err(Class::WrongRecord.because("the list of tokens is not the record's"));
    }
    let digest = challenge.digest();
    let shown = decode_header(AuditKind::Whole, 1, &digest, TOKEN_RESPONSE_BYTES, response)?;
    let expected = usize::try_from(challenge.token).ok().and_then(|token| entries.get(token));
    let shown = shown.first_chunk().map(|digest| entry(&challenge.key, digest));
    if shown.as_ref() != expected {
        let token = challenge.token;
        return Err(Class::WrongProof.because(format!("the digest is not that of token {token}")));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
