//! Where in the outboard's pages a block's path lies (tree-v1 §4).

use super::{ChainingValue, Climb, at, block_count};

/// Bytes of a page.
pub const PAGE_BYTES: usize = 4096;
/// Entries of the lower row that a page covers.
pub const PAGE_ENTRIES: usize = 64;

/// A page of an outboard.
pub type Page = [u8; PAGE_BYTES];

/// The pages of the outboard of a string of a given length. Pages are numbered in the order of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageLayout {
    /// Entries of each row that is cut into pages.
    rows: Vec<u64>,
}

impl PageLayout {
    /// For a string of `length` bytes.
    pub fn new(length: u64) -> PageLayout {
        let blocks = block_count(length);
        let rows = std::iter::successors(Some(blocks), |row| Some(row.div_ceil(PAGE_ENTRIES as u64)));
        PageLayout { rows: rows.take_while(|&row| row > 1).collect() }
    }

    /// Layers of pages; an opening needs one page of each.
    pub fn layers(&self) -> u32 {
        u32::try_from(self.rows.len()).expect("six levels a layer, 64 at most")
    }

    /// Pages of a layer.
    pub fn pages_in(&self, layer: u32) -> u64 {
        self.rows.get(layer as usize).map_or(0, |row| row.div_ceil(PAGE_ENTRIES as u64))
    }

    /// Pages of all layers.
    pub fn page_count(&self) -> u64 {
        self.first_page(self.layers())
    }

    /// Number of the first page of a layer.
    pub fn first_page(&self, layer: u32) -> u64 {
        (0..layer).map(|below| self.pages_in(below)).sum()
    }

    /// Number of the page of this layer that is on the way from `block` to the root.
    pub fn page_over(&self, layer: u32, block: u64) -> u64 {
        self.first_page(layer) + (block >> (6 * (layer + 1)))
    }

    /// The siblings of `block` on its way to the root, from the pages that `page` returns by number.
    pub fn path<'a>(&self, block: u64, mut page: impl FnMut(u64) -> &'a Page) -> Vec<ChainingValue> {
        let mut siblings = Vec::new();
        for (layer, &row) in (0..).zip(&self.rows) {
            let position = block >> (6 * layer);
            let first = position - position % PAGE_ENTRIES as u64;
            let entries = (row - first.min(row)).min(PAGE_ENTRIES as u64);
            let (values, _) = page(self.page_over(layer, block)).as_chunks::<32>();
            let (mut level_start, mut level_entries) = (0, entries);
            for step in Climb::new(position - first, entries) {
                siblings.extend(step.map(|sibling| values[at(level_start + sibling.position)]));
                level_start += level_entries;
                level_entries = level_entries.div_ceil(2);
            }
        }
        siblings
    }
}
