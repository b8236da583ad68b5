//! Scoring: from the outcomes of rounds to tiers and weights (docs/spec/scoring-v1.md).
//!
//! Pure arithmetic: no clock, no files, no randomness, and nothing but the four operations and square roots on floating-point
//! numbers, so that the same outcomes give the same numbers to the last bit on every machine. The order of outcomes within a
//! round does not matter.

mod config;
mod latency;
mod miner;
mod outcome;
pub mod simulation;
mod tally;
mod weights;
mod wilson;
mod window;

use std::collections::BTreeMap;

use holdfast_engine::account::Account;
use serde::{Deserialize, Serialize};

pub use config::{
    AverageConfig, BytesConfig, CONFIG_VERSION, FailureConfig, LatencyConfig, ScoringConfig, TIER_NAME_BYTES,
    TIERS_MAXIMUM, Tier, WeightsConfig, WilsonConfig,
};
pub use miner::{MinerScore, MinerState};
pub use outcome::{MinerOutcome, Outcome, OutcomeKind, Registration, RoundResults};
pub use weights::MinerWeight;
pub use wilson::Interval;

use latency::Field;
use tally::Tally;

/// The only version of a kept state.
pub const STATE_VERSION: u32 = 1;

/// Why scoring refuses what it is given.
#[derive(Debug, thiserror::Error)]
pub enum ScoringError {
    /// Not the form of a configuration.
    #[error("the scoring configuration is not what it should be: {0}")]
    Toml(Box<toml::de::Error>),
    /// A form of another version.
    #[error("the {what} has version {found}, this holdfast knows version 1")]
    Version {
        /// Which form.
        what: &'static str,
        /// Its version.
        found: u32,
    },
    /// A field of the configuration is out of its range.
    #[error("{field} of the scoring configuration is {found}, allowed: {allowed}")]
    Field {
        /// The field.
        field: String,
        /// Its value.
        found: String,
        /// What is allowed.
        allowed: String,
    },
    /// A kept state that no scoring has made.
    #[error("the kept score of {miner} cannot be used: {detail}")]
    State {
        /// Of whom.
        miner: Account,
        /// What is wrong with it.
        detail: String,
    },
    /// A round that is not later than the last: it was recorded already, or rounds come in the wrong order.
    #[error("the round at height {height} is not later than the last one recorded, at {last}")]
    NotLater {
        /// Of the round.
        height: u64,
        /// Of the last round recorded.
        last: u64,
    },
}

/// What a validator keeps of its scoring. JSON and back gives the same.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScoringState {
    /// Version of this form: 1.
    pub version: u32,
    /// The last round recorded.
    pub height: Option<u64>,
    /// By account.
    pub miners: Vec<MinerState>,
}

/// What a round changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RoundSummary {
    /// The round.
    pub height: u64,
    /// Who changed tiers.
    pub changes: Vec<TierChange>,
    /// Miners that were not known before, or registered anew.
    pub fresh: Vec<Account>,
    /// Miners whose place on the chain somebody else has got.
    pub replaced: Vec<Account>,
    /// Outcomes that do not count, being of a registration that is over.
    pub ignored_outcomes: usize,
}

/// A promotion or a demotion.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TierChange {
    /// Who.
    pub miner: Account,
    /// Name of the tier before.
    pub from: String,
    /// Name of the tier now.
    pub to: String,
    /// Whether the new one is higher.
    pub promoted: bool,
}

/// The scores of all miners that one validator knows.
#[derive(Clone, Debug, PartialEq)]
pub struct Scoring {
    config: ScoringConfig,
    height: Option<u64>,
    miners: BTreeMap<Account, MinerState>,
}

impl Scoring {
    /// Scoring of nobody yet.
    ///
    /// # Errors
    /// As [`ScoringConfig::check`].
    pub fn new(config: ScoringConfig) -> Result<Scoring, ScoringError> {
        config.check()?;
        Ok(Scoring { config, height: None, miners: BTreeMap::new() })
    }

    /// Goes on from a kept state. The configuration may be another than before; who was in a tier that it lacks starts from the
    /// lowest, and rises with the next round as far as its record goes.
    ///
    /// # Errors
    /// As [`ScoringConfig::check`]; [`ScoringError::Version`], [`ScoringError::State`].
    pub fn restore(config: ScoringConfig, state: ScoringState) -> Result<Scoring, ScoringError> {
        let mut scoring = Scoring::new(config)?;
        if state.version != STATE_VERSION {
            return Err(ScoringError::Version { what: "kept scoring", found: state.version });
        }
        scoring.height = state.height;
        for miner in state.miners {
            miner.check()?;
            let account = miner.miner;
            if scoring.miners.insert(account, miner).is_some() {
                let detail = "it is there twice".to_owned();
                return Err(ScoringError::State { miner: account, detail });
            }
        }
        Ok(scoring)
    }

    /// What is to be kept.
    pub fn state(&self) -> ScoringState {
        let miners = self.miners.values().cloned().collect();
        ScoringState { version: STATE_VERSION, height: self.height, miners }
    }

    /// How it scores.
    pub fn config(&self) -> &ScoringConfig {
        &self.config
    }

    /// The last round recorded.
    pub fn height(&self) -> Option<u64> {
        self.height
    }

    /// What is kept of one miner.
    pub fn miner(&self, miner: &Account) -> Option<&MinerState> {
        self.miners.get(miner)
    }

    /// Takes in the outcomes of a round. Miners without an outcome stay as they are.
    ///
    /// # Errors
    /// [`ScoringError::NotLater`]; nothing is changed then. So a round that is recorded again after a crash counts once.
    pub fn record(&mut self, round: &RoundResults) -> Result<RoundSummary, ScoringError> {
        let height = round.height;
        if let Some(last) = self.height.filter(|last| *last >= height) {
            return Err(ScoringError::NotLater { height, last });
        }
        self.height = Some(height);
        let newest = newest_registrations(round.outcomes.iter().map(MinerOutcome::registration));
        let (fresh, replaced) = self.take_registrations(newest.values().copied());
        let mut tallies: BTreeMap<Account, Tally> = BTreeMap::new();
        let mut ignored_outcomes = 0;
        for outcome in &round.outcomes {
            let known = self.miners.get(&outcome.miner).map(MinerState::registration);
            if known == Some(outcome.registration()) {
                tallies.entry(outcome.miner).or_default().add(outcome, &self.config.latency);
            } else {
                ignored_outcomes += 1;
            }
        }
        let changes = self.score_round(height, &tallies);
        Ok(RoundSummary { height, changes, fresh, replaced, ignored_outcomes })
    }

    /// Moves the averages of all whose outcomes were added up.
    fn score_round(&mut self, height: u64, tallies: &BTreeMap<Account, Tally>) -> Vec<TierChange> {
        let config = &self.config;
        let fields = OutcomeKind::ALL
            .map(|kind| Field::new(tallies.values().filter_map(|tally| tally.time(kind)).collect()));
        let mut changes = Vec::new();
        for (account, tally) in tallies {
            let Some(miner) = self.miners.get_mut(account) else { continue };
            let before = config.tier_of(&miner.tier);
            let boost = if tally.flawless() { config.tiers[before].top_performer_boost } else { 1.0 };
            let speed = |kind: OutcomeKind| match tally.time(kind) {
                // Not measured.
                None => 1.0,
                Some(time) => {
                    let field = &fields[kind as usize];
                    let boost = if field.is_top(time, &config.latency) { boost } else { 1.0 };
                    field.speed(time, &config.latency) * boost
                }
            };
            miner.record(height, tally, speed, config);
            let now = config.tier_of(&miner.tier);
            if now != before {
                let [from, to] = [before, now].map(|tier| config.tiers[tier].name.clone());
                changes.push(TierChange { miner: *account, from, to, promoted: now > before });
            }
        }
        changes
    }

    /// Starts new registrations afresh, and forgets whose place somebody else has got since.
    fn take_registrations(
        &mut self,
        registrations: impl Iterator<Item = Registration>,
    ) -> (Vec<Account>, Vec<Account>) {
        let mut fresh = Vec::new();
        for registration in registrations {
            match self.miners.get_mut(&registration.miner) {
                Some(miner) if miner.registered_at > registration.registered_at => {}
                Some(miner) if miner.registered_at == registration.registered_at => {
                    miner.uid = registration.uid
                }
                _ => {
                    fresh.push(registration.miner);
                    let state = MinerState::fresh(registration, &self.config);
                    self.miners.insert(registration.miner, state);
                }
            }
        }
        let mut holders: BTreeMap<u16, (u64, Account)> = BTreeMap::new();
        for miner in self.miners.values() {
            let holder = (miner.registered_at, miner.miner);
            holders.entry(miner.uid).and_modify(|held| *held = holder.max(*held)).or_insert(holder);
        }
        let replaced = self.forget(|registration| {
            holders.get(&registration.uid).is_some_and(|(_, miner)| *miner == registration.miner)
        });
        fresh.retain(|miner| !replaced.contains(miner));
        (fresh, replaced)
    }

    /// Forgets everybody who is not registered like this any more, so that nothing is paid to a place for what another hotkey
    /// did there. Gives those forgotten.
    pub fn keep_registered(&mut self, registered: &[Registration]) -> Vec<Account> {
        let newest = newest_registrations(registered.iter().copied());
        self.forget(|registration| newest.get(&registration.miner) == Some(registration))
    }

    fn forget(&mut self, stays: impl Fn(&Registration) -> bool) -> Vec<Account> {
        let gone = self.miners.values().map(MinerState::registration).filter(|known| !stays(known));
        let gone: Vec<Account> = gone.map(|registration| registration.miner).collect();
        for account in &gone {
            self.miners.remove(account);
        }
        gone
    }

    /// What everybody is worth at a height, by account.
    pub fn scores(&self, height: u64) -> Vec<MinerScore> {
        self.miners.values().map(|miner| miner.score(height, &self.config)).collect()
    }

    /// What is to be set on the chain at a height, and the share of income that each miner may expect from it, by account. All
    /// are 0 when nobody has proven anything: then nothing should be set.
    pub fn weights(&self, height: u64) -> Vec<MinerWeight> {
        let scores: Vec<f64> = self.scores(height).into_iter().map(|miner| miner.score).collect();
        let shares = weights::shares(&scores, &self.config.weights);
        let weights = weights::in_16_bits(&shares);
        let miners = self.miners.values().zip(shares).zip(weights);
        miners
            .map(|((miner, share), weight)| MinerWeight { miner: miner.miner, uid: miner.uid, share, weight })
            .collect()
    }

    /// The share of income that a miner may expect from this validator's weights at a height, from 0 to 1; `None` if it is not
    /// known.
    pub fn income_share(&self, miner: &Account, height: u64) -> Option<f64> {
        self.weights(height).into_iter().find(|weight| weight.miner == *miner).map(|weight| weight.share)
    }
}

impl MinerOutcome {
    fn registration(&self) -> Registration {
        Registration { miner: self.miner, uid: self.uid, registered_at: self.registered_at }
    }
}

/// The newest registration of each account, whatever their order.
fn newest_registrations(all: impl Iterator<Item = Registration>) -> BTreeMap<Account, Registration> {
    let mut newest: BTreeMap<Account, Registration> = BTreeMap::new();
    for registration in all {
        let age = |registration: &Registration| (registration.registered_at, registration.uid);
        newest
            .entry(registration.miner)
            .and_modify(|known| *known = std::cmp::max_by_key(*known, registration, age))
            .or_insert(registration);
    }
    newest
}

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
