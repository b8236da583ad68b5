//! Proofs of holdfast: BLAKE3 trees, space windows, challenges, receipts, and the jobs over partition files.
//!
//! No network. Formats are specified byte for byte in `docs/spec/`.

pub mod backend;
pub mod memory;
pub mod reference;
pub mod rejection;
pub mod space;
pub mod transcript;
pub mod tree;
