//! The chain: its blocks, who takes part, and what they record on it.
//!
//! [`Chain`] is what a node needs of any chain. [`SimulatedChain`] keeps one in memory, [`FileChain`] in a directory that the
//! processes of one machine share; a [`Driver`] makes the blocks of both.
//!
//! The trait asks for nothing that a Substrate chain behind an RPC cannot give, so a caller has to live with what those do:
//! every call may fail or take long; the newest blocks may be replaced, and finality may stand still; the metagraph may be older
//! than the newest block; a uid passes to another hotkey when its neuron is replaced, which `registered_at` tells; what was
//! included may be gone after a reorganisation.

mod driver;
mod error;
mod file;
mod history;
mod income;
mod local;
mod memory;
mod network;
mod script;

use std::fmt::Debug;
use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use holdfast_engine::account::Account;
use holdfast_engine::recorder::Recorder;
use holdfast_engine::signature::Signer;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

pub use driver::{DRIVER_FILE, Driver};
pub use error::{ChainError, NetworkRefusal};
pub use file::{FileChain, HISTORY_FILE, NETWORK_FILE, NetworkFile, RECORDER_FILE};
pub use history::{Happened, Happening};
pub use income::{GivenShare, Income};
pub use local::{LocalChain, NetworkStore};
pub use memory::{MemoryNetwork, SimulatedChain};
pub use network::{CallId, EndpointClaim, Network, NetworkSettings, WeightsClaim};
pub use script::{Event, NewNeuron, Script, Scripted};

/// A chain as a node sees it. Behind an `Arc<dyn Chain>` it serves the whole process.
#[async_trait]
pub trait Chain: Send + Sync + Debug {
    /// What fixes intents, batches, anchors and records in order; its beacons are the hashes of the blocks. Its calls block: make
    /// them in `tokio::task::spawn_blocking`.
    fn recorder(&self) -> Arc<dyn Recorder>;

    /// The newest block, and how far the chain is final.
    async fn head(&self) -> Result<Head, ChainError>;

    /// The hash of a block, which is its beacon; `None` while there is no such block. It may change until the block is final.
    async fn block_hash(&self, height: u64) -> Result<Option<[u8; 32]>, ChainError>;

    /// Who takes part, and since which block that is so; it may be older than the newest block.
    async fn metagraph(&self) -> Result<Metagraph, ChainError>;

    /// Says where a registered hotkey can be reached (Bittensor: `serve_axon`, which takes an address and a port, no name). Returns
    /// when that is in a block.
    ///
    /// # Errors
    /// [`ChainError::Refused`] for a hotkey that is not registered, and an address that nobody can reach.
    async fn announce(&self, hotkey: &Signer, endpoint: SocketAddr) -> Result<Inclusion, ChainError>;

    /// Sets a validator's weights, pairs of uid and weight, in place of those before. Returns when they are in a block.
    ///
    /// `metagraph_height` is that of the metagraph from which they were computed. Calls name uids alone, so weights earned by a
    /// neuron could reach the one that took its place: they are refused when a uid was registered after that height.
    ///
    /// # Errors
    /// [`ChainError::Refused`] without registration or permit, for no, unknown, repeated or replaced uids, and sooner after the last
    /// time than the chain allows.
    async fn set_weights(
        &self,
        validator: &Signer,
        weights: &[(u16, u16)],
        metagraph_height: u64,
    ) -> Result<Inclusion, ChainError>;

    /// The weights that a registered validator set last. Those for a uid that was registered later are for its predecessor.
    async fn weights(&self, validator: &Account) -> Result<Option<WeightsSet>, ChainError>;

    /// Follows new heads. A reorganisation is a head that another was expected to stand below: its height did not grow, or the hashes
    /// of blocks before it have changed. Heads may be left out when many come at once. An unreachable chain sends none.
    fn heads(&self) -> watch::Receiver<Head>;
}

/// The newest block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Its height.
    pub height: u64,
    /// Its hash, which is its beacon; hex in JSON.
    #[serde(with = "hex::serde")]
    pub hash: [u8; 32],
    /// The newest block that can no longer change; `None` while all may.
    pub finalized_height: Option<u64>,
}

impl Head {
    /// Whether a block can no longer change.
    pub fn is_final(&self, height: u64) -> bool {
        Some(height) <= self.finalized_height
    }
}

/// The block that took up a call. It counts for good once it is final and still has this hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inclusion {
    /// Its height.
    pub height: u64,
    /// Its hash then; hex in JSON.
    #[serde(with = "hex::serde")]
    pub block_hash: [u8; 32],
}

/// Who takes part, as of one block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metagraph {
    /// The block.
    pub height: u64,
    /// By ascending uid; not every uid is taken.
    pub neurons: Vec<Neuron>,
}

impl Metagraph {
    /// The neuron that has a uid now.
    pub fn neuron(&self, uid: u16) -> Option<&Neuron> {
        self.neurons.binary_search_by_key(&uid, |neuron| neuron.uid).ok().and_then(|at| self.neurons.get(at))
    }

    /// The neuron of a hotkey.
    pub fn neuron_of(&self, hotkey: &Account) -> Option<&Neuron> {
        self.neurons.iter().find(|neuron| neuron.hotkey == *hotkey)
    }
}

/// One who takes part: a miner, a validator, or both.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Neuron {
    /// Its number in the network; another neuron may have had it before.
    pub uid: u16,
    /// The key that it signs with.
    pub hotkey: Account,
    /// The key that owns the hotkey: the operator.
    pub coldkey: Account,
    /// Stake in rao, 10^-9 of a token.
    pub stake_rao: u64,
    /// Where it says that it can be reached.
    pub endpoint: Option<SocketAddr>,
    /// Whether it may set weights.
    pub validator_permit: bool,
    /// The block since which this hotkey has this uid.
    pub registered_at: u64,
}

/// Weights that a validator set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct WeightsSet {
    /// The block that took them up.
    pub set_at: u64,
    /// Pairs of uid and weight, each uid once.
    pub weights: Vec<(u16, u16)>,
}

#[cfg(test)]
mod tests;
