//! The candidates with what is left of their room, and draws among them.

use std::collections::{BTreeMap, BTreeSet};

use holdfast_engine::account::Account;
use holdfast_engine::transcript::{Context, Stream};

use super::{Candidate, PlacementError, Rules, SegmentKey, TIERS};

/// The most free MiB that count: with a percentage and a quality of 10,000, the weights of 2^20 miners add up below 2^64.
const FREE_MIB_MAX: u64 = 1 << 24;

/// Miners and operators that may not take another piece of a segment.
#[derive(Clone, Debug, Default)]
pub(super) struct Taken {
    pub(super) miners: BTreeSet<Account>,
    pub(super) operators: BTreeSet<Account>,
}

impl Taken {
    fn covers(&self, candidate: &Candidate) -> bool {
        self.miners.contains(&candidate.miner) || self.operators.contains(&candidate.operator)
    }
}

/// How a miner is taken among those that may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    /// By chance, in proportion to weights.
    Weighted,
    /// Whoever's operator has the most room: finds a placement by chance did not, and always does for pieces of one size.
    MostRoom,
}

#[derive(Clone, Debug)]
struct Room {
    candidate: Candidate,
    left_bytes: u64,
    /// Of tier, latency and load; 0 if the rules exclude the miner.
    quality: u64,
}

impl Room {
    fn weight(&self) -> u64 {
        let capacity_bytes = u128::from(self.candidate.capacity_bytes().max(1));
        let free_percent = u64::try_from(100 * u128::from(self.left_bytes) / capacity_bytes).unwrap_or(100);
        ((self.left_bytes >> 20) + 1).min(FREE_MIB_MAX) * free_percent.max(1) * self.quality
    }
}

/// All candidates, by account.
#[derive(Clone, Debug)]
pub(super) struct Rooms(Vec<Room>);

impl Rooms {
    pub(super) fn new(
        candidates: impl IntoIterator<Item = Candidate>,
        rules: &Rules,
    ) -> Result<Rooms, PlacementError> {
        let room = |candidate: Candidate| Room {
            left_bytes: candidate.free_bytes.saturating_sub(rules.reserve_bytes),
            quality: quality(&candidate, rules),
            candidate,
        };
        let mut rooms: Vec<Room> = candidates.into_iter().map(room).collect();
        rooms.sort_by_key(|room| room.candidate.miner);
        match rooms.windows(2).find(|pair| pair[0].candidate.miner == pair[1].candidate.miner) {
            Some(pair) => Err(PlacementError::MinerTwice { miner: pair[0].candidate.miner }),
            None => Ok(Rooms(rooms)),
        }
    }

    /// Takes room for `count` pieces of `piece_bytes` with as many operators; none if an error comes back.
    pub(super) fn take(
        &mut self,
        segment: SegmentKey,
        piece_bytes: u64,
        count: usize,
        mut taken: Taken,
        (manner, draws): (Manner, &mut Stream),
    ) -> Result<Vec<Account>, PlacementError> {
        let held = taken.clone();
        let mut chosen = Vec::with_capacity(count);
        for _ in 0..count {
            let fits = |room: &Room| {
                room.quality > 0 && room.left_bytes >= piece_bytes && !taken.covers(&room.candidate)
            };
            let open: Vec<usize> = (0..self.0.len()).filter(|&at| fits(&self.0[at])).collect();
            let picked = match manner {
                Manner::Weighted => self.draw(&open, draws),
                Manner::MostRoom => self.roomiest(&open, piece_bytes),
            };
            let Some(at) = picked else {
                chosen.iter().for_each(|&at: &usize| self.0[at].left_bytes += piece_bytes);
                return Err(self.too_few(segment, piece_bytes, count, &held));
            };
            self.0[at].left_bytes -= piece_bytes;
            taken.operators.insert(self.0[at].candidate.operator);
            chosen.push(at);
        }
        Ok(chosen.into_iter().map(|at| self.0[at].candidate.miner).collect())
    }

    /// One of those with these indexes, with a chance in proportion to its weight.
    fn draw(&self, open: &[usize], draws: &mut Stream) -> Option<usize> {
        let total = open.iter().map(|&at| self.0[at].weight()).sum::<u64>();
        let mut place = if total > 0 { draws.below(total) } else { return None };
        open.iter().copied().find(|&at| {
            let weight = self.0[at].weight();
            let here = place < weight;
            place = place.saturating_sub(weight);
            here
        })
    }

    /// The emptiest miner of the operator that could take the most pieces of this size.
    fn roomiest(&self, open: &[usize], piece_bytes: u64) -> Option<usize> {
        let pieces = |at: usize| self.0[at].left_bytes / piece_bytes.max(1);
        let operator = |at: usize| self.0[at].candidate.operator;
        let mut of_operator: BTreeMap<Account, u64> = BTreeMap::new();
        for &at in open {
            let sum = of_operator.entry(operator(at)).or_default();
            *sum = sum.saturating_add(pieces(at));
        }
        let room = |at: usize| (of_operator.get(&operator(at)), operator(at), pieces(at), at);
        open.iter().copied().max_by_key(|&at| room(at))
    }

    /// What is said if so many pieces cannot be placed.
    fn too_few(&self, segment: SegmentKey, piece_bytes: u64, wanted: usize, taken: &Taken) -> PlacementError {
        let (mut excluded, mut apart, mut full) = (0, 0, 0);
        let mut operators = BTreeSet::new();
        for room in &self.0 {
            match room {
                room if room.quality == 0 => excluded += 1,
                room if taken.covers(&room.candidate) => apart += 1,
                room if room.left_bytes < piece_bytes => full += 1,
                room => drop(operators.insert(room.candidate.operator)),
            }
        }
        let (found, miners) = (operators.len(), self.0.len());
        PlacementError::TooFewOperators { segment, piece_bytes, wanted, found, miners, excluded, apart, full }
    }
}

/// Draws for a segment: other ones for every seed and segment.
pub(super) fn draws(seed: &[u8; 32], segment: SegmentKey) -> Stream {
    Context::PLACEMENT.stream(&[seed, &segment.file, &segment.segment.to_le_bytes()])
}

fn quality(candidate: &Candidate, rules: &Rules) -> u64 {
    let either =
        |set: &BTreeSet<Account>| set.contains(&candidate.miner) || set.contains(&candidate.operator);
    if either(&rules.deny) || rules.allow.as_ref().is_some_and(|allowed| !either(allowed)) {
        return 0;
    }
    let tier = rules.tier_weights[usize::from(candidate.tier).min(TIERS - 1)].min(100);
    let reference_ms = u64::from(rules.latency_reference_ms.max(1));
    let latency_percent = (100 * reference_ms / (reference_ms + u64::from(candidate.latency_ms))).max(1);
    let idle_percent = u64::from(100u8.saturating_sub(candidate.load_percent)).max(1);
    u64::from(tier) * (latency_percent * idle_percent).div_ceil(100)
}
