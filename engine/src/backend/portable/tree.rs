//! Chunk and parent values of the tree (tree-v1 §2), one after another.

use super::compress::{Parameters, bytes, compress, words};
use super::label::chunk;
use crate::backend::constants::{BLOCK_BYTES, IV, PARENT, ROOT};

pub(super) fn chunk_values(chunks: &[&[u8; 1024]], counters: &[u64], out: &mut [[u8; 32]]) {
    for ((message, &counter), value) in chunks.iter().zip(counters).zip(out) {
        bytes(chunk(&IV, counter, *message, 0), value);
    }
}

pub(super) fn parent_values(pairs: &[[u8; 64]], root: bool, out: &mut [[u8; 32]]) {
    let flags = if root { PARENT | ROOT } else { PARENT };
    let parameters = Parameters { counter: 0, block_bytes: BLOCK_BYTES, flags };
    for (pair, value) in pairs.iter().zip(out) {
        bytes(compress(&IV, &words(pair), parameters), value);
    }
}
