//! Chunk and parent values of the tree (tree-v1 §2), sixteen at a time.

use super::vector::{Avx512Proof, U32x16};
use crate::backend::lanes;

#[target_feature(enable = "avx512f,avx2")]
pub(super) fn chunk_values(
    proof: Avx512Proof,
    chunks: &[&[u8; 1024]],
    counters: &[u64],
    out: &mut [[u8; 32]],
) {
    lanes::tree::chunk_values::<16, U32x16>(proof, chunks, counters, out);
}

#[target_feature(enable = "avx512f,avx2")]
pub(super) fn parent_values(proof: Avx512Proof, pairs: &[[u8; 64]], root: bool, out: &mut [[u8; 32]]) {
    lanes::tree::parent_values::<16, U32x16>(proof, pairs, root, out);
}
