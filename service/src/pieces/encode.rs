//! From a stream to pieces.

use std::io::{self, ErrorKind, Read, Write};
use std::ops::RangeTo;

use holdfast_engine::tree::RootHasher;
use rayon::prelude::*;

use super::code::Code;
use super::layer::Layer;
use super::layout::{SegmentLayout, at};
use super::{Content, PieceError, PieceId, PlacementSecret, Policy, RebuiltPiece};

/// A segment that was written into its sinks.
#[derive(Debug)]
pub struct EncodedSegment<W> {
    /// Which segment, from 0.
    pub segment: u32,
    /// Its bytes.
    pub length_bytes: u64,
    /// Its shards, in order.
    pub shards: Vec<EncodedShard<W>>,
}

/// One shard of it.
#[derive(Debug)]
pub struct EncodedShard<W> {
    /// Root of the shard, without its outer layer: for whoever makes it anew.
    pub shard_root: [u8; 32],
    /// The piece: the shard with its outer layer, of generation 0.
    pub piece: PieceId,
    /// What was written of it.
    pub content: Content,
    /// Where it was written to, flushed.
    pub sink: W,
}

/// Makes the pieces of one segment again from its bytes, into a sink for each in the order of shards. Only the pieces are hashed: whoever
/// compares their roots with those of the first time knows that the bytes and the shards are the same, too.
///
/// # Errors
/// As [`Encoder::next_segment`].
pub fn remake_segment<R: Read, W: Write + Send>(
    segment_bytes: R,
    policy: Policy,
    secret: &PlacementSecret,
    segment: u32,
    open: impl FnMut(PieceId) -> io::Result<W>,
) -> Result<Vec<RebuiltPiece<W>>, PieceError> {
    let mut encoder = Encoder::new(segment_bytes, policy, secret);
    (encoder.segments, encoder.hashed) = (segment.into(), Hashed::Pieces);
    let encoded = encoder.next_segment(open)?;
    let remade = |EncodedShard { piece, content, sink, .. }| RebuiltPiece { piece, content, sink };
    Ok(encoded.into_iter().flat_map(|encoded| encoded.shards).map(remade).collect())
}

/// The same for whoever has the pieces hashed by those who take them: nothing is hashed here. Returns the bytes of each piece.
///
/// # Errors
/// As [`Encoder::next_segment`].
pub fn resend_segment<R: Read, W: Write + Send>(
    segment_bytes: R,
    policy: Policy,
    secret: &PlacementSecret,
    segment: u32,
    open: impl FnMut(PieceId) -> io::Result<W>,
) -> Result<u64, PieceError> {
    let mut encoder = Encoder::new(segment_bytes, policy, secret);
    (encoder.segments, encoder.hashed) = (segment.into(), Hashed::Nothing);
    let encoded = encoder.next_segment(open)?;
    Ok(encoded.and_then(|encoded| Some(encoded.shards.first()?.content.length_bytes)).unwrap_or(0))
}

/// What is hashed of what passes through an encoder.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Hashed {
    /// The ciphertext, the shards and the pieces.
    All,
    Pieces,
    Nothing,
}

/// Cuts a ciphertext into segments and codes each into pieces, reading it once.
pub struct Encoder<'a, R> {
    source: R,
    policy: Policy,
    secret: &'a PlacementSecret,
    code: Code,
    /// What is coded at once, in the order of the file.
    batch: Vec<u8>,
    buffers: Vec<Vec<u8>>,
    hasher: RootHasher,
    hashed: Hashed,
    read_bytes: u64,
    /// Nothing is read behind the first end.
    ended: bool,
    segments: u64,
}

impl<R> std::fmt::Debug for Encoder<'_, R> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (policy, segments) = (self.policy, self.segments);
        write!(out, "Encoder({policy}, {segments} segments, {} bytes)", self.read_bytes)
    }
}

impl<'a, R: Read> Encoder<'a, R> {
    /// Of a stream. The secret must not have served another ciphertext.
    pub fn new(source: R, policy: Policy, secret: &'a PlacementSecret) -> Self {
        let code = Code::new(policy);
        let buffers = code.buffers();
        let hasher = RootHasher::default();
        Encoder {
            source,
            policy,
            secret,
            code,
            batch: Vec::new(),
            buffers,
            hasher,
            hashed: Hashed::All,
            read_bytes: 0,
            ended: false,
            segments: 0,
        }
    }

    /// Codes the next segment, into a sink for each piece in the order of shards; `None` at the end of the stream, which opens
    /// no sink.
    ///
    /// # Errors
    /// [`PieceError::Source`], [`PieceError::Sink`], [`PieceError::TooManySegments`]. What was written of the segment until
    /// then is of no use, and neither is the encoder.
    pub fn next_segment<W: Write + Send>(
        &mut self,
        mut open: impl FnMut(PieceId) -> io::Result<W>,
    ) -> Result<Option<EncodedSegment<W>>, PieceError> {
        let mut left = self.policy.segment_bytes();
        self.read_batch(left)?;
        if self.batch.is_empty() {
            return Ok(None);
        }
        let segment = u32::try_from(self.segments).map_err(|_| PieceError::TooManySegments)?;
        let mut pieces = Vec::with_capacity(self.policy.shards().into());
        for shard in 0..self.policy.shards() {
            let piece = PieceId { segment, shard, generation: 0 };
            let sink = open(piece).map_err(|error| cannot_write(piece, error))?;
            pieces.push(PieceWriter::new(self.secret, self.policy, piece, sink));
        }
        let mut length_bytes = 0;
        loop {
            length_bytes += self.batch.len() as u64;
            left -= self.batch.len() as u64;
            self.write_batch(&mut pieces)?;
            self.read_batch(left)?;
            if self.batch.is_empty() {
                break;
            }
        }
        self.segments += 1;
        let shards = pieces.into_iter().map(PieceWriter::finish).collect::<Result<_, _>>()?;
        Ok(Some(EncodedSegment { segment, length_bytes, shards }))
    }

    /// Root and length of all that was read: of the ciphertext, once [`Encoder::next_segment`] has returned `None`.
    pub fn content(&self) -> Content {
        Content { root: self.hasher.root(), length_bytes: self.read_bytes }
    }

    /// Bytes of its buffers, the code's own aside.
    #[cfg(test)]
    pub(super) fn buffer_bytes(&self) -> usize {
        self.batch.capacity() + self.buffers.iter().map(Vec::capacity).sum::<usize>()
    }

    /// Reads whole stripes, or what is left of the segment or of the stream; nothing at the end of either.
    fn read_batch(&mut self, left_of_segment: u64) -> Result<(), PieceError> {
        let stripe_bytes = u64::from(self.policy.data_shards()) * super::PART_BYTES;
        let most = left_of_segment.min(self.code.batch_stripes() * stripe_bytes);
        self.batch.resize(if self.ended { 0 } else { at(most) }, 0);
        let read = read_full(&mut self.source, &mut self.batch)
            .map_err(|error| PieceError::Source { read_bytes: self.read_bytes, error })?;
        self.ended |= read < self.batch.len();
        self.batch.truncate(read);
        self.read_bytes += read as u64;
        Ok(())
    }

    /// Codes the batch and appends it to the pieces.
    fn write_batch<W: Write + Send>(&mut self, pieces: &mut [PieceWriter<W>]) -> Result<(), PieceError> {
        let Encoder { batch, buffers, code, hasher, policy, hashed, segments, .. } = self;
        let layout = SegmentLayout::new(batch.len() as u64, policy.data_shards());
        let data = ..usize::from(policy.data_shards());
        let (shards_are_equal, is_first) = (code.shards_are_equal(), *segments == 0);
        match hashed {
            // Nobody else looks at the batch: a replica's shard is the segment.
            Hashed::Nothing if shards_are_equal => {
                std::mem::swap(batch, &mut buffers[0]);
                buffers[0].resize(at(layout.shard_bytes()), 0);
                make_pieces(code, buffers, pieces, ..0, false);
            }
            Hashed::Nothing | Hashed::Pieces => {
                scatter(batch, layout, &mut buffers[data]);
                make_pieces(code, buffers, pieces, ..0, *hashed == Hashed::Pieces);
            }
            Hashed::All => {
                // Replicas' shards have one root, and that of the first segment follows from the ciphertext's.
                let hashed_shards = match (shards_are_equal, is_first) {
                    (false, _) => ..pieces.len(),
                    (true, false) => ..1,
                    (true, true) => ..0,
                };
                rayon::join(
                    || hasher.update(batch),
                    || {
                        scatter(batch, layout, &mut buffers[data]);
                        make_pieces(code, buffers, pieces, hashed_shards, true);
                    },
                );
                if shards_are_equal {
                    let mut shard_hasher = pieces[0].shard_hasher.clone();
                    if is_first {
                        shard_hasher = hasher.clone();
                        let padding_bytes = layout.shard_bytes() - batch.len() as u64;
                        shard_hasher.update(&vec![0; at(padding_bytes)]);
                    }
                    pieces.iter_mut().for_each(|piece| piece.shard_hasher = shard_hasher.clone());
                }
            }
        }
        pieces.iter_mut().zip(buffers).try_for_each(|(piece, bytes)| piece.write(bytes))
    }
}

/// Makes the pieces in the buffers of the shards, of which those of data are there; hashes some shards, and the pieces or not.
fn make_pieces<W: Write + Send>(
    code: &mut Code,
    buffers: &mut [Vec<u8>],
    pieces: &mut [PieceWriter<W>],
    hashed_shards: RangeTo<usize>,
    hashes_pieces: bool,
) {
    code.extend(buffers);
    let both = pieces.par_iter_mut().zip(buffers).enumerate();
    both.for_each(|(shard, (piece, bytes))| {
        if hashed_shards.contains(&shard) {
            piece.hash_shard(bytes);
        }
        piece.cover(bytes);
        if hashes_pieces {
            piece.hash_piece(bytes);
        }
    });
}

/// Copies the bytes of whole stripes, and of a last one that may be short, to their shards.
fn scatter(bytes: &[u8], layout: SegmentLayout, shards: &mut [Vec<u8>]) {
    shards.iter_mut().for_each(Vec::clear);
    for stripe in (0..layout.stripe_count()).map(|number| layout.stripe(number)) {
        let data = &bytes[at(stripe.start)..][..at(stripe.data_bytes)];
        let part_bytes = at(stripe.part_bytes);
        let mut parts = data.chunks(part_bytes);
        for shard in shards.iter_mut() {
            let padded = shard.len() + part_bytes;
            shard.extend_from_slice(parts.next().unwrap_or_default());
            shard.resize(padded, 0);
        }
    }
}

/// A piece that is being written.
pub(super) struct PieceWriter<W> {
    piece: PieceId,
    layer: Layer,
    shard_hasher: RootHasher,
    hasher: RootHasher,
    length_bytes: u64,
    sink: W,
}

impl<W: Write> PieceWriter<W> {
    pub(super) fn new(secret: &PlacementSecret, policy: Policy, piece: PieceId, sink: W) -> Self {
        let (shard_hasher, hasher) = (RootHasher::default(), RootHasher::default());
        let layer = Layer::new(secret, policy, piece);
        PieceWriter { piece, layer, shard_hasher, hasher, length_bytes: 0, sink }
    }

    /// Hashes the next bytes of the shard.
    pub(super) fn hash_shard(&mut self, bytes: &[u8]) {
        self.shard_hasher.update(bytes);
    }

    /// Turns them into those of the piece.
    pub(super) fn cover(&mut self, bytes: &mut [u8]) {
        self.layer.apply(bytes);
        self.length_bytes += bytes.len() as u64;
    }

    /// Hashes those.
    pub(super) fn hash_piece(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), PieceError> {
        self.sink.write_all(bytes).map_err(|error| cannot_write(self.piece, error))
    }

    pub(super) fn finish(mut self) -> Result<EncodedShard<W>, PieceError> {
        self.sink.flush().map_err(|error| cannot_write(self.piece, error))?;
        let content = Content { root: self.hasher.root(), length_bytes: self.length_bytes };
        let shard_root = self.shard_hasher.root();
        Ok(EncodedShard { shard_root, piece: self.piece, content, sink: self.sink })
    }
}

fn cannot_write(piece: PieceId, error: io::Error) -> PieceError {
    PieceError::Sink { what: format!("the piece of {piece}"), error }
}

/// Reads until the buffer is full or the stream ends.
fn read_full(source: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match source.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(bytes) => filled += bytes,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
