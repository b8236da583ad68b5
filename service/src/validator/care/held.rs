//! What rounds audit of a miner, and which of it is doubted.

use std::ops::Not;

use holdfast_engine::account::Account;
use holdfast_engine::possession::record::{ObjectRecord, SignedRecord};
use serde::{Deserialize, Serialize};

use super::rows::{FileKey, HeldPiece, PieceKey, decode_record};
use crate::index::{Table, TypedTable, Work};
use crate::pieces::PieceId;
use crate::validator::ValidatorError;

/// Records by miner.
pub(super) const HELD: TypedTable<((u8, Account), [u8; 32]), HeldRow> = TypedTable::new(Table::Objects);
/// Records by digest.
pub(super) const BY_DIGEST: TypedTable<(u8, [u8; 32]), HeldRow> = TypedTable::new(Table::Objects);
/// Link audits that miners did not pass and have not made up for, by miner and record: releasing the record is no way out.
pub(super) const FAILED_LINKS: TypedTable<((u8, Account), [u8; 32]), FailedLinkRow> =
    TypedTable::new(Table::Objects);

/// First part of the keys of a miner's rows in [`HELD`].
pub(super) fn held_by(miner: &Account) -> (u8, Account) {
    (0, *miner)
}

/// First part of the keys of a miner's rows in [`FAILED_LINKS`].
pub(super) fn failed_by(miner: &Account) -> (u8, Account) {
    (3, *miner)
}

/// A record that a miner keeps, and of which piece it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HeldRow {
    record: String,
    owner: Account,
    #[serde(with = "hex::serde")]
    file: [u8; 32],
    /// Which piece.
    #[serde(with = "piece_id")]
    pub(super) piece: PieceId,
    /// Of the file, in seconds since 1970.
    pub(super) expires_at: u64,
    /// Height of the newest block when rounds began to audit it.
    #[serde(default)]
    begun_at: u64,
    /// Whether it has passed a link audit.
    #[serde(default, skip_serializing_if = "Not::not")]
    passed_link: bool,
    /// Whether its last link audit was not passed.
    #[serde(default, skip_serializing_if = "Not::not")]
    pub(super) failed_link: bool,
}

/// Link audits of a record that were not passed, one after another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FailedLinkRow {
    /// Of the block of the last one.
    pub(super) height: u64,
    /// Of the first one's, if it is another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) first_height: Option<u64>,
}

impl HeldRow {
    pub(super) fn new(
        record: &SignedRecord,
        (owner, file): FileKey,
        piece: PieceId,
        expires_at: u64,
        begun_at: u64,
    ) -> HeldRow {
        HeldRow {
            record: hex::encode(record.encode()),
            owner,
            file,
            piece,
            expires_at,
            begun_at,
            passed_link: false,
            failed_link: false,
        }
    }

    pub(super) fn signed_record(&self) -> Result<SignedRecord, ValidatorError> {
        decode_record(&self.record)
    }

    pub(super) fn piece_key(&self) -> PieceKey {
        ((self.owner, self.file), self.piece.segment, self.piece.shard)
    }

    /// Whether its record stands for no bytes until it passes a link audit: it has not passed the last one, or it came when its miner had not
    /// passed one since a height and nobody has looked at its commitments yet. Else bytes could be released and registered anew as often as somebody looks.
    pub(super) fn is_doubted(&self, record: &ObjectRecord, failed_since: Option<u64>) -> bool {
        let is_unseen = record.table_root.is_some() && !self.passed_link;
        self.failed_link || (is_unseen && failed_since.is_some_and(|since| self.begun_at >= since))
    }

    /// As it is after a link audit.
    pub(super) fn after_link(&self, passed: bool) -> HeldRow {
        HeldRow { passed_link: self.passed_link || passed, failed_link: !passed, ..self.clone() }
    }

    /// Lets rounds audit it when the work is committed.
    pub(super) fn write(&self, work: &Work<'_>) -> Result<(), ValidatorError> {
        let record = self.signed_record()?.record;
        HELD.write(work, &(held_by(&record.miner), record.digest()), self)?;
        BY_DIGEST.write(work, &(1, record.digest()), self)?;
        Ok(())
    }
}

impl FailedLinkRow {
    /// One more at a height.
    pub(super) fn after(before: Option<&FailedLinkRow>, height: u64) -> FailedLinkRow {
        FailedLinkRow { height, first_height: before.map(FailedLinkRow::since) }
    }

    /// Height of the block of the first one.
    pub(super) fn since(&self) -> u64 {
        self.first_height.unwrap_or(self.height)
    }
}

/// Ends the audits of a piece when the work is committed.
pub(super) fn end_audits(work: &Work<'_>, held: &HeldPiece) -> Result<(), ValidatorError> {
    let record = held.signed_record()?.record;
    HELD.remove(work, &(held_by(&record.miner), record.digest()));
    BY_DIGEST.remove(work, &(1, record.digest()));
    Ok(())
}

/// A piece's identity as three numbers.
mod piece_id {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::pieces::PieceId;

    pub(super) fn serialize<S: Serializer>(id: &PieceId, serializer: S) -> Result<S::Ok, S::Error> {
        (id.segment, id.shard, id.generation).serialize(serializer)
    }

    pub(super) fn deserialize<'d, D: Deserializer<'d>>(deserializer: D) -> Result<PieceId, D::Error> {
        let (segment, shard, generation) = Deserialize::deserialize(deserializer)?;
        Ok(PieceId { segment, shard, generation })
    }
}
