//! Chunk and parent values of the tree (tree-v1 §2), eight at a time.

use super::vector::{Avx2Proof, U32x8};
use crate::backend::lanes;

#[target_feature(enable = "avx2")]
pub(super) fn chunk_values(proof: Avx2Proof, chunks: &[&[u8; 1024]], counters: &[u64], out: &mut [[u8; 32]]) {
    lanes::tree::chunk_values::<8, U32x8>(proof, chunks, counters, out);
}

#[target_feature(enable = "avx2")]
pub(super) fn parent_values(proof: Avx2Proof, pairs: &[[u8; 64]], root: bool, out: &mut [[u8; 32]]) {
    lanes::tree::parent_values::<8, U32x8>(proof, pairs, root, out);
}
