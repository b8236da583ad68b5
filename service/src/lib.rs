//! The holdfast command and the network service: identity, chain, miner, validator and client over the engine.

pub mod encryption;
pub mod index;
pub mod listen;
pub mod local;
pub mod miner;
pub mod operation;
pub mod pieces;
pub mod proto;
pub mod scoring;
pub mod wire;
