//! Twins equal the official `blake3` crate and plain code of the edges.

mod labels;
mod moves;
mod trees;
