//! What was found of one miner in a round.

use holdfast_engine::possession::challenge::AuditKind;
use holdfast_engine::receipt::{Outcome, RoundKind};
use holdfast_engine::rejection::Rejection;
use serde::{Deserialize, Serialize};

use crate::validator::ValidatorError;
use crate::validator::collect::Promise;
use crate::validator::plan::Question;

/// Letters of a message in a [`Finding`].
const MESSAGE_LETTERS_MAX: usize = 512;
/// Shares are counted in millionths, as in scoring.
const MILLION: u128 = 1_000_000;

/// What one miner promised in a round, and what was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnswersRow {
    /// One a question.
    pub findings: Vec<Finding>,
    /// Whether the findings are complete; else only promises are.
    pub judged: bool,
    /// The sequence numbers that the receipts got, once they are linked.
    pub linked: Option<(u64, u64)>,
}

impl AnswersRow {
    /// The findings, each with the bytes of objects that it stands for if it was accepted. Possession rests on commitments: where links that fell by
    /// lot were not passed, it stands for the share of the bytes for which they were.
    pub fn worth(&self) -> impl Iterator<Item = (&Finding, u64)> {
        let linked = |counts: fn(Outcome) -> bool| -> u128 {
            let known = self.findings.iter().filter(|finding| finding.outcome().is_some_and(counts));
            known.filter_map(|finding| finding.linked_bytes).map(u128::from).sum()
        };
        let (asked, passed) = (linked(|_| true), linked(|outcome| outcome == Outcome::Accepted));
        let millionths = (passed * MILLION).checked_div(asked).unwrap_or(MILLION);
        self.findings.iter().map(move |finding| {
            let rests_on_links = finding.kind == AuditKind::Possession as u8;
            let bytes = u128::from(finding.proven_object_bytes);
            let bytes = if rests_on_links { bytes * millionths / MILLION } else { bytes };
            (finding, u64::try_from(bytes).unwrap_or(u64::MAX))
        })
    }
}

/// How one question came out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// What was asked, by its number.
    pub kind: u8,
    /// Partition or object, by its number.
    pub subject: u64,
    /// Number of the batch, of a seal audit.
    pub batch: Option<usize>,
    /// Digest of the record, of an object.
    pub record_digest: Option<Hex32>,
    /// Seed of the challenge.
    pub challenge_seed: Hex32,
    /// What was promised in time.
    pub response_digest: Option<Hex32>,
    /// Whether the promised response came in time and is right; `None` while that is not known.
    pub accepted: Option<bool>,
    /// Milliseconds from the question to the promise.
    pub latency_ms: Option<u32>,
    /// Bytes that the answer took to read.
    pub bytes_read: u64,
    /// Bytes of space that an accepted answer stands for.
    pub proven_space_bytes: u64,
    /// Bytes of objects that an accepted answer stands for.
    pub proven_object_bytes: u64,
    /// Bytes of objects with commitments that a link audit that fell by lot speaks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub linked_bytes: Option<u64>,
    /// Class of what was wrong.
    pub class: Option<String>,
    /// What was wrong, in words.
    pub message: Option<String>,
}

/// 32 bytes as hex.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Hex32(#[serde(with = "hex::serde")] pub [u8; 32]);

impl Finding {
    /// Of a question of which only the promise, or that there is none, is known.
    pub fn promised(question: &Question, promise: Option<Promise>) -> Finding {
        let round = question.round();
        Finding {
            kind: round.kind.number(),
            subject: round.key.subject.number(),
            batch: question.batch,
            record_digest: question.challenge.of_object().map(|challenge| Hex32(challenge.record_digest)),
            challenge_seed: Hex32(round.challenge_seed),
            response_digest: promise.map(|promise| Hex32(promise.response_digest)),
            accepted: None,
            latency_ms: promise.map(|promise| promise.latency_ms),
            bytes_read: question.bytes_read,
            proven_space_bytes: question.proven_space_bytes,
            proven_object_bytes: question.proven_object_bytes,
            linked_bytes: question.linked_bytes,
            class: None,
            message: None,
        }
    }

    /// Adds what came of it: whether the response, if it came, was right. `None` if we failed to judge it.
    pub fn conclude(&mut self, right: Option<bool>, fault: Option<&Rejection>) {
        self.accepted = right;
        self.class = fault.map(|fault| fault.class.name().to_owned());
        // Others may have a say in it.
        self.message = fault.map(|fault| fault.detail.chars().take(MESSAGE_LETTERS_MAX).collect());
    }

    /// How the round ended; `None` if we do not know.
    pub fn outcome(&self) -> Option<Outcome> {
        Some(match (self.response_digest, self.accepted?) {
            (None, _) => Outcome::Missed,
            (Some(_), true) => Outcome::Accepted,
            (Some(_), false) => Outcome::Rejected,
        })
    }

    /// The kind.
    ///
    /// # Errors
    /// [`ValidatorError::Damaged`].
    pub fn round_kind(&self) -> Result<RoundKind, ValidatorError> {
        RoundKind::of_number(self.kind)
            .map_err(|rejection| ValidatorError::Damaged { what: "a finding", detail: rejection.to_string() })
    }
}

#[cfg(test)]
mod tests;
