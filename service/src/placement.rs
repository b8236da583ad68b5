//! Which miner holds which piece: choosing, repairing, rebalancing (decision 0018).
//!
//! Pure functions of what the caller knows: no clock, no randomness but a seed, no network. Nothing is left out in silence:
//! what cannot be placed is an error or stands in the plan with a reason.

mod choose;
mod rebalance;
mod repair;
mod rooms;
mod state;

use std::collections::BTreeSet;
use std::fmt;

use holdfast_engine::account::Account;
use thiserror::Error;

pub use choose::{Need, choose};
pub use rebalance::{RebalanceRules, rebalance};
pub use repair::{RepairRules, repair};
pub use state::{Health, Miner, PlacedPiece, PlacedSegment, Standing};

/// Number of tiers.
pub const TIERS: usize = 8;

/// A segment of a file.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SegmentKey {
    /// The file, by the root of its ciphertext.
    pub file: [u8; 32],
    /// Number of the segment.
    pub segment: u32,
}

impl fmt::Display for SegmentKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "segment {} of {}", self.segment, hex::encode(self.file))
    }
}

impl fmt::Debug for SegmentKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "SegmentKey({self})")
    }
}

/// A shard of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShardKey {
    /// The segment.
    pub of: SegmentKey,
    /// Which of its shards.
    pub shard: u8,
}

/// A miner that may take pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Its hotkey.
    pub miner: Account,
    /// Its coldkey. Whoever has several miners may lose them together.
    pub operator: Account,
    /// What pieces already take, in bytes.
    pub used_bytes: u64,
    /// What it may still take, in bytes; what is on its way there is taken off by the caller.
    pub free_bytes: u64,
    /// Its tier: 0 for the lowest to 7 for the highest.
    pub tier: u8,
    /// What it usually takes to answer.
    pub latency_ms: u32,
    /// How busy it is, 0 to 100.
    pub load_percent: u8,
}

impl Candidate {
    /// What it may hold in all.
    pub fn capacity_bytes(&self) -> u64 {
        self.used_bytes.saturating_add(self.free_bytes)
    }
}

/// Who may take pieces, and who rather.
///
/// The chance of a miner is its weight among those that may: free MiB + 1 (16 TiB at most) × the free percentage of its capacity × the
/// weight of its tier × a percentage that is 100 at no latency and 50 at the reference × the percentage that it is not busy. Each
/// percentage is 1 at least. The free percentage keeps good miners from filling up so far that rebalancing empties them again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// If given, only these: miners, or operators with all their miners.
    pub allow: Option<BTreeSet<Account>>,
    /// Never these: miners, or operators with all their miners.
    pub deny: BTreeSet<Account>,
    /// Left free on every miner, in bytes.
    pub reserve_bytes: u64,
    /// Weights of the tiers from the lowest on, 100 at most; a tier of weight 0 takes nothing.
    pub tier_weights: [u8; TIERS],
    /// The latency that halves a weight.
    pub latency_reference_ms: u32,
}

/// Everybody; weights that grow with the tier from 1 to 8; half the weight at a second.
impl Default for Rules {
    fn default() -> Rules {
        Rules {
            allow: None,
            deny: BTreeSet::new(),
            reserve_bytes: 0,
            tier_weights: [1, 2, 3, 4, 5, 6, 7, 8],
            latency_reference_ms: 1_000,
        }
    }
}

/// Why pieces cannot be placed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PlacementError {
    /// Too few operators have room for a piece of a segment.
    #[error(
        "{segment} needs {wanted} more operators with room for a piece of {piece_bytes} bytes, and there are {found}: of \
         {miners} miners, {excluded} are excluded by the rules, {apart} hold a piece of it or have an operator that does, {full} are full"
    )]
    TooFewOperators {
        /// Which segment.
        segment: SegmentKey,
        /// Bytes of each piece.
        piece_bytes: u64,
        /// Pieces to place, each with an operator of its own.
        wanted: usize,
        /// Operators that may take one.
        found: usize,
        /// Miners in all.
        miners: usize,
        /// Miners that are denied, not allowed or of a tier of weight 0.
        excluded: usize,
        /// Miners that may not take another piece of this segment.
        apart: usize,
        /// Others without room.
        full: usize,
    },
    /// A miner was given twice, so its room is not known.
    #[error("miner {miner} stands twice among the candidates")]
    MinerTwice {
        /// Which one.
        miner: Account,
    },
}

/// Something to do about one piece.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Make the shard anew under its next generation, and store it.
    Rebuild {
        /// Which shard.
        shard: ShardKey,
        /// On which miner.
        to: Account,
        /// Shards to make it from, at least k; the surest first.
        sources: Vec<u8>,
    },
    /// Read the piece from a miner that still has it, give it its next generation, store it, then delete it where it was.
    Move {
        /// Which shard.
        shard: ShardKey,
        /// Where it is.
        from: Account,
        /// Where it goes.
        to: Account,
    },
    /// Delete the piece: the file is expired.
    Drop {
        /// Which shard.
        shard: ShardKey,
        /// Where it is.
        from: Account,
    },
}

/// Something that ought to be done and cannot be now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Which shard.
    pub shard: ShardKey,
    /// Why not.
    pub why: WaitingReason,
}

/// Why something has to wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WaitingReason {
    /// More urgent actions use up the bytes that may be transferred.
    Budget,
    /// Nobody can take the piece.
    NoMiner(PlacementError),
}

/// A segment of which too few pieces can be read. It comes back if a miner does; nothing of it is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// Which segment.
    pub segment: SegmentKey,
    /// Pieces that can be read, doubtful ones included.
    pub readable: u8,
    /// Pieces that are needed.
    pub needed: u8,
}

/// What to do, the most urgent first, and what is wrong beside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// To be done in this order; each is independent of the others.
    pub actions: Vec<Action>,
    /// Everything else that ought to be done, the most urgent first.
    pub waiting: Vec<Waiting>,
    /// Segments that cannot be repaired from what can be read.
    pub unreadable: Vec<Unreadable>,
}

#[cfg(test)]
mod tests;
