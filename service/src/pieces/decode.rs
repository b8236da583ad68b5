//! From pieces to the bytes of a segment.

use std::cmp::Ordering;
use std::io::{Cursor, Read, Write};
use std::ops::Range;

use holdfast_engine::rejection::{Class, Rejection};

use super::gather::{Gatherer, PieceSource, choose, too_long};
use super::layer::Layer;
use super::layout::{SegmentLayout, at};
use super::{FileLayout, PART_BYTES, PieceError, PlacementSecret, Policy};

/// What has to be known of a segment to read it, or to make its pieces anew.
#[derive(Clone, Copy, Debug)]
pub struct SegmentCode<'a> {
    pub(super) policy: Policy,
    pub(super) secret: &'a PlacementSecret,
    pub(super) segment: u32,
    pub(super) layout: SegmentLayout,
}

impl<'a> SegmentCode<'a> {
    /// Of segment number `segment` of a file; `None` if it has no such segment.
    pub fn new(
        file: &FileLayout,
        policy: Policy,
        secret: &'a PlacementSecret,
        segment: u32,
    ) -> Option<SegmentCode<'a>> {
        Some(SegmentCode { policy, secret, segment, layout: file.segment(segment.into())? })
    }

    /// Its lengths.
    pub fn layout(&self) -> SegmentLayout {
        self.layout
    }

    /// Writes the bytes of `range` of the segment. Each source gives the bytes [`SegmentLayout::piece_range`] of its piece; k
    /// pieces of different shards are needed, the first k by shard are read, and data shards cost the least.
    ///
    /// Bytes are written in order. After an error, those that were written are right if the pieces are those that the owner
    /// made; a call with other pieces may go on behind them. Whether all is the file, its root tells.
    ///
    /// # Errors
    /// [`PieceError::OutOfRange`], [`PieceError::TooFew`], [`PieceError::Foreign`], [`PieceError::Piece`] (also of a piece that
    /// ends early), [`PieceError::Sink`]; refused: `wrong-length` (a piece that does not end with the range), `malformed` (the
    /// segment's padding is not zero).
    pub fn decode<R: Read, W: Write>(
        &self,
        range: Range<u64>,
        sources: Vec<PieceSource<R>>,
        sink: &mut W,
    ) -> Result<(), PieceError> {
        self.check_range(&range)?;
        if range.is_empty() {
            return Ok(());
        }
        let stripes = self.layout.stripes_over(&range);
        let mut gatherer = Gatherer::new(self, stripes, sources, self.policy.data_shards())?;
        while let Some(stripes) = gatherer.next(self)? {
            gatherer.code.restore(&mut gatherer.shards, &gatherer.read);
            self.write_stripes(stripes, &range, &gatherer.shards, sink)?;
        }
        sink.flush().map_err(cannot_write)
    }

    /// The same, of pieces whose bytes are at hand. A replica's become the segment's where they are.
    ///
    /// # Errors
    /// As [`SegmentCode::decode`].
    pub fn decode_parts(
        &self,
        range: Range<u64>,
        sources: Vec<PieceSource<Vec<u8>>>,
    ) -> Result<Vec<u8>, PieceError> {
        self.check_range(&range)?;
        if self.policy.data_shards() == 1 && !range.is_empty() {
            return self.uncover(&range, sources);
        }
        let in_memory = |PieceSource { piece, reader }| PieceSource { piece, reader: Cursor::new(reader) };
        let mut bytes = Vec::with_capacity(at(range.end - range.start));
        self.decode(range, sources.into_iter().map(in_memory).collect(), &mut bytes)?;
        Ok(bytes)
    }

    /// The bytes of a range that is not empty, from its part of one replica.
    fn uncover(&self, range: &Range<u64>, sources: Vec<PieceSource<Vec<u8>>>) -> Result<Vec<u8>, PieceError> {
        let of_piece = self.layout.piece_range(range);
        let mut chosen = choose(self, sources, 1)?;
        let PieceSource { piece, reader: mut bytes } = chosen.swap_remove(0);
        match (bytes.len() as u64).cmp(&(of_piece.end - of_piece.start)) {
            Ordering::Less => {
                return Err(PieceError::Piece { piece, error: std::io::ErrorKind::UnexpectedEof.into() });
            }
            Ordering::Equal => {}
            Ordering::Greater => return Err(too_long(piece).into()),
        }
        let mut layer = Layer::new(self.secret, self.policy, piece);
        layer.seek(of_piece.start);
        layer.apply(&mut bytes);
        // A stripe of a replica is a part, so that bytes stand where they stand in the segment; behind the last ones is padding.
        let in_part = |byte: u64| at(byte - of_piece.start);
        let end = in_part(self.layout.length_bytes().min(of_piece.end));
        self.check_padding(0, &bytes[end..])?;
        bytes.truncate(in_part(range.end));
        bytes.drain(..in_part(range.start));
        Ok(bytes)
    }

    fn check_range(&self, range: &Range<u64>) -> Result<(), PieceError> {
        let length_bytes = self.layout.length_bytes();
        if range.end <= length_bytes && range.start <= range.end {
            return Ok(());
        }
        let (segment, start, end) = (self.segment, range.start, range.end);
        Err(PieceError::OutOfRange { segment, start, end, length_bytes })
    }

    fn check_padding(&self, shard: u64, padding: &[u8]) -> Result<(), Rejection> {
        if padding.iter().all(|&byte| byte == 0) {
            return Ok(());
        }
        let (segment, bytes) = (self.segment, padding.len());
        let detail = format!("the {bytes} bytes behind data shard {shard} of segment {segment} are not zero");
        Err(Class::Malformed.because(detail))
    }

    /// Writes what `range` has of stripes that stand in the buffers of the data shards.
    fn write_stripes<W: Write>(
        &self,
        stripes: Range<u64>,
        range: &Range<u64>,
        shards: &[Vec<u8>],
        sink: &mut W,
    ) -> Result<(), PieceError> {
        let first = stripes.start;
        for number in stripes {
            let stripe = self.layout.stripe(number);
            let in_buffer = at((number - first) * PART_BYTES);
            for (shard, place) in shards[..self.policy.data_shards().into()].iter().zip(0..) {
                let part = &shard[in_buffer..][..at(stripe.part_bytes)];
                let start = stripe.start + place * stripe.part_bytes;
                let end = (start + stripe.part_bytes).min(stripe.start + stripe.data_bytes).max(start);
                let (data, padding) = part.split_at(at(end - start));
                self.check_padding(place, padding)?;
                let wanted = range.start.clamp(start, end)..range.end.clamp(start, end);
                let bytes = &data[at(wanted.start - start)..at(wanted.end - start)];
                sink.write_all(bytes).map_err(cannot_write)?;
            }
        }
        Ok(())
    }
}

fn cannot_write(error: std::io::Error) -> PieceError {
    PieceError::Sink { what: "the file".to_owned(), error }
}
