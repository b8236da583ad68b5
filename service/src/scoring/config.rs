//! What scoring is told: windows, averages, costs and the tiers, as data.

use serde::{Deserialize, Serialize};

use super::ScoringError;

/// The only version of the form.
pub const CONFIG_VERSION: u32 = 1;
/// Most tiers.
pub const TIERS_MAXIMUM: usize = 64;
/// Longest name of a tier in bytes.
pub const TIER_NAME_BYTES: usize = 64;

const STANDARD: &str = include_str!("standard.toml");

/// How miners are scored (docs/spec/scoring-v1.md). Validators of one network had better use equal ones.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScoringConfig {
    /// Version of this form: 1.
    pub version: u32,
    /// How sure we are of a miner, and over how long.
    pub wilson: WilsonConfig,
    /// Moving averages.
    pub average: AverageConfig,
    /// What proven bytes are worth.
    pub bytes: BytesConfig,
    /// What speed is worth.
    pub latency: LatencyConfig,
    /// What failures cost.
    pub failure: FailureConfig,
    /// Bounds of weights.
    pub weights: WeightsConfig,
    /// The tiers, the lowest first.
    pub tiers: Vec<Tier>,
}

/// How sure we are of a miner, and over how long.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WilsonConfig {
    /// Normal quantile of the interval, above 0 and at most 10; 1.96 is 95 % two-sided.
    pub z: f64,
    /// Blocks of the sliding window.
    pub window_blocks: u64,
    /// Steps in which it slides, 1 to 1024 and at most one a block. This is what a miner's state takes in memory.
    pub window_steps: u32,
    /// With fewer rounds in the window the tier stays as it is.
    pub least_rounds: u32,
}

/// Moving averages.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AverageConfig {
    /// Weight of the newest round, above 0 and at most 1.
    pub alpha: f64,
    /// For so many blocks after it was last asked for does an average count.
    pub proof_valid_blocks: u64,
}

/// What proven bytes are worth.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BytesConfig {
    /// What a byte of an object is worth, where a byte of space is worth 1: 0 to 1000.
    pub object_byte_value: f64,
    /// Bytes of objects that count for each byte of space, 0 to 1000: objects are not sealed, so somebody who is owner and
    /// miner at once can have any amount of them without storing anything.
    pub object_bytes_per_space_byte: f64,
    /// An average below this is nothing.
    pub least_bytes: u64,
}

/// What speed is worth.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LatencyConfig {
    /// Milliseconds that any answer is expected to take, at least 1.
    pub reference_latency_ms: u32,
    /// Bytes a second at which what was asked for is expected to be read, at least 1.
    pub reference_bytes_per_second: u64,
    /// The fastest earn 1 + this, the slowest 1 − this: 0 to 0.9.
    pub spread: f64,
    /// Exponent of the sigmoid, 1 to 16.
    pub steepness: u32,
    /// So many of the fastest of a round and kind get their tier's boost.
    pub top_performers: u32,
    /// Only where so many miners at least answered.
    pub top_performers_least_field: u32,
}

/// What failures cost beside the credit that they do not give, in averages times alpha and before the tier's factor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FailureConfig {
    /// Of an answer that is wrong, 0 to 100.
    pub rejected_cost: f64,
    /// Of one that did not come in time, 0 to 100.
    pub missed_cost: f64,
}

/// Bounds of weights: of the first two the larger one holds, as far as the third allows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WeightsConfig {
    /// Largest share of one miner, above 0 and at most 1.
    pub share_maximum: f64,
    /// Largest share of one miner, in equal shares of all that have one; at least 1. Without it, a network with fewer than
    /// 1 / `share_maximum` miners would pay all of them the same.
    pub share_maximum_times_equal: f64,
    /// Cutting the largest shares does not raise the others by more than this factor, at least 1.
    pub share_rise_maximum: f64,
}

/// One tier.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tier {
    /// Its name, 1 to 64 bytes.
    pub name: String,
    /// Bytes that count at most.
    pub limit_bytes: u64,
    /// What everything is multiplied by, 0 to 10.
    pub reward_factor: f64,
    /// What the costs of failures are multiplied by, 0 to 10.
    pub failure_factor: f64,
    /// Passed rounds that it takes, ever.
    pub total_successes: u64,
    /// What the lower bound of the Wilson interval must reach to get here; whose upper bound is below leaves. 0 to below 1.
    pub wilson_bar: f64,
    /// What the speed of a round's fastest is multiplied by, 1 to 10.
    pub top_performer_boost: f64,
}

impl Default for ScoringConfig {
    fn default() -> ScoringConfig {
        ScoringConfig::standard()
    }
}

impl ScoringConfig {
    /// The standard configuration, `standard.toml`.
    pub fn standard() -> ScoringConfig {
        ScoringConfig::from_toml(STANDARD).expect("a test reads the standard configuration")
    }

    /// The standard configuration with its comments, to be changed.
    pub fn standard_toml() -> &'static str {
        STANDARD
    }

    /// Reads the TOML form and checks it.
    ///
    /// # Errors
    /// [`ScoringError::Toml`], [`ScoringError::Field`], [`ScoringError::Version`].
    pub fn from_toml(text: &str) -> Result<ScoringConfig, ScoringError> {
        let config: ScoringConfig =
            toml::from_str(text).map_err(|error| ScoringError::Toml(Box::new(error)))?;
        config.check()?;
        Ok(config)
    }

    /// Refuses what makes no sense.
    ///
    /// # Errors
    /// [`ScoringError::Field`] with the field, its value and what is allowed; [`ScoringError::Version`].
    pub fn check(&self) -> Result<(), ScoringError> {
        let ScoringConfig { version, wilson, average, bytes, latency, failure, weights, tiers } = self;
        if *version != CONFIG_VERSION {
            return Err(ScoringError::Version { what: "scoring configuration", found: *version });
        }
        let steps = u64::from(wilson.window_steps);
        number("wilson.z", wilson.z, f64::MIN_POSITIVE, 10.0)?;
        number("average.alpha", average.alpha, f64::MIN_POSITIVE, 1.0)?;
        count("wilson.window_steps", steps, 1, 1024)?;
        count("wilson.window_blocks", wilson.window_blocks, steps, 1 << 32)?;
        count("wilson.least_rounds", wilson.least_rounds.into(), 1, u32::MAX.into())?;
        count("average.proof_valid_blocks", average.proof_valid_blocks, 1, u64::MAX)?;
        number("bytes.object_byte_value", bytes.object_byte_value, 0.0, 1000.0)?;
        number("bytes.object_bytes_per_space_byte", bytes.object_bytes_per_space_byte, 0.0, 1000.0)?;
        count("bytes.least_bytes", bytes.least_bytes, 1, u64::MAX)?;
        count("latency.reference_latency_ms", latency.reference_latency_ms.into(), 1, u32::MAX.into())?;
        count("latency.reference_bytes_per_second", latency.reference_bytes_per_second, 1, u64::MAX)?;
        number("latency.spread", latency.spread, 0.0, 0.9)?;
        count("latency.steepness", latency.steepness.into(), 1, 16)?;
        number("failure.rejected_cost", failure.rejected_cost, 0.0, 100.0)?;
        number("failure.missed_cost", failure.missed_cost, 0.0, 100.0)?;
        number("weights.share_maximum", weights.share_maximum, f64::MIN_POSITIVE, 1.0)?;
        number("weights.share_maximum_times_equal", weights.share_maximum_times_equal, 1.0, 1e6)?;
        number("weights.share_rise_maximum", weights.share_rise_maximum, 1.0, 1e6)?;
        count("number of tiers", tiers.len() as u64, 1, TIERS_MAXIMUM as u64)?;
        for (place, tier) in tiers.iter().enumerate() {
            tier.check(place, &tiers[..place])?;
        }
        Ok(())
    }

    /// The tier of this name; the lowest if there is none, as after a change of the configuration.
    pub(super) fn tier_of(&self, name: &str) -> usize {
        self.tiers.iter().position(|tier| tier.name == name).unwrap_or(0)
    }
}

impl Tier {
    /// Checks one tier, of which `lower` are below. Nobody may lose by being promoted, nor be in no tier.
    fn check(&self, place: usize, lower: &[Tier]) -> Result<(), ScoringError> {
        let field = |name: &str| format!("tiers[{place}].{name}");
        if self.name.is_empty()
            || self.name.len() > TIER_NAME_BYTES
            || lower.iter().any(|tier| tier.name == self.name)
        {
            let allowed = format!("a name of 1 to {TIER_NAME_BYTES} bytes that no other tier has");
            return Err(ScoringError::Field { field: field("name"), found: self.name.clone(), allowed });
        }
        let below = |value: fn(&Tier) -> f64, least: f64| lower.last().map_or(least, value);
        let top = |tier: &Tier| tier.reward_factor * tier.top_performer_boost;
        let successes_below = lower.last().map_or(0, |tier| tier.total_successes);
        let lowest = lower.is_empty();
        count(
            field("limit_bytes"),
            self.limit_bytes,
            lower.last().map_or(1, |tier| tier.limit_bytes),
            u64::MAX,
        )?;
        count(
            field("total_successes"),
            self.total_successes,
            successes_below,
            if lowest { 0 } else { u64::MAX / MILLION },
        )?;
        number(field("reward_factor"), self.reward_factor, below(|tier| tier.reward_factor, 0.0), 10.0)?;
        number(field("failure_factor"), self.failure_factor, 0.0, 10.0)?;
        let bar_below = below(|tier| tier.wilson_bar, 0.0);
        number(field("wilson_bar"), self.wilson_bar, bar_below, if lowest { 0.0 } else { 0.999_999 })?;
        number(field("top_performer_boost"), self.top_performer_boost, 1.0, 10.0)?;
        number(field("reward_factor x top_performer_boost"), top(self), lower.last().map_or(0.0, top), 100.0)
    }
}

/// Shares are counted in millionths, so that sums of them do not depend on their order.
pub(super) const MILLION: u64 = 1_000_000;

fn number(field: impl Into<String>, found: f64, least: f64, most: f64) -> Result<(), ScoringError> {
    if (least..=most).contains(&found) {
        return Ok(());
    }
    let least = if least == f64::MIN_POSITIVE { "above 0".to_owned() } else { format!("at least {least}") };
    let allowed = format!("{least}, at most {most}");
    Err(ScoringError::Field { field: field.into(), found: found.to_string(), allowed })
}

fn count(field: impl Into<String>, found: u64, least: u64, most: u64) -> Result<(), ScoringError> {
    if (least..=most).contains(&found) {
        return Ok(());
    }
    let allowed = format!("at least {least}, at most {most}");
    Err(ScoringError::Field { field: field.into(), found: found.to_string(), allowed })
}

#[cfg(test)]
mod tests;
