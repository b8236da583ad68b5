//! What is kept of files in the index.
//!
//! | table | key | value |
//! | --- | --- | --- |
//! | `files` | owner, file | [`FileRow`] |
//! | `pieces` | (owner, file), segment, shard | [`PieceRow`] |
//! | `objects` | (0, miner), record digest | [`HeldRow`](super::held::HeldRow): what rounds audit of a miner |
//! | `objects` | 1, record digest | the same, for whoever has the digest |
//! | `objects` | (2, miner), root | [`ClaimRow`](super::claims): that these bytes of a miner are one piece, and no other |
//! | `objects` | (3, miner), record digest | [`FailedLinkRow`](super::held::FailedLinkRow): that it did not pass the last link audit of this record, which may be gone |
//! | `objects` | (4, miner), root | [`ReplacedRow`](super::claims::ReplacedRow): that it is to delete the piece, which was made anew elsewhere |
//!
//! `objects` has what a miner said it keeps the record of; so a record that an owner never gave to a miner is not held against it.

use holdfast_engine::account::Account;
use holdfast_engine::possession::record::SignedRecord;
use prost::Message;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::index::{Table, TypedTable};
use crate::pieces::{FileLayout, Manifest, Piece, PlacementSecret, Policy};
use crate::proto::StoreResponse;
use crate::validator::ValidatorError;

/// A file of an owner: who, and the root of its ciphertext.
pub(super) type FileKey = (Account, [u8; 32]);
/// A piece of it: segment and shard.
pub(super) type PieceKey = (FileKey, u32, u8);

/// Files in care.
pub(super) const FILES: TypedTable<FileKey, FileRow> = TypedTable::new(Table::Files);
/// Their pieces.
pub(super) const PIECES: TypedTable<PieceKey, PieceRow> = TypedTable::new(Table::Pieces);

/// A file in care.
#[derive(Clone, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(deny_unknown_fields)]
pub(super) struct FileRow {
    /// Bytes of the ciphertext.
    pub(super) length_bytes: u64,
    segment_bytes: u64,
    data_shards: u8,
    shards: u8,
    /// From which the outer layers follow.
    #[serde(with = "hex::serde")]
    secret: [u8; 32],
    /// In seconds since 1970.
    pub(super) stored_at: u64,
    /// In seconds since 1970.
    pub(super) expires_at: u64,
    /// Its owner wants it gone, or it is expired: pieces are being deleted.
    pub(super) releasing: bool,
    /// Then miners are told to delete them at the earliest, in seconds since 1970: no question about them is open any more.
    #[serde(default)]
    pub(super) delete_from: u64,
}

/// Says nothing of the secret.
impl std::fmt::Debug for FileRow {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "FileRow({} bytes, {}-of-{})", self.length_bytes, self.data_shards, self.shards)
    }
}

/// A shard of a segment, and its piece.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PieceRow {
    #[serde(with = "hex::serde")]
    pub(super) shard_root: [u8; 32],
    /// Of the piece that is held, or was.
    pub(super) generation: u32,
    /// The latest one that was begun: it may be somewhere, so it is not begun again.
    pub(super) begun: u32,
    /// Who holds it, and what.
    pub(super) held: Option<HeldPiece>,
    /// How many wrong answers came, one after another, since the last right one.
    pub(super) failed_audits: u32,
    /// How many audits were not answered since the last right answer. They count as failures unless the miner was away.
    pub(super) missed_audits: u32,
    /// Height of its last audit.
    pub(super) audited_at: Option<u64>,
}

/// A piece that a miner has acknowledged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HeldPiece {
    pub(super) miner: Account,
    /// Root of the piece.
    #[serde(with = "hex::serde")]
    pub(super) root: [u8; 32],
    /// What audits refer to, signed by who checked it; 296 bytes in hex.
    record: String,
    /// Whether the miner has said that it keeps the record.
    pub(super) record_kept: bool,
    /// The miner's sealed answer to the upload, in protobuf and hex.
    acknowledgement: String,
}

impl FileRow {
    pub(super) fn new(manifest: &Manifest, stored_at: u64, expires_at: u64) -> FileRow {
        let policy = manifest.policy();
        FileRow {
            length_bytes: manifest.ciphertext().length_bytes,
            segment_bytes: policy.segment_bytes(),
            data_shards: policy.data_shards(),
            shards: policy.shards(),
            secret: *manifest.secret().expose(),
            stored_at,
            expires_at,
            releasing: false,
            delete_from: 0,
        }
    }

    pub(super) fn policy(&self) -> Result<Policy, ValidatorError> {
        Policy::new(self.segment_bytes, self.data_shards, self.shards)
            .map_err(|error| damaged("a file", error.to_string()))
    }

    pub(super) fn placement_secret(&self) -> PlacementSecret {
        PlacementSecret::of_bytes(self.secret)
    }

    /// k and n.
    pub(super) fn needed_and_shards(&self) -> (u8, u8) {
        (self.data_shards, self.shards.max(1))
    }

    pub(super) fn layout(&self) -> Result<FileLayout, ValidatorError> {
        Ok(FileLayout::new(self.length_bytes, self.policy()?))
    }
}

impl PieceRow {
    /// Of a piece of a manifest that a miner acknowledged.
    pub(super) fn new(piece: &Piece, held: HeldPiece) -> PieceRow {
        PieceRow {
            shard_root: piece.shard_root,
            generation: piece.generation,
            begun: piece.generation,
            held: Some(held),
            failed_audits: 0,
            missed_audits: 0,
            audited_at: None,
        }
    }

    /// Whether its last audit, if any, passed, and its miner says that it can be audited.
    pub(super) fn is_healthy(&self) -> bool {
        self.failed_audits == 0
            && self.missed_audits == 0
            && self.held.as_ref().is_some_and(|held| held.record_kept)
    }
}

impl HeldPiece {
    pub(super) fn new(record: &SignedRecord, acknowledgement: &StoreResponse) -> HeldPiece {
        HeldPiece {
            miner: record.record.miner,
            root: *record.record.replica.object_root(),
            record: hex::encode(record.encode()),
            record_kept: false,
            acknowledgement: hex::encode(acknowledgement.encode_to_vec()),
        }
    }

    pub(super) fn signed_record(&self) -> Result<SignedRecord, ValidatorError> {
        decode_record(&self.record)
    }
}

pub(super) fn decode_record(text: &str) -> Result<SignedRecord, ValidatorError> {
    let bytes = hex::decode(text).map_err(|error| damaged("a record", error.to_string()))?;
    SignedRecord::decode(&bytes).map_err(|rejection| damaged("a record", rejection.to_string()))
}

pub(super) fn damaged(what: &'static str, detail: String) -> ValidatorError {
    ValidatorError::Damaged { what, detail }
}
