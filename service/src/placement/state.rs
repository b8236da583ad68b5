//! What is known of miners and of pieces.

use std::collections::BTreeMap;

use holdfast_engine::account::Account;

use super::rooms::Taken;
use super::{Candidate, SegmentKey};

/// Whether a miner is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It answers.
    Present,
    /// It does not answer, since a time in seconds since 1970. It may come back with all it has.
    Absent {
        /// Since when.
        since: u64,
    },
    /// It answers, and has said that it will go, or is to be emptied.
    Leaving,
    /// It is no longer registered.
    Gone,
}

/// A miner, for repair and rebalancing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Miner {
    /// What placement has to know of it.
    pub candidate: Candidate,
    /// Whether it is there.
    pub standing: Standing,
}

/// A piece, or the lack of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlacedPiece {
    /// Its holder; `None` if nobody has it. A holder that is not among the miners is gone.
    pub holder: Option<Account>,
    /// How many of its audits failed one after another, up to now.
    pub failed_audits: u32,
    /// The miner that it is on its way to, if a repair or a move was begun: then nothing else is done about it.
    pub coming_to: Option<Account>,
}

/// A segment and where its pieces are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlacedSegment {
    /// Which segment.
    pub key: SegmentKey,
    /// k: how many pieces are needed to read it.
    pub data_shards: u8,
    /// Bytes of each piece.
    pub piece_bytes: u64,
    /// From when on it is expired, in seconds since 1970; `None` for never.
    pub expires_at: Option<u64>,
    /// All its shards, in order.
    pub pieces: Vec<PlacedPiece>,
}

/// What may be expected of a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// It can be read, and will stay.
    Good,
    /// It can be read, and its miner leaves.
    Leaving,
    /// Its last audits failed, or its miner has not answered for a while: it may come back.
    Doubtful,
    /// It cannot be read.
    Lost,
}

/// From when on something that may come back counts as lost.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    pub(super) failed_audits: u32,
    pub(super) absent_seconds: u64,
    pub(super) now: u64,
}

/// Miners by account.
pub(super) type Miners<'a> = BTreeMap<Account, &'a Miner>;

pub(super) fn by_account(miners: &[Miner]) -> Miners<'_> {
    miners.iter().map(|miner| (miner.candidate.miner, miner)).collect()
}

impl PlacedPiece {
    pub(super) fn health(&self, miners: &Miners<'_>, patience: Patience) -> Health {
        let miner = self.holder.and_then(|holder| miners.get(&holder));
        let Some(miner) = miner.filter(|_| self.failed_audits < patience.failed_audits.max(1)) else {
            return Health::Lost;
        };
        match miner.standing {
            Standing::Gone => Health::Lost,
            Standing::Absent { since } if patience.now.saturating_sub(since) >= patience.absent_seconds => {
                Health::Lost
            }
            Standing::Absent { .. } => Health::Doubtful,
            _ if self.failed_audits > 0 => Health::Doubtful,
            Standing::Leaving => Health::Leaving,
            Standing::Present => Health::Good,
        }
    }
}

impl PlacedSegment {
    pub(super) fn is_expired(&self, now: u64) -> bool {
        self.expires_at.is_some_and(|at| at <= now)
    }

    /// Who may not take the piece of `shard`: its own holder, and the operators of all others, held or coming.
    pub(super) fn taken_for(&self, shard: usize, miners: &Miners<'_>) -> Taken {
        let mut taken = Taken::default();
        for (piece, at) in self.pieces.iter().zip(0..) {
            for account in [piece.holder, piece.coming_to].into_iter().flatten() {
                taken.miners.insert(account);
                if let Some(miner) = miners.get(&account).filter(|_| at != shard) {
                    taken.operators.insert(miner.candidate.operator);
                }
            }
        }
        taken
    }
}
