//! Policy: what a network demands of space partitions and how it audits them (space-v1 §9, decision 0005).

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::rejection::{Class, Rejection};
use crate::space::security::{DeviceSpeed, NODES_PER_CHUNK, TIB_BYTES, expected_cone};
use crate::transcript::Context;

/// The only version of the JSON form.
pub const POLICY_VERSION: u32 = 1;
/// Most samples of a challenge (challenge-v1 §1).
pub const SAMPLES_LIMIT: u32 = 1 << 20;

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
    /// The body of a response may take this many times τ.
    pub body_deadline_factor: u32,
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
        "{windows} windows take {needed} samples a round, a challenge has at most {SAMPLES_LIMIT}; make partitions smaller"
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
            body_deadline_factor: 10,
            devices_per_fake_tib: 1.5,
            fastest_device: DeviceSpeed::DATACENTRE_GPU,
            min_samples: 64,
            seal_windows: 44,
            audit_one_in_blocks: 1200,
            missed_rounds_on_withdrawal: 24,
            signatures_required: true,
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
        demand(
            self.body_deadline_factor >= 1,
            "body_deadline_factor",
            &self.body_deadline_factor,
            "1 and more",
        )?;
        demand(devices.is_finite() && devices >= 0.0, "devices_per_fake_tib", &devices, "0 and more")?;
        demand(device, "fastest_device", speed, "rates above 0, cache_bytes 0 and more")?;
        demand(
            (1..=SAMPLES_LIMIT).contains(&self.min_samples),
            "min_samples",
            &self.min_samples,
            "1 to 1048576",
        )?;
        demand(
            (1..=SAMPLES_LIMIT).contains(&self.seal_windows),
            "seal_windows",
            &self.seal_windows,
            "1 to 1048576",
        )?;
        demand(self.audit_one_in_blocks >= 1, "audit_one_in_blocks", &self.audit_one_in_blocks, "1 and more")
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
            Ok(samples) if samples <= SAMPLES_LIMIT => Ok(samples),
            _ => Err(PolicyError::TooManySamples { windows, needed }),
        }
    }

    /// Windows of a seal audit of a batch of `windows`.
    pub fn seal_samples(&self, windows: u64) -> u32 {
        u32::try_from(windows).unwrap_or(u32::MAX).min(self.seal_windows)
    }

    /// Whether the block with this beacon is an audit height: the first 8 bytes of `derive(audit height, beacon)`, as an
    /// integer, are below 2^64 / `audit_one_in_blocks`. Nobody knows before the beacon is known, and it is the same for
    /// every partition of the network.
    pub fn is_audit_height(&self, beacon: &[u8; 32]) -> bool {
        let [a, b, c, d, e, f, g, h, ..] = Context::AUDIT_HEIGHT.derive(&[beacon]);
        let drawn = u64::from_le_bytes([a, b, c, d, e, f, g, h]);
        u128::from(drawn) * u128::from(self.audit_one_in_blocks) < 1 << 64
    }

    /// Milliseconds from the beacon until the body of a response must be there.
    pub fn body_deadline_ms(&self) -> u64 {
        u64::from(self.deadline_ms) * u64::from(self.body_deadline_factor)
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
