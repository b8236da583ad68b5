//! sr25519 signatures over derived digests, as Substrate makes them, so that a chain's hotkeys can sign (decision 0004).

use std::fmt;

use rand_core::{CryptoRng, RngCore};
use schnorrkel::context::{attach_rng, signing_context};
use schnorrkel::{ExpansionMode, Keypair, MiniSecretKey, PublicKey, verify_batch};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::account::Account;
use crate::rejection::{Class, Rejection};
use crate::transcript::Context;

/// Bytes of a signature.
pub const SIGNATURE_BYTES: usize = 64;

/// Substrate's signing context; messages are always 32-byte derived digests, which no other protocol signs.
const SIGNING_CONTEXT: &[u8] = b"substrate";

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
        let transcript = signing_context(SIGNING_CONTEXT).bytes(digest);
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
