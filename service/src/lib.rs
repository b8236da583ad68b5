//! The holdfast command and the network service: identity, chain, miner, validator and client over the engine.

pub mod chain;
pub mod client;
pub mod connect;
pub mod encryption;
pub mod engine_service;
pub mod export;
pub mod identity;
pub mod index;
pub mod listen;
pub mod local;
pub mod miner;
pub mod operation;
pub mod pieces;
pub mod placement;
pub mod proto;
pub mod scoring;
pub mod validator;
pub mod wire;
pub mod workers;
