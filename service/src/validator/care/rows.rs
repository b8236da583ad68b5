//! What is kept of files in the index.
//!
//! | table | key | value |
//! | --- | --- | --- |
//! | `files` | owner, file | [`FileRow`] |
//! | `pieces` | (owner, file), segment, shard | [`PieceRow`] |
//! | `objects` | (0, miner), record digest | [`HeldRow`]: what rounds audit of a miner |
//! | `objects` | 1, record digest | [`HeldRow`]: the same, for whoever has the digest |
//! | `objects` | (2, miner), root | [`ClaimRow`]: that these bytes of a miner are one piece, and no other |
//! | `objects` | (3, miner), record digest | [`FailedLinkRow`]: that it did not pass the last link audit of this record, which may be gone |
//!
//! Two files with one piece would have two records of which the miner keeps one, and releasing one would delete the other's: the miner
//! would fail audits through no fault of its own. So what is claimed is not taken into care again.
//!
//! `objects` has what a miner said it keeps the record of; so a record that an owner never gave to a miner is not held against it.

use std::ops::Not;

use holdfast_engine::account::Account;
use holdfast_engine::possession::record::SignedRecord;
use holdfast_engine::rejection::Rejection;
use prost::Message;
use serde::{Deserialize, Serialize};
use tonic::Code;
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::CareError;
use crate::index::{Index, Table, TypedTable, Work};
use crate::pieces::{
    Content, FileLayout, Holder, Manifest, Piece, PieceId, PlacementSecret, Policy, Segment,
};
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
/// Records by miner.
pub(super) const HELD: TypedTable<((u8, Account), [u8; 32]), HeldRow> = TypedTable::new(Table::Objects);
/// Records by digest.
pub(super) const BY_DIGEST: TypedTable<(u8, [u8; 32]), HeldRow> = TypedTable::new(Table::Objects);

/// What miners have for files in care, by miner and root.
const CLAIMS: TypedTable<((u8, Account), [u8; 32]), ClaimRow> = TypedTable::new(Table::Objects);

/// Link audits that miners did not pass and have not made up for, by miner and record: releasing the record is no way out.
pub(super) const FAILED_LINKS: TypedTable<((u8, Account), [u8; 32]), FailedLinkRow> =
    TypedTable::new(Table::Objects);

/// First part of the keys of a miner's rows in [`FAILED_LINKS`].
pub(super) fn failed_by(miner: &Account) -> (u8, Account) {
    (3, *miner)
}

/// First part of the keys of a miner's rows in [`HELD`].
pub(super) fn held_by(miner: &Account) -> (u8, Account) {
    (0, *miner)
}

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
    /// Whether it stands for no bytes until it passes a link audit.
    #[serde(default, skip_serializing_if = "Not::not")]
    pub(super) is_doubted: bool,
    /// Whether its last link audit was not passed.
    #[serde(default, skip_serializing_if = "Not::not")]
    pub(super) failed_link: bool,
}

/// That a miner's bytes are a piece of a file in care.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ClaimRow {
    /// From then on the claim is void, in seconds since 1970: the miner has not got them any more.
    expires_at: u64,
}

/// A link audit that was not passed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FailedLinkRow {
    /// Of its block.
    pub(super) height: u64,
}

/// A file with its pieces, in order.
#[derive(Clone, Debug)]
pub(super) struct StoredFile {
    pub(super) key: FileKey,
    pub(super) row: FileRow,
    pub(super) pieces: Vec<PieceRow>,
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
        }
    }

    pub(super) fn policy(&self) -> Result<Policy, ValidatorError> {
        Policy::new(self.segment_bytes, self.data_shards, self.shards)
            .map_err(|error| damaged("a file", error.to_string()))
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

impl HeldRow {
    pub(super) fn new(
        record: &SignedRecord,
        (owner, file): FileKey,
        piece: PieceId,
        expires_at: u64,
    ) -> HeldRow {
        HeldRow {
            record: hex::encode(record.encode()),
            owner,
            file,
            piece,
            expires_at,
            is_doubted: false,
            failed_link: false,
        }
    }

    pub(super) fn signed_record(&self) -> Result<SignedRecord, ValidatorError> {
        decode_record(&self.record)
    }

    pub(super) fn piece_key(&self) -> PieceKey {
        ((self.owner, self.file), self.piece.segment, self.piece.shard)
    }

    /// Lets rounds audit it when the work is committed.
    pub(super) fn write(&self, work: &Work<'_>) -> Result<(), ValidatorError> {
        let record = self.signed_record()?.record;
        HELD.write(work, &(held_by(&record.miner), record.digest()), self)?;
        BY_DIGEST.write(work, &(1, record.digest()), self)?;
        Ok(())
    }
}

impl HeldPiece {
    /// Claims the piece for a file that expires then, when the work is committed.
    ///
    /// # Errors
    /// [`CareError::Refused`] if it is claimed already.
    pub(super) async fn claim(
        &self,
        work: &Work<'_>,
        expires_at: u64,
        now_seconds: u64,
    ) -> Result<(), CareError> {
        let key = self.claim_key();
        let claimed = CLAIMS.read(work, &key).await?;
        if claimed.is_some_and(|claim| claim.expires_at > now_seconds) {
            return Err(CareError::Refused {
                code: Code::AlreadyExists,
                reason: "in-care",
                message: format!("{} has {} for a file in care already", self.miner, hex::encode(self.root)),
                advice: "encrypt the file anew, or release the one that is here",
            });
        }
        Ok(CLAIMS.write(work, &key, &ClaimRow { expires_at })?)
    }

    /// The miner has deleted it, or is out of reach for good.
    pub(super) fn unclaim(&self, work: &Work<'_>) {
        CLAIMS.remove(work, &self.claim_key());
    }

    fn claim_key(&self) -> ((u8, Account), [u8; 32]) {
        ((2, self.miner), self.root)
    }
}

/// Ends the audits of a piece when the work is committed.
pub(super) fn end_audits(work: &Work<'_>, held: &HeldPiece) -> Result<(), ValidatorError> {
    let record = held.signed_record()?.record;
    HELD.remove(work, &(held_by(&record.miner), record.digest()));
    BY_DIGEST.remove(work, &(1, record.digest()));
    Ok(())
}

impl StoredFile {
    /// Reads a file of an owner.
    pub(super) async fn read(index: &dyn Index, key: FileKey) -> Result<StoredFile, CareError> {
        let (owner, file) = key;
        let row = FILES.get(index, &key).await?.ok_or(CareError::NoSuchFile { owner, file })?;
        let mut pages = PIECES.pages(index, PIECES.prefix(&key), super::PAGE_ROWS);
        let mut pieces = Vec::new();
        while let Some(page) = pages.next().await? {
            pieces.extend(PIECES.rows(&page)?.into_iter().map(|row| row.value));
        }
        Ok(StoredFile { key, row, pieces })
    }

    /// The pieces with their identities. Of a file that is being deleted some are missing, and this is of no use.
    pub(super) fn ids(&self) -> impl Iterator<Item = (PieceId, &PieceRow)> {
        let shards = self.row.shards;
        let places = (0_u32..).flat_map(move |segment| (0..shards).map(move |shard| (segment, shard)));
        places
            .zip(&self.pieces)
            .map(|((segment, shard), row)| (PieceId { segment, shard, generation: row.generation }, row))
    }

    /// The root and the length of a piece that is held.
    pub(super) fn content(&self, id: PieceId, held: &HeldPiece) -> Result<Content, ValidatorError> {
        let layout = self.row.layout()?.segment(id.segment.into());
        let layout = layout.ok_or_else(|| damaged("a file", format!("a piece of {id}, which it has not")))?;
        Ok(Content { root: held.root, length_bytes: layout.shard_bytes() })
    }

    /// Everything that is needed to read it, or to make pieces anew.
    pub(super) fn manifest(&self) -> Result<Manifest, ValidatorError> {
        let piece = |row: &PieceRow| Piece {
            shard_root: row.shard_root,
            generation: row.generation,
            holder: row.held.as_ref().map(|held| Holder { miner: held.miner, root: held.root }),
        };
        let segments = self
            .pieces
            .chunks(self.row.shards.into())
            .map(|rows| Segment { pieces: rows.iter().map(piece).collect() });
        let (_, root) = self.key;
        let ciphertext = Content { root, length_bytes: self.row.length_bytes };
        let secret = PlacementSecret::of_bytes(self.row.secret);
        let (policy, expires_at) = (self.row.policy()?, Some(self.row.expires_at));
        Manifest::new(None, ciphertext, policy, secret, expires_at, segments.collect())
            .map_err(|rejection: Rejection| damaged("a file", rejection.to_string()))
    }
}

fn decode_record(text: &str) -> Result<SignedRecord, ValidatorError> {
    let bytes = hex::decode(text).map_err(|error| damaged("a record", error.to_string()))?;
    SignedRecord::decode(&bytes).map_err(|rejection| damaged("a record", rejection.to_string()))
}

fn damaged(what: &'static str, detail: String) -> ValidatorError {
    ValidatorError::Damaged { what, detail }
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
