//! Labels (space-v1 §5), four at a time.

use super::vector::{NeonProof, U32x4};
use crate::backend::lanes;
use crate::space::label::Layer;

#[target_feature(enable = "neon")]
pub(super) fn first_layer(proof: NeonProof, layer: &Layer, first: u32, out: &mut [u8]) {
    lanes::label::first_layer::<4, U32x4>(proof, layer, first, out);
}

#[target_feature(enable = "neon")]
pub(super) fn next_layer(proof: NeonProof, layer: &Layer, previous: &[u8], first: u32, out: &mut [u8]) {
    lanes::label::next_layer::<4, U32x4>(proof, layer, previous, first, out);
}
