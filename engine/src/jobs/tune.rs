//! Under which settings this machine fills fastest: each is measured over a few values, smallest first, and a larger one is
//! only taken when it is clearly better.

use std::sync::Arc;
use std::time::Duration;

use holdfast_partition::io::{BlockIo, IoError};
use serde::Serialize;

use crate::backend::Backend;
use crate::jobs::bench::{measure_windows, measure_writes};
use crate::registration::WindowShape;

/// A larger value must be better by this factor: less is noise, and small values leave room for others.
const CLEARLY_BETTER: f64 = 1.05;
/// Queue depths tried.
const QUEUE_DEPTHS: [u16; 5] = [2, 4, 8, 16, 32];
/// Tiles of memory for each request in flight: one being written, one being made.
const TILES_PER_REQUEST: u64 = 2;
/// Staging memory is not below this, so that short stalls of a disk do not stop the maker.
const STAGING_BYTES_MINIMUM: u64 = 32 << 20;
const TILE_BYTES: u64 = crate::space::window::TILE_BYTES as u64;

/// One value and what it gave.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Trial {
    /// The setting's value.
    pub value: u16,
    /// Bytes per second under it.
    pub bytes_per_second: f64,
}

/// What was measured, and what came out best.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TuneReport {
    /// Compute threads against bytes of windows made per second.
    pub threads: Vec<Trial>,
    /// Requests in flight against bytes written per second.
    pub queue_depths: Vec<Trial>,
    /// The best number of threads.
    pub best_threads: u16,
    /// The best queue depth.
    pub best_queue_depth: u16,
    /// Memory for tiles that wait for the disk, in bytes.
    pub staging_bytes: u64,
}

/// Why tuning stopped.
#[derive(Debug, thiserror::Error)]
pub enum TuneError {
    /// No memory for the layers.
    #[error("no memory for the layers: {0}")]
    Memory(#[from] std::io::Error),
    /// The disk refused.
    #[error(transparent)]
    Io(#[from] IoError),
    /// The system gave no threads.
    #[error("cannot start {threads} threads: {source}")]
    Threads {
        /// How many.
        threads: u16,
        /// Why.
        source: rayon::ThreadPoolBuildError,
    },
}

/// Tries thread counts up to `cores` and queue depths on a file that may be overwritten, each for about `span`.
pub fn tune(
    shape: WindowShape,
    backend: &'static dyn Backend,
    io: &dyn BlockIo,
    file_bytes: u64,
    cores: u16,
    span: Duration,
) -> Result<TuneReport, TuneError> {
    let mut threads = Vec::new();
    for value in thread_counts(cores) {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(usize::from(value)).build();
        let pool = Arc::new(pool.map_err(|source| TuneError::Threads { threads: value, source })?);
        let rate = measure_windows(shape, backend, &pool, span)?;
        threads.push(Trial { value, bytes_per_second: rate.bytes_per_second });
    }
    let mut queue_depths = Vec::new();
    for value in QUEUE_DEPTHS {
        let bytes_per_second = measure_writes(io, file_bytes, usize::from(value), span)?;
        queue_depths.push(Trial { value, bytes_per_second });
    }
    let (best_threads, best_queue_depth) = (best(&threads), best(&queue_depths));
    let staging_bytes =
        (TILES_PER_REQUEST * u64::from(best_queue_depth) * TILE_BYTES).max(STAGING_BYTES_MINIMUM);
    Ok(TuneReport { threads, queue_depths, best_threads, best_queue_depth, staging_bytes })
}

/// Powers of two below the number of cores, and that number.
fn thread_counts(cores: u16) -> Vec<u16> {
    let cores = cores.max(1);
    let mut counts: Vec<u16> =
        (0..16).map(|power| 1u16 << power).take_while(|&count| count < cores).collect();
    counts.push(cores);
    counts
}

/// The smallest value that no larger one clearly beats.
fn best(trials: &[Trial]) -> u16 {
    let mut best = Trial { value: 1, bytes_per_second: 0.0 };
    for &trial in trials {
        if trial.bytes_per_second > best.bytes_per_second * CLEARLY_BETTER {
            best = trial;
        }
    }
    best.value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_gains_do_not_count_and_large_ones_do() {
        let trials = |rates: &[f64]| -> Vec<Trial> {
            (1..).zip(rates).map(|(value, &bytes_per_second)| Trial { value, bytes_per_second }).collect()
        };
        assert_eq!(best(&trials(&[100.0, 104.0, 103.0])), 1);
        assert_eq!(best(&trials(&[100.0, 104.0, 110.0])), 3);
        assert_eq!(best(&trials(&[100.0, 190.0, 150.0])), 2);
    }

    #[test]
    fn all_cores_are_tried_whatever_their_number() {
        assert_eq!(thread_counts(1), [1]);
        assert_eq!(thread_counts(2), [1, 2]);
        assert_eq!(thread_counts(12), [1, 2, 4, 8, 12]);
    }
}
