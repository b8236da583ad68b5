//! What is known of one miner, and how a round changes it.

use holdfast_engine::account::Account;
use serde::{Deserialize, Serialize};

use super::ScoringError;
use super::config::{MILLION, ScoringConfig, Tier};
use super::outcome::{Class, OutcomeKind, Registration};
use super::tally::Tally;
use super::wilson::Interval;
use super::window::Window;

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
    /// Of each class: space, objects, service.
    windows: [Window; Class::ALL.len()],
    space_bytes: Average,
    object_bytes: Average,
    /// Mean speed of right answers, boosts included.
    performance: f64,
    /// Share of service that was given; 1 until it is asked for.
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
    /// Lower bound of the share of answers that are right, over the window and of the class of questions that goes worst;
    /// `None` while too few rounds say anything.
    pub wilson_lower: Option<f64>,
    /// The least upper bound.
    pub wilson_upper: Option<f64>,
    /// Rounds passed ever.
    pub total_successes: u64,
    /// Moving average of proven bytes of space.
    pub space_bytes: f64,
    /// Moving average of proven bytes of objects.
    pub object_bytes: f64,
    /// Those of both that count, objects at their value, within the tier's limit.
    pub counted_bytes: f64,
    /// Mean speed of right answers, boosts included: about 1.
    pub performance: f64,
    /// Share of service that was given, from 0 to 1: 1 until it is asked for.
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
            windows: Default::default(),
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
        let passed = Class::ALL.map(|class| tally.passed_millionths(class));
        // Of the class that went worst, so that a failure is not hidden among easier questions.
        let Some(passed_least) = passed.into_iter().flatten().min() else { return };
        self.passed_millionths_total = self.passed_millionths_total.saturating_add(passed_least);
        for (window, passed) in self.windows.iter_mut().zip(passed) {
            if let Some(passed) = passed {
                window.add(height, passed, &config.wilson);
            }
        }
        let tier = &config.tiers[config.tier_of(&self.tier)];
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
        self.performance = moved(self.performance, tally.speed(speed), 0.0, config.average.alpha);
        if let Some(served) = passed[Class::Service as usize] {
            let cost = tally.failure_cost(Class::Service, &config.failure) * tier.failure_factor;
            let credit = Some(served as f64 / MILLION as f64);
            self.service = moved(self.service, credit, cost, config.average.alpha);
        }
        self.tier = config.tiers[self.earned_tier(height, config)].name.clone();
    }

    /// The tier after a round. Up only if the lower bound says so, down only if the upper bound says so, and neither with too
    /// few rounds to tell.
    fn earned_tier(&self, height: u64, config: &ScoringConfig) -> usize {
        let now = config.tier_of(&self.tier);
        let Some(interval) = self.interval(height, config) else { return now };
        let total = self.total_successes();
        let best = |bound: f64| {
            let earned = |tier: &Tier| total >= tier.total_successes && bound >= tier.wilson_bar;
            // The lowest asks for nothing.
            config.tiers.iter().rposition(earned).unwrap_or(0)
        };
        best(interval.lower).max(now.min(best(interval.upper)))
    }

    /// The bounds of the class that is worst, among those with enough rounds in the window.
    fn interval(&self, height: u64, config: &ScoringConfig) -> Option<Interval> {
        let passed = self.windows.iter().map(|window| window.passed(height, &config.wilson));
        let enough = passed.filter(|passed| passed.rounds >= config.wilson.least_rounds.into());
        let intervals = enough.map(|passed| passed.interval(config.wilson.z));
        intervals.reduce(|a, b| Interval { lower: a.lower.min(b.lower), upper: a.upper.min(b.upper) })
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
        let interval = self.interval(height, config);
        MinerScore {
            miner: self.miner,
            uid: self.uid,
            tier: tier.name.clone(),
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
            ("service", self.service, 1.0),
        ];
        let unusable = |detail| ScoringError::State { miner: self.miner, detail };
        if let Some((field, found, most)) =
            numbers.into_iter().find(|(_, found, most)| !(0.0..=*most).contains(found))
        {
            return Err(unusable(format!("{field} is {found}, at least 0, at most {most}")));
        }
        match self.windows.iter().find_map(Window::fault) {
            Some(fault) => Err(unusable(format!("a window of it has {fault}"))),
            None => Ok(()),
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
