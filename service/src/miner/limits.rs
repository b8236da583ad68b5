//! What callers may ask of a miner, so that none of them takes what belongs to the others.

mod bucket;
mod gate;
mod slots;
mod streams;

use std::time::Duration;

use holdfast_engine::account::Account;
use serde::{Deserialize, Serialize};

pub(super) use gate::Gate;
pub(super) use slots::{Slot, Slots};
pub(super) use streams::Streams;

/// The table `[limits]` of a miner's configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Only these accounts are served, if there are any.
    pub allow: Vec<Account>,
    /// These accounts are not served.
    pub deny: Vec<Account>,
    /// Requests of one caller a second, on average.
    pub requests_per_second: u32,
    /// Requests of all callers together that neither validate nor have objects here, a second.
    pub strangers_per_second: u32,
    /// Bytes from and to one caller a second, on average.
    pub bytes_per_second: u64,
    /// Requests that may wait for the processor or a disk; more are refused.
    pub queue: usize,
    /// Uploads at once, interrupted ones that may go on included.
    pub uploads: usize,
    /// Of them, those of one caller.
    pub uploads_per_caller: usize,
    /// A stream on which nothing moves for so long is ended, in milliseconds.
    pub idle_ms: u64,
    /// How long an interrupted upload is kept, in milliseconds.
    pub upload_kept_ms: u64,
    /// Longest time that an object may be asked to be kept, in seconds.
    pub keep_seconds: u64,
    /// Challenges in one request.
    pub challenges: usize,
    /// Samples of all challenges of one request.
    pub samples: u32,
    /// Rounds older than this many blocks are not answered.
    pub round_age_blocks: u64,
    /// Memory for answers that may be asked for again, in bytes.
    pub answer_cache_bytes: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            allow: Vec::new(),
            deny: Vec::new(),
            requests_per_second: 1000,
            strangers_per_second: 100,
            bytes_per_second: 1 << 30,
            queue: 4096,
            uploads: 64,
            uploads_per_caller: 16,
            idle_ms: 30_000,
            upload_kept_ms: 600_000,
            keep_seconds: 5 * 366 * 86_400,
            challenges: 4096,
            samples: 1 << 17,
            round_age_blocks: 20,
            answer_cache_bytes: 64 << 20,
        }
    }
}

impl Limits {
    pub(super) fn idle(&self) -> Duration {
        Duration::from_millis(self.idle_ms)
    }

    pub(super) fn upload_kept(&self) -> Duration {
        Duration::from_millis(self.upload_kept_ms)
    }
}

#[cfg(test)]
mod tests;
