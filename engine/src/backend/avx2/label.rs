//! Labels (space-v1 §5), eight at a time.

use super::vector::{Avx2Proof, U32x8};
use crate::backend::lanes;
use crate::space::label::Layer;

#[target_feature(enable = "avx2")]
pub(super) fn first_layer(proof: Avx2Proof, layer: &Layer, first: u32, out: &mut [u8]) {
    lanes::label::first_layer::<8, U32x8>(proof, layer, first, out);
}

#[target_feature(enable = "avx2")]
pub(super) fn next_layer(proof: Avx2Proof, layer: &Layer, previous: &[u8], first: u32, out: &mut [u8]) {
    lanes::label::next_layer::<8, U32x8>(proof, layer, previous, first, out);
}
