//! Openings: a chunk and the siblings on its way to the root (tree-v1 §3).

use super::{
    BLOCK_CHUNKS, CHUNK_BYTES, ChainingValue, Climb, at, chunk_count, chunk_value, parent_value, root,
    root_value, subtree_value,
};
use crate::backend::Backend;
use crate::rejection::{Class, Rejection};

/// Openings that are hashed together: enough for the widest lanes, few enough to stay in the inner caches.
pub(super) const TILE: usize = 64;

/// Bytes of chunk `index` of a string of `length` bytes, which has it.
pub(super) fn chunk_bytes(index: u64, length: u64) -> usize {
    usize::try_from(length.saturating_sub(index * CHUNK_BYTES as u64))
        .map_or(CHUNK_BYTES, |l| l.min(CHUNK_BYTES))
}

/// Exact bytes of the opening of chunk `index` of a string of `length` bytes; refused (`malformed`) if there is no such
/// chunk.
pub fn opening_bytes(index: u64, length: u64) -> Result<usize, Rejection> {
    let count = chunk_count(length);
    if index >= count {
        return Err(Class::Malformed.because(format!("chunk {index} of a string of {count} chunks")));
    }
    Ok(chunk_bytes(index, length) + 32 * Climb::new(index, count).siblings().count())
}

/// Makes the opening of chunk `index` of a string of `length` bytes from the bytes of the block that holds it and the
/// block's path ([`super::Outboard::path`]).
///
/// Panics if there is no such chunk or `block` is not as long as that block.
pub fn open_chunk(index: u64, length: u64, block: &[u8], path: &[ChainingValue]) -> Vec<u8> {
    let first = index - index % BLOCK_CHUNKS as u64;
    let inner = at(index - first);
    let bytes = &block[inner * CHUNK_BYTES..][..chunk_bytes(index, length)];
    let mut opening = Vec::with_capacity(bytes.len() + 32 * (4 + path.len()));
    opening.extend_from_slice(bytes);
    let block_chunks = block.len().div_ceil(CHUNK_BYTES) as u64;
    for (height, step) in Climb::new(inner as u64, block_chunks).enumerate() {
        let Some(sibling) = step else { continue };
        let start = at(sibling.position) << height;
        let end = ((start + (1 << height)) * CHUNK_BYTES).min(block.len());
        opening.extend(subtree_value(first + start as u64, &block[start * CHUNK_BYTES..end]));
    }
    opening.extend_from_slice(path.as_flattened());
    debug_assert_eq!(opening_bytes(index, length), Ok(opening.len()), "a path from elsewhere");
    opening
}

/// Checks that `opening` shows chunk `index` of the string of `length` bytes with this root, and returns the chunk.
///
/// Refused: `malformed` (no such chunk), `wrong-length` (before anything is hashed), `wrong-root`.
pub fn verify_opening<'a>(
    index: u64,
    length: u64,
    expected: &[u8; 32],
    opening: &'a [u8],
) -> Result<&'a [u8], Rejection> {
    let (chunk, siblings) = sized(index, length, opening)?.split_at(chunk_bytes(index, length));
    if climb(index, chunk_count(length), chunk, siblings.as_chunks().0) != *expected {
        return Err(not_under_the_root(index, length));
    }
    Ok(chunk)
}

/// The opening, if it has the length that it must have.
///
/// Refused: `malformed` (no such chunk), `wrong-length`.
pub(super) fn sized(index: u64, length: u64, opening: &[u8]) -> Result<&[u8], Rejection> {
    let bytes = opening_bytes(index, length)?;
    if opening.len() == bytes {
        return Ok(opening);
    }
    let found = opening.len();
    Err(Class::WrongLength
        .because(format!("opening of chunk {index} of {length} bytes has {found} bytes instead of {bytes}")))
}

pub(super) fn not_under_the_root(index: u64, length: u64) -> Rejection {
    Class::WrongRoot.because(format!("chunk {index} of {length} bytes is not under the root"))
}

/// The root that a chunk and its siblings lead to.
fn climb(index: u64, count: u64, chunk: &[u8], siblings: &[ChainingValue]) -> [u8; 32] {
    if siblings.is_empty() {
        root(chunk)
    } else {
        root_over(chunk_value(index, chunk), index, count, siblings)
    }
}

/// The root that node `position` of a row of `count` leads to by its siblings, of which there is one at least.
pub(super) fn root_over(
    mut value: ChainingValue,
    position: u64,
    count: u64,
    siblings: &[ChainingValue],
) -> [u8; 32] {
    let Some((last, inner)) = siblings.split_last() else { return value };
    let mut sides = Climb::new(position, count).siblings().map(|sibling| sibling.on_right);
    for (sibling, on_right) in inner.iter().zip(&mut sides) {
        value = if on_right { parent_value(&value, sibling) } else { parent_value(sibling, &value) };
    }
    if sides.next() == Some(true) { root_value(&value, last) } else { root_value(last, &value) }
}

/// An opening in a string of 2^d whole chunks, d ≥ 1, taken apart.
#[derive(Clone, Copy, Debug)]
pub struct Opening<'a> {
    /// The chunk.
    pub chunk: &'a [u8; CHUNK_BYTES],
    /// d siblings, nearest the leaf first.
    pub siblings: &'a [ChainingValue],
}

impl<'a> Opening<'a> {
    /// Takes the next opening off `bytes`; `None` if they are too short.
    pub fn take(bytes: &mut &'a [u8], log2_chunks: u32) -> Option<Opening<'a>> {
        let (chunk, rest) = bytes.split_first_chunk()?;
        let (siblings, rest) = rest.split_at_checked(32 * log2_chunks as usize)?;
        *bytes = rest;
        Some(Opening { chunk, siblings: siblings.as_chunks().0 })
    }

    /// Bytes of an opening in a string of 2^log2_chunks whole chunks.
    pub const fn bytes(log2_chunks: u32) -> usize {
        CHUNK_BYTES + 32 * log2_chunks as usize
    }
}

/// What an opening is claimed to show: chunk `index` under `root`.
#[derive(Clone, Copy, Debug)]
pub struct Claim<'a> {
    /// Where.
    pub index: u64,
    /// Under which root.
    pub root: &'a [u8; 32],
    /// What was sent.
    pub opening: Opening<'a>,
}

/// Whether each claim holds. The openings are hashed side by side in the lanes of the back end, level by level, a tile
/// at a time; claims in strings of different sizes may be mixed, but only neighbours of one size share lanes.
pub fn leads_to_root(backend: &dyn Backend, claims: &[Claim<'_>]) -> Vec<bool> {
    claims
        .chunk_by(|a, b| a.opening.siblings.len() == b.opening.siblings.len())
        .flat_map(|same_size| same_size.chunks(TILE))
        .flat_map(|tile| tile_roots(backend, tile).into_iter().zip(tile))
        .map(|(root, claim)| root == *claim.root)
        .collect()
}

/// The roots that openings of one size lead to.
fn tile_roots(backend: &dyn Backend, tile: &[Claim<'_>]) -> Vec<[u8; 32]> {
    let chunks: Vec<_> = tile.iter().map(|claim| claim.opening.chunk).collect();
    let indices: Vec<_> = tile.iter().map(|claim| claim.index).collect();
    let mut values = vec![[0; 32]; tile.len()];
    backend.chunk_values(&chunks, &indices, &mut values);
    let levels = tile.first().map_or(0, |claim| claim.opening.siblings.len());
    let mut pairs = vec![[0; 64]; tile.len()];
    for level in 0..levels {
        for ((pair, value), claim) in pairs.iter_mut().zip(&values).zip(tile) {
            let sibling = &claim.opening.siblings[level];
            let on_right = (claim.index >> level).is_multiple_of(2);
            let (left, right) = if on_right { (value, sibling) } else { (sibling, value) };
            pair[..32].copy_from_slice(left);
            pair[32..].copy_from_slice(right);
        }
        backend.parent_values(&pairs, level + 1 == levels, &mut values);
    }
    values
}
