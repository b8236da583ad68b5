//! The specification once more, as plainly as it is written: chunk by chunk, whole arrays shuffled, bytes put together by
//! hand. Shares nothing with the engine but `engine::reference`.

use holdfast_engine::reference::{chunk_value, parent_value};

/// BLAKE3 in key-derivation mode, under a context written out.
pub(crate) fn derive(context: &str, parts: &[&[u8]]) -> [u8; 32] {
    blake3::derive_key(&format!("holdfast v1 {context}"), &parts.concat())
}

/// Draws from the XOF of the same derivation (README of the specifications).
pub(crate) struct Draws(blake3::OutputReader);

impl Draws {
    pub(crate) fn new(context: &str, parts: &[&[u8]]) -> Draws {
        let mut hasher = blake3::Hasher::new_derive_key(&format!("holdfast v1 {context}"));
        Draws(hasher.update(&parts.concat()).finalize_xof())
    }

    pub(crate) fn below(&mut self, n: u64) -> u64 {
        loop {
            let mut bytes = [0; 8];
            self.0.fill(&mut bytes);
            let (x, n) = (u128::from(u64::from_le_bytes(bytes)), u128::from(n));
            let all = 1u128 << 64;
            if x < all - all % n {
                return (x % n) as u64;
            }
        }
    }

    /// The first `count` of 0 … n − 1, shuffled by Fisher and Yates.
    pub(crate) fn shuffled(&mut self, n: u64, count: usize) -> Vec<u64> {
        let mut all: Vec<u64> = (0..n).collect();
        for i in 0..count {
            let d = self.below(n - i as u64) as usize;
            all.swap(i, i + d);
        }
        all.truncate(count);
        all
    }
}

/// Byte `t` is `t mod 251`.
pub(crate) fn string(bytes: u64) -> Vec<u8> {
    (0..bytes).map(|t| (t % 251) as u8).collect()
}

/// A row of values reduced pairwise, left to right, an odd last one carried up.
fn reduce(row: &[[u8; 32]]) -> Vec<[u8; 32]> {
    let pair = |pair: &[[u8; 32]]| match pair {
        [left, right] => parent_value(left, right, false),
        lone => lone[0],
    };
    row.chunks(2).map(pair).collect()
}

/// All levels of the tree, chunks first.
pub(crate) fn levels(bytes: &[u8]) -> Vec<Vec<[u8; 32]>> {
    let chunks = bytes.chunks(1024).zip(0..).map(|(chunk, i)| chunk_value(chunk, i));
    let mut levels: Vec<Vec<[u8; 32]>> = vec![chunks.collect()];
    while levels[levels.len() - 1].len() > 1 {
        levels.push(reduce(&levels[levels.len() - 1]));
    }
    levels
}

/// Siblings of chunk `index` with whether they are on the right, nearest the leaf first.
pub(crate) fn siblings(bytes: &[u8], index: u64) -> Vec<([u8; 32], bool)> {
    siblings_in(&levels(bytes), index)
}

/// The same for position `index` of the lowest of some levels.
pub(crate) fn siblings_in(levels: &[Vec<[u8; 32]>], index: u64) -> Vec<([u8; 32], bool)> {
    let mut siblings = Vec::new();
    let mut p = index as usize;
    for level in levels {
        let n = level.len();
        if n <= 1 {
            break;
        }
        let carried = p == n - 1 && n % 2 == 1;
        if !carried {
            siblings.push((level[p ^ 1], p.is_multiple_of(2)));
        }
        p /= 2;
    }
    siblings
}

pub(crate) fn opening(bytes: &[u8], index: u64) -> Vec<u8> {
    let start = index as usize * 1024;
    let mut opening = bytes[start..bytes.len().min(start + 1024)].to_vec();
    opening.extend(siblings(bytes, index).into_iter().flat_map(|(value, _)| value));
    opening
}

/// The outboard's pages, one after another: of each group of 64 blocks the blocks' values, and from byte 2,048 on what stands
/// beside its top on the way up.
pub(crate) fn pages(bytes: &[u8]) -> Vec<u8> {
    // Blocks are four levels above chunks, groups ten.
    let blocks = bytes.len().div_ceil(16_384);
    let mut pages = Vec::new();
    if blocks < 2 {
        return pages;
    }
    let levels = levels(bytes);
    for (group, values) in levels[4].chunks(64).enumerate() {
        let mut page = values.concat();
        page.resize(2048, 0);
        let mut p = group;
        for level in levels.iter().skip(10) {
            let n = level.len();
            let carried = p == n - 1 && n % 2 == 1;
            if n > 1 && !carried {
                page.extend_from_slice(&level[p ^ 1]);
            }
            p /= 2;
        }
        page.resize(4096, 0);
        pages.extend(page);
    }
    pages
}
