//! What a validator keeps of its rounds in the index.
//!
//! | table | key | value |
//! | --- | --- | --- |
//! | `rounds` | 0, height, part | [`RoundRow`]: how far a round is |
//! | `rounds` | 1, height, part, miner | [`AnswersRow`]: what one miner promised, and what was found |
//! | `rounds` | 2, height, number | what is anchored of a round (`anchored.rs`) |
//! | `rounds` | 3 to 5 | records of objects that were audited (`audited.rs`) |
//! | `rounds` | 6, number | what happened besides (`events.rs`) |
//! | `receipts` | miner, sequence | [`ReceiptRow`]: in the order in which bodies were linked |
//! | `chains` | 0, miner, subject | [`TipRow`]: the last body of a chain |
//! | `chains` | 1, miner, 0 | [`CursorRow`]: how far signatures are |
//! | `chains` | 2, culprit, number | [`EvidenceRow`]: equivocations |

mod finding;

use holdfast_engine::account::Account;
use holdfast_engine::receipt::{Body, RECEIPT_BYTES, Receipt, Subject};
use holdfast_engine::signature::Signature;
use serde::{Deserialize, Serialize};

use super::ValidatorError;
use crate::index::{Table, TypedTable};
use crate::scoring::ScoringState;

pub use finding::{AnswersRow, Finding, Hex32};

/// Rounds, by (0, height) and part.
pub const ROUNDS: TypedTable<((u8, u64), u8), RoundRow> = TypedTable::new(Table::Rounds);
/// Answers, by (1, height), part and miner.
pub const ANSWERS: TypedTable<((u8, u64), u8, Account), AnswersRow> = TypedTable::new(Table::Rounds);
/// Receipts, by miner and sequence.
pub const RECEIPTS: TypedTable<(Account, u64), ReceiptRow> = TypedTable::new(Table::Receipts);
/// Ends of chains, by 0, miner and subject.
pub const TIPS: TypedTable<(u8, Account, u64), TipRow> = TypedTable::new(Table::Chains);
/// How far each miner's receipts are signed, by 1, miner and 0.
pub const CURSORS: TypedTable<(u8, Account, u64), CursorRow> = TypedTable::new(Table::Chains);
/// Equivocations, by 2, culprit and number.
pub const EVIDENCE: TypedTable<(u8, Account, u64), EvidenceRow> = TypedTable::new(Table::Chains);

/// What scoring keeps, in rows of so many miners, by their number.
pub const SCORES: TypedTable<u64, ScoringState> = TypedTable::new(Table::Scores);
/// Single numbers, by name.
pub const NUMBERS: TypedTable<String, u64> = TypedTable::new(Table::Settings);
/// In [`NUMBERS`]: all rounds below this height are linked or void.
pub const OPEN_FROM: &str = "validator rounds open from";

/// Which questions of a height.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Samples of windows and objects.
    Samples = 0,
    /// Seal audits, which take as long as filling.
    Seals = 1,
}

impl Part {
    /// Both.
    pub const ALL: [Part; 2] = [Part::Samples, Part::Seals];
}

/// Key of a round in [`ROUNDS`].
pub fn round_key(height: u64, part: Part) -> ((u8, u64), u8) {
    ((0, height), part as u8)
}

/// Key of a miner's answers in [`ANSWERS`].
pub fn answers_key(height: u64, part: Part, miner: &Account) -> ((u8, u64), u8, Account) {
    ((1, height), part as u8, *miner)
}

/// Key of the end of a chain in [`TIPS`].
pub fn tip_key(miner: &Account, subject: Subject) -> (u8, Account, u64) {
    (0, *miner, subject.number())
}

/// Key of a miner's cursor in [`CURSORS`].
pub fn cursor_key(miner: &Account) -> (u8, Account, u64) {
    (1, *miner, 0)
}

/// How far a round is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoundRow {
    /// Hash of the block that was asked with.
    #[serde(with = "hex::serde")]
    pub beacon: [u8; 32],
    /// When the questions were sent, in milliseconds since 1970.
    pub asked_at_ms: u64,
    /// How far it is.
    pub stage: Stage,
    /// What was anchored of it.
    pub anchor: Option<AnchorRow>,
    /// Other validators' signatures that the promises arrived.
    #[serde(default)]
    pub witnesses: Vec<WitnessRow>,
    /// When its receipts were linked, in milliseconds since 1970.
    #[serde(default)]
    pub closed_at_ms: Option<u64>,
}

/// How far a round is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Miners are being asked by the process that holds the lease.
    Asking,
    /// All promises that came in time are kept; bodies are still coming.
    Promised,
    /// All has come and is judged.
    Judged,
    /// Its block is final, and its receipts are linked.
    Linked,
    /// It counts for nothing, and why.
    Void(String),
}

/// A round's anchor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnchorRow {
    /// Hash of the sorted pairs.
    #[serde(with = "hex::serde")]
    pub root: [u8; 32],
    /// Number of pairs.
    pub count: u64,
    /// Height of the block that recorded it; `None` until it is known.
    pub recorded_at: Option<u64>,
}

/// A validator's signature that promises have arrived (message-v1 §6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WitnessRow {
    /// Who.
    pub witness: Account,
    /// Over the statement.
    pub signature: Signature,
    /// The newest block that it knew.
    pub arrived_at_height: u64,
}

/// A link of a chain: the body, which is never changed, and the signatures as they come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReceiptRow {
    /// The 184 bytes, in hex.
    body: String,
    /// Ours.
    pub validator_signature: Option<Signature>,
    /// The miner's.
    pub miner_signature: Option<Signature>,
    /// Why the miner gave none.
    pub withheld: Option<String>,
    /// How the question came out.
    pub finding: Finding,
}

impl ReceiptRow {
    /// A body that nobody has signed.
    pub fn new(body: &Body, finding: Finding) -> ReceiptRow {
        let body = hex::encode(body.encode());
        ReceiptRow { body, validator_signature: None, miner_signature: None, withheld: None, finding }
    }

    /// The body.
    ///
    /// # Errors
    /// [`ValidatorError::Damaged`].
    pub fn body(&self) -> Result<Body, ValidatorError> {
        let damaged = |detail| ValidatorError::Damaged { what: "a receipt", detail };
        let bytes = hex::decode(&self.body).map_err(|error| damaged(error.to_string()))?;
        Body::decode(&bytes).map_err(|rejection| damaged(rejection.to_string()))
    }

    /// The receipt as it is now; `None` until we signed it.
    ///
    /// # Errors
    /// [`ValidatorError::Damaged`].
    pub fn receipt(&self) -> Result<Option<Receipt>, ValidatorError> {
        let Some(validator_signature) = self.validator_signature else { return Ok(None) };
        let miner_signature = self.miner_signature.unwrap_or(Signature::NONE);
        Ok(Some(Receipt { body: self.body()?, validator_signature, miner_signature }))
    }

    /// The 312 bytes, once we signed it.
    ///
    /// # Errors
    /// [`ValidatorError::Damaged`].
    pub fn encode(&self) -> Result<Option<[u8; RECEIPT_BYTES]>, ValidatorError> {
        Ok(self.receipt()?.map(|receipt| receipt.encode()))
    }
}

/// The end of a chain.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TipRow {
    /// Digest of the last body; zero before the first.
    #[serde(with = "hex::serde")]
    pub digest: [u8; 32],
    /// The last height of each kind, by its number, in the order of the numbers.
    pub last_heights: Vec<(u8, u64)>,
}

impl TipRow {
    /// The height of the last body of a kind.
    pub fn last_height(&self, kind: u8) -> Option<u64> {
        self.last_heights.iter().find(|(number, _)| *number == kind).map(|(_, height)| *height)
    }

    /// Moves on to a body, which follows.
    pub fn follow(&mut self, body: &Body, network: &[u8; 32]) {
        self.digest = body.digest(network);
        let kind = body.kind.number();
        self.last_heights.retain(|(number, _)| *number != kind);
        self.last_heights.push((kind, body.height));
        self.last_heights.sort_unstable();
    }
}

/// How far a miner's receipts are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CursorRow {
    /// Receipts below this are linked.
    pub linked_end: u64,
    /// Receipts below this are signed by us.
    pub signed_end: u64,
    /// Receipts below this were shown to the miner, which signed them or did not.
    pub shown_end: u64,
}

/// An equivocation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvidenceRow {
    /// The 664 bytes of receipt-v1 §5, in hex.
    pub evidence: String,
    /// Whether the validator signed both.
    pub validator: Option<Account>,
    /// Whether the miner signed both.
    pub miner: Option<Account>,
}
