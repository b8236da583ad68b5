//! Openings from what is read of a disk: a block and its outboard page each (tree-v1 §4), hashed side by side.

use super::layout::{blocks_of, path_of};
use super::opening::{TILE, chunk_bytes};
use super::{
    BLOCK_CHUNKS, CHUNK_BYTES, ChainingValue, PAGE_BLOCKS, Page, at, chunk_value, opening_bytes, page_over,
};
use crate::backend::Backend;

/// A chunk to open, and what was read for it.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// Number of the chunk in its string.
    pub index: u64,
    /// The block that holds it.
    pub block: &'a [u8],
    /// The outboard page over that block; a string of at most one block has none.
    pub page: Option<&'a Page>,
}

/// The openings of chunks of strings of `length` bytes. They equal those of [`super::Outboard::open`]; the chunks and parents
/// of all of them share the lanes of the back end, level by level, a tile at a time.
///
/// Panics if there is no such chunk, its block is not as long as it must be, or its page is lacking.
pub fn open_chunks(backend: &dyn Backend, length: u64, sources: &[Source<'_>]) -> Vec<Vec<u8>> {
    sources.chunks(TILE).flat_map(|tile| open_tile(backend, length, tile)).collect()
}

fn open_tile(backend: &dyn Backend, length: u64, tile: &[Source<'_>]) -> Vec<Vec<u8>> {
    let mut openings: Vec<_> = tile.iter().map(|source| source.chunk(length).to_vec()).collect();
    climb(backend, rows_of_chunks(backend, tile), &mut openings);
    climb(backend, tile.iter().map(|source| source.row_of_blocks(length)).collect(), &mut openings);
    for (source, opening) in tile.iter().zip(&mut openings) {
        opening.extend_from_slice(source.path(length).as_flattened());
        debug_assert_eq!(opening_bytes(source.index, length), Ok(opening.len()), "another string's page");
    }
    openings
}

impl Source<'_> {
    fn block_number(&self) -> u64 {
        self.index / BLOCK_CHUNKS as u64
    }

    fn place_in_block(&self) -> usize {
        at(self.index % BLOCK_CHUNKS as u64)
    }

    fn chunk(&self, length: u64) -> &[u8] {
        &self.block[self.place_in_block() * CHUNK_BYTES..][..chunk_bytes(self.index, length)]
    }

    /// The block among those of its page.
    fn row_of_blocks(&self, length: u64) -> Row {
        let number = self.block_number();
        let position = at(number % PAGE_BLOCKS as u64);
        let values = self.page.map(|page| blocks_of(page, page_over(number), length));
        Row { position, values: values.unwrap_or_default().to_vec() }
    }

    /// From the top of the page to the root.
    fn path(&self, length: u64) -> &[ChainingValue] {
        self.page.map(|page| path_of(page, page_over(self.block_number()), length)).unwrap_or_default()
    }
}

/// Neighbouring nodes on one level, and which of them is ours.
struct Row {
    position: usize,
    values: Vec<ChainingValue>,
}

/// Each chunk among those of its block.
fn rows_of_chunks(backend: &dyn Backend, tile: &[Source<'_>]) -> Vec<Row> {
    let whole: Vec<_> = tile.iter().flat_map(|source| source.block.as_chunks().0).collect();
    let counters = |source: &Source<'_>| {
        let first = source.block_number() * BLOCK_CHUNKS as u64;
        first..first + (source.block.len() / CHUNK_BYTES) as u64
    };
    let numbers: Vec<_> = tile.iter().flat_map(counters).collect();
    let mut values = vec![[0; 32]; whole.len()];
    backend.chunk_values(&whole, &numbers, &mut values);
    let mut values = values.into_iter();
    let row = |source: &Source<'_>| {
        let counters = counters(source);
        let (whole, short) = source.block.as_chunks::<CHUNK_BYTES>();
        // Only the string's last chunk may be short, and lanes take whole ones.
        let short = (!short.is_empty()).then(|| chunk_value(counters.end, short));
        let values = values.by_ref().take(whole.len()).chain(short).collect();
        Row { position: source.place_in_block(), values }
    };
    tile.iter().map(row).collect()
}

/// Reduces every row to its top (tree-v1 §2) and adds what stands beside our node on each level to its opening.
fn climb(backend: &dyn Backend, mut rows: Vec<Row>, openings: &mut [Vec<u8>]) {
    while rows.iter().any(|row| row.values.len() > 1) {
        for (row, opening) in rows.iter().zip(&mut *openings) {
            // An odd last node has nothing beside it and is carried up.
            opening.extend(row.values.get(row.position ^ 1).into_iter().flatten());
        }
        let pairs = |row: &Row| row.values.as_flattened().as_chunks::<64>().0.to_vec();
        let pairs: Vec<_> = rows.iter().flat_map(pairs).collect();
        let mut parents = vec![[0; 32]; pairs.len()];
        backend.parent_values(&pairs, false, &mut parents);
        let mut parents = parents.into_iter();
        for row in &mut rows {
            let (pairs, carried) = row.values.as_chunks::<2>();
            let carried = carried.first().copied();
            row.values = parents.by_ref().take(pairs.len()).chain(carried).collect();
            row.position /= 2;
        }
    }
}
