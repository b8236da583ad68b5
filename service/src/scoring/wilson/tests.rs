use proptest::prelude::*;

use super::*;

/// Lower bounds by statsmodels 0.15.0, `proportion_confint(s, n, alpha, method="wilson")`, for alpha 0.05, 0.1 and 0.5;
/// scipy 1.17.1 (`binomtest(s, n).proportion_ci(0.95, "wilson")`) says the same of the first.
const STATSMODELS: &[(u32, u32, [f64; 3])] = &[
    (0, 1, [0.0, 0.0, 0.0]),
    (1, 1, [0.2065493143772374, 0.269865948784054, 0.6873152559174167]),
    (8, 9, [0.5650002944233438, 0.6231987354644573, 0.7987461904765183]),
    (4, 5, [0.3755346297625252, 0.435292553421543, 0.6567862497279013]),
    (7, 9, [0.45258896910698887, 0.5036427823767538, 0.672243627205012]),
    (6, 8, [0.40927543031016883, 0.4601530454871805, 0.6352081783069106]),
    (0, 10, [0.0, 0.0, 0.0]),
    (10, 10, [0.7224672001371106, 0.7870580299165928, 0.956485969430331]),
    (50, 100, [0.4038315303659956, 0.4188477961125295, 0.46635196422237973]),
    (95, 100, [0.8882495307680808, 0.9008389147209471, 0.9331543105102821]),
    (999, 1000, [0.9943574414020421, 0.9955302770906311, 0.998061919799566]),
    (1, 1_000_000, [1.7652457674537176e-07, 2.230922523521047e-07, 5.15654971009877e-07]),
    (999_999, 1_000_000, [0.9999943350881957, 0.999995517561529, 0.9999980607196647]),
];
/// `scipy.stats.norm.ppf` of 0.975, 0.95 and 0.75.
const QUANTILES: [f64; 3] = [1.959963984540054, 1.6448536269514722, 0.6744897501960817];

fn of(successes: u32, trials: u32, z: f64) -> Interval {
    Interval::of(successes.into(), trials.into(), z)
}

#[test]
fn lower_bounds_are_those_of_other_implementations() {
    for (successes, trials, bounds) in STATSMODELS {
        for (bound, z) in bounds.iter().zip(QUANTILES) {
            let found = of(*successes, *trials, z).lower;
            assert!((found - bound).abs() < 1e-14, "{successes}/{trials}, z = {z}: {found}, not {bound}");
        }
    }
}

/// FileTAO took the middle of the interval for its lower bound: its README's 0.87 for 8 of 9 with z = 0.67. Ours is 0.565.
#[test]
fn the_lower_bound_is_not_the_middle() {
    for (successes, trials, filetao) in [(8, 9, 0.8701769999681506), (4, 5, 0.7749802900804807)] {
        let Interval { lower, upper } = of(successes, trials, QUANTILES[2]);
        assert!((lower.midpoint(upper) - filetao).abs() < 1e-14, "their number, as they got it");
        assert!(lower < filetao - 0.07, "and what it should have been: {lower}");
    }
}

/// The interval of failures is that of successes, mirrored.
#[test]
fn upper_bounds_mirror_lower_ones() {
    for (successes, trials, _) in STATSMODELS {
        let (one, other) = (of(*successes, *trials, 1.96), of(trials - successes, *trials, 1.96));
        assert!((one.upper - (1.0 - other.lower)).abs() < 1e-14, "{successes}/{trials}");
    }
}

#[test]
fn nothing_observed_says_nothing() {
    for trials in [0.0, -1.0, f64::NAN] {
        assert_eq!(Interval::of(0.0, trials, 1.96), Interval { lower: 0.0, upper: 1.0 });
    }
}

proptest! {
    #[test]
    fn the_share_lies_between_and_more_successes_raise_both(trials in 1_u32..100_000, successes in 0_u32..100_000, z in 0.01..10.0) {
        let successes = successes % trials;
        let (less, more) = (of(successes, trials, z), of(successes + 1, trials, z));
        let share = f64::from(successes) / f64::from(trials);
        prop_assert!(0.0 <= less.lower && less.lower <= share + 1e-12 && share <= less.upper + 1e-12 && less.upper <= 1.0);
        prop_assert!(less.lower < more.lower + 1e-15 && less.upper < more.upper + 1e-15);
    }

    /// Ten times the evidence for the same share narrows the interval.
    #[test]
    fn evidence_narrows(trials in 1_u32..100_000, successes in 0_u32..100_000) {
        let successes = successes % (trials + 1);
        let (few, many) = (of(successes, trials, 1.96), of(successes * 10, trials * 10, 1.96));
        prop_assert!(many.upper - many.lower < few.upper - few.lower);
    }

    #[test]
    fn no_input_makes_nonsense(successes: f64, trials: f64, z in 1e-300..10.0) {
        let Interval { lower, upper } = Interval::of(successes, trials, z);
        prop_assert!((0.0..=1.0).contains(&lower) && (0.0..=1.0).contains(&upper), "{lower} {upper}");
    }
}
