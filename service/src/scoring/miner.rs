//! What is known of one miner, and how a round changes it.

use holdfast_engine::account::Account;
use serde::{Deserialize, Serialize};

use super::ScoringError;
use super::config::{MILLION, ScoringConfig, Tier};
use super::outcome::{Class, OutcomeKind, Registration};
use super::tally::Tally;
use super::wilson::Interval;
use super::window::{Passed, Window};

/// What a validator keeps of one miner. JSON and back gives the same.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MinerState {
    pub(super) miner: Account,
    pub(super) uid: u16,
    pub(super) registered_at: u64,
    /// By name: the configuration may change.
    pub(super) tier: String,
    /// Passed rounds ever, in millionths.
    passed_millionths_total: u64,
    window: Window,
    space_bytes: Average,
    object_bytes: Average,
    /// Mean speed of proofs, boosts included.
    performance: f64,
    /// Mean speed of service, where failures have none; 1 until something is asked.
    service: f64,
}

/// A moving average, and when it was last asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Average {
    value: f64,
    asked_at: u64,
}

/// What one miner is worth at some height.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MinerScore {
    /// Who.
    pub miner: Account,
    /// Its place on the chain.
    pub uid: u16,
    /// Name of its tier.
    pub tier: String,
    /// Rounds in the window.
    pub window_rounds: u64,
    /// Lower bound of the share of rounds passed in the window; `None` without rounds.
    pub wilson_lower: Option<f64>,
    /// Upper bound.
    pub wilson_upper: Option<f64>,
    /// Rounds passed ever.
    pub total_successes: u64,
    /// Moving average of proven bytes of space.
    pub space_bytes: f64,
    /// Moving average of proven bytes of objects.
    pub object_bytes: f64,
    /// Those of both that count, objects at their value, within the tier's limit.
    pub counted_bytes: f64,
    /// Mean speed of proofs, boosts included: about 1.
    pub performance: f64,
    /// Mean speed of service, where failures have none: 1 until something is asked.
    pub service: f64,
    /// What weights are in proportion to: `counted_bytes` × the tier's reward factor × `performance` × `service`.
    pub score: f64,
}

impl MinerState {
    /// A new registration: the lowest tier, nothing proven.
    pub(super) fn fresh(registration: Registration, config: &ScoringConfig) -> MinerState {
        let Registration { miner, uid, registered_at } = registration;
        MinerState {
            miner,
            uid,
            registered_at,
            tier: config.tiers[0].name.clone(),
            passed_millionths_total: 0,
            window: Window::default(),
            space_bytes: Average::default(),
            object_bytes: Average::default(),
            performance: 1.0,
            service: 1.0,
        }
    }

    /// Who it is of.
    pub fn registration(&self) -> Registration {
        Registration { miner: self.miner, uid: self.uid, registered_at: self.registered_at }
    }

    /// Name of its tier.
    pub fn tier(&self) -> &str {
        &self.tier
    }

    /// Takes in a round. `speed` tells the speed of this miner's answers of a kind, boosts included.
    pub(super) fn record(
        &mut self,
        height: u64,
        tally: &Tally,
        speed: impl Fn(OutcomeKind) -> f64,
        config: &ScoringConfig,
    ) {
        let Some(passed) = tally.passed_millionths() else { return };
        let tier = &config.tiers[config.tier_of(&self.tier)];
        self.window.add(height, passed, &config.wilson);
        self.passed_millionths_total = self.passed_millionths_total.saturating_add(passed);
        for (class, average) in
            [(Class::Space, &mut self.space_bytes), (Class::Object, &mut self.object_bytes)]
        {
            if tally.asked(class) == 0 {
                continue;
            }
            let credit = tally.shows_bytes(class).then(|| tally.proven_bytes(class));
            let cost = tally.failure_cost(class, &config.failure) * tier.failure_factor;
            average.value = moved(average.value, credit, cost, config.average.alpha);
            average.asked_at = height;
            if average.value < config.bytes.least_bytes as f64 {
                average.value = 0.0;
            }
        }
        let performance = tally.proof_speed(&speed);
        self.performance = moved(self.performance, performance, 0.0, config.average.alpha);
        if tally.asked(Class::Service) > 0 {
            let cost = tally.failure_cost(Class::Service, &config.failure) * tier.failure_factor;
            let credit = Some(tally.service_credit(&speed));
            self.service = moved(self.service, credit, cost, config.average.alpha);
        }
        self.tier = config.tiers[self.earned_tier(height, config)].name.clone();
    }

    /// The tier after a round. Up only if the lower bound says so, down only if the upper bound says so, and neither with too
    /// few rounds to tell.
    fn earned_tier(&self, height: u64, config: &ScoringConfig) -> usize {
        let now = config.tier_of(&self.tier);
        let passed = self.window.passed(height, &config.wilson);
        if passed.rounds < config.wilson.least_rounds.into() {
            return now;
        }
        let interval = passed.interval(config.wilson.z);
        let total = self.total_successes();
        let best = |bound: f64| {
            let earned = |tier: &Tier| total >= tier.total_successes && bound >= tier.wilson_bar;
            // The lowest asks for nothing.
            config.tiers.iter().rposition(earned).unwrap_or(0)
        };
        best(interval.lower).max(now.min(best(interval.upper)))
    }

    fn total_successes(&self) -> u64 {
        self.passed_millionths_total / MILLION
    }

    /// What it is worth at a height.
    pub(super) fn score(&self, height: u64, config: &ScoringConfig) -> MinerScore {
        let tier = &config.tiers[config.tier_of(&self.tier)];
        let space_bytes = self.space_bytes.at(height, config);
        let object_bytes = self.object_bytes.at(height, config);
        let objects = object_bytes.min(space_bytes * config.bytes.object_bytes_per_space_byte);
        let counted = (space_bytes + objects * config.bytes.object_byte_value).min(tier.limit_bytes as f64);
        let passed = self.window.passed(height, &config.wilson);
        let bounds = |passed: Passed| (passed.rounds > 0).then(|| passed.interval(config.wilson.z));
        let interval: Option<Interval> = bounds(passed);
        MinerScore {
            miner: self.miner,
            uid: self.uid,
            tier: tier.name.clone(),
            window_rounds: passed.rounds,
            wilson_lower: interval.map(|interval| interval.lower),
            wilson_upper: interval.map(|interval| interval.upper),
            total_successes: self.total_successes(),
            space_bytes,
            object_bytes,
            counted_bytes: counted,
            performance: self.performance,
            service: self.service,
            score: counted * tier.reward_factor * self.performance * self.service,
        }
    }

    /// Refuses a state that no scoring has made.
    pub(super) fn check(&self) -> Result<(), ScoringError> {
        let numbers = [
            ("space_bytes", self.space_bytes.value, BYTES_MAXIMUM),
            ("object_bytes", self.object_bytes.value, BYTES_MAXIMUM),
            ("performance", self.performance, MULTIPLIER_MAXIMUM),
            ("service", self.service, MULTIPLIER_MAXIMUM),
        ];
        let unusable = |detail| ScoringError::State { miner: self.miner, detail };
        match numbers.into_iter().find(|(_, found, most)| !(0.0..=*most).contains(found)) {
            Some((field, found, most)) => {
                Err(unusable(format!("{field} is {found}, at least 0, at most {most}")))
            }
            None => {
                self.window.fault().map_or(Ok(()), |fault| Err(unusable(format!("its window has {fault}"))))
            }
        }
    }
}

/// More than a round of 2^32 questions of 2^64 bytes each.
const BYTES_MAXIMUM: f64 = 1e30;
/// The largest speed times the largest boost.
const MULTIPLIER_MAXIMUM: f64 = 19.0;

impl Average {
    /// Nothing, if it was asked for too long ago.
    fn at(self, height: u64, config: &ScoringConfig) -> f64 {
        let valid = height.saturating_sub(self.asked_at) <= config.average.proof_valid_blocks;
        if valid { self.value } else { 0.0 }
    }
}

/// The next value of a moving average: `value + alpha (credit − value − cost value)`, never below 0. Without credit, which is
/// something else than a credit of nothing, only the cost is taken.
fn moved(value: f64, credit: Option<f64>, cost: f64, alpha: f64) -> f64 {
    let credit = credit.unwrap_or(value);
    // In this order `value` stays exactly what it was when credit equals it.
    (value + alpha * (credit - value) - alpha * cost * value).max(0.0)
}

#[cfg(test)]
mod tests;
