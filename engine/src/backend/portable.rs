//! Plain Rust on 32-bit words: runs everywhere, and is what the other back ends fall back on for a few items.

pub(crate) mod compress;
mod curve;
mod label;
mod tree;

use super::{Backend, check};
use crate::curve::{Fr, G1Affine, G1Projective, Table, buckets, sums};
use crate::space::label::Layer;

/// The back end without instruction-set requirements.
#[derive(Debug)]
pub(super) struct Portable;

impl Backend for Portable {
    fn name(&self) -> &'static str {
        "portable"
    }

    fn first_layer(&self, layer: &Layer, first: u32, out: &mut [u8]) {
        check::range(layer, first, out);
        label::first_layer(layer, first, out);
    }

    fn next_layer(&self, layer: &Layer, previous: &[u8], first: u32, out: &mut [u8]) {
        check::range(layer, first, out);
        check::previous(layer, previous);
        label::next_layer(layer, previous, first, out);
    }

    fn chunk_values(&self, chunks: &[&[u8; 1024]], counters: &[u64], out: &mut [[u8; 32]]) {
        check::same_count(chunks.len(), counters.len());
        check::same_count(chunks.len(), out.len());
        tree::chunk_values(chunks, counters, out);
    }

    fn parent_values(&self, pairs: &[[u8; 64]], root: bool, out: &mut [[u8; 32]]) {
        check::same_count(pairs.len(), out.len());
        tree::parent_values(pairs, root, out);
    }
    fn commit(&self, table: &Table, blocks: &[&[u8]], blindings: &[Fr]) -> Vec<G1Projective> {
        check::blocks(table, blocks, blindings);
        curve::commit(table, blocks, blindings)
    }

    fn fixed_base(&self, table: &Table, scalars: &[Fr]) -> G1Projective {
        check::same_count(table.base_count(), scalars.len());
        sums::fixed_base(curve::Affine, table, scalars)
    }

    fn msm(&self, points: &[G1Affine], scalars: &[Fr], scalar_bits: u32) -> G1Projective {
        check::scalars(points, scalars, scalar_bits);
        buckets::msm(curve::Affine, points, scalars, scalar_bits)
    }
}
