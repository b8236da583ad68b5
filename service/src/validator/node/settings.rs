//! What a validator is told.

use std::num::NonZeroU64;
use std::path::PathBuf;

use holdfast_engine::account::Account;
use holdfast_engine::policy::Policy;
use holdfast_engine::possession::challenge::Form;

use crate::scoring::ScoringConfig;

/// What a validator is told to do.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The network's policy.
    pub policy: Policy,
    /// How miners are scored.
    pub scoring: ScoringConfig,
    /// Form of possession responses.
    pub form: Form,
    /// Once sealed, one batch in so many is audited again at an audit height.
    pub reseal_one_in: NonZeroU64,
    /// At an audit height one object with commitments in so many is asked for blocks and their commitments; `None` asks none.
    pub link_one_in: Option<NonZeroU64>,
    /// A round is asked as long as its block is among so many newest ones.
    pub asked_within_blocks: u64,
    /// A round's promises are anchored so many blocks after it, below [`holdfast_engine::receipt::ANCHOR_BLOCKS`].
    pub anchor_after_blocks: u64,
    /// Blocks from one setting of weights to the next.
    pub tempo_blocks: u64,
    /// Blocks from one sign of life to the next; 0 asks for none.
    pub ping_every_blocks: u64,
    /// Blocks from one retrieval audit of a miner to the next; 0 makes none.
    pub retrieve_every_blocks: u64,
    /// Memory for bodies, in bytes: a quarter of it for those of seal audits.
    pub held_bytes: usize,
    /// Bodies are judged as soon as there are so many bytes of them.
    pub judged_bytes: usize,
    /// Commitments of a miner that have more bytes together are not fetched.
    pub commitment_bytes_max: usize,
    /// This process, among those that share the index.
    pub process: String,
    /// For how long the lease is taken, in milliseconds.
    pub lease_ms: u64,
    /// Validators that are asked to co-sign that promises have arrived.
    pub witnesses: Vec<Account>,
    /// Where what becomes final is exported, if anywhere.
    pub export: Option<Exporting>,
}

/// Exporting what becomes final.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exporting {
    /// The directory of the export.
    pub directory: PathBuf,
    /// Blocks from one writing to the next.
    pub every_blocks: u64,
}

impl Settings {
    /// The usual ones under a policy, for the process of this name.
    pub fn new(policy: Policy, process: impl Into<String>) -> Settings {
        Settings {
            policy,
            scoring: ScoringConfig::standard(),
            form: Form::Plain,
            reseal_one_in: const { NonZeroU64::new(64).unwrap() },
            link_one_in: NonZeroU64::new(64),
            asked_within_blocks: 2,
            anchor_after_blocks: 5,
            tempo_blocks: 360,
            ping_every_blocks: 10,
            retrieve_every_blocks: 50,
            held_bytes: 512 << 20,
            judged_bytes: 128 << 20,
            commitment_bytes_max: 256 << 20,
            process: process.into(),
            lease_ms: 60_000,
            witnesses: Vec::new(),
            export: None,
        }
    }
}
