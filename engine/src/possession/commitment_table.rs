//! The table of an object's commitments: ten points in each chunk of 1,024 bytes (commitment-v1 §4).

use ark_bls12_381::G1Affine;

use super::points::{POINT_BYTES, encode_point};
use crate::rejection::{Class, Rejection};
use crate::tree::{CHUNK_BYTES, Outboard};

/// Points of a chunk of the table.
pub const CHUNK_POINTS: usize = 10;
/// Bytes of a chunk that hold points; the rest is zero.
const CHUNK_POINT_BYTES: usize = CHUNK_POINTS * POINT_BYTES;

/// Chunks of the table of so many blocks.
pub fn table_chunks(blocks: u64) -> u64 {
    blocks.div_ceil(CHUNK_POINTS as u64)
}

/// Bytes of the table of so many blocks.
pub fn table_bytes(blocks: u64) -> u64 {
    table_chunks(blocks) * CHUNK_BYTES as u64
}

/// The chunk that holds the point of a block, and which of its points that is.
pub fn place(block: u64) -> (u64, usize) {
    let (chunk, point) = (block / CHUNK_POINTS as u64, block % CHUNK_POINTS as u64);
    (chunk, usize::try_from(point).expect("below ten"))
}

/// A chunk of a table that holds points and nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableChunk<'a>(&'a [[u8; POINT_BYTES]]);

impl<'a> TableChunk<'a> {
    /// Reads chunk `chunk` of the table of so many blocks. Whether the points are on the curve is not looked at.
    ///
    /// Refused: `malformed` (no such chunk, or a byte where there is no point is not zero), `wrong-length`.
    pub fn read(chunk: u64, blocks: u64, bytes: &'a [u8]) -> Result<TableChunk<'a>, Rejection> {
        let left = blocks.saturating_sub(chunk.saturating_mul(CHUNK_POINTS as u64));
        if left == 0 {
            return Err(Class::Malformed.because(format!("chunk {chunk} of the table of {blocks} blocks")));
        }
        if bytes.len() != CHUNK_BYTES {
            let found = bytes.len();
            return Err(
                Class::WrongLength.because(format!("a table chunk of {found} bytes, not {CHUNK_BYTES}"))
            );
        }
        let points = usize::try_from(left).map_or(CHUNK_POINTS, |left| left.min(CHUNK_POINTS));
        let (points, zeros) = bytes.split_at(points * POINT_BYTES);
        if zeros.iter().any(|byte| *byte != 0) {
            return Err(Class::Malformed.because(format!("table chunk {chunk} holds more than its points")));
        }
        Ok(TableChunk(points.as_chunks().0))
    }

    /// The bytes of its points, in the order of their blocks.
    pub fn points(&self) -> &'a [[u8; POINT_BYTES]] {
        self.0
    }
}

/// A whole table in memory, with what it takes to open its chunks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitmentTable {
    blocks: u64,
    bytes: Vec<u8>,
    outboard: Outboard,
}

impl CommitmentTable {
    /// The table of these points, the commitments of blocks 0, 1, ….
    ///
    /// Panics if there are none: every object has a block.
    pub fn of_points(points: &[G1Affine]) -> CommitmentTable {
        assert!(!points.is_empty(), "a table of no points");
        let mut bytes = Vec::with_capacity(points.len().div_ceil(CHUNK_POINTS) * CHUNK_BYTES);
        for chunk in points.chunks(CHUNK_POINTS) {
            bytes.extend(chunk.iter().flat_map(encode_point));
            bytes.resize(bytes.len().next_multiple_of(CHUNK_BYTES), 0);
        }
        let outboard = Outboard::of(&bytes);
        CommitmentTable { blocks: points.len() as u64, bytes, outboard }
    }

    /// The table of so many blocks with these bytes. Whether the points are on the curve is not looked at.
    ///
    /// Refused: `wrong-length`, `malformed`.
    pub fn from_bytes(blocks: u64, bytes: Vec<u8>) -> Result<CommitmentTable, Rejection> {
        if bytes.len() as u64 != table_bytes(blocks) || blocks == 0 {
            let found = bytes.len();
            return Err(Class::WrongLength.because(format!("a table of {found} bytes for {blocks} blocks")));
        }
        for (chunk, bytes) in (0..).zip(bytes.chunks(CHUNK_BYTES)) {
            TableChunk::read(chunk, blocks, bytes)?;
        }
        let outboard = Outboard::of(&bytes);
        Ok(CommitmentTable { blocks, bytes, outboard })
    }

    /// Number of blocks.
    pub fn blocks(&self) -> u64 {
        self.blocks
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The table root.
    pub fn root(&self) -> [u8; 32] {
        self.outboard.root()
    }

    /// The bytes of the point of a block, if there is such a block.
    pub fn point(&self, block: u64) -> Option<&[u8; POINT_BYTES]> {
        let (chunk, point) = place(block);
        let start = usize::try_from(chunk).ok()?.checked_mul(CHUNK_BYTES)?;
        let chunk = self.bytes.get(start..)?.get(..CHUNK_POINT_BYTES)?;
        (block < self.blocks).then(|| &chunk.as_chunks().0[point])
    }

    /// The opening of chunk `chunk` in the table (tree-v1 §3).
    ///
    /// Panics if there is no such chunk.
    pub fn open(&self, chunk: u64) -> Vec<u8> {
        self.outboard.open(&self.bytes, chunk)
    }
}

/// The table chunks that hold the points of these blocks: ascending, each once.
pub fn chunks_of(blocks: &[u64]) -> Vec<u64> {
    let mut chunks: Vec<u64> = blocks.iter().map(|block| place(*block).0).collect();
    chunks.sort_unstable();
    chunks.dedup();
    chunks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::possession::generators::Generators;
    use crate::tree::verify_opening;

    fn table(blocks: usize) -> CommitmentTable {
        CommitmentTable::of_points(&Generators::standard().all()[..blocks])
    }

    /// One, ten, eleven and a full hundred: the last chunk is padded and the counts go round.
    #[test]
    fn chunks_hold_ten_points_and_zeros() {
        for blocks in [1usize, 9, 10, 11, 100, 170] {
            let table = table(blocks);
            assert_eq!(table.bytes().len() as u64, table_bytes(blocks as u64));
            assert_eq!(table.root(), *blake3::hash(table.bytes()).as_bytes());
            let again = CommitmentTable::from_bytes(blocks as u64, table.bytes().to_vec());
            assert_eq!(again.as_ref(), Ok(&table));
            for block in 0..blocks as u64 {
                let (chunk, point) = place(block);
                let opening = table.open(chunk);
                let bytes =
                    verify_opening(chunk, table_bytes(blocks as u64), &table.root(), &opening).unwrap();
                let read = TableChunk::read(chunk, blocks as u64, bytes).unwrap();
                assert_eq!(Some(&read.points()[point]), table.point(block));
                let generator = &Generators::standard().all()[usize::try_from(block).unwrap()];
                assert_eq!(table.point(block), Some(&encode_point(generator)));
            }
            assert_eq!(table.point(blocks as u64), None);
            assert_eq!(table.point(u64::MAX), None);
        }
        assert_eq!(chunks_of(&[25, 3, 29, 0, 3]), [0, 2]);
    }

    /// A place where a commitment could hide that no audit ever names.
    #[test]
    fn what_is_no_point_must_be_zero() {
        let good = table(11).bytes().to_vec();
        for place in [960, 1023, 1024 + 96, 2047] {
            let mut bytes = good.clone();
            bytes[place] = 1;
            let refused = CommitmentTable::from_bytes(11, bytes).unwrap_err();
            assert_eq!(refused.class, Class::Malformed, "byte {place}");
        }
        for (blocks, bytes) in [(0, vec![]), (1, vec![]), (11, good[1..].to_vec()), (10, good.clone())] {
            assert_eq!(CommitmentTable::from_bytes(blocks, bytes).unwrap_err().class, Class::WrongLength);
        }
        assert_eq!(TableChunk::read(2, 11, &good[..1024]).unwrap_err().class, Class::Malformed);
        assert_eq!(TableChunk::read(u64::MAX, 11, &good[..1024]).unwrap_err().class, Class::Malformed);
        assert_eq!(TableChunk::read(0, 11, &good).unwrap_err().class, Class::WrongLength);
    }
}
