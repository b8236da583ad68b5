//! Witnesses: another validator signs that a round's promises have arrived (message-v1 §6).

use holdfast_engine::account::Account;
use holdfast_engine::receipt::{ANCHOR_BLOCKS, AnchoredPairs, Round};
use holdfast_engine::rejection::{Class, Rejection};
use holdfast_engine::signature::{Claim, Signature, Signer, verify, verify_all};
use holdfast_engine::space::response::response_signing_digest;
use holdfast_engine::transcript::Context;

use crate::local::audits::AnyChallenge;
use crate::proto::{Promise, WitnessRequest};
use crate::wire::bytes32;

/// Promises that are witnessed at once.
pub const PROMISES_MAX: usize = 16_384;

/// `derive(witness signing, network ‖ height u64 ‖ count u64 ‖ root)`, the root and the count being those of the anchor
/// (receipt-v1 §6).
pub fn statement(network: &[u8; 32], height: u64, pairs: &AnchoredPairs) -> [u8; 32] {
    let (height, count) = (height.to_le_bytes(), pairs.count().to_le_bytes());
    Context::WITNESS_SIGNING.derive(&[network, &height, &count, &pairs.root()])
}

/// Checks a witness's signature over promises of ours.
///
/// Refused: `wrong-length`, `bad-signature`, `equivocation` (a challenge with two digests).
pub fn check_statement(
    network: &[u8; 32],
    height: u64,
    pairs: impl IntoIterator<Item = ([u8; 32], [u8; 32])>,
    witness: &Account,
    signature: &[u8],
) -> Result<Signature, Rejection> {
    let signature = signature_of(signature)?;
    let pairs = AnchoredPairs::new(pairs)?;
    verify(witness, &statement(network, height, &pairs), &signature)?;
    Ok(signature)
}

/// Signs that these promises have arrived, for the validator that asks; `newest` is the newest block that we know.
///
/// Refused: `policy` (more than [`PROMISES_MAX`]), `late` (more than A blocks after the round), `not-final` (a block that we do not
/// know), `wrong-challenge` (another height, network or validator, another miner's), `bad-signature`, `malformed`,
/// `wrong-length`, `equivocation`.
pub fn witness(
    request: &WitnessRequest,
    network: &[u8; 32],
    asker: &Account,
    newest: u64,
    signer: &Signer,
) -> Result<Signature, Rejection> {
    let (found, height) = (request.promises.len(), request.height);
    if found > PROMISES_MAX {
        return Err(Class::Policy.because(format!("{found} promises; at most {PROMISES_MAX} are witnessed")));
    }
    if height > newest {
        return Err(Class::NotFinal.because(format!("block {height}; the newest known here is {newest}")));
    }
    if newest > height.saturating_add(ANCHOR_BLOCKS) {
        return Err(Class::Late.because(format!("the round of block {height}, at block {newest}")));
    }
    let mut claims = Vec::with_capacity(found);
    let mut pairs = Vec::with_capacity(found);
    for promise in &request.promises {
        let (claim, pair) = read(promise, network, asker, height)?;
        claims.push(claim);
        pairs.push(pair);
    }
    if let Err(wrong) = verify_all(&claims)
        && let Some((place, Rejection { class, detail })) = wrong.into_iter().next()
    {
        return Err(class.because(format!("promise {place}: {detail}")));
    }
    Ok(signer.sign(&statement(network, height, &AnchoredPairs::new(pairs)?)))
}

/// Challenge seed and response digest.
type Pair = ([u8; 32], [u8; 32]);

/// What one promise claims, and its pair.
fn read(
    promise: &Promise,
    network: &[u8; 32],
    asker: &Account,
    height: u64,
) -> Result<(Claim, Pair), Rejection> {
    let challenge = AnyChallenge::decode(&promise.challenge)?;
    let (round, of_network) = match &challenge {
        AnyChallenge::Partition(challenge) => (Round::from(challenge.as_ref()), challenge.network),
        AnyChallenge::Object(challenge) => (Round::from(challenge), challenge.network),
        AnyChallenge::Token(challenge) => (Round::from(challenge), challenge.challenge().network),
    };
    let miner = Account(bytes32("miner", &promise.miner)?);
    let right = round.height == height
        && of_network == *network
        && round.key.validator == *asker
        && round.key.miner == miner;
    if !right {
        return Err(
            Class::WrongChallenge.because("a challenge of another round, network, validator or miner")
        );
    }
    let response_digest = bytes32("response digest", &promise.response_digest)?;
    let digest = response_signing_digest(&challenge.digest(), &response_digest);
    let claim = Claim { account: miner, digest, signature: signature_of(&promise.signature)? };
    Ok((claim, (round.challenge_seed, response_digest)))
}

fn signature_of(bytes: &[u8]) -> Result<Signature, Rejection> {
    bytes
        .try_into()
        .map(Signature)
        .map_err(|_| Class::WrongLength.because(format!("a signature of {} bytes, not 64", bytes.len())))
}

#[cfg(test)]
mod tests;
