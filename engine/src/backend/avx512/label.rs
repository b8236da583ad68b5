//! Labels (space-v1 §5), sixteen at a time.

use super::vector::{Avx512Proof, U32x16};
use crate::backend::lanes;
use crate::space::label::Layer;

#[target_feature(enable = "avx512f,avx2")]
pub(super) fn first_layer(proof: Avx512Proof, layer: &Layer, first: u32, out: &mut [u8]) {
    lanes::label::first_layer::<16, U32x16>(proof, layer, first, out);
}

#[target_feature(enable = "avx512f,avx2")]
pub(super) fn next_layer(proof: Avx512Proof, layer: &Layer, previous: &[u8], first: u32, out: &mut [u8]) {
    lanes::label::next_layer::<16, U32x16>(proof, layer, previous, first, out);
}
