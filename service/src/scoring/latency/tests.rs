use proptest::prelude::*;

use super::*;
use crate::scoring::ScoringConfig;

fn config() -> LatencyConfig {
    ScoringConfig::standard().latency
}

fn speed(times: &[u64], time: u64) -> f64 {
    Field::new(times.to_vec()).speed(time, &config())
}

/// By hand: 100 ms and 20 ns a byte are expected.
#[test]
fn times_are_relative_to_what_was_to_be_read() {
    let cases = [
        (100, 0, 1_000_000),
        (200, 0, 2_000_000),
        // 50 MB in a second.
        (1100, 50_000_000, 1_000_000),
        (550, 50_000_000, 500_000),
        (0, 0, 10_000),
        (1, 0, 10_000),
        // As fast as can be said, and as slow.
        (0, u64::MAX, 1),
        (u32::MAX, 0, 42_949_672_950_000),
    ];
    for (latency_ms, bytes_read, expected) in cases {
        assert_eq!(
            relative_time(latency_ms, bytes_read, &config()),
            expected,
            "{latency_ms} ms, {bytes_read} B"
        );
    }
}

/// Catches FileTAO's mistake of dividing a time by another miner's size: a large answer in proportion is as fast as a small one.
#[test]
fn the_size_of_an_answer_is_its_own() {
    let (small, large) = (relative_time(100, 0, &config()), relative_time(1100, 50_000_000, &config()));
    assert_eq!(speed(&[small, large], small), speed(&[small, large], large));
}

/// By hand, with spread 0.2 and steepness 4: 0.8 + 0.4 / (1 + r^4).
#[test]
fn speed_is_a_sigmoid_around_the_median() {
    let times = [1, 500, 1000, 2000, u64::MAX];
    let expected = [1.2, 0.8 + 0.4 * 16.0 / 17.0, 1.0, 0.8 + 0.4 / 17.0, 0.8];
    for (time, expected) in times.into_iter().zip(expected) {
        let found = speed(&times, time);
        assert!((found - expected).abs() < 1e-9, "{time}: {found}, not {expected}");
    }
}

/// FileTAO: one answer, or all alike, or all at 0, divided 0 by 0 and left NaN in every score for good.
#[test]
fn fields_without_spread_are_neutral() {
    for times in [vec![7], vec![7; 5], vec![1], vec![u64::MAX; 2]] {
        assert_eq!(speed(&times, times[0]), 1.0, "{times:?}");
    }
    assert_eq!(speed(&[], 5), 1.0);
}

#[test]
fn of_an_even_number_the_median_is_between() {
    assert_eq!(Field::new(vec![10, 20]).median(), Some(15));
    assert_eq!(Field::new(vec![4, 1, 3, 2]).median(), Some(2));
    assert_eq!(Field::new(vec![9, 1, 5]).median(), Some(5));
    assert_eq!(Field::new(vec![]).median(), None);
}

/// Catches boosts that a tie decides: by whom, an account that was ground for it could choose.
#[test]
fn of_those_who_tie_for_the_last_place_nobody_has_it() {
    let top = |times: &[u64]| {
        let field = Field::new(times.to_vec());
        times.iter().filter(|time| field.is_top(**time, &config())).copied().collect::<Vec<_>>()
    };
    assert_eq!(top(&[5, 4, 3, 2, 1]), [2, 1]);
    assert_eq!(top(&[5, 4, 2, 2, 1]), [1]);
    assert_eq!(top(&[5, 1, 1, 1, 1]), [0_u64; 0]);
    // Two of four are half of everybody, and no achievement.
    assert_eq!(top(&[4, 3, 2, 1]), [0_u64; 0]);
}

proptest! {
    #[test]
    fn speed_stays_within_its_spread_and_falls_with_time(times in prop::collection::vec(1_u64.., 1..40), a in 1_u64.., b in 1_u64..) {
        let (fast, slow) = (speed(&times, a.min(b)), speed(&times, a.max(b)));
        prop_assert!(fast >= slow && slow >= 0.8 - 1e-12 && fast <= 1.2 + 1e-12, "{fast} {slow}");
    }

    #[test]
    fn no_more_are_boosted_than_places(times in prop::collection::vec(1_u64..20, 0..40)) {
        let field = Field::new(times.clone());
        prop_assert!(times.iter().filter(|time| field.is_top(**time, &config())).count() <= 2);
    }

    #[test]
    fn any_latency_has_a_time(latency_ms: u32, bytes_read: u64, reference_latency_ms in 1_u32.., reference_bytes_per_second in 1_u64..) {
        let config = LatencyConfig { reference_latency_ms, reference_bytes_per_second, ..config() };
        let time = relative_time(latency_ms, bytes_read, &config);
        prop_assert!(time >= 1 && time <= relative_time(latency_ms.saturating_add(1), bytes_read, &config));
    }
}
