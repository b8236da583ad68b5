//! Audit heights: blocks at which every space partition of a network is challenged (challenge-v1 §1).

use std::num::NonZeroU64;
use std::ops::RangeInclusive;

use crate::recorder::{Recorder, RecorderError};
use crate::transcript::Context;

/// Whether the block with this beacon is an audit height: the first 8 bytes of `derive(audit height, beacon)`, as an
/// integer, are at most `limit`. Nobody can tell earlier than the beacon, and all validators of a network agree.
pub fn is_audit_height(beacon: &[u8; 32], limit: u64) -> bool {
    let mut word = [0; 8];
    Context::AUDIT_HEIGHT.stream(&[beacon]).fill(&mut word);
    u64::from_le_bytes(word) <= limit
}

/// The largest integer below 2^64 / blocks: one block of `blocks` draws at most that, on average.
pub fn audit_limit(blocks: NonZeroU64) -> u64 {
    u64::MAX / blocks.get()
}

/// The audit heights among `heights` with their beacons, up to the newest block.
///
/// A recorder that fails yields its error and ends the walk.
pub fn audit_heights(
    recorder: &dyn Recorder,
    heights: RangeInclusive<u64>,
    limit: u64,
) -> impl Iterator<Item = Result<(u64, [u8; 32]), RecorderError>> {
    let mut failed = false;
    heights
        .map_while(move |height| {
            if failed {
                return None;
            }
            let beacon = recorder.beacon(height);
            failed = beacon.is_err();
            Some(beacon.transpose()?.map(|beacon| (height, beacon)))
        })
        .filter(move |block| !matches!(block, Ok((_, beacon)) if !is_audit_height(beacon, limit)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorder::{SimulatedRecorder, Simulation, SimulationSettings};

    fn one_in(blocks: u64) -> u64 {
        audit_limit(NonZeroU64::new(blocks).unwrap())
    }

    /// Below 2^64 / N, which is no integer for N = 3; every block for N = 1, the largest number drawn included.
    #[test]
    fn limits_at_the_edges() {
        assert_eq!((one_in(1), one_in(2), one_in(u64::MAX)), (u64::MAX, (1 << 63) - 1, 1));
        assert_eq!(u128::from(one_in(3)), (1u128 << 64) / 3);
        assert!(!is_audit_height(&[0; 32], 0), "it draws more than 0");
        assert!(is_audit_height(&[0; 32], u64::MAX));
    }

    /// One block in 20 of 20,000: 1,000 expected, standard deviation 31. The walk stops at the newest block.
    #[test]
    fn audit_heights_come_at_the_rate_asked_for() {
        let recorder = SimulatedRecorder::new(SimulationSettings::default());
        recorder.advance(20_000).unwrap();
        let heights: Vec<u64> =
            audit_heights(&recorder, 1..=u64::MAX, one_in(20)).map(|found| found.unwrap().0).collect();
        assert!((850..1150).contains(&heights.len()), "{} audits", heights.len());
        assert!(heights.is_sorted() && heights.last() <= Some(&20_000));
        let next = audit_heights(&recorder, heights[3]..=heights[4], one_in(20));
        assert_eq!(next.map(|found| found.unwrap().0).collect::<Vec<_>>(), heights[3..=4]);
    }
}
