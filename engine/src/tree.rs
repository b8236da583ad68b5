//! One tree for all bytes: BLAKE3's (tree-v1). Chunks are its leaves; blocks of 16 chunks are what is read from disks and
//! what the outboard starts from.

mod group;
mod layout;
mod opening;
mod outboard;
mod page;
mod path;
mod read;
mod together;

use blake3::hazmat::{HasherExt, Mode, merge_subtrees_non_root, merge_subtrees_root};
use opening::root_over;

pub use group::{GROUP_BYTES, GroupHasher};
pub use layout::{PAGE_BLOCKS, PAGE_BYTES, Page, page_count, page_over};
pub use opening::{Claim, Opening, leads_to_root, open_chunk, opening_bytes, verify_opening};
pub use outboard::Outboard;
pub use page::verify_page;
pub use path::{Climb, Sibling};
pub use read::{Source, open_chunks};
pub use together::{Shown, verify_openings};

/// Bytes of a chunk, BLAKE3's leaf.
pub const CHUNK_BYTES: usize = 1024;
/// Chunks of a block.
pub const BLOCK_CHUNKS: usize = 16;
/// Bytes of a block, the unit of reading and of the outboard.
pub const BLOCK_BYTES: usize = CHUNK_BYTES * BLOCK_CHUNKS;

/// A chaining value: a node of the tree computed without ROOT.
pub type ChainingValue = [u8; 32];

/// Chunks of a string of `length` bytes: at least one.
pub fn chunk_count(length: u64) -> u64 {
    length.div_ceil(CHUNK_BYTES as u64).max(1)
}

/// Blocks of a string of `length` bytes: none if it is empty.
pub fn block_count(length: u64) -> u64 {
    length.div_ceil(BLOCK_BYTES as u64)
}

/// The root of a byte string: its plain BLAKE3 hash.
pub fn root(bytes: &[u8]) -> [u8; 32] {
    *blake3::hash(bytes).as_bytes()
}

/// The root of a byte string that comes as a stream.
#[derive(Clone, Debug, Default)]
pub struct RootHasher(blake3::Hasher);

impl RootHasher {
    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The root of the bytes so far.
    pub fn root(&self) -> [u8; 32] {
        *self.0.finalize().as_bytes()
    }
}

/// Value of the subtree over `bytes`, which begin at chunk `first_chunk` of their string.
///
/// Panics if `bytes` is empty or is no subtree (longer than the largest one that may begin at `first_chunk`).
pub fn subtree_value(first_chunk: u64, bytes: &[u8]) -> ChainingValue {
    let offset = first_chunk * CHUNK_BYTES as u64;
    blake3::Hasher::new().set_input_offset(offset).update(bytes).finalize_non_root()
}

/// Value of block number `block` of a string; the last block may be shorter, but not empty.
pub fn block_value(block: u64, bytes: &[u8]) -> ChainingValue {
    subtree_value(block * BLOCK_CHUNKS as u64, bytes)
}

/// Value of chunk number `chunk` of a string; the last chunk may be shorter, but not empty.
pub fn chunk_value(chunk: u64, bytes: &[u8]) -> ChainingValue {
    subtree_value(chunk, bytes)
}

/// The node over two others.
pub fn parent_value(left: &ChainingValue, right: &ChainingValue) -> ChainingValue {
    merge_subtrees_non_root(left, right, Mode::Hash)
}

/// The root over its two children.
pub fn root_value(left: &ChainingValue, right: &ChainingValue) -> [u8; 32] {
    *merge_subtrees_root(left, right, Mode::Hash).as_bytes()
}

/// The level above: pairs are joined, an odd last node is carried up (tree-v1 §2).
fn level_above(level: &[ChainingValue]) -> Vec<ChainingValue> {
    let (pairs, carried) = level.as_chunks::<2>();
    pairs.iter().map(|[left, right]| parent_value(left, right)).chain(carried.iter().copied()).collect()
}

/// A position as an index of memory.
pub(crate) fn at(position: u64) -> usize {
    usize::try_from(position).expect("what is in memory has positions that fit")
}
