//! Twins equal the official `blake3` crate, arkworks, and plain code of the edges.

mod commitments;
pub(crate) mod curve;
mod field;
mod labels;
mod moves;
mod trees;
