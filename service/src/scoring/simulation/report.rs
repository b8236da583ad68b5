//! What a simulation saw: each miner's tier, weight and income over time.

use std::collections::BTreeMap;

use holdfast_engine::account::Account;
use serde::Serialize;

use super::BLOCKS_PER_DAY;
use crate::scoring::{MinerScore, RoundSummary, Scoring};

/// Samples that are kept of each miner at most: beyond what a chart can show.
const SAMPLES_MAXIMUM: usize = 1000;

/// What came of a simulation.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SimulationReport {
    /// Rounds that were scored.
    pub rounds: u64,
    /// Height of the first.
    pub first_height: u64,
    /// Height of the last.
    pub last_height: u64,
    /// Names of the tiers, the lowest first.
    pub tiers: Vec<String>,
    /// Each miner; several hotkeys of one together.
    pub miners: Vec<MinerReport>,
}

/// What came of one miner.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MinerReport {
    /// Its name.
    pub name: String,
    /// Its hotkeys.
    pub uids: u32,
    /// Share of all income of the simulated time.
    pub income_share: f64,
    /// Promotions and demotions.
    pub tier_changes: u32,
    /// At the end, of its best hotkey; `None` if it never took part.
    pub score: Option<MinerScore>,
    /// At the end, all hotkeys together.
    pub share: f64,
    /// At the end, the largest of its hotkeys.
    pub weight: u16,
    /// Over time.
    pub samples: Vec<Sample>,
}

/// One miner at one time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Sample {
    /// Days from the first block on.
    pub day: f64,
    /// Place of its best hotkey's tier among the tiers, from 0.
    pub tier: usize,
    /// Share of weight, all hotkeys together.
    pub share: f64,
}

/// Watches a scoring round by round.
pub(super) struct Observer {
    names: Vec<String>,
    groups: BTreeMap<Account, usize>,
    /// Whether accounts that are in no group make one.
    open: bool,
    seen: Vec<Seen>,
    rounds: u64,
    paid_rounds: u64,
    heights: Option<(u64, u64)>,
    /// Every so manieth round is kept.
    sample_every: u64,
}

#[derive(Clone, Default)]
struct Seen {
    uids: u32,
    income: f64,
    tier_changes: u32,
    samples: Vec<(u64, Sample)>,
}

impl Observer {
    /// Of miners that are known by name.
    pub(super) fn of_groups(names: Vec<String>, groups: BTreeMap<Account, usize>) -> Observer {
        let mut seen = vec![Seen::default(); names.len()];
        for group in groups.values() {
            seen[*group].uids += 1;
        }
        Observer { names, groups, open: false, seen, ..Observer::of_accounts() }
    }

    /// Of whoever appears.
    pub(super) fn of_accounts() -> Observer {
        Observer {
            names: Vec::new(),
            groups: BTreeMap::new(),
            open: true,
            seen: Vec::new(),
            rounds: 0,
            paid_rounds: 0,
            heights: None,
            sample_every: 1,
        }
    }

    /// Takes in what a round made of everybody.
    pub(super) fn see(&mut self, scoring: &Scoring, summary: &RoundSummary) {
        let height = summary.height;
        self.heights = Some((self.heights.map_or(height, |(first, _)| first), height));
        for account in summary.fresh.iter().filter(|_| self.open) {
            if !self.groups.contains_key(account) {
                self.groups.insert(*account, self.names.len());
                self.names.push(account.to_string());
                self.seen.push(Seen { uids: 1, ..Seen::default() });
            }
        }
        for change in &summary.changes {
            if let Some(&group) = self.groups.get(&change.miner) {
                self.seen[group].tier_changes += 1;
            }
        }
        let now = self.now(scoring, height);
        self.paid_rounds += u64::from(now.iter().any(|now| now.share > 0.0));
        let sampled = self.rounds.is_multiple_of(self.sample_every);
        for (seen, now) in self.seen.iter_mut().zip(&now) {
            seen.income += now.share;
            if let (true, Some(score)) = (sampled, &now.score) {
                let day = height as f64 / BLOCKS_PER_DAY as f64;
                let tier = scoring.config().tier_of(&score.tier);
                seen.samples.push((self.rounds, Sample { day, tier, share: now.share }));
            }
        }
        self.rounds += 1;
        self.thin_out();
    }

    /// Drops every other sample once there are more than can be shown.
    fn thin_out(&mut self) {
        if self.seen.iter().all(|seen| seen.samples.len() <= SAMPLES_MAXIMUM) {
            return;
        }
        self.sample_every *= 2;
        for seen in &mut self.seen {
            seen.samples.retain(|(round, _)| round.is_multiple_of(self.sample_every));
        }
    }

    /// Each group at a height.
    fn now(&self, scoring: &Scoring, height: u64) -> Vec<Now> {
        let mut now = vec![Now::default(); self.names.len()];
        for (score, weight) in scoring.scores(height).into_iter().zip(scoring.weights(height)) {
            let Some(&group) = self.groups.get(&score.miner) else { continue };
            let group = &mut now[group];
            group.share += weight.share;
            group.weight = group.weight.max(weight.weight);
            if group.score.as_ref().is_none_or(|best| score.score > best.score) {
                group.score = Some(score);
            }
        }
        now
    }

    /// What came of it; `None` if there was no round.
    pub(super) fn report(self, scoring: &Scoring) -> Option<SimulationReport> {
        let (first_height, last_height) = self.heights?;
        let now = self.now(scoring, last_height);
        let paid_rounds = self.paid_rounds.max(1) as f64;
        let miners = self.names.into_iter().zip(self.seen).zip(now).map(|((name, seen), now)| MinerReport {
            name,
            uids: seen.uids,
            income_share: seen.income / paid_rounds,
            tier_changes: seen.tier_changes,
            score: now.score,
            share: now.share,
            weight: now.weight,
            samples: seen.samples.into_iter().map(|(_, sample)| sample).collect(),
        });
        let tiers = scoring.config().tiers.iter().map(|tier| tier.name.clone()).collect();
        Some(SimulationReport {
            rounds: self.rounds,
            first_height,
            last_height,
            tiers,
            miners: miners.collect(),
        })
    }
}

#[derive(Clone, Default)]
struct Now {
    score: Option<MinerScore>,
    share: f64,
    weight: u16,
}
