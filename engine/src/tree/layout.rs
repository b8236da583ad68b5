//! What the outboard's pages hold and which of them a block needs (tree-v1 §4).

use super::{BLOCK_BYTES, ChainingValue, Climb, at, block_count};

/// Bytes of a page.
pub const PAGE_BYTES: usize = 4096;
/// Blocks whose values a page holds.
pub const PAGE_BLOCKS: usize = 64;
/// Values of a page before the path from its top to the root.
pub(super) const PATH_AT: usize = PAGE_BYTES / 32 / 2;
/// Most siblings between a page's top and the root: a length has 64 bits, 20 of which count inside a group.
const PATH_VALUES_MAXIMUM: usize = (u64::BITS - (BLOCK_BYTES * PAGE_BLOCKS).ilog2()) as usize;
const _: () = assert!(PAGE_BLOCKS <= PATH_AT && PATH_AT + PATH_VALUES_MAXIMUM <= PAGE_BYTES / 32);

/// A page of an outboard.
pub type Page = [u8; PAGE_BYTES];

/// Pages of the outboard of a string of `length` bytes: one for each group of 64 blocks, none for a lone block.
pub fn page_count(length: u64) -> u64 {
    match block_count(length) {
        0 | 1 => 0,
        blocks => blocks.div_ceil(PAGE_BLOCKS as u64),
    }
}

/// Number of the page over `block`.
pub fn page_over(block: u64) -> u64 {
    block / PAGE_BLOCKS as u64
}

/// A page of its blocks' values and the siblings from its top to the root, nearest first.
pub(super) fn make_page(blocks: &[ChainingValue], path: &[ChainingValue]) -> Page {
    let mut page = [0; PAGE_BYTES];
    let (values, _) = page.as_chunks_mut::<32>();
    values[..blocks.len()].copy_from_slice(blocks);
    values[PATH_AT..][..path.len()].copy_from_slice(path);
    page
}

/// The values of the blocks under page `number` of a string of `length` bytes.
pub(super) fn blocks_of(page: &Page, number: u64, length: u64) -> &[ChainingValue] {
    let blocks = block_count(length) - number * PAGE_BLOCKS as u64;
    &page.as_chunks().0[..at(blocks.min(PAGE_BLOCKS as u64))]
}

/// The siblings from the top of page `number` of a string of `length` bytes to the root.
pub(super) fn path_of(page: &Page, number: u64, length: u64) -> &[ChainingValue] {
    let siblings = Climb::new(number, page_count(length)).siblings().count();
    &page.as_chunks().0[PATH_AT..][..siblings]
}
