//! Receipts: what both parties keep of every round, chained and verifiable offline by anybody (receipt-v1).

mod anchor;
mod chain;
mod evidence;
mod file;
mod objects;
mod partitions;
mod report;
mod round;
mod subject;
mod timeliness;
mod tip;

use serde::{Deserialize, Serialize};

use crate::account::Account;
use crate::codec::Reader;
use crate::rejection::{Class, Rejection};
use crate::signature::{SIGNATURE_BYTES, Signature, Signer};
use crate::transcript::Context;

pub use anchor::{ANCHOR_BLOCKS, AnchoredPairs, PAIR_BYTES, PairProof};
pub use chain::{ChainFailure, ChainVerifier};
pub use evidence::{Culprits, EVIDENCE_BYTES, Evidence, find_equivocation};
pub use file::{CHAIN_HEADER_BYTES, encode_chain_header, verify_chain};
pub use report::{ChainReport, ChainSummary, MissingRound, Standing, Void, VoidReason};
pub use round::Round;
pub use subject::{ObjectNumber, RoundKind, Subject};
pub use timeliness::Timeliness;
pub use tip::ChainTip;

/// Bytes of an encoded [`Body`].
pub const BODY_BYTES: usize = 184;
/// Bytes of an encoded [`Receipt`].
pub const RECEIPT_BYTES: usize = BODY_BYTES + 2 * SIGNATURE_BYTES;

const TAG: &[u8; 4] = b"HFR1";

/// How a round ended. It ends once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// A digest came in time, and a body that is right.
    Accepted = 1,
    /// A digest came in time, and no body, a late one, another one or a wrong one.
    Rejected = 2,
    /// No digest came in time.
    Missed = 3,
}

impl Outcome {
    /// All outcomes, in the order of their numbers.
    pub const ALL: [Outcome; 3] = [Outcome::Accepted, Outcome::Rejected, Outcome::Missed];

    /// The name in JSON and in tables.
    pub fn name(self) -> &'static str {
        match self {
            Outcome::Accepted => "accepted",
            Outcome::Rejected => "rejected",
            Outcome::Missed => "missed",
        }
    }
}

/// Whose receipts are linked with one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChainKey {
    /// Who asked.
    pub validator: Account,
    /// Who answered.
    pub miner: Account,
    /// The partition or the object.
    pub subject: Subject,
}

/// One link: what is signed of one round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Body {
    /// What was asked for.
    pub kind: RoundKind,
    /// How it ended.
    pub outcome: Outcome,
    /// The round.
    pub height: u64,
    /// Whose chain.
    pub key: ChainKey,
    /// Seed of the challenge.
    pub challenge_seed: [u8; 32],
    /// What the miner promised in time; zero exactly if the round was missed.
    pub response_digest: [u8; 32],
    /// Digest of the body before in this chain, zero for the first.
    pub previous: [u8; 32],
}

impl Body {
    /// The link of the round of a challenge, of a partition or of an object, after the body with digest `previous`.
    ///
    /// `answer` is `None` for a missed round, else the timely digest and whether the response was accepted.
    pub fn of(round: impl Into<Round>, answer: Option<([u8; 32], bool)>, previous: [u8; 32]) -> Body {
        let Round { key, kind, height, challenge_seed, .. } = round.into();
        let (response_digest, outcome) = match answer {
            None => ([0; 32], Outcome::Missed),
            Some((digest, true)) => (digest, Outcome::Accepted),
            Some((digest, false)) => (digest, Outcome::Rejected),
        };
        Body { kind, outcome, height, key, challenge_seed, response_digest, previous }
    }

    /// The 184 bytes.
    pub fn encode(&self) -> [u8; BODY_BYTES] {
        let fields: [&[u8]; 9] = [
            TAG,
            &[self.kind.number(), self.outcome as u8, 0, 0],
            &self.height.to_le_bytes(),
            &self.key.subject.number().to_le_bytes(),
            &self.key.validator.0,
            &self.key.miner.0,
            &self.challenge_seed,
            &self.response_digest,
            &self.previous,
        ];
        let mut bytes = [0; BODY_BYTES];
        bytes.copy_from_slice(&fields.concat());
        bytes
    }

    /// Reads exactly 184 bytes.
    ///
    /// Refused: `wrong-length`, `malformed`.
    pub fn decode(bytes: &[u8]) -> Result<Body, Rejection> {
        Body::read(&mut Reader::exactly("receipt body", bytes, BODY_BYTES)?)
    }

    fn read(reader: &mut Reader<'_>) -> Result<Body, Rejection> {
        reader.tag(TAG)?;
        let kind = RoundKind::of_number(reader.byte()?)?;
        let outcome = outcome_of_number(reader.byte()?)?;
        reader.zeros::<2>()?;
        let (height, subject) = (reader.u64()?, Subject::of_number(reader.u64()?));
        let (validator, miner) = (Account(reader.array()?), Account(reader.array()?));
        let body = Body {
            kind,
            outcome,
            height,
            key: ChainKey { validator, miner, subject },
            challenge_seed: reader.array()?,
            response_digest: reader.array()?,
            previous: reader.array()?,
        };
        if !kind.is_about(subject) {
            return Err(Class::Malformed.because(format!("a round of kind {} about {subject}", kind.name())));
        }
        if (outcome == Outcome::Missed) != (body.response_digest == [0; 32]) {
            return Err(Class::Malformed
                .because("a missed round has a zero response digest, and no other outcome has"));
        }
        Ok(body)
    }

    /// `derive(receipt body, network ‖ body)`: what the next body names as the one before.
    pub fn digest(&self, network: &[u8; 32]) -> [u8; 32] {
        Context::RECEIPT_BODY.derive(&[network, &self.encode()])
    }

    /// What both parties sign. They sign once the round's block is final, so that no reorganisation makes them sign another
    /// body for the same round.
    pub fn signing_digest(&self, network: &[u8; 32]) -> [u8; 32] {
        Context::RECEIPT_SIGNING.derive(&[&self.digest(network)])
    }
}

fn outcome_of_number(number: u8) -> Result<Outcome, Rejection> {
    match number {
        1 => Ok(Outcome::Accepted),
        2 => Ok(Outcome::Rejected),
        3 => Ok(Outcome::Missed),
        other => Err(Class::Malformed.because(format!("outcome {other}; there are 1, 2 and 3"))),
    }
}

/// A body with its signatures, which nothing is derived from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Receipt {
    /// What is signed.
    pub body: Body,
    /// The validator's.
    pub validator_signature: Signature,
    /// The miner's; none if the round was missed or the miner withheld it.
    pub miner_signature: Signature,
}

impl Receipt {
    /// A receipt signed by the validator alone.
    pub fn issue(body: Body, network: &[u8; 32], validator: &Signer) -> Receipt {
        let validator_signature = validator.sign(&body.signing_digest(network));
        Receipt { body, validator_signature, miner_signature: Signature::NONE }
    }

    /// The same receipt, signed by the miner too, whatever it says: a miner that does not want to be made to sign two that
    /// contradict each other signs through [`ChainTip::countersign`]. A missed round stays without.
    pub fn countersign(mut self, network: &[u8; 32], miner: &Signer) -> Receipt {
        if self.body.outcome != Outcome::Missed {
            self.miner_signature = miner.sign(&self.body.signing_digest(network));
        }
        self
    }

    /// The 312 bytes.
    pub fn encode(&self) -> [u8; RECEIPT_BYTES] {
        let mut bytes = [0; RECEIPT_BYTES];
        let fields: [&[u8]; 3] = [&self.body.encode(), &self.validator_signature.0, &self.miner_signature.0];
        bytes.copy_from_slice(&fields.concat());
        bytes
    }

    /// Reads exactly 312 bytes. Signatures are not checked here.
    ///
    /// Refused: `wrong-length`, `malformed`.
    pub fn decode(bytes: &[u8]) -> Result<Receipt, Rejection> {
        Receipt::read(&mut Reader::exactly("receipt", bytes, RECEIPT_BYTES)?)
    }

    fn read(reader: &mut Reader<'_>) -> Result<Receipt, Rejection> {
        let body = Body::read(reader)?;
        let receipt = Receipt {
            body,
            validator_signature: Signature(reader.array()?),
            miner_signature: Signature(reader.array()?),
        };
        if body.outcome == Outcome::Missed && !receipt.miner_signature.is_none() {
            return Err(Class::Malformed.because("a missed round is signed by the miner"));
        }
        Ok(receipt)
    }
}

#[cfg(test)]
mod tests;
