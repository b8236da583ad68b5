//! A file with its pieces, as the index has it.

use holdfast_engine::rejection::Rejection;

use super::CareError;
use super::rows::{FILES, FileKey, FileRow, HeldPiece, PIECES, PieceRow, damaged};
use crate::index::Index;
use crate::pieces::{Content, Holder, Manifest, Piece, PieceId, Segment};
use crate::validator::ValidatorError;

/// A file with its pieces, in order.
#[derive(Clone, Debug)]
pub(super) struct StoredFile {
    pub(super) key: FileKey,
    pub(super) row: FileRow,
    pub(super) pieces: Vec<PieceRow>,
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
        let (_, shards) = self.row.needed_and_shards();
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
        let (_, shards) = self.row.needed_and_shards();
        let segments = self
            .pieces
            .chunks(shards.into())
            .map(|rows| Segment { pieces: rows.iter().map(piece).collect() });
        let (_, root) = self.key;
        let ciphertext = Content { root, length_bytes: self.row.length_bytes };
        let secret = self.row.placement_secret();
        let (policy, expires_at) = (self.row.policy()?, Some(self.row.expires_at));
        Manifest::new(None, ciphertext, policy, secret, expires_at, segments.collect())
            .map_err(|rejection: Rejection| damaged("a file", rejection.to_string()))
    }
}
