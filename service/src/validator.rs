//! A validator: at each audit height it asks every miner what the chain and the records say it must hold, verifies what
//! comes, and keeps receipts that anybody can check (docs/decisions/0019-network-rounds.md).
//!
//! - [`plan`]: which challenges a round has. Nobody chooses any of it.
//! - [`collect`]: digests and bodies by their deadlines, within a bound of memory.
//! - [`judge`]: all responses of a round in a few equations.
//! - [`receipts`]: the chains of receipts, which no crash forks.

pub mod anchored;
pub mod audited;
pub mod care;
pub mod collect;
pub mod commitments;
pub mod config;
mod error;
pub mod events;
pub mod evidence;
pub mod export;
pub mod holdings;
pub mod judge;
pub mod node;
pub mod peers;
pub mod plan;
pub mod receipts;
pub mod retrieval;
pub mod run;
pub mod serve;
pub mod status;
pub mod store;
pub mod witness;

#[cfg(test)]
mod fixture;

pub use error::ValidatorError;
