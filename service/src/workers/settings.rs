//! How an exchange treats workers.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::check;

/// The table `[workers]` of a configuration. Every key has a default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ExchangeSettings {
    /// Slots of all workers that may be connected at once; more are refused.
    pub slots: usize,
    /// Windows that workers make at once, over all fills. Up to three messages of each are in memory, and none whole.
    pub windows_in_flight: usize,
    /// Workers say that they are there at least this often, in milliseconds.
    pub ping_ms: u32,
    /// A worker that said nothing for so long is given up, in milliseconds.
    pub silence_ms: u32,
    /// From one step of an order to the next, in milliseconds: a layer, an answer, a part. A worker that takes longer loses the
    /// window.
    pub lease_ms: u32,
    /// Labels of each layer that a worker has to show. 704 find 1 % of wrong ones in a layer with 99.9 %.
    pub labels_per_layer: u32,
}

impl Default for ExchangeSettings {
    fn default() -> ExchangeSettings {
        ExchangeSettings {
            slots: 64,
            windows_in_flight: 16,
            ping_ms: 5_000,
            silence_ms: 20_000,
            lease_ms: 300_000,
            labels_per_layer: check::LABELS_PER_LAYER,
        }
    }
}

/// Settings that contradict each other or are out of range.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("workers.{key} is {found}; allowed: {allowed}")]
pub struct ExchangeSettingsError {
    key: &'static str,
    found: u64,
    allowed: &'static str,
}

impl ExchangeSettings {
    /// Checks the ranges.
    ///
    /// # Errors
    /// The first key that is out of its range.
    pub fn check(&self) -> Result<(), ExchangeSettingsError> {
        let silence_allowed = self.silence_ms > self.ping_ms;
        let ranges = [
            ("slots", self.slots as u64, (1..=4096).contains(&self.slots), "1 to 4096"),
            (
                "windows_in_flight",
                self.windows_in_flight as u64,
                (1..=1024).contains(&self.windows_in_flight),
                "1 to 1024",
            ),
            ("ping_ms", self.ping_ms.into(), (10..=600_000).contains(&self.ping_ms), "10 to 600000"),
            ("silence_ms", self.silence_ms.into(), silence_allowed, "more than ping_ms"),
            ("lease_ms", self.lease_ms.into(), self.lease_ms >= 10, "10 and more"),
            (
                "labels_per_layer",
                self.labels_per_layer.into(),
                (1..=65_536).contains(&self.labels_per_layer),
                "1 to 65536",
            ),
        ];
        match ranges.into_iter().find(|(_, _, is_allowed, _)| !is_allowed) {
            None => Ok(()),
            Some((key, found, _, allowed)) => Err(ExchangeSettingsError { key, found, allowed }),
        }
    }

    pub(super) fn silence(&self) -> Duration {
        Duration::from_millis(self.silence_ms.into())
    }

    pub(super) fn lease(&self) -> Duration {
        Duration::from_millis(self.lease_ms.into())
    }
}
