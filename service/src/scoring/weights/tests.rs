use proptest::prelude::*;

use super::*;

fn bounds(share_maximum: f64, share_maximum_times_equal: f64) -> WeightsConfig {
    WeightsConfig { share_maximum, share_maximum_times_equal, share_rise_maximum: 1e6 }
}

#[test]
fn shares_are_in_proportion() {
    assert_eq!(shares(&[1.0, 0.0, 3.0], &bounds(1.0, 1.0)), [0.25, 0.0, 0.75]);
    assert_eq!(in_16_bits(&[0.25, 0.0, 0.75]), [21_845, 0, 65_535]);
}

/// By hand: 6, 3 and 1 of 10 with 0.4 at most. The first is cut to 0.4; 0.6 in proportion 3 : 1 would be 0.45 for the second,
/// which is cut as well; the rest is the third's.
#[test]
fn what_is_above_the_bound_goes_to_the_others() {
    let found = shares(&[3.0, 6.0, 1.0], &bounds(0.4, 1.0));
    let expected = [0.4, 0.4, 0.2];
    assert!(
        found.iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 1e-12),
        "{found:?}"
    );
}

/// Six miners can never have less than a sixth each on average: a bound of a tenth would pay the liar as much as the honest.
#[test]
fn in_a_small_network_the_bound_is_some_equal_shares() {
    let scores = [10.0, 8.0, 8.0, 1e-3, 0.0, 0.0];
    let found = shares(&scores, &bounds(0.1, 4.0));
    assert!(found[3] < 1e-4 && found[0] > found[1], "{found:?}");
    // As it would be.
    let wrong = shares(&scores, &bounds(0.1, 1.0));
    assert!((wrong[3] - 0.25).abs() < 1e-12, "{wrong:?}");
}

/// By hand: a miner with nine tenths, 39 that have the rest. Cut to a tenth it would have a tenth, and they nine; they are to get
/// twice what they had at most.
#[test]
fn a_crowd_of_next_to_nothing_does_not_get_what_is_cut_off() {
    let scores: Vec<f64> = std::iter::once(35.1).chain(vec![0.1; 39]).collect();
    let config = WeightsConfig { share_rise_maximum: 2.0, ..bounds(0.1, 4.0) };
    let found = shares(&scores, &config);
    assert!((found[0] - 0.8).abs() < 1e-12 && (found[1] - 0.2 / 39.0).abs() < 1e-12, "{found:?}");
    assert!((shares(&scores, &bounds(0.1, 4.0))[0] - 0.1).abs() < 1e-12, "as it would be");
}

/// FileTAO: when nobody had earned anything, NaN became the largest weight for all.
#[test]
fn nobody_with_a_score_is_nobody_with_a_weight() {
    for scores in [vec![], vec![0.0], vec![0.0; 3]] {
        let shares = shares(&scores, &bounds(0.1, 4.0));
        assert_eq!(shares, scores);
        assert!(in_16_bits(&shares).iter().all(|weight| *weight == 0));
    }
}

#[test]
fn too_small_a_share_is_none() {
    assert_eq!(in_16_bits(&[0.5, 0.5 / 131_071.0, 0.5 / 131_069.0]), [65_535, 0, 1]);
}

/// Scores as they come: nothing, bytes, and everything in between.
fn scores() -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec(prop_oneof![Just(0.0), 1e-200..1e-190, 0.0..1.0, 1e6..1e16, 1e29..1e30], 1..300)
}

proptest! {
    #[test]
    fn shares_sum_up_and_keep_their_order(scores in scores(), most in 0.001..1.0, times in 1.0..10.0, rise in 1.0..10.0) {
        let found = shares(&scores, &WeightsConfig { share_rise_maximum: rise, ..bounds(most, times) });
        let paid = scores.iter().any(|score| *score > 0.0);
        let sum: f64 = found.iter().sum();
        prop_assert!(if paid { (sum - 1.0).abs() < 1e-9 } else { sum == 0.0 }, "{sum}");
        for (a, b) in (0..scores.len()).zip(1..scores.len()) {
            prop_assert!(scores[a] > scores[b] || found[a] <= found[b]);
            prop_assert!(scores[b] > scores[a] || found[b] <= found[a]);
        }
        let weights = in_16_bits(&found);
        prop_assert_eq!(weights.iter().max() == Some(&65_535), paid);
    }

    /// One of the two limits is always kept: nobody is above the bound, or the others have risen as far as they may.
    #[test]
    fn the_bound_holds_as_far_as_the_rise_allows(scores in scores(), most in 0.001..1.0, times in 1.0..10.0, rise in 1.0..10.0) {
        let found = shares(&scores, &WeightsConfig { share_rise_maximum: rise, ..bounds(most, times) });
        let sum: f64 = scores.iter().sum();
        let paid = scores.iter().filter(|score| **score > 0.0).count();
        let bound = f64::max(most, times / paid.max(1) as f64);
        let largest = found.iter().copied().fold(0.0, f64::max);
        let risen = scores.iter().zip(&found).filter(|(score, _)| **score > 0.0);
        let risen = risen.map(|(score, share)| share / (score / sum)).fold(0.0, f64::max);
        prop_assert!(risen <= rise * (1.0 + 1e-9), "{risen} times");
        prop_assert!(largest <= bound * (1.0 + 1e-9) || risen >= rise * (1.0 - 1e-9), "{largest} above {bound}, {risen} times");
    }

    /// Whoever shares scores out over more places does not have more.
    #[test]
    fn below_the_bound_splitting_a_score_changes_nothing(others in prop::collection::vec(1.0..2.0, 8..50), mine in 1.0..2.0, parts in 1_usize..8) {
        let loose = bounds(1.0, 1.0);
        let whole = shares(&[&others[..], &[mine]].concat(), &loose);
        let split = shares(&[&others[..], &vec![mine / parts as f64; parts]].concat(), &loose);
        let sum: f64 = split[others.len()..].iter().sum();
        prop_assert!((sum - whole[others.len()]).abs() < 1e-12);
    }
}
