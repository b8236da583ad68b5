//! Plain Rust on 32-bit words: runs everywhere, and is what the other back ends fall back on for a few items.

pub(crate) mod compress;
mod label;
mod tree;

use super::{Backend, check};
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
}
