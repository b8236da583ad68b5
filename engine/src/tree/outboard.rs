//! All nodes from block level up, in memory.

use super::layout::{PAGE_BLOCKS, Page, make_page, page_count};
use super::{
    BLOCK_BYTES, ChainingValue, Climb, Sibling, at, block_count, block_value, level_above, open_chunk, root,
    root_value,
};

/// The nodes of one string from its blocks up to the root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outboard {
    length: u64,
    /// `levels[0]` are the blocks; the last level has one node (none if the string is empty).
    levels: Vec<Vec<ChainingValue>>,
    root: [u8; 32],
}

impl Outboard {
    /// Of a string that is at hand.
    pub fn of(bytes: &[u8]) -> Outboard {
        let values = bytes.chunks(BLOCK_BYTES).zip(0..).map(|(bytes, block)| block_value(block, bytes));
        let levels = levels(values.collect());
        let root = top(&levels).unwrap_or_else(|| root(bytes));
        Outboard { length: bytes.len() as u64, levels, root }
    }

    /// Of a string of `length` bytes whose blocks have these values.
    ///
    /// Panics unless there is a value for each block, and at least two: a lone block's value does not give the root.
    pub fn from_block_values(length: u64, values: Vec<ChainingValue>) -> Outboard {
        assert_eq!(values.len() as u64, block_count(length), "a value for each block of {length} bytes");
        let levels = levels(values);
        let root = top(&levels).expect("a string of at least two blocks");
        Outboard { length, levels, root }
    }

    /// Bytes of the string.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// The BLAKE3 hash of the string.
    pub fn root(&self) -> [u8; 32] {
        self.root
    }

    /// Whether these are the bytes of a block, by its value; false beyond the end.
    pub fn holds_block(&self, block: u64, bytes: &[u8]) -> bool {
        let value = self.levels.first().and_then(|values| values.get(at(block)));
        value.is_some_and(|value| !bytes.is_empty() && *value == block_value(block, bytes))
    }

    /// The siblings of a block on its way to the root; what follows the inner siblings in an opening.
    pub fn path(&self, block: u64) -> Vec<ChainingValue> {
        self.path_from(0, block)
    }

    /// The siblings of a node on its way to the root; its level is so many above the blocks.
    fn path_from(&self, level: usize, position: u64) -> Vec<ChainingValue> {
        let levels = self.levels.get(level..).unwrap_or_default();
        let climb = Climb::new(position, levels.first().map_or(0, |level| level.len() as u64));
        let sibling = |(level, step): (&Vec<ChainingValue>, Option<Sibling>)| Some(level[at(step?.position)]);
        levels.iter().zip(climb).filter_map(sibling).collect()
    }

    /// The opening of chunk `index` of `bytes`, the whole string.
    pub fn open(&self, bytes: &[u8], index: u64) -> Vec<u8> {
        let block = index * super::CHUNK_BYTES as u64 / BLOCK_BYTES as u64;
        let start = (at(block) * BLOCK_BYTES).min(bytes.len());
        let end = (start + BLOCK_BYTES).min(bytes.len());
        open_chunk(index, self.length, &bytes[start..end], &self.path(block))
    }

    /// The pages in the order of the file (tree-v1 §4).
    pub fn pages(&self) -> impl Iterator<Item = Page> + '_ {
        let tops = PAGE_BLOCKS.ilog2() as usize;
        let groups = (0..page_count(self.length)).zip(self.levels[0].chunks(PAGE_BLOCKS));
        groups.map(move |(number, blocks)| make_page(blocks, &self.path_from(tops, number)))
    }
}

fn levels(blocks: Vec<ChainingValue>) -> Vec<Vec<ChainingValue>> {
    let mut levels = vec![blocks];
    while let Some(level) = levels.last().filter(|level| level.len() > 1) {
        levels.push(level_above(level));
    }
    levels
}

/// The root, from the level that has two nodes.
fn top(levels: &[Vec<ChainingValue>]) -> Option<[u8; 32]> {
    let below = levels.iter().rev().nth(1)?;
    match below.as_slice() {
        [left, right] => Some(root_value(left, right)),
        _ => None,
    }
}
