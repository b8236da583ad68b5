//! Moving pieces from full miners to emptier ones, and not back.

use std::collections::BTreeMap;

use holdfast_engine::account::Account;
use holdfast_engine::transcript::Context;

use super::rooms::{Manner, Rooms, draws};
use super::state::{Health, Miner, Miners, Patience, PlacedSegment, Standing, by_account};
use super::{Action, Candidate, PlacementError, Rules, SegmentKey, ShardKey};

/// When to move pieces, and how much at once.
///
/// A miner's occupancy is used / (used + free); the mean is that of all miners together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RebalanceRules {
    /// Who may take pieces.
    pub placement: Rules,
    /// A miner is relieved once its occupancy is so many percentage points above the mean.
    pub start_percent: u8,
    /// It is relieved down to so many percentage points above the mean. Who takes pieces stays at or below the mean, so it is
    /// `start_percent` away from being relieved itself: nothing moves to and fro.
    pub stop_percent: u8,
    /// What all moves may transfer, in bytes: 2 pieces each.
    pub budget_bytes: u64,
}

/// From 20 points above the mean down to 10, 16 GiB at once.
impl Default for RebalanceRules {
    fn default() -> RebalanceRules {
        let placement = Rules::default();
        RebalanceRules { placement, start_percent: 20, stop_percent: 10, budget_bytes: 16 << 30 }
    }
}

/// An occupancy as a fraction.
#[derive(Clone, Copy, Debug)]
struct Occupancy {
    used_bytes: u128,
    capacity_bytes: u128,
}

impl Occupancy {
    fn of(candidate: &Candidate) -> Occupancy {
        Occupancy {
            used_bytes: candidate.used_bytes.into(),
            capacity_bytes: candidate.capacity_bytes().into(),
        }
    }

    /// Bytes used of a capacity at this occupancy and some percentage points more.
    fn share_of(self, capacity_bytes: u64, more_percent: u8) -> u64 {
        let capacity = u128::from(capacity_bytes);
        let share = capacity * self.used_bytes / self.capacity_bytes.max(1);
        let more = capacity * u128::from(more_percent) / 100;
        u64::try_from((share + more).min(capacity)).unwrap_or(capacity_bytes)
    }
}

/// Moves that even out occupancy; none as long as nobody is far above the mean. Only pieces of segments that lack nothing are moved, one
/// of a segment at once: repair comes first.
///
/// # Errors
/// [`PlacementError::MinerTwice`].
pub fn rebalance(
    segments: &[PlacedSegment],
    miners: &[Miner],
    rules: &RebalanceRules,
    now: u64,
    seed: &[u8; 32],
) -> Result<Vec<Action>, PlacementError> {
    let accounts = by_account(miners);
    let present =
        || miners.iter().filter(|miner| miner.standing == Standing::Present).map(|miner| miner.candidate);
    let mean = present().map(|candidate| Occupancy::of(&candidate)).fold(
        Occupancy { used_bytes: 0, capacity_bytes: 0 },
        |sum, one| Occupancy {
            used_bytes: sum.used_bytes + one.used_bytes,
            capacity_bytes: sum.capacity_bytes + one.capacity_bytes,
        },
    );
    // Who takes pieces has room up to the mean only.
    let up_to_mean = |candidate: Candidate| {
        let room_bytes = mean.share_of(candidate.capacity_bytes(), 0).saturating_sub(candidate.used_bytes);
        Candidate { free_bytes: candidate.free_bytes.min(room_bytes), ..candidate }
    };
    let mut rooms = Rooms::new(present().map(up_to_mean), &rules.placement)?;
    let mut excess_bytes: BTreeMap<Account, u64> = present()
        .filter(|candidate| {
            candidate.used_bytes > mean.share_of(candidate.capacity_bytes(), rules.start_percent)
        })
        .map(|candidate| {
            let kept_bytes = mean.share_of(candidate.capacity_bytes(), rules.stop_percent);
            (candidate.miner, candidate.used_bytes.saturating_sub(kept_bytes))
        })
        .collect();
    let mut moves = Vec::new();
    let mut left_bytes = rules.budget_bytes;
    for segment in shuffled(segments, seed) {
        let cost_bytes = segment.piece_bytes.saturating_mul(2);
        if excess_bytes.is_empty() {
            break;
        }
        if segment.is_expired(now) || cost_bytes > left_bytes || !is_whole(segment, &accounts, now) {
            continue;
        }
        let Some((shard, from)) = movable(segment, &excess_bytes) else { continue };
        let taken = segment.taken_for(shard.into(), &accounts);
        let by = (Manner::Weighted, &mut draws(seed, segment.key));
        if let Ok(&[to]) = rooms.take(segment.key, segment.piece_bytes, 1, taken, by).as_deref() {
            left_bytes -= cost_bytes;
            let excess = excess_bytes.remove(&from).unwrap_or(0);
            if let Some(left) = excess.checked_sub(segment.piece_bytes).filter(|&left| left > 0) {
                excess_bytes.insert(from, left);
            }
            moves.push(Action::Move { shard: ShardKey { of: segment.key, shard }, from, to });
        }
    }
    Ok(moves)
}

/// A piece on a miner that is to be relieved of as many bytes at least.
fn movable(segment: &PlacedSegment, excess_bytes: &BTreeMap<Account, u64>) -> Option<(u8, Account)> {
    let held = segment.pieces.iter().zip(0..).filter_map(|(piece, shard)| Some((shard, piece.holder?)));
    let mut relieved =
        held.filter(|(_, from)| excess_bytes.get(from).is_some_and(|&excess| excess >= segment.piece_bytes));
    relieved.next()
}

/// Whether all pieces are good, where they are to be.
fn is_whole(segment: &PlacedSegment, miners: &Miners<'_>, now: u64) -> bool {
    let patience = Patience { failed_audits: 1, absent_seconds: 0, now };
    let mut pieces = segment.pieces.iter();
    pieces.all(|piece| piece.coming_to.is_none() && piece.health(miners, patience) == Health::Good)
}

/// By hash, so that not always the same files move.
fn shuffled<'a>(segments: &'a [PlacedSegment], seed: &[u8; 32]) -> Vec<&'a PlacedSegment> {
    let mut order: Vec<&PlacedSegment> = segments.iter().collect();
    order.sort_by_cached_key(|segment| {
        let SegmentKey { file, segment } = segment.key;
        Context::PLACEMENT.derive(&[b"order", seed, &file, &segment.to_le_bytes()])
    });
    order
}
