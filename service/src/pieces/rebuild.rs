//! A lost piece from others of its segment, under a new layer.

use std::io::{Read, Write};

use holdfast_engine::rejection::Class;
use holdfast_engine::tree::RootHasher;
use rayon::prelude::*;

use super::decode::SegmentCode;
use super::encode::PieceWriter;
use super::gather::{Gatherer, PieceSource};
use super::{Content, PieceError, PieceId};

/// A piece that was made anew and written into its sink.
#[derive(Debug)]
pub struct RebuiltPiece<W> {
    /// Which one.
    pub piece: PieceId,
    /// What was written.
    pub content: Content,
    /// Where it was written to, flushed.
    pub sink: W,
}

impl SegmentCode<'_> {
    /// Makes a piece anew from whole pieces of k other shards, or from one of the same shard and an earlier generation (a move).
    /// `shard_roots` are those of all shards, without layers, as the manifest has them: what is read and what is made
    /// is compared with them, so nobody has to be believed. Nothing of the piece may be used before this returns.
    ///
    /// # Errors
    /// [`PieceError::TooFew`], [`PieceError::Foreign`], [`PieceError::Piece`], [`PieceError::Sink`]; refused: `wrong-root` (a
    /// piece that is not what the owner made, which is named), `wrong-length`.
    pub fn rebuild<R: Read, W: Write>(
        &self,
        target: PieceId,
        sources: Vec<PieceSource<R>>,
        shard_roots: &[[u8; 32]],
        sink: W,
    ) -> Result<RebuiltPiece<W>, PieceError> {
        let shards = self.policy.shards();
        if target.segment != self.segment
            || target.shard >= shards
            || shard_roots.len() != usize::from(shards)
        {
            return Err(PieceError::Foreign { piece: target, segment: self.segment, shards });
        }
        let (same, others): (Vec<_>, Vec<_>) =
            sources.into_iter().partition(|source| source.piece.shard == target.shard);
        let (sources, needed) = if same.is_empty() { (others, self.policy.data_shards()) } else { (same, 1) };
        let mut gatherer = Gatherer::new(self, 0..self.layout.stripe_count(), sources, needed)?;
        let mut hashers = vec![RootHasher::default(); shards.into()];
        let mut made = PieceWriter::new(self.secret, self.policy, target, sink);
        let shard = usize::from(target.shard);
        while gatherer.next(self)?.is_some() {
            let of_sources = hashers.par_iter_mut().zip(&gatherer.shards).enumerate();
            of_sources.for_each(|(shard, (hasher, bytes))| {
                if gatherer.read.contains(&shard) {
                    hasher.update(bytes);
                }
            });
            if gatherer.read != [shard] {
                gatherer.code.restore(&mut gatherer.shards, &gatherer.read);
                if target.shard >= self.policy.data_shards() {
                    gatherer.code.extend(&mut gatherer.shards);
                }
            }
            let bytes = &mut gatherer.shards[shard];
            made.hash_shard(bytes);
            made.cover(bytes);
            made.hash_piece(bytes);
            made.write(bytes)?;
        }
        for &shard in &gatherer.read {
            let piece = gatherer.piece_of(shard).unwrap_or(target);
            check_root(piece, hashers[shard].root(), shard_roots[shard])?;
        }
        let made = made.finish()?;
        check_root(target, made.shard_root, shard_roots[shard])?;
        Ok(RebuiltPiece { piece: target, content: made.content, sink: made.sink })
    }
}

/// Refuses a piece that, without its layer, is not the shard that the owner made.
fn check_root(piece: PieceId, found: [u8; 32], expected: [u8; 32]) -> Result<(), PieceError> {
    if found != expected {
        let (found, expected) = (hex::encode(found), hex::encode(expected));
        let detail = format!("the piece of {piece} without its layer has root {found}, not {expected}");
        return Err(Class::WrongRoot.because(detail).into());
    }
    Ok(())
}
