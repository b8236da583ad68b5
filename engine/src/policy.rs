//! Policy: what a network demands of space partitions and how it audits them (space-v1 §9, decision 0005), and how it
//! audits objects ([`ObjectPolicy`]).

mod objects;

use std::fs;
use std::num::NonZeroU64;
use std::path::Path;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::beacon;
use crate::challenge::{Challenge, Kind, SAMPLES_MAX};
use crate::possession::challenge::OBJECT_SAMPLES_MAX;
use crate::rejection::{Class, Rejection};
use crate::space::security::{DeviceSpeed, NODES_PER_CHUNK, TIB_BYTES, expected_cone};

pub use objects::ObjectPolicy;

/// The only version of the JSON form.
pub const POLICY_VERSION: u32 = 1;

/// What is demanded and how it is audited. Parties of one network use equal policies.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// Version of this form: 1.
    pub version: u32,
    /// Name, for people.
    pub name: String,
    /// Least k of a window (2^k labels).
    pub min_log2_labels: u8,
    /// Largest k of a window.
    pub max_log2_labels: u8,
    /// Least number of layers ℓ.
    pub min_layers: u8,
    /// Largest number of layers ℓ.
    pub max_layers: u8,
    /// F: blocks until nothing changes a recorded fact, and until a registration beacon is known.
    pub finality_blocks: u64,
    /// τ: milliseconds from the beacon to the digest of a response.
    pub deadline_ms: u32,
    /// Milliseconds for the digest of a seal response. The miner makes the windows again, which takes as long as filling
    /// them; a cheater gains nothing by time, for all labels are fixed by roots registered before.
    pub seal_deadline_ms: u32,
    /// D: devices of `fastest_device`'s speed that a cheater must keep ready for each fake TiB.
    pub devices_per_fake_tib: f64,
    /// The fastest known device; t_w follows from it.
    pub fastest_device: DeviceSpeed,
    /// Least samples of a space audit, where there are as many windows.
    pub min_samples: u32,
    /// Windows of a seal audit, where there are as many.
    pub seal_windows: u32,
    /// One block in this many is an audit height, on average.
    pub audit_one_in_blocks: u32,
    /// E: rounds for which a withdrawn partition counts as missed.
    pub missed_rounds_on_withdrawal: u32,
    /// Whether commitments and responses must be signed by the miner.
    pub signatures_required: bool,
    /// How objects are audited.
    pub objects: ObjectPolicy,
}

/// Why a policy, or what was held against it, is refused.
#[derive(Debug, Error)]
pub enum PolicyError {
    /// No such name and no such file.
    #[error("policy {given:?} is neither a named policy (default, test) nor a readable file: {source}")]
    Unreadable {
        /// What was given.
        given: String,
        /// Why it was not read.
        source: std::io::Error,
    },
    /// Not the JSON form.
    #[error("policy is not valid JSON of version {POLICY_VERSION}: {0}")]
    Form(#[from] serde_json::Error),
    /// A field of the policy is out of its range.
    #[error("policy field {field} is {found}, allowed: {allowed}")]
    Field {
        /// The field.
        field: &'static str,
        /// Its value.
        found: String,
        /// The values allowed.
        allowed: &'static str,
    },
    /// A partition's parameter is out of the policy's range.
    #[error("policy {policy:?} refuses {rule} = {found}, allowed: {least} to {most}")]
    Profile {
        /// Name of the policy.
        policy: String,
        /// k or ℓ.
        rule: &'static str,
        /// The partition's value.
        found: u8,
        /// Least allowed.
        least: u8,
        /// Most allowed.
        most: u8,
    },
    /// No number of samples, at most one a window, reaches D.
    #[error(
        "policy {policy:?} refuses windows with k = {log2_labels} and {layers} layers: {devices} devices per fake TiB \
         take {needed} samples per TiB, and there are only {windows} windows; use more layers"
    )]
    Unreachable {
        /// Name of the policy.
        policy: String,
        /// k.
        log2_labels: u8,
        /// ℓ.
        layers: u8,
        /// D.
        devices: f64,
        /// Samples per TiB that D takes.
        needed: u64,
        /// Windows of a TiB.
        windows: u64,
    },
    /// More samples than a challenge can ask for.
    #[error(
        "{windows} windows take {needed} samples a round, a challenge has at most {SAMPLES_MAX}; make partitions smaller"
    )]
    TooManySamples {
        /// Windows of the partition.
        windows: u64,
        /// Samples they take.
        needed: u64,
    },
    /// A partition has at least one window.
    #[error("a partition of 0 windows cannot be audited, allowed: 1 and more")]
    NoWindows,
}

impl PolicyError {
    /// The rejection of a partition whose parameters are refused.
    pub fn rejection(&self) -> Rejection {
        Class::Policy.because(self.to_string())
    }
}

impl Policy {
    /// The policy of real networks.
    pub fn standard() -> Policy {
        Policy {
            version: POLICY_VERSION,
            name: "default".to_owned(),
            min_log2_labels: 21,
            max_log2_labels: 30,
            min_layers: 12,
            max_layers: 64,
            finality_blocks: 20,
            deadline_ms: 5000,
            seal_deadline_ms: 6 * 3_600_000,
            devices_per_fake_tib: 1.5,
            fastest_device: DeviceSpeed::DATACENTRE_GPU,
            min_samples: 64,
            seal_windows: 44,
            audit_one_in_blocks: 1200,
            missed_rounds_on_withdrawal: 24,
            signatures_required: true,
            objects: ObjectPolicy::standard(),
        }
    }

    /// Small windows and few samples, for tests and demonstrations. It proves nothing about storage.
    pub fn test() -> Policy {
        Policy {
            name: "test".to_owned(),
            min_log2_labels: 10,
            min_layers: 2,
            finality_blocks: 2,
            devices_per_fake_tib: 0.0,
            min_samples: 4,
            seal_windows: 2,
            audit_one_in_blocks: 1,
            missed_rounds_on_withdrawal: 2,
            signatures_required: false,
            objects: ObjectPolicy::test(),
            ..Policy::standard()
        }
    }

    /// The policy of this name: `default` or `test`.
    pub fn named(name: &str) -> Option<Policy> {
        [Policy::standard(), Policy::test()].into_iter().find(|policy| policy.name == name)
    }

    /// What `--policy` means: a name, else the path of a JSON file.
    ///
    /// # Errors
    /// Neither, or a file that [`Policy::from_json`] refuses.
    pub fn resolve(name_or_path: &str) -> Result<Policy, PolicyError> {
        match Policy::named(name_or_path) {
            Some(policy) => Ok(policy),
            None => {
                let unreadable = |source| PolicyError::Unreadable { given: name_or_path.to_owned(), source };
                Policy::from_json(&fs::read_to_string(Path::new(name_or_path)).map_err(unreadable)?)
            }
        }
    }

    /// Reads the JSON form and checks it.
    ///
    /// # Errors
    /// Not the form, unknown or missing fields, another version, or a field out of its range.
    pub fn from_json(json: &str) -> Result<Policy, PolicyError> {
        let policy: Policy = serde_json::from_str(json)?;
        policy.check()?;
        Ok(policy)
    }

    /// Checks the ranges of all fields.
    ///
    /// # Errors
    /// The first field that is out of its range.
    pub fn check(&self) -> Result<(), PolicyError> {
        let speed = &self.fastest_device;
        let rate = |value: f64| value.is_finite() && value > 0.0;
        let device = rate(speed.compressions_per_second)
            && rate(speed.gathers_per_second)
            && speed.cache_bytes.is_finite()
            && speed.cache_bytes >= 0.0;
        let labels = (self.min_log2_labels, self.max_log2_labels);
        let layers = (self.min_layers, self.max_layers);
        let devices = self.devices_per_fake_tib;
        let demand = |fine: bool, field, found: &dyn std::fmt::Debug, allowed| {
            let error = || PolicyError::Field { field, found: format!("{found:?}"), allowed };
            if fine { Ok(()) } else { Err(error()) }
        };
        demand(self.version == POLICY_VERSION, "version", &self.version, "1")?;
        demand(
            10 <= labels.0 && labels.0 <= labels.1 && labels.1 <= 30,
            "min/max_log2_labels",
            &labels,
            "10 ≤ min ≤ max ≤ 30",
        )?;
        demand(
            2 <= layers.0 && layers.0 <= layers.1 && layers.1 <= 64,
            "min/max_layers",
            &layers,
            "2 ≤ min ≤ max ≤ 64",
        )?;
        demand(self.finality_blocks >= 1, "finality_blocks", &self.finality_blocks, "1 and more")?;
        demand(self.deadline_ms >= 1, "deadline_ms", &self.deadline_ms, "1 and more")?;
        demand(self.seal_deadline_ms >= 1, "seal_deadline_ms", &self.seal_deadline_ms, "1 and more")?;
        demand(devices.is_finite() && devices >= 0.0, "devices_per_fake_tib", &devices, "0 and more")?;
        demand(device, "fastest_device", speed, "rates above 0, cache_bytes 0 and more")?;
        demand(
            (1..=SAMPLES_MAX).contains(&self.min_samples),
            "min_samples",
            &self.min_samples,
            "1 to 1048576",
        )?;
        demand(
            (1..=SAMPLES_MAX).contains(&self.seal_windows),
            "seal_windows",
            &self.seal_windows,
            "1 to 1048576",
        )?;
        demand(
            self.audit_one_in_blocks >= 1,
            "audit_one_in_blocks",
            &self.audit_one_in_blocks,
            "1 and more",
        )?;
        for (field, samples) in self.objects.all_samples() {
            demand((1..=OBJECT_SAMPLES_MAX).contains(&samples), field, &samples, "1 to 65536")?;
        }
        let deadlines = (self.objects.deadline_ms, self.objects.whole_deadline_ms);
        demand(deadlines.0 >= 1 && deadlines.1 >= 1, "objects.deadline_ms", &deadlines, "1 and more")
    }

    /// Checks k and ℓ of a partition, and that D can be reached with them.
    ///
    /// # Errors
    /// The rule, the value and what is allowed.
    pub fn check_profile(&self, log2_labels: u8, layers: u8) -> Result<(), PolicyError> {
        self.samples_per_tib(log2_labels, layers).map(|_| ())
    }

    /// q per claimed TiB: `max(min_samples, ⌈D·τ / (φ·t_w)⌉)`.
    ///
    /// # Errors
    /// k or ℓ out of range, or D needs more samples than a TiB has windows.
    pub fn samples_per_tib(&self, log2_labels: u8, layers: u8) -> Result<u32, PolicyError> {
        self.check_range("k", log2_labels, self.min_log2_labels, self.max_log2_labels)?;
        self.check_range("layers", layers, self.min_layers, self.max_layers)?;
        let share = expected_cone(log2_labels, layers, f64::from(NODES_PER_CHUNK)).share();
        let seconds_per_sample = share * self.fastest_device.window_seconds(log2_labels, layers);
        let deadline_seconds = f64::from(self.deadline_ms) / 1000.0;
        let needed = ceiling(self.devices_per_fake_tib * deadline_seconds / seconds_per_sample);
        let windows = (1u64 << 35) >> log2_labels;
        if needed > windows {
            return Err(PolicyError::Unreachable {
                policy: self.name.clone(),
                log2_labels,
                layers,
                devices: self.devices_per_fake_tib,
                needed,
                windows,
            });
        }
        // At most 2^25 windows of 2^10 labels, so it fits.
        Ok(u32::try_from(needed).unwrap_or(u32::MAX).max(self.min_samples))
    }

    /// q of a space audit: `min(windows, max(min_samples, ⌈q per TiB × TiB⌉))`.
    ///
    /// # Errors
    /// Those of [`Policy::samples_per_tib`], no window, or more samples than a challenge can ask for.
    pub fn samples(&self, log2_labels: u8, layers: u8, windows: u64) -> Result<u32, PolicyError> {
        let per_tib = self.samples_per_tib(log2_labels, layers)?;
        if windows == 0 {
            return Err(PolicyError::NoWindows);
        }
        let tib = windows as f64 * ((1u64 << log2_labels) * 32) as f64 / TIB_BYTES;
        let needed = ceiling(f64::from(per_tib) * tib).max(u64::from(self.min_samples)).min(windows);
        match u32::try_from(needed) {
            Ok(samples) if samples <= SAMPLES_MAX => Ok(samples),
            _ => Err(PolicyError::TooManySamples { windows, needed }),
        }
    }

    /// Windows of a seal audit of a batch of `windows`.
    pub fn seal_samples(&self, windows: u64) -> u32 {
        u32::try_from(windows).unwrap_or(u32::MAX).min(self.seal_windows)
    }

    /// Refuses, as `policy`, a challenge that asks for less than this policy demands or leaves more time: k and ℓ, samples
    /// and deadline. What else there is to a challenge, [`Challenge::check_against`] checks.
    pub fn check_challenge(&self, challenge: &Challenge) -> Result<(), Rejection> {
        let (log2_labels, layers) = (challenge.shape.log2_labels(), challenge.shape.layers());
        let of_space = self.samples(log2_labels, layers, challenge.window_count);
        let (samples, deadline_ms) = match challenge.kind {
            Kind::Space => (of_space.map_err(|error| error.rejection())?, self.deadline_ms),
            Kind::Seal => {
                self.check_profile(log2_labels, layers).map_err(|error| error.rejection())?;
                (self.seal_samples(challenge.window_count), self.seal_deadline_ms)
            }
        };
        if challenge.samples < samples {
            let found = challenge.samples;
            return Err(Class::Policy.because(format!("{found} samples; the policy asks for {samples}")));
        }
        if challenge.deadline_ms > deadline_ms {
            let found = challenge.deadline_ms;
            return Err(
                Class::Policy.because(format!("{found} ms to answer; the policy leaves {deadline_ms}"))
            );
        }
        Ok(())
    }

    /// Whether the block with this beacon is an audit height ([`beacon::is_audit_height`]).
    pub fn is_audit_height(&self, beacon: &[u8; 32]) -> bool {
        beacon::is_audit_height(beacon, self.audit_limit())
    }

    /// Up to where the number drawn from a beacon makes its block an audit height ([`beacon::audit_limit`]).
    pub fn audit_limit(&self) -> u64 {
        beacon::audit_limit(NonZeroU64::new(self.audit_one_in_blocks.into()).unwrap_or(NonZeroU64::MIN))
    }

    fn check_range(&self, rule: &'static str, found: u8, least: u8, most: u8) -> Result<(), PolicyError> {
        if (least..=most).contains(&found) {
            return Ok(());
        }
        Err(PolicyError::Profile { policy: self.name.clone(), rule, found, least, most })
    }
}

/// The least integer that is not below `value`; `u64::MAX` for what is larger than any count.
fn ceiling(value: f64) -> u64 {
    // A float's conversion saturates, and what is no number becomes 0.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates, as documented")]
    let ceiling = value.ceil() as u64;
    ceiling
}

#[cfg(test)]
mod tests;
