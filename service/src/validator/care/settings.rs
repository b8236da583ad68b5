use std::collections::BTreeSet;
use std::path::PathBuf;

use holdfast_engine::account::Account;

use crate::placement::{RebalanceRules, RepairRules};
use crate::scoring::ScoringConfig;

/// How a validator cares for files.
#[derive(Clone, Debug)]
pub struct CareSettings {
    /// Only these owners get tickets and give files into care; everybody, if there are none.
    pub owners: BTreeSet<Account>,
    /// Who takes pieces, and when they are made anew.
    pub repair: RepairRules,
    /// When pieces are moved from full miners to emptier ones.
    pub rebalance: RebalanceRules,
    /// The tiers of miners.
    pub scoring: ScoringConfig,
    /// The longest time that a file may be asked to be kept, in seconds.
    pub keep_seconds_max: u64,
    /// How long a ticket can be used, in seconds.
    pub ticket_seconds: u64,
    /// What miners said of their free space counts for so long, in milliseconds.
    pub allocation_age_ms: u64,
    /// A miner that does not say how much is free in this time takes no pieces, in milliseconds.
    pub allocation_timeout_ms: u64,
    /// Records may name heights so many blocks ahead.
    pub record_blocks_max: u64,
    /// So long a question about a piece can be open, from when its round is planned until it is answered, in seconds, by clocks that are not
    /// the same: what is no longer audited is deleted so much later, and what expires is no longer audited so much before.
    pub question_seconds: u64,
    /// Bytes of pieces that one owner may have here.
    pub owner_bytes_max: u64,
    /// Blocks from one look at all files to the next.
    pub tend_every_blocks: u64,
    /// This process, among those that share the index.
    pub process: String,
    /// Where pieces are made anew; one at a time, of the size that owners have chosen.
    pub workshop: PathBuf,
}

/// A year; tickets of an hour; questions of three minutes; 16 TiB for each owner.
impl Default for CareSettings {
    fn default() -> CareSettings {
        CareSettings {
            owners: BTreeSet::new(),
            repair: RepairRules::default(),
            rebalance: RebalanceRules::default(),
            scoring: ScoringConfig::standard(),
            keep_seconds_max: 366 * 86_400,
            ticket_seconds: 3_600,
            allocation_age_ms: 30_000,
            allocation_timeout_ms: 5_000,
            record_blocks_max: 100,
            question_seconds: 180,
            owner_bytes_max: 16 << 40,
            tend_every_blocks: 5,
            process: "validator".to_owned(),
            workshop: std::env::temp_dir(),
        }
    }
}
