//! The holdfast command and, later, the network service.

pub mod chain;
pub mod encryption;
