//! What callers may ask of a miner, so that none of them takes what belongs to the others.

mod bucket;
mod gate;
mod slots;
mod streams;
mod wholes;

use std::time::Duration;

use holdfast_engine::account::Account;
use serde::{Deserialize, Serialize};

pub(super) use gate::Gate;
pub(super) use slots::{Slot, Slots};
pub(super) use streams::{StreamPlace, Streams};
pub(super) use wholes::{WholeKey, Wholes};

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
    /// Uploads at once, interrupted ones that may go on included; divided among the validators that gave tickets for them.
    pub uploads: usize,
    /// Of them, those of one caller.
    pub uploads_per_caller: usize,
    /// An upload that is slower than this on average is ended, in bytes a second.
    pub upload_bytes_per_second: u64,
    /// Streams to owners at once, those that they do not read included; divided among the validators of their objects.
    pub streams: usize,
    /// Streams to one caller at once.
    pub streams_per_caller: usize,
    /// Rounds of one validator that are answered at once.
    pub rounds_per_validator: usize,
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
    /// Objects that are read as a whole at once, for those who show a token's key.
    pub wholes: usize,
    /// Others that may wait for it; more are refused.
    pub whole_queue: usize,
    /// Longer than that passes from one such read of an object to the next of the same caller, in milliseconds.
    pub whole_pause_ms: u64,
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
            upload_bytes_per_second: 4096,
            streams: 512,
            streams_per_caller: 64,
            rounds_per_validator: 16,
            idle_ms: 30_000,
            upload_kept_ms: 600_000,
            keep_seconds: 5 * 366 * 86_400,
            challenges: 4096,
            samples: 1 << 17,
            round_age_blocks: 20,
            answer_cache_bytes: 64 << 20,
            wholes: 1,
            whole_queue: 64,
            whole_pause_ms: 3_600_000,
        }
    }
}

impl Limits {
    pub(super) fn idle(&self) -> Duration {
        Duration::from_millis(self.idle_ms)
    }

    pub(super) fn whole_pause(&self) -> Duration {
        Duration::from_millis(self.whole_pause_ms)
    }

    pub(super) fn upload_kept(&self) -> Duration {
        Duration::from_millis(self.upload_kept_ms)
    }
}

/// What each of so many validators may have of a number of places: each its own, so that none takes another's.
pub(super) fn fair_share(most: usize, validators: usize) -> usize {
    (most / validators.max(1)).max(1)
}

#[cfg(test)]
mod tests;
