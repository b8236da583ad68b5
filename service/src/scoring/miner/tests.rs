use super::*;
use crate::scoring::testing::{TIB, missed, of_kind, possession, rejected, repeat, score, scoring, space};
use crate::scoring::{MinerOutcome, RoundResults, Scoring};

const SUPER_SAIYAN: usize = 7;

/// A scoring in which miner 1 has passed so many rounds, and is in the tier that this earns.
fn after_successes(rounds: u64) -> Scoring {
    let mut scoring = scoring();
    repeat(&mut scoring, rounds, &[space(1)]);
    scoring
}

#[test]
fn the_average_of_steady_proofs_is_what_is_proven() {
    let scoring = after_successes(400);
    assert!((score(&scoring, 1).space_bytes / TIB as f64 - 1.0).abs() < 1e-8);
}

/// A newcomer's average after n rounds is 1 − (1 − alpha)^n of what it proves.
#[test]
fn averages_rise_with_alpha() {
    let scoring = after_successes(10);
    let expected = 1.0 - 0.95_f64.powi(10);
    assert!((score(&scoring, 1).space_bytes / TIB as f64 - expected).abs() < 1e-12);
}

/// scoring-v1 §4: a failed round takes alpha (1 + cost × factor) of the average. Bronze has 0.6, Super Saiyan 1.
#[test]
fn failures_cost_by_outcome_and_tier() {
    let cases = [
        (30, missed(space(1)), 1.0 - 0.05 * (1.0 + 1.0 * 0.6)),
        (30, rejected(space(1)), 1.0 - 0.05 * (1.0 + 3.0 * 0.6)),
        (15_000, missed(space(1)), 1.0 - 0.05 * (1.0 + 1.0)),
        (15_000, rejected(space(1)), 1.0 - 0.05 * (1.0 + 3.0)),
    ];
    for (rounds, failure, expected) in cases {
        let mut scoring = after_successes(rounds);
        let before = score(&scoring, 1).space_bytes;
        repeat(&mut scoring, 1, &[failure]);
        let factor = score(&scoring, 1).space_bytes / before;
        assert!((factor - expected).abs() < 1e-12, "{rounds} rounds: {factor}, not {expected}");
    }
}

/// Failures that are forgotten between successes would cost too little, and ones that add up without end too much: every
/// second round rejected in Bronze leaves about 1 / (2 + 3 × 0.6) on average, by scoring-v1 §4.
#[test]
fn failing_half_of_the_time_leaves_less_than_half() {
    let mut scoring = scoring();
    let mut sum = 0.0;
    for round in 0..2000 {
        let outcome = if round % 2 == 0 { space(1) } else { rejected(space(1)) };
        repeat(&mut scoring, 1, &[outcome]);
        sum += if round < 1000 { 0.0 } else { score(&scoring, 1).space_bytes / TIB as f64 / 1000.0 };
    }
    let expected = 1.0 / (2.0 + 3.0 * 0.6);
    assert!((sum - expected).abs() < 0.01, "{sum}, not about {expected}");
}

#[test]
fn who_always_fails_ends_with_exactly_nothing() {
    let mut scoring = after_successes(15_000);
    repeat(&mut scoring, 500, &[missed(space(1)), missed(possession(1))]);
    assert_eq!(score(&scoring, 1).score, 0.0);
}

/// A class that was not asked for is neither a success nor a failure.
#[test]
fn what_is_not_asked_for_stays() {
    let mut scoring = scoring();
    repeat(&mut scoring, 50, &[space(1), possession(1)]);
    let before = score(&scoring, 1);
    repeat(&mut scoring, 20, &[space(1)]);
    assert_eq!(score(&scoring, 1).object_bytes, before.object_bytes);
}

/// Audits of one object can only fail: else whoever has one good object would heal by it.
#[test]
fn whole_link_and_seal_audits_gain_nothing() {
    for kind in [OutcomeKind::Seal, OutcomeKind::Link, OutcomeKind::Whole] {
        let mut scoring = scoring();
        repeat(&mut scoring, 30, &[space(1), possession(1)]);
        let before = score(&scoring, 1);
        repeat(&mut scoring, 1, &[of_kind(1, kind)]);
        let after = score(&scoring, 1);
        assert_eq!(
            (after.space_bytes, after.object_bytes),
            (before.space_bytes, before.object_bytes),
            "{kind:?}"
        );
        repeat(&mut scoring, 1, &[rejected(of_kind(1, kind))]);
        let failed = score(&scoring, 1);
        assert!(
            failed.space_bytes + failed.object_bytes < after.space_bytes + after.object_bytes,
            "{kind:?}"
        );
    }
}

/// Whatever is claimed for a failed question does not count.
#[test]
fn bytes_of_wrong_answers_are_not_proven() {
    let mut scoring = scoring();
    repeat(
        &mut scoring,
        400,
        &[space(1), rejected(MinerOutcome { proven_space_bytes: u64::MAX, ..space(1) })],
    );
    assert!(score(&scoring, 1).space_bytes < TIB as f64);
}

/// An owner that is its own miner can have objects that take no room: they count only beside space.
#[test]
fn objects_count_as_far_as_there_is_space() {
    let objects = |tib: u64| MinerOutcome { proven_object_bytes: tib * TIB, ..possession(1) };
    for (outcomes, counted) in [
        (vec![space(1)], 1.0),
        (vec![space(1), objects(1)], 2.5),
        (vec![space(1), objects(1000)], 2.5),
        (vec![objects(1000)], 0.0),
    ] {
        let mut scoring = scoring();
        repeat(&mut scoring, 400, &outcomes);
        let found = score(&scoring, 1).counted_bytes / TIB as f64;
        assert!((found - counted).abs() < 1e-7, "{found} TiB, not {counted}");
    }
}

/// 10 TiB in Bronze, and then what the next tier allows.
#[test]
fn the_tier_limits_what_counts() {
    let large = MinerOutcome { proven_space_bytes: 30 * TIB, ..space(1) };
    let mut scoring = scoring();
    repeat(&mut scoring, 450, std::slice::from_ref(&large));
    assert_eq!(
        (score(&scoring, 1).counted_bytes, score(&scoring, 1).tier.as_str()),
        (10.0 * TIB as f64, "Bronze")
    );
    repeat(&mut scoring, 50, &[large]);
    let silver = score(&scoring, 1);
    assert_eq!(silver.tier, "Silver");
    assert!((silver.counted_bytes / TIB as f64 - 30.0).abs() < 1e-6);
}

/// Thresholds of passed rounds, met exactly and not one round sooner.
#[test]
fn promotions_come_with_the_last_success_that_they_take() {
    let mut scoring = scoring();
    let thresholds: Vec<(u64, String)> =
        scoring.config().tiers.iter().map(|tier| (tier.total_successes, tier.name.clone())).collect();
    for pair in thresholds.windows(2) {
        let [(_, below), (threshold, name)] = pair else { panic!("pairs") };
        let passed = score_or_none(&scoring).map_or(0, |score| score.total_successes);
        repeat(&mut scoring, threshold - 1 - passed, &[space(1)]);
        assert_eq!(score(&scoring, 1).tier, *below, "at {}", threshold - 1);
        repeat(&mut scoring, 1, &[space(1)]);
        assert_eq!(score(&scoring, 1).tier, *name, "at {threshold}");
    }
}

fn score_or_none(scoring: &Scoring) -> Option<MinerScore> {
    scoring.scores(scoring.height().unwrap_or(0)).into_iter().next()
}

/// FileTAO: a window without attempts was worth 0.5, and demoted whoever was above it.
#[test]
fn no_data_keeps_the_tier() {
    let mut scoring = after_successes(15_000);
    let later = scoring.height().expect("a round") + 1_000_000;
    scoring
        .record(&RoundResults { height: later, outcomes: vec![of_kind(1, OutcomeKind::Ping)] })
        .expect("is later");
    assert_eq!(score(&scoring, 1).tier, "Super Saiyan");
    // A first failure after an empty window is too little to go by, and so is a first success.
    for outcome in [missed(space(1)), space(1)] {
        repeat(&mut scoring, 1, &[outcome]);
        assert_eq!(score(&scoring, 1).tier, "Super Saiyan");
    }
    assert_eq!(score(&scoring, 1).wilson_lower, None);
}

/// Between the bars of the two bounds nothing changes in either direction, so that no miner flutters between tiers.
#[test]
fn tiers_have_hysteresis() {
    let mut scoring = after_successes(15_000);
    // Shares of passed rounds: 0.86 would not be promoted (lower bound 0.83 < 0.85), and is not demoted (upper bound 0.88).
    let pattern = |passed: u64, scoring: &mut Scoring, rounds: u64| {
        let mut tiers = Vec::new();
        for round in 0..rounds {
            let outcome = if round * passed % 100 < passed { space(1) } else { missed(space(1)) };
            repeat(scoring, 1, &[outcome]);
            tiers.push(score(scoring, 1).tier);
        }
        tiers.dedup();
        tiers
    };
    assert_eq!(pattern(86, &mut scoring, 2000), ["Super Saiyan"]);
    assert_eq!(pattern(81, &mut scoring, 2000), ["Super Saiyan", "Ruby"]);
    assert_eq!(pattern(86, &mut scoring, 2000), ["Ruby"], "what kept the tier does not give it back");
    assert_eq!(pattern(95, &mut scoring, 2000), ["Ruby", "Super Saiyan"]);
}

/// Nine easy classes do not make up for one that fails: the window of service decides.
#[test]
fn the_tier_goes_by_the_class_that_is_worst() {
    let retrieval = of_kind(1, OutcomeKind::Retrieval);
    let mut scoring = after_successes(15_000);
    for _ in 0..40 {
        repeat(&mut scoring, 9, &[space(1)]);
        repeat(&mut scoring, 1, &[space(1), rejected(retrieval.clone())]);
    }
    assert_eq!(score(&scoring, 1).tier, "Bronze");
    assert!(score(&scoring, 1).wilson_lower.is_some_and(|lower| lower == 0.0));
}

/// The window forgets: 672 rounds of failures leave it within its length and no sooner.
#[test]
fn the_window_slides() {
    let mut scoring = after_successes(3000);
    assert_eq!(score(&scoring, 1).tier, "Platinum");
    repeat(&mut scoring, 672, &[missed(space(1))]);
    assert_eq!(score(&scoring, 1).tier, "Bronze");
    repeat(&mut scoring, 672, &[space(1)]);
    assert_eq!(score(&scoring, 1).tier, "Platinum", "the total was never lost");
    assert!(score(&scoring, 1).wilson_lower.is_some_and(|lower| lower > 0.99));
}

#[test]
fn memory_is_bounded_by_the_steps_of_the_window() {
    let mut scoring = after_successes(5000);
    let kept = |scoring: &Scoring| serde_json::to_string(&scoring.state()).expect("JSON").len();
    let before = kept(&scoring);
    repeat(&mut scoring, 5000, &[space(1)]);
    // A digit of a height or a total may have come to it.
    assert!(kept(&scoring) < before + 64, "{before} B, then {}", kept(&scoring));
}

/// Proofs are of the past: without new ones, nothing is owed after a while, though the tier stays.
#[test]
fn old_proofs_are_worth_nothing() {
    let scoring = after_successes(15_000);
    let last = scoring.height().expect("a round");
    let at = |height| scoring.scores(height).remove(0);
    assert!(at(last + 50_400).score > 0.0);
    let late = at(last + 50_401);
    assert_eq!((late.score, late.tier.as_str()), (0.0, "Super Saiyan"));
}

#[test]
fn a_state_that_no_scoring_made_is_refused() {
    let scoring = after_successes(100);
    let right = serde_json::to_value(&scoring.state().miners[0]).expect("JSON");
    let wrong = [
        ("/space_bytes/value", serde_json::json!(-1.0), "space_bytes is -1"),
        ("/object_bytes/value", serde_json::json!(1e300), "object_bytes is 1"),
        ("/performance", serde_json::json!(20.0), "performance is 20"),
        ("/service", serde_json::json!(1.5), "service is 1.5"),
        ("/windows/0/0/passed_millionths", serde_json::json!(1_000_000_000), "millionths passed"),
        ("/windows/0/1/from_height", serde_json::json!(0), "not in order"),
    ];
    for (place, value, message) in wrong {
        let mut state = right.clone();
        *state.pointer_mut(place).expect(place) = value;
        let state: MinerState = serde_json::from_value(state).expect("the form is right");
        let error = state.check().expect_err(place).to_string();
        assert!(error.contains(message), "{place}: {error}");
    }
}

#[test]
fn a_tier_that_is_gone_is_the_lowest_until_the_next_round() {
    let scoring = after_successes(15_000);
    let mut config = scoring.config().clone();
    config.tiers[SUPER_SAIYAN].name = "Legendary".to_owned();
    let mut scoring = Scoring::restore(config, scoring.state()).expect("is a state");
    assert_eq!(score(&scoring, 1).tier, "Bronze");
    repeat(&mut scoring, 1, &[space(1)]);
    assert_eq!(score(&scoring, 1).tier, "Legendary");
}
