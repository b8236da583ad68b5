//! What a file of receipts shows.

use serde::Serialize;

use super::{Outcome, RoundKind, Subject};
use crate::account::Account;

/// Why a receipt that is well-formed, linked and signed counts for nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum VoidReason {
    /// Its block is not final.
    NotFinal,
    /// No challenge of that round has its seed: another beacon, root, or party, or nothing was registered.
    WrongSeed,
    /// Its block is no audit height: the parties chose the round.
    NoAudit,
    /// The record of its object is not among those given.
    UnknownRecord,
    /// The record of its object was not recorded by the height that it names.
    NotRecorded,
    /// Its round came before the object's record was final, so that the record may have been chosen after the beacon.
    TooEarly,
    /// The lottery did not draw its object for such a round at this height.
    NotDrawn,
    /// It says "missed", but a digest for its challenge was anchored in time.
    AnsweredInTime,
    /// It says "answered", but another digest for its challenge was anchored in time.
    AnotherDigest,
}

/// What one receipt had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Standing {
    /// How the round ended.
    pub outcome: Outcome,
    /// Its digest was anchored in time. Without, it shows possession at *some* later time only.
    pub timely_anchored: bool,
    /// Both parties signed it.
    pub signed_by_both: bool,
    /// Its block is final; unknown without a recorder.
    pub finalised: Option<bool>,
    /// Why it counts for nothing, if it does.
    pub void: Option<VoidReason>,
}

/// A receipt that counts for nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Void {
    /// Counted from 0.
    pub receipt: u64,
    /// Why.
    pub reason: VoidReason,
}

/// One chain: `accepted + rejected + missed + void = receipts`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ChainSummary {
    /// Who asked.
    pub validator: Account,
    /// Who answered.
    pub miner: Account,
    /// The partition or the object; in JSON a `partition_id` or an `object_number`.
    #[serde(flatten)]
    pub subject: Subject,
    /// All links.
    pub receipts: u64,
    /// Rounds answered rightly.
    pub accepted: u64,
    /// Rounds answered in time but wrongly.
    pub rejected: u64,
    /// Rounds not answered in time.
    pub missed: u64,
    /// Links that count for nothing.
    pub void: u64,
    /// Accepted ones whose digest was anchored in time.
    pub accepted_timely_anchored: u64,
    /// Accepted ones that both signed.
    pub accepted_signed_by_both: u64,
    /// Accepted ones whose block is final; none without a recorder.
    pub accepted_finalised: u64,
    /// Lowest and highest round; none without a receipt.
    pub heights: Option<(u64, u64)>,
    /// Digest of the last body: what the next one must name. Zero without a receipt.
    #[serde(with = "hex::serde")]
    pub tip: [u8; 32],
    /// Audits without a receipt that counts, where a recorder said which there were.
    pub missing_rounds: Vec<MissingRound>,
}

/// An audit that a chain has no receipt of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct MissingRound {
    /// What was to be asked for.
    pub kind: RoundKind,
    /// The audit height.
    pub height: u64,
}

/// What a file of receipts shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ChainReport {
    /// All receipts.
    pub receipts: u64,
    /// Whether a recorder was there to ask about blocks, registrations and anchors.
    pub recorder_asked: bool,
    /// The chains, by validator, miner and subject.
    pub chains: Vec<ChainSummary>,
    /// Receipts that count for nothing.
    pub void: Vec<Void>,
}
