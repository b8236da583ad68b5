//! How the samples of an audit are shared between windows and objects (object-v1 §6).

use holdfast_partition::objects::{AllocationMap, ObjectName};
use serde::Serialize;

use crate::transcript::Context;

/// What the samples are shared over. For a validator these are registered facts; a miner's own map turns into one too.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Holdings {
    /// Bytes of all windows, without their outboards.
    pub window_bytes: u64,
    /// The objects, each once, with the bytes of their data, in any order.
    pub objects: Vec<(ObjectName, u64)>,
}

/// Samples of one audit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AuditSplit {
    /// Samples of windows.
    pub windows: u32,
    /// Samples of each object that gets any, by name.
    pub objects: Vec<(ObjectName, u32)>,
}

impl From<&AllocationMap> for Holdings {
    fn from(map: &AllocationMap) -> Holdings {
        let objects = map.objects.iter().map(|object| (object.name, object.bytes)).collect();
        Holdings { window_bytes: map.windows.bytes(), objects }
    }
}

impl Holdings {
    /// Bytes of all objects.
    pub fn object_bytes(&self) -> u64 {
        self.objects.iter().map(|(_, bytes)| bytes).fold(0, |sum, &bytes| sum.saturating_add(bytes))
    }

    /// The least number of samples in all of which the windows' share is `windows` at least; `None` if there are no windows,
    /// or so few beside the objects that no number of 32 bits does.
    pub fn samples_for_windows(&self, windows: u32) -> Option<u32> {
        let object_bytes = self.object_bytes();
        let share = |samples: u32| samples - objects_share(self.window_bytes, object_bytes, samples);
        // The share never falls as samples are added, so the least is found by halving.
        let (mut least, mut most) = (windows, u32::MAX);
        if share(most) < windows || self.window_bytes == 0 {
            return None;
        }
        while least < most {
            let middle = least + (most - least) / 2;
            if share(middle) < windows { least = middle + 1 } else { most = middle }
        }
        Some(least)
    }
}

/// Shares `samples` between windows and objects in proportion to their bytes; which objects are asked follows from the seed.
/// The same holdings and seed give the same split, in whatever order the objects stand.
///
/// Costs O(n log n) for n objects.
pub fn split_samples(holdings: &Holdings, samples: u32, seed: &[u8; 32]) -> AuditSplit {
    let mut objects: Vec<_> = holdings.objects.iter().filter(|(_, bytes)| *bytes > 0).collect();
    objects.sort_by_key(|(name, _)| *name);
    let ends: Vec<u64> = objects
        .iter()
        .scan(0_u64, |end, (_, bytes)| {
            *end = end.saturating_add(*bytes);
            Some(*end)
        })
        .collect();
    let object_bytes = ends.last().copied().unwrap_or(0);
    let of_objects = objects_share(holdings.window_bytes, object_bytes, samples);

    let mut counts = vec![0_u32; objects.len()];
    let mut stream = Context::OBJECT_SAMPLES.stream(&[seed]);
    for _ in 0..of_objects {
        let position = stream.below(object_bytes);
        counts[ends.partition_point(|&end| end <= position)] += 1;
    }
    let asked = objects.iter().zip(counts).filter(|&(_, count)| count > 0);
    AuditSplit {
        windows: samples - of_objects,
        objects: asked.map(|((name, _), count)| (*name, count)).collect(),
    }
}

/// Samples of objects: their exact share by largest remainder, a tie going to the windows; but each side that has bytes
/// gets one at least, or a few small objects beside many windows would never be asked for.
fn objects_share(window_bytes: u64, object_bytes: u64, samples: u32) -> u32 {
    match (window_bytes, object_bytes) {
        (_, 0) => 0,
        (0, _) => samples,
        _ => {
            let total = u128::from(window_bytes) + u128::from(object_bytes);
            let exact = u128::from(samples) * u128::from(object_bytes);
            // The two remainders sum to one sample: the larger is above a half.
            let rounded = exact / total + u128::from(2 * (exact % total) > total);
            let rounded = u32::try_from(rounded).unwrap_or(samples);
            if samples < 2 { rounded } else { rounded.clamp(1, samples - 1) }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn holdings(window_bytes: u64, objects: &[u64]) -> Holdings {
        let named = |(number, &bytes): (u8, &u64)| (ObjectName([number; 32]), bytes);
        Holdings { window_bytes, objects: (0..).zip(objects).map(named).collect() }
    }

    #[test]
    fn the_sides_get_their_exact_share_by_largest_remainder() {
        let cases = [
            (750, 250, 100, 25),
            (1, 1, 5, 2),     // a tie goes to the windows
            (2, 3, 6, 4),     // 3.6
            (3, 2, 6, 2),     // 2.4
            (1000, 0, 64, 0), // no objects
            (0, 1000, 64, 64),
            (u64::MAX, u64::MAX, u32::MAX, u32::MAX / 2),
        ];
        for (windows, objects, samples, expected) in cases {
            assert_eq!(objects_share(windows, objects, samples), expected, "{windows} {objects} {samples}");
        }
    }

    /// Four GiB of objects in a TiB of windows have a quarter of one of 64 samples. By rounding alone nobody would ever ask
    /// for them, and they could be thrown away.
    #[test]
    fn objects_too_small_for_a_sample_are_asked_for_all_the_same() {
        assert_eq!(objects_share(1 << 40, 4 << 30, 64), 1);
        assert_eq!(objects_share(1, 1 << 40, 64), 63);
        assert_eq!(objects_share(1 << 40, 1, 1), 0, "one sample goes where the bytes are");
    }

    #[test]
    fn empty_objects_are_never_asked_for_and_large_ones_most() {
        let split = split_samples(&holdings(0, &[0, 10, 990]), 1000, &[7; 32]);
        assert_eq!(split.windows, 0);
        let names: Vec<u8> = split.objects.iter().map(|(name, _)| name.0[0]).collect();
        assert_eq!(names, [1, 2]);
        // 10 expected; 40 would be nine standard deviations away.
        assert!((1..40).contains(&split.objects[0].1), "{split:?}");
    }

    #[test]
    fn no_number_of_samples_is_enough_for_windows_that_are_not_there() {
        assert_eq!(holdings(0, &[5]).samples_for_windows(1), None);
        assert_eq!(holdings(1, &[1 << 60]).samples_for_windows(2), None, "one is all that rounding leaves");
        assert_eq!(holdings(100, &[]).samples_for_windows(64), Some(64));
        assert_eq!(holdings(300, &[100]).samples_for_windows(60), Some(80));
    }

    #[test]
    fn the_split_follows_from_the_seed_and_not_from_the_order_of_the_objects() {
        let holdings = holdings(100, &[5, 50, 7, 38]);
        let mut turned = holdings.clone();
        turned.objects.reverse();
        assert_eq!(split_samples(&holdings, 40, &[1; 32]), split_samples(&turned, 40, &[1; 32]));
        assert_ne!(split_samples(&holdings, 40, &[1; 32]), split_samples(&holdings, 40, &[2; 32]));
    }

    proptest! {
        /// One sample fewer would leave the windows short of what the policy asks of them.
        #[test]
        fn windows_keep_their_samples(windows in 1_u64..1 << 50, object in 0_u64..1 << 50, least in 1_u32..2000) {
            let holdings = holdings(windows, &[object]);
            let share = |samples| split_samples(&holdings, samples, &[0; 32]).windows;
            // Splitting draws every sample of objects, so sides that differ by more are not tried.
            prop_assume!(object / windows < 100);
            let samples = holdings.samples_for_windows(least).unwrap();
            prop_assert!(share(samples) >= least);
            prop_assert!(share(samples - 1) < least);
        }

        #[test]
        fn every_sample_is_somebodys(windows in 0_u64..1 << 50, objects in prop::collection::vec(0_u64..1 << 40, 0..6), samples in 0_u32..500, seed: [u8; 32]) {
            let split = split_samples(&holdings(windows, &objects), samples, &seed);
            let asked: u32 = split.objects.iter().map(|(_, count)| count).sum();
            prop_assume!(windows > 0 || objects.iter().any(|&bytes| bytes > 0));
            prop_assert_eq!(split.windows + asked, samples);
            prop_assert!(windows > 0 || split.windows == 0);
            for (name, _) in &split.objects {
                prop_assert!(objects[usize::from(name.0[0])] > 0);
            }
        }
    }
}
