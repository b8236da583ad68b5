//! Files of holdfast: how much space each validator gets, the bytes on disk, direct block I/O.
//!
//! This crate knows no cryptography beyond checksums, no GPU and no network.

pub mod allocate;
pub mod disk;
pub mod format;
pub mod io;
pub mod manifest;
pub mod objects;
pub mod partition_file;
pub mod size;
