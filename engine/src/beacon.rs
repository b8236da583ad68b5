//! Audit heights: blocks at which every space partition of a network is challenged (challenge-v1 §1).

use std::num::NonZeroU64;
use std::ops::RangeInclusive;

use crate::recorder::{Recorder, RecorderError};
use crate::transcript::Context;

/// Whether the block with this beacon is an audit height: the first 8 bytes of `derive(audit height, beacon)` are below
/// `threshold`. Nobody can tell earlier than the beacon, and all validators of a network agree.
pub fn is_audit_height(beacon: &[u8; 32], threshold: u64) -> bool {
    let mut word = [0; 8];
    Context::AUDIT_HEIGHT.stream(&[beacon]).fill(&mut word);
    u64::from_le_bytes(word) < threshold
}

/// The threshold under which one block of `blocks` is an audit height on average: ⌊2^64 / blocks⌋, or 2^64 − 1.
pub fn audit_threshold(blocks: NonZeroU64) -> u64 {
    u64::try_from((1u128 << 64) / u128::from(blocks.get())).unwrap_or(u64::MAX)
}

/// The audit heights among `heights` with their beacons, up to the newest block.
///
/// A recorder that fails yields its error and ends the walk.
pub fn audit_heights(
    recorder: &dyn Recorder,
    heights: RangeInclusive<u64>,
    threshold: u64,
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
        .filter(move |block| !matches!(block, Ok((_, beacon)) if !is_audit_height(beacon, threshold)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorder::{SimulatedRecorder, Simulation, SimulationSettings};

    fn one_in(blocks: u64) -> u64 {
        audit_threshold(NonZeroU64::new(blocks).unwrap())
    }

    #[test]
    fn thresholds_at_the_edges() {
        assert_eq!((one_in(1), one_in(2), one_in(u64::MAX)), (u64::MAX, 1 << 63, 1));
        assert!(!is_audit_height(&[0; 32], 0), "no threshold, no audits");
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
