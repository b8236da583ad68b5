//! Months of a network in which miners die, leave, sleep and fail audits, and in which every plan is carried out a step later.

use std::collections::{BTreeMap, BTreeSet};

use holdfast_engine::transcript::{Context, Stream};

use super::*;

const STEP_SECONDS: u64 = 6 * 3_600;
const STEPS_PER_DAY: u64 = 4;
const MINERS: u32 = 40;
const CAPACITY_MIB: u64 = 400;

/// What is decided by chance, the same for the same seed.
struct Chance(Stream);

impl Chance {
    fn one_in(&mut self, steps: u64) -> bool {
        self.0.below(steps) == 0
    }
}

struct Network {
    chance: Chance,
    now: u64,
    /// Two thirds of the operators have one miner, the others two.
    miners: BTreeMap<Account, Miner>,
    segments: Vec<PlacedSegment>,
    next_miner: u32,
    next_segment: u32,
    rules: RepairRules,
    /// Begun in the step before.
    under_way: Vec<Action>,
    /// At most so many operators lose pieces for good in one step.
    deaths_per_step: u32,
    repairs: bool,
    counts: Counts,
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    deaths: usize,
    pieces_lost: usize,
    rebuilt: usize,
    moved: usize,
    left: usize,
    rebalanced: usize,
    dropped: usize,
    expired: usize,
    unreadable: usize,
}

impl Network {
    fn new(seed: u8, files: u32) -> Network {
        let mut network = Network {
            chance: Chance(Context::PLACEMENT.stream(&[b"simulation", &[seed]])),
            now: 0,
            miners: BTreeMap::new(),
            segments: Vec::new(),
            next_miner: 0,
            next_segment: 0,
            rules: RepairRules { absent_seconds: STEP_SECONDS, ..RepairRules::default() },
            under_way: Vec::new(),
            deaths_per_step: 0,
            repairs: true,
            counts: Counts::default(),
        };
        (0..MINERS).for_each(|_| network.register());
        (0..files).for_each(|_| network.store());
        network
    }

    fn register(&mut self) {
        let number = self.next_miner;
        self.next_miner += 1;
        let tier = self.chance.0.below(8) as u8;
        let latency_ms = 50 + self.chance.0.below(2_000) as u32;
        let candidate =
            Candidate { tier, latency_ms, ..candidate(number, number - number % 3 / 2, CAPACITY_MIB * MIB) };
        self.miners.insert(account(number), Miner { candidate, standing: Standing::Present });
    }

    /// A file of one segment, under one of three policies; some expire within the months.
    fn store(&mut self) {
        let (data_shards, shards) = [(1, 3), (3, 5), (10, 16)][self.chance.0.below(3) as usize];
        let key = key(self.next_segment);
        self.next_segment += 1;
        let piece_bytes = (1 + self.chance.0.below(4)) * MIB;
        let present = self.miners.values().filter(|miner| miner.standing == Standing::Present);
        let candidates: Vec<Candidate> = present.map(|miner| miner.candidate).collect();
        let need = Need { segment: key, pieces: shards, piece_bytes, holders: Vec::new() };
        let chosen = choose(&candidates, &[need], &Rules::default(), &[1; 32]).expect("the network has room");
        let pieces = chosen[0].iter().map(|&miner| {
            self.miners.get_mut(&miner).expect("chosen").take(piece_bytes);
            PlacedPiece { holder: Some(miner), failed_audits: 0, coming_to: None }
        });
        let pieces = pieces.collect();
        let expires_at = self.chance.one_in(4).then(|| self.now + (10 + self.chance.0.below(80)) * 86_400);
        self.segments.push(PlacedSegment { key, data_shards, piece_bytes, expires_at, pieces });
    }

    fn operator(&self, miner: Account) -> Option<Account> {
        self.miners.get(&miner).map(|miner| miner.candidate.operator)
    }

    /// One step: what was planned in the one before arrives, then misfortune, then a new plan.
    fn step(&mut self, with_misfortune: bool) {
        self.now += STEP_SECONDS;
        self.arrive();
        if with_misfortune {
            self.misfortune();
        }
        self.plan();
        self.check();
    }

    fn arrive(&mut self) {
        for action in std::mem::take(&mut self.under_way) {
            let (shard, from, to) = match action {
                Action::Rebuild { shard, to, .. } => (shard, None, Some(to)),
                Action::Move { shard, from, to } => (shard, Some(from), Some(to)),
                Action::Drop { shard, from } => (shard, Some(from), None),
            };
            let Some(segment) = find(&mut self.segments, shard.of) else { continue };
            let piece = &mut segment.pieces[usize::from(shard.shard)];
            // Its target died, or its source, on the way: then it is as it was.
            let arrived =
                to.is_none_or(|to| self.miners.get(&to).is_some_and(|to| to.standing != Standing::Gone));
            let sent = from.is_none_or(|from| {
                self.miners.get(&from).is_some_and(|from| from.standing != Standing::Gone)
            });
            piece.coming_to = None;
            if arrived && sent {
                let old = std::mem::replace(&mut piece.holder, to);
                piece.failed_audits = 0;
                if let Some(miner) = old.and_then(|old| self.miners.get_mut(&old)) {
                    miner.give_back(segment.piece_bytes);
                }
            } else if let Some(miner) = to.and_then(|to| self.miners.get_mut(&to)) {
                miner.give_back(segment.piece_bytes);
            }
        }
        let before = self.segments.len();
        self.segments.retain(|segment| segment.pieces.iter().any(|piece| piece.holder.is_some()));
        self.counts.expired += before - self.segments.len();
    }

    fn misfortune(&mut self) {
        let accounts: Vec<Account> = self.miners.keys().copied().collect();
        let mut unlucky = BTreeSet::new();
        for miner in accounts {
            let operator = self.miners[&miner].candidate.operator;
            let standing = self.miners[&miner].standing;
            // An operator's miners burn together; a replacement registers.
            if self.chance.one_in(30 * STEPS_PER_DAY) && (unlucky.len() as u32) < self.deaths_per_step {
                unlucky.insert(operator);
            }
            let standing = match standing {
                Standing::Present if self.chance.one_in(60 * STEPS_PER_DAY) => Standing::Leaving,
                Standing::Present if self.chance.one_in(20 * STEPS_PER_DAY) => {
                    Standing::Absent { since: self.now }
                }
                // It was away for less than a step.
                Standing::Absent { .. } => Standing::Present,
                other => other,
            };
            self.miners.get_mut(&miner).expect("listed").standing = standing;
        }
        for operator in &unlucky {
            let dead: Vec<Account> = self
                .miners
                .values()
                .filter(|m| m.candidate.operator == *operator)
                .map(|m| m.candidate.miner)
                .collect();
            for miner in dead {
                self.miners.remove(&miner);
                self.counts.deaths += 1;
                let holders = self.segments.iter().flat_map(|segment| &segment.pieces);
                self.counts.pieces_lost += holders.filter(|piece| piece.holder == Some(miner)).count();
            }
        }
        // Who has been emptied goes.
        let pieces = self.segments.iter().flat_map(|segment| &segment.pieces);
        let held: BTreeSet<Account> =
            pieces.flat_map(|piece| [piece.holder, piece.coming_to]).flatten().collect();
        let before = self.miners.len();
        self.miners.retain(|miner, state| state.standing != Standing::Leaving || held.contains(miner));
        self.counts.left += before - self.miners.len();
        while self.miners.len() < MINERS as usize {
            self.register();
        }
        while self.segments.len() < 250 {
            self.store();
        }
    }

    fn plan(&mut self) {
        let miners: Vec<Miner> = self.miners.values().copied().collect();
        let seed = blake3::hash(&self.now.to_le_bytes());
        let plan = repair(&self.segments, &miners, &self.rules, self.now, seed.as_bytes()).unwrap();
        self.counts.unreadable += plan.unreadable.len();
        let waiting = |waiting: &Waiting| waiting.why == WaitingReason::Budget;
        assert!(plan.waiting.iter().all(waiting), "the network has room: {:?}", plan.waiting);
        let mut actions = plan.actions;
        actions.iter().for_each(|action| match action {
            Action::Rebuild { .. } => self.counts.rebuilt += 1,
            Action::Move { .. } => self.counts.moved += 1,
            Action::Drop { .. } => self.counts.dropped += 1,
        });
        if !self.repairs {
            actions.retain(|action| matches!(action, Action::Drop { .. }));
        }
        self.begin(actions);
        let miners: Vec<Miner> = self.miners.values().copied().collect();
        let moves = rebalance(&self.segments, &miners, &RebalanceRules::default(), self.now, seed.as_bytes())
            .unwrap();
        self.counts.rebalanced += moves.len();
        self.begin(moves);
    }

    fn begin(&mut self, actions: Vec<Action>) {
        for action in &actions {
            let (Action::Rebuild { shard, to, .. } | Action::Move { shard, to, .. }) = action else {
                continue;
            };
            let segment = find(&mut self.segments, shard.of).expect("planned for");
            segment.pieces[usize::from(shard.shard)].coming_to = Some(*to);
            self.miners.get_mut(to).expect("a miner that is there").take(segment.piece_bytes);
        }
        self.under_way.extend(actions);
    }

    /// What must hold after every step.
    fn check(&self) {
        for segment in &self.segments {
            let mut operators = BTreeSet::new();
            for piece in &segment.pieces {
                let homes: BTreeSet<Account> =
                    [piece.holder, piece.coming_to].into_iter().flatten().collect();
                // A piece and its successor may be with one operator: only one of them counts.
                let of_piece: BTreeSet<Account> =
                    homes.into_iter().filter_map(|home| self.operator(home)).collect();
                of_piece.into_iter().for_each(|operator| {
                    assert!(operators.insert(operator), "two pieces of {} with one operator", segment.key);
                });
            }
        }
        let mut used: BTreeMap<Account, u64> = BTreeMap::new();
        for segment in &self.segments {
            for piece in &segment.pieces {
                for home in [piece.holder, piece.coming_to].into_iter().flatten() {
                    *used.entry(home).or_default() += segment.piece_bytes;
                }
            }
        }
        for (account, miner) in &self.miners {
            let used = used.get(account).copied().unwrap_or(0);
            assert_eq!(used, miner.candidate.used_bytes, "{account}");
            assert!(used <= CAPACITY_MIB * MIB);
        }
    }

    fn run(&mut self, days: u64) {
        (0..days * STEPS_PER_DAY).for_each(|_| self.step(true));
    }
}

/// By its key: segments are stored in the order of theirs.
fn find(segments: &mut [PlacedSegment], key: SegmentKey) -> Option<&mut PlacedSegment> {
    segments.binary_search_by_key(&key, |segment| segment.key).ok().map(|at| &mut segments[at])
}

impl Miner {
    fn take(&mut self, bytes: u64) {
        self.candidate.used_bytes += bytes;
        self.candidate.free_bytes = self.candidate.free_bytes.checked_sub(bytes).expect("within its room");
    }

    fn give_back(&mut self, bytes: u64) {
        self.candidate.used_bytes -= bytes;
        self.candidate.free_bytes += bytes;
    }
}

/// Every policy here survives two losses. A piece is made anew in the step after its loss, so with one operator dying a step, two are lost
/// at once at the most: nothing is ever unreadable, for as long as it goes on.
#[test]
fn no_file_is_lost_in_months_while_deaths_stay_within_the_tolerance() {
    for seed in 0..2 {
        let mut network = Network::new(seed, 250);
        network.deaths_per_step = 1;
        network.run(60);
        let counts = &network.counts;
        assert_eq!(counts.unreadable, 0, "{counts:?}");
        // It was no idyll: more miners died and left than there are, and files came and went.
        assert!(counts.deaths + counts.left > MINERS as usize && counts.expired > 20, "{counts:?}");
        // What is made anew is what was lost, or was doubtful when no spare was left, and little beside.
        assert!(counts.rebuilt >= counts.pieces_lost * 9 / 10, "{counts:?}");
        assert!(counts.rebuilt <= counts.pieces_lost * 12 / 10, "{counts:?}");
        // Nor does rebalancing go to and fro: it is a fraction of what repair moves, though newcomers come in empty.
        assert!(counts.rebalanced * 3 <= counts.rebuilt, "{counts:?}");
    }
}

/// The same misfortune without repair loses files: the simulation can fail.
#[test]
fn without_repair_files_are_lost() {
    let mut network = Network::new(0, 250);
    network.deaths_per_step = 1;
    network.repairs = false;
    network.run(90);
    assert!(network.counts.unreadable > 0, "{:?}", network.counts);
}

/// And so do more deaths in a step than a policy survives.
#[test]
fn more_deaths_than_the_tolerance_lose_files() {
    let network = Network::new(0, 250);
    let miners: Vec<Miner> = network.miners.values().skip(20).copied().collect();
    let plan = repair(&network.segments, &miners, &network.rules, network.now, &[0; 32]).unwrap();
    assert!(plan.unreadable.len() > 10, "{:?}", plan.unreadable);
}

/// Once misfortune ends, everything is mended within a few steps, and then nothing is done any more.
#[test]
fn a_quiet_network_comes_to_rest() {
    let mut network = Network::new(7, 250);
    network.deaths_per_step = 1;
    network.run(20);
    for miner in network.miners.values_mut() {
        miner.standing = Standing::Present;
    }
    network.segments.iter_mut().for_each(|segment| segment.expires_at = None);
    (0..40).for_each(|_| network.step(false));
    let rested = std::mem::take(&mut network.counts);
    (0..400).for_each(|_| network.step(false));
    assert_eq!(network.counts, Counts::default(), "after {rested:?}");
    assert!(
        network
            .segments
            .iter()
            .all(|s| s.pieces.iter().all(|p| p.holder.is_some_and(|h| network.miners.contains_key(&h))))
    );
}
