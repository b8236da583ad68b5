//! Chunk and parent values of the tree (tree-v1 §2), four at a time.

use super::vector::{NeonProof, U32x4};
use crate::backend::lanes;

#[target_feature(enable = "neon")]
pub(super) fn chunk_values(proof: NeonProof, chunks: &[&[u8; 1024]], counters: &[u64], out: &mut [[u8; 32]]) {
    lanes::tree::chunk_values::<4, U32x4>(proof, chunks, counters, out);
}

#[target_feature(enable = "neon")]
pub(super) fn parent_values(proof: NeonProof, pairs: &[[u8; 64]], root: bool, out: &mut [[u8; 32]]) {
    lanes::tree::parent_values::<4, U32x4>(proof, pairs, root, out);
}
