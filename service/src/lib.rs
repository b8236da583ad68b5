//! The holdfast command and, later, the network service.

pub mod encryption;
pub mod pieces;
pub mod placement;
