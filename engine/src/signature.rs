//! sr25519 signatures over derived digests, as Substrate makes them, so that a chain's hotkeys can sign (decision 0004).

use std::fmt;

use rand_core::{CryptoRng, RngCore};
use schnorrkel::context::{attach_rng, signing_context};
use schnorrkel::{ExpansionMode, Keypair, MiniSecretKey, PublicKey, SecretKey, verify_batch};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::account::Account;
use crate::rejection::{Class, Rejection};
use crate::transcript::Context;

/// Bytes of a signature.
pub const SIGNATURE_BYTES: usize = 64;
/// Bytes of an expanded secret key.
pub const SECRET_KEY_BYTES: usize = 64;

/// Substrate's signing context. What holdfast signs are always 32-byte derived digests, which no other protocol signs; what
/// people sign ([`Signer::sign_message`]) is never 32 bytes long.
const SIGNING_CONTEXT: &[u8] = b"substrate";
/// What browser wallets of Substrate put around a message before they sign it.
const WRAPPING: [&[u8]; 2] = [b"<Bytes>", b"</Bytes>"];

/// An sr25519 signature; hex in JSON. All zeros stand for "none" in structures that may lack one, and never verify.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Signature(#[serde(with = "hex::serde")] pub [u8; SIGNATURE_BYTES]);

impl Signature {
    /// "Not signed".
    pub const NONE: Signature = Signature([0; SIGNATURE_BYTES]);

    /// Whether this stands for "not signed".
    pub fn is_none(&self) -> bool {
        *self == Signature::NONE
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signature({})", hex::encode(self.0))
    }
}

/// Bytes that are no secret key: the scalar is zero or not reduced. The bytes are not repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "{SECRET_KEY_BYTES} bytes are no sr25519 secret key: the scalar in the first half is zero or not reduced"
)]
pub struct NotASecretKey;

/// A message as long as a digest: a signature over it could be passed off as one over a challenge, a receipt or a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "a message of 32 bytes is not signed, because it could be a digest of this protocol; make it longer or shorter, for \
     instance by a line break"
)]
pub struct LooksLikeADigest;

/// A secret key. Its bytes are zeroized on drop and never shown.
pub struct Signer {
    pair: Keypair,
    /// Development keys are public anyway; with them equal calls make equal bytes, so runs can be compared.
    repeatable: bool,
}

impl Signer {
    /// The key of a 32-byte mini secret (a Substrate "secret seed"), expanded as Substrate does (Ed25519 mode).
    pub fn from_seed(seed: &Zeroizing<[u8; 32]>) -> Signer {
        Signer { pair: expand(seed), repeatable: false }
    }

    /// The key of an expanded secret: 32 bytes of a scalar, little-endian and reduced, and 32 of the seed of nonces, as
    /// Substrate keeps keys and Bittensor's wallet files hold them (`privateKey`).
    ///
    /// # Errors
    /// [`NotASecretKey`].
    pub fn from_secret_key(bytes: &Zeroizing<[u8; SECRET_KEY_BYTES]>) -> Result<Signer, NotASecretKey> {
        let secret = SecretKey::from_bytes(bytes.as_slice()).map_err(|_| NotASecretKey)?;
        let signer = Signer { pair: secret.to_keypair(), repeatable: false };
        // The zero scalar's public key; everybody could sign for it.
        if signer.account().0 == [0; 32] { Err(NotASecretKey) } else { Ok(signer) }
    }

    /// The key of a development name, known to everybody: `derive(development secret, name)` is its mini secret.
    /// Its signatures are repeatable.
    pub fn development(name: &str) -> Signer {
        let seed = Zeroizing::new(Context::DEVELOPMENT_SECRET.derive(&[name.as_bytes()]));
        Signer { pair: expand(&seed), repeatable: true }
    }

    /// The public key.
    pub fn account(&self) -> Account {
        Account(self.pair.public.to_bytes())
    }

    /// Signs a derived digest.
    pub fn sign(&self, digest: &[u8; 32]) -> Signature {
        self.sign_bytes(digest)
    }

    /// Signs a message of a person as Substrate's tools do, for [`verify_message`] and for theirs.
    ///
    /// # Errors
    /// [`LooksLikeADigest`].
    pub fn sign_message(&self, message: &[u8]) -> Result<Signature, LooksLikeADigest> {
        if message.len() == 32 { Err(LooksLikeADigest) } else { Ok(self.sign_bytes(message)) }
    }

    fn sign_bytes(&self, bytes: &[u8]) -> Signature {
        let transcript = signing_context(SIGNING_CONTEXT).bytes(bytes);
        let signature = if self.repeatable {
            self.pair.sign(attach_rng(transcript, NoRandomness))
        } else {
            self.pair.sign(transcript)
        };
        Signature(signature.to_bytes())
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({}, secret redacted)", self.account())
    }
}

fn expand(seed: &Zeroizing<[u8; 32]>) -> Keypair {
    // Fails for other lengths only, and 32 bytes are what the type says.
    match MiniSecretKey::from_bytes(seed.as_slice()) {
        Ok(mini) => mini.expand_to_keypair(ExpansionMode::Ed25519),
        Err(error) => unreachable!("a mini secret of 32 bytes is refused: {error}"),
    }
}

/// Leaves the nonce to the secret and the message, as Ed25519 does.
struct NoRandomness;

impl RngCore for NoRandomness {
    fn next_u32(&mut self) -> u32 {
        0
    }

    fn next_u64(&mut self) -> u64 {
        0
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        bytes.fill(0);
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), rand_core::Error> {
        self.fill_bytes(bytes);
        Ok(())
    }
}

impl CryptoRng for NoRandomness {}

/// One signature to check: who is said to have signed what.
#[derive(Clone, Copy, Debug)]
pub struct Claim {
    /// The signer.
    pub account: Account,
    /// The derived digest that was signed.
    pub digest: [u8; 32],
    /// The signature.
    pub signature: Signature,
}

/// Checks one signature; refuses with class `bad-signature`.
pub fn verify(account: &Account, digest: &[u8; 32], signature: &Signature) -> Result<(), Rejection> {
    let (key, parsed) = decode(account, signature)?;
    let transcript = signing_context(SIGNING_CONTEXT).bytes(digest);
    key.verify(transcript, &parsed).map_err(|error| refusal(account, &error.to_string()))
}

/// Checks the signature of a message of a person, as it is or wrapped in `<Bytes>…</Bytes>`, as wallets in browsers sign;
/// refuses with class `bad-signature`.
pub fn verify_message(account: &Account, message: &[u8], signature: &Signature) -> Result<(), Rejection> {
    let (key, parsed) = decode(account, signature)?;
    let context = signing_context(SIGNING_CONTEXT);
    let wrapped = [WRAPPING[0], message, WRAPPING[1]].concat();
    let verified = key.verify(context.bytes(message), &parsed);
    let verified = verified.or_else(|_| key.verify(context.bytes(&wrapped), &parsed));
    verified.map_err(|error| refusal(account, &error.to_string()))
}

/// Checks many signatures in one equation; on failure singly, so that the culprits are named by position.
/// Agrees with [`verify`] on every claim up to a chance of 2^-128.
pub fn verify_all(claims: &[Claim]) -> Result<(), Vec<(usize, Rejection)>> {
    if verify_together(claims) {
        return Ok(());
    }
    let single = |claim: &Claim| verify(&claim.account, &claim.digest, &claim.signature);
    let culprits: Vec<_> = (claims.iter().enumerate())
        .filter_map(|(index, claim)| single(claim).err().map(|rejection| (index, rejection)))
        .collect();
    if culprits.is_empty() { Ok(()) } else { Err(culprits) }
}

fn verify_together(claims: &[Claim]) -> bool {
    let decoded: Result<Vec<_>, _> =
        claims.iter().map(|claim| decode(&claim.account, &claim.signature)).collect();
    let Ok(decoded) = decoded else { return false };
    let (keys, signatures): (Vec<_>, Vec<_>) = decoded.into_iter().unzip();
    let context = signing_context(SIGNING_CONTEXT);
    let transcripts = claims.iter().map(|claim| context.bytes(&claim.digest));
    verify_batch(transcripts, &signatures, &keys, true).is_ok()
}

/// The identity point is refused as a key: its secret is zero, so everybody could sign for it.
fn decode(account: &Account, signature: &Signature) -> Result<(PublicKey, schnorrkel::Signature), Rejection> {
    if account.0 == [0; 32] {
        return Err(refusal(account, "the zero account has no secret key"));
    }
    let key = PublicKey::from_bytes(&account.0)
        .map_err(|_| refusal(account, "the account is not an sr25519 key"))?;
    let signature = schnorrkel::Signature::from_bytes(&signature.0)
        .map_err(|_| refusal(account, "the bytes are not an sr25519 signature"))?;
    Ok((key, signature))
}

fn refusal(account: &Account, detail: &str) -> Rejection {
    Class::BadSignature.because(format!("signature of {account}: {detail}"))
}

#[cfg(test)]
mod tests;
