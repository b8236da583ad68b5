//! Proofs of holdfast: BLAKE3 trees, space windows, possession of objects, challenges, receipts, and the jobs over partition files.
//!
//! No network. Formats are specified byte for byte in `docs/spec/`.

pub mod accelerator;
pub mod account;
pub mod audit_round;
pub mod backend;
pub mod beacon;
pub mod challenge;
pub mod codec;
pub mod commitment;
pub mod curve;
pub mod jobs;
pub mod keystream;
pub mod memory;
pub mod message;
pub mod object;
pub mod policy;
pub mod possession;
pub mod receipt;
pub mod recorder;
pub mod reference;
pub mod registration;
pub mod rejection;
pub mod sampling;
pub mod shared_file;
pub mod signature;
pub mod space;
pub mod transcript;
pub mod tree;
