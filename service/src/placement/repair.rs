//! What has to be done so that every segment has all its pieces, with operators of their own.

use std::collections::{BTreeMap, BTreeSet};

use holdfast_engine::account::Account;

use super::rooms::{Manner, Rooms, draws};
use super::state::{Health, Miner, Miners, Patience, PlacedPiece, PlacedSegment, Standing, by_account};
use super::{Action, PlacementError, Plan, Rules, SegmentKey, ShardKey, Unreadable, Waiting, WaitingReason};

/// When to repair, and how much at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepairRules {
    /// Who may take pieces.
    pub placement: Rules,
    /// So many audits failed one after another, and a piece is lost; 1 at least.
    pub failed_audits: u32,
    /// So long without an answer, and the pieces of a miner are lost.
    pub absent_seconds: u64,
    /// What all actions of a plan may transfer, in bytes: k + 1 pieces for one that is made anew, 2 for one that is moved. The most
    /// urgent one is done whatever it takes.
    pub budget_bytes: u64,
}

/// Three failed audits, six hours of absence, 64 GiB at once.
impl Default for RepairRules {
    fn default() -> RepairRules {
        let placement = Rules::default();
        RepairRules { placement, failed_audits: 3, absent_seconds: 6 * 3_600, budget_bytes: 64 << 30 }
    }
}

/// One thing to do, before a miner was found for it.
struct Job<'a> {
    segment: &'a PlacedSegment,
    shard: usize,
    /// Pieces that can be read beyond k once the segment's jobs before this one are done.
    spare: i32,
    /// Where the piece is read if it is moved, not made anew.
    from: Option<Account>,
    /// Shards that can be read, the surest first.
    readable: Vec<u8>,
}

/// What to do about segments at the time `now`, in seconds since 1970:
///
/// - expired segments are dropped, and nothing else is done about them;
/// - a lost piece is made anew; a doubtful one only if the pieces that are sure are no more than k, because most come back;
/// - a piece whose miner leaves, or whose operator has another piece of the segment, is moved.
///
/// Segments with the fewest spare pieces come first; each job of a segment counts as one spare more for its next one, so that no
/// segment is made whole while another hangs by a thread. Once an action does not fit the budget, all that are less urgent wait.
///
/// # Errors
/// [`PlacementError::MinerTwice`].
pub fn repair(
    segments: &[PlacedSegment],
    miners: &[Miner],
    rules: &RepairRules,
    now: u64,
    seed: &[u8; 32],
) -> Result<Plan, PlacementError> {
    let accounts = by_account(miners);
    let present = miners.iter().filter(|miner| miner.standing == Standing::Present);
    let mut rooms = Rooms::new(present.map(|miner| miner.candidate), &rules.placement)?;
    let patience = Patience { failed_audits: rules.failed_audits, absent_seconds: rules.absent_seconds, now };
    let mut plan = Plan::default();
    let mut jobs = Vec::new();
    for segment in segments {
        if segment.is_expired(now) {
            plan.actions.extend(drops(segment));
        } else {
            jobs_of(segment, &accounts, patience, &mut jobs, &mut plan.unreadable);
        }
    }
    jobs.sort_by_key(|job| (job.spare, job.from.is_some(), job.segment.key, job.shard));
    let (mut used_bytes, mut exhausted) = (0u64, false);
    let mut chosen: BTreeMap<SegmentKey, Vec<Account>> = BTreeMap::new();
    for job in jobs {
        let cost_bytes = job.cost_bytes();
        exhausted |= used_bytes > 0 && used_bytes.saturating_add(cost_bytes) > rules.budget_bytes;
        if exhausted {
            plan.waiting.push(Waiting { shard: job.key(), why: WaitingReason::Budget });
            continue;
        }
        let mut taken = job.segment.taken_for(job.shard, &accounts);
        // What goes out in the same plan is held just as well.
        let before = chosen.entry(job.segment.key).or_default();
        taken
            .operators
            .extend(before.iter().filter_map(|to| accounts.get(to)).map(|miner| miner.candidate.operator));
        let by = (Manner::Weighted, &mut draws(seed, job.segment.key));
        match rooms.take(job.segment.key, job.segment.piece_bytes, 1, taken, by).as_deref() {
            Ok(&[to]) => {
                used_bytes = used_bytes.saturating_add(cost_bytes);
                before.push(to);
                plan.actions.push(job.action(to));
            }
            Ok(_) => {}
            Err(error) => {
                let why = WaitingReason::NoMiner(error.clone());
                plan.waiting.push(Waiting { shard: job.key(), why });
            }
        }
    }
    Ok(plan)
}

/// Deletes all that is held of an expired segment.
fn drops(segment: &PlacedSegment) -> impl Iterator<Item = Action> {
    segment.pieces.iter().zip(0..).filter_map(|(piece, shard)| {
        Some(Action::Drop { shard: ShardKey { of: segment.key, shard }, from: piece.holder? })
    })
}

fn jobs_of<'a>(
    segment: &'a PlacedSegment,
    miners: &Miners<'_>,
    patience: Patience,
    jobs: &mut Vec<Job<'a>>,
    unreadable: &mut Vec<Unreadable>,
) {
    let health: Vec<Health> = segment.pieces.iter().map(|piece| piece.health(miners, patience)).collect();
    let with =
        |wanted: Health| (0u8..).zip(&health).filter(move |&(_, &found)| found == wanted).map(|(at, _)| at);
    let sure: Vec<u8> = with(Health::Good).chain(with(Health::Leaving)).collect();
    let readable: Vec<u8> = sure.iter().copied().chain(with(Health::Doubtful)).collect();
    let needed = segment.data_shards;
    if readable.len() < usize::from(needed) {
        let readable = u8::try_from(readable.len()).unwrap_or(u8::MAX);
        unreadable.push(Unreadable { segment: segment.key, readable, needed });
        return;
    }
    let crowded = crowded(segment, &health, miners);
    let spare = i32::try_from(sure.len()).unwrap_or(i32::MAX) - i32::from(needed);
    let rebuilt =
        with(Health::Lost).chain(with(Health::Doubtful).filter(|_| spare <= 0)).map(|shard| (shard, None));
    let moved = with(Health::Leaving).chain(with(Health::Good).filter(|shard| crowded.contains(shard)));
    let moved = moved.map(|shard| (shard, segment.pieces[usize::from(shard)].holder));
    let idle = |&(shard, _): &(u8, _)| segment.pieces[usize::from(shard)].coming_to.is_none();
    for ((shard, from), before) in rebuilt.chain(moved).filter(idle).zip(0..) {
        let readable = if from.is_some() { Vec::new() } else { readable.clone() };
        jobs.push(Job { segment, shard: shard.into(), spare: spare + before, from, readable });
    }
}

/// Shards whose operator has another one of the segment before.
fn crowded(segment: &PlacedSegment, health: &[Health], miners: &Miners<'_>) -> BTreeSet<u8> {
    let mut operators = BTreeSet::new();
    let stays = |health: Health| matches!(health, Health::Good | Health::Doubtful);
    let pieces = segment.pieces.iter().zip(health).zip(0..).filter(|((_, health), _)| stays(**health));
    let operator = |piece: &PlacedPiece| Some(miners.get(&piece.holder?)?.candidate.operator);
    let known = pieces.filter_map(|((piece, _), shard)| Some((operator(piece)?, shard)));
    known.filter(|&(operator, _)| !operators.insert(operator)).map(|(_, shard)| shard).collect()
}

impl Job<'_> {
    fn key(&self) -> ShardKey {
        let shard = u8::try_from(self.shard).expect("made from a shard's number");
        ShardKey { of: self.segment.key, shard }
    }

    fn cost_bytes(&self) -> u64 {
        let pieces = if self.from.is_some() { 2 } else { u64::from(self.segment.data_shards) + 1 };
        pieces.saturating_mul(self.segment.piece_bytes)
    }

    fn action(self, to: Account) -> Action {
        match self.from {
            Some(from) => Action::Move { shard: self.key(), from, to },
            None => Action::Rebuild { shard: self.key(), to, sources: self.readable },
        }
    }
}
