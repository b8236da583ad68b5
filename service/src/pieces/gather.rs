//! Reading the same stripes of k pieces, and taking their layers off.

use std::io::{ErrorKind, Read};
use std::ops::Range;

use holdfast_engine::rejection::{Class, Rejection};
use rayon::prelude::*;

use super::code::Code;
use super::decode::SegmentCode;
use super::layer::Layer;
use super::layout::at;
use super::{PART_BYTES, PieceError, PieceId};

/// A piece to read from. Whoever reads a miner's answer checks every block against the piece's root before it comes here.
#[derive(Debug)]
pub struct PieceSource<R> {
    /// Which piece.
    pub piece: PieceId,
    /// Its bytes: those of the range that was asked for, and no others.
    pub reader: R,
}

/// The k pieces that are read, and the buffers of all shards.
pub(super) struct Gatherer<R> {
    pub(super) code: Code,
    /// The shards, where they were read or made.
    pub(super) shards: Vec<Vec<u8>>,
    /// Those that are read, by shard.
    pub(super) read: Vec<usize>,
    sources: Vec<Option<Open<R>>>,
    batches: Batches,
}

struct Open<R> {
    source: PieceSource<R>,
    layer: Layer,
}

/// Ranges of stripes that are coded together.
struct Batches {
    left: Range<u64>,
    stripes: u64,
}

impl Iterator for Batches {
    type Item = Range<u64>;

    fn next(&mut self) -> Option<Range<u64>> {
        let start = self.left.start;
        self.left.start = self.left.end.min(start + self.stripes);
        (start < self.left.end).then_some(start..self.left.start)
    }
}

impl<R: Read> Gatherer<R> {
    /// Takes `needed` of the sources, data shards first.
    pub(super) fn new(
        of: &SegmentCode<'_>,
        stripes: Range<u64>,
        given: Vec<PieceSource<R>>,
        needed: u8,
    ) -> Result<Self, PieceError> {
        let given = choose(of, given, needed)?;
        let code = Code::new(of.policy);
        let mut gatherer = Gatherer {
            shards: code.buffers(),
            read: Vec::with_capacity(needed.into()),
            sources: (0..of.policy.shards()).map(|_| None).collect(),
            batches: Batches { left: stripes.clone(), stripes: code.batch_stripes() },
            code,
        };
        for source in given {
            let piece = source.piece;
            let mut layer = Layer::new(of.secret, of.policy, piece);
            layer.seek(stripes.start * PART_BYTES);
            gatherer.read.push(piece.shard.into());
            gatherer.sources[usize::from(piece.shard)] = Some(Open { source, layer });
        }
        Ok(gatherer)
    }

    /// Reads the next stripes into the shards' buffers; `None` when all were read, and the sources have nothing left.
    pub(super) fn next(&mut self, of: &SegmentCode<'_>) -> Result<Option<Range<u64>>, PieceError> {
        let Some(stripes) = self.batches.next() else {
            self.sources.iter_mut().flatten().try_for_each(expect_end)?;
            return Ok(None);
        };
        let last = of.layout.stripe(stripes.end - 1);
        let bytes = at((stripes.end - stripes.start - 1) * PART_BYTES + last.part_bytes);
        for (open, buffer) in self.sources.iter_mut().zip(&mut self.shards) {
            let Some(Open { source, .. }) = open else { continue };
            buffer.resize(bytes, 0);
            let read = source.reader.read_exact(buffer);
            read.map_err(|error| PieceError::Piece { piece: source.piece, error })?;
        }
        let layers = self.sources.iter_mut().map(|open| open.as_mut().map(|open| &mut open.layer));
        let covered: Vec<_> = layers.zip(&mut self.shards).collect();
        covered.into_par_iter().for_each(|(layer, bytes)| {
            if let Some(layer) = layer {
                layer.apply(bytes);
            }
        });
        Ok(Some(stripes))
    }

    /// The piece that a shard is read from.
    pub(super) fn piece_of(&self, shard: usize) -> Option<PieceId> {
        self.sources.get(shard)?.as_ref().map(|open| open.source.piece)
    }
}

/// `needed` of the sources, of different shards of this segment: data shards first.
pub(super) fn choose<R>(
    of: &SegmentCode<'_>,
    mut given: Vec<PieceSource<R>>,
    needed: u8,
) -> Result<Vec<PieceSource<R>>, PieceError> {
    given.sort_by_key(|source| source.piece.shard);
    given.dedup_by_key(|source| source.piece.shard);
    if given.len() < usize::from(needed) {
        return Err(PieceError::TooFew { segment: of.segment, needed, given: given.len() });
    }
    given.truncate(needed.into());
    let is_foreign = |piece: &PieceId| piece.segment != of.segment || piece.shard >= of.policy.shards();
    match given.iter().map(|source| source.piece).find(is_foreign) {
        Some(piece) => {
            let (segment, shards) = (of.segment, of.policy.shards());
            Err(PieceError::Foreign { piece, segment, shards })
        }
        None => Ok(given),
    }
}

pub(super) fn too_long(piece: PieceId) -> Rejection {
    Class::WrongLength.because(format!("the piece of {piece} goes on behind the bytes that were asked for"))
}

/// Refuses a piece that is longer than it may be.
fn expect_end<R: Read>(open: &mut Open<R>) -> Result<(), PieceError> {
    let PieceSource { piece, reader } = &mut open.source;
    loop {
        match reader.read(&mut [0]) {
            Ok(0) => return Ok(()),
            Ok(_) => return Err(too_long(*piece).into()),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(PieceError::Piece { piece: *piece, error }),
        }
    }
}
