//! Anchors: what shows that a digest was there in time (receipt-v1 §6).

use crate::account::Account;
use crate::codec::Reader;
use crate::recorder::{Anchor, AnchorClaim};
use crate::rejection::{Class, Rejection};
use crate::signature::{Signature, Signer};
use crate::tree::{CHUNK_BYTES, Outboard, verify_opening};

/// Bytes of a (challenge seed, response digest) pair.
pub const PAIR_BYTES: usize = 64;
/// An anchor recorded more blocks than this after its round says nothing about timeliness (default policy).
pub const ANCHOR_BLOCKS: u64 = 10;

const PAIRS_PER_CHUNK: u64 = (CHUNK_BYTES / PAIR_BYTES) as u64;
const PROOF_TAG: &[u8; 4] = b"HFP1";

/// All timely pairs of one round of one validator, sorted.
#[derive(Clone, Debug)]
pub struct AnchoredPairs {
    pairs: Vec<[u8; PAIR_BYTES]>,
    outboard: Outboard,
}

impl AnchoredPairs {
    /// Of (challenge seed, response digest) pairs in any order. A seed with two digests is refused as `equivocation`.
    pub fn new(timely: impl IntoIterator<Item = ([u8; 32], [u8; 32])>) -> Result<AnchoredPairs, Rejection> {
        let mut pairs: Vec<[u8; PAIR_BYTES]> = timely.into_iter().map(join).collect();
        pairs.sort_unstable();
        pairs.dedup();
        if let Some(twice) = pairs.windows(2).find(|two| two[0][..32] == two[1][..32]) {
            let seed = hex::encode(&twice[0][..32]);
            return Err(
                Class::Equivocation.because(format!("two digests for the challenge with seed {seed}"))
            );
        }
        let outboard = Outboard::of(pairs.as_flattened());
        Ok(AnchoredPairs { pairs, outboard })
    }

    /// Hash of the sorted pairs.
    pub fn root(&self) -> [u8; 32] {
        self.outboard.root()
    }

    /// Number of pairs.
    pub fn count(&self) -> u64 {
        self.pairs.len() as u64
    }

    /// The pairs, sorted: challenge seed, then response digest.
    pub fn pairs(&self) -> &[[u8; PAIR_BYTES]] {
        &self.pairs
    }

    /// What the validator hands to the recorder.
    pub fn claim(&self, height: u64, network: &[u8; 32], validator: &Signer) -> AnchorClaim {
        let (root, count) = (self.root(), self.count());
        let mut claim =
            AnchorClaim { height, validator: validator.account(), root, count, signature: Signature::NONE };
        claim.signature = validator.sign(&claim.signing_digest(network));
        claim
    }

    /// Shows that the pair of a challenge is among them; `None` if it is not.
    pub fn prove(&self, height: u64, validator: Account, seed: &[u8; 32]) -> Option<PairProof> {
        let index = self.pairs.binary_search_by(|pair| pair[..32].cmp(seed)).ok()? as u64;
        let opening = self.outboard.open(self.pairs.as_flattened(), index / PAIRS_PER_CHUNK);
        Some(PairProof { height, validator, index, opening })
    }
}

fn join((seed, digest): ([u8; 32], [u8; 32])) -> [u8; PAIR_BYTES] {
    let mut pair = [0; PAIR_BYTES];
    pair[..32].copy_from_slice(&seed);
    pair[32..].copy_from_slice(&digest);
    pair
}

/// That one pair is among those that a validator anchored for one round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PairProof {
    /// The round.
    pub height: u64,
    /// Who anchored.
    pub validator: Account,
    /// Place among the sorted pairs.
    pub index: u64,
    /// Opening of the chunk that holds the pair.
    pub opening: Vec<u8>,
}

impl PairProof {
    /// `"HFP1" ‖ zero u32 ‖ height u64 ‖ validator (32) ‖ index u64 ‖ opening`.
    pub fn encode(&self) -> Vec<u8> {
        let (height, index) = (self.height.to_le_bytes(), self.index.to_le_bytes());
        [PROOF_TAG, &[0; 4], &height[..], &self.validator.0, &index, &self.opening].concat()
    }

    /// Reads a proof; the opening's length is checked against the anchor by [`PairProof::verify`].
    ///
    /// Refused: `wrong-length`, `malformed`.
    pub fn decode(bytes: &[u8]) -> Result<PairProof, Rejection> {
        let mut reader = Reader::new("pair proof", bytes);
        reader.tag(PROOF_TAG)?;
        reader.zeros::<4>()?;
        let (height, validator, index) = (reader.u64()?, Account(reader.array()?), reader.u64()?);
        let opening = reader.rest();
        // The opening in the longest possible string: a chunk and 54 siblings.
        let most = CHUNK_BYTES + 32 * 54;
        if opening.len() > most {
            let found = opening.len();
            return Err(
                Class::WrongLength.because(format!("an opening of {found} bytes; none exceeds {most}"))
            );
        }
        Ok(PairProof { height, validator, index, opening: opening.to_vec() })
    }

    /// The (challenge seed, response digest) pair that the proof shows under an anchor.
    ///
    /// Refused: `wrong-challenge` (another round's or validator's anchor), `malformed`, `wrong-length`, `wrong-root`.
    pub fn verify(&self, anchor: &Anchor) -> Result<([u8; 32], [u8; 32]), Rejection> {
        if (self.height, self.validator) != (anchor.height, anchor.validator) {
            return Err(Class::WrongChallenge.because("a pair proof for another round or validator's anchor"));
        }
        let length = anchor.count.checked_mul(PAIR_BYTES as u64).filter(|_| self.index < anchor.count);
        let Some(length) = length else {
            let (index, count) = (self.index, anchor.count);
            return Err(Class::Malformed.because(format!("pair {index} of {count}")));
        };
        let chunk = verify_opening(self.index / PAIRS_PER_CHUNK, length, &anchor.root, &self.opening)?;
        let (pairs, _) = chunk.as_chunks::<PAIR_BYTES>();
        let pair = usize::try_from(self.index % PAIRS_PER_CHUNK).ok().and_then(|place| pairs.get(place));
        let mut reader = Reader::new("pair", pair.map_or(&[], |pair| pair));
        Ok((reader.array()?, reader.array()?))
    }
}
