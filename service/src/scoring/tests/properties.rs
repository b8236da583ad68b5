//! What holds for any outcomes.

use proptest::prelude::*;

use super::*;
use crate::scoring::testing::{TIB, account, missed, rejected, repeat, scoring, space};

/// Outcomes of any sort, of few miners at few places, so that they meet.
fn outcomes() -> impl Strategy<Value = Vec<MinerOutcome>> {
    let number = || prop_oneof![Just(0), Just(1), Just(u64::MAX), any::<u64>(), 0..10 * TIB];
    let outcome = (
        (0_u16..6, 0_u16..6, 0_u64..3),
        prop::sample::select(&OutcomeKind::ALL[..]),
        prop::sample::select(vec![Outcome::Accepted, Outcome::Rejected, Outcome::Missed]),
        proptest::option::of(prop_oneof![Just(0), Just(u32::MAX), 0_u32..5000]),
        (number(), number(), number()),
    );
    let outcome = outcome.prop_map(|((miner, uid, registered_at), kind, outcome, latency_ms, numbers)| {
        let (bytes_read, proven_space_bytes, proven_object_bytes) = numbers;
        let miner = account(miner);
        MinerOutcome {
            miner,
            uid,
            registered_at,
            kind,
            outcome,
            latency_ms,
            bytes_read,
            proven_space_bytes,
            proven_object_bytes,
        }
    });
    prop::collection::vec(outcome, 0..40)
}

fn rounds() -> impl Strategy<Value = Vec<Vec<MinerOutcome>>> {
    prop::collection::vec(outcomes(), 1..40)
}

fn record_all(rounds: &[Vec<MinerOutcome>], step: u64) -> Scoring {
    let mut scoring = scoring();
    for (number, outcomes) in (1..).zip(rounds) {
        scoring.record(&round(number * step, outcomes)).expect("a later round");
    }
    scoring
}

proptest! {
    /// Whatever comes in, every number that comes out is one, within its bounds.
    #[test]
    fn no_outcomes_make_nonsense(rounds in rounds(), step in prop_oneof![1_u64..100, 1_u64..1_000_000, Just(u64::MAX / 50)]) {
        let scoring = record_all(&rounds, step);
        let height = scoring.height().expect("a round");
        for later in [height, height.saturating_add(1), u64::MAX] {
            for score in scoring.scores(later) {
                let numbers = [score.space_bytes, score.object_bytes, score.counted_bytes, score.performance, score.score];
                prop_assert!(numbers.iter().all(|number| number.is_finite() && *number >= 0.0), "{:?}", score);
                prop_assert!((0.0..=1.0).contains(&score.service), "{:?}", score);
                prop_assert!(score.wilson_lower <= score.wilson_upper, "{:?}", score);
            }
            let weights = scoring.weights(later);
            let sum: f64 = weights.iter().map(|weight| weight.share).sum();
            prop_assert!(sum == 0.0 || (sum - 1.0).abs() < 1e-9, "{}", sum);
            prop_assert_eq!(weights.iter().any(|weight| weight.weight == 65_535), sum > 0.0);
        }
        let uids: std::collections::BTreeSet<u16> = scoring.scores(0).iter().map(|score| score.uid).collect();
        prop_assert_eq!(uids.len(), scoring.scores(0).len(), "a place has one holder");
    }

    #[test]
    fn the_order_within_a_round_does_not_matter(rounds in rounds(), seed: u64) {
        let mut shuffled = rounds.clone();
        for outcomes in &mut shuffled {
            // By a number that has nothing to do with the outcome.
            outcomes.sort_by_cached_key(|outcome| {
                blake3::hash(format!("{seed} {outcome:?}").as_bytes()).as_bytes().to_owned()
            });
        }
        prop_assert_eq!(record_all(&rounds, 75), record_all(&shuffled, 75));
    }

    /// A validator that keeps its state as JSON goes on as if it had never stopped.
    #[test]
    fn a_state_survives_json_to_the_last_bit(rounds in rounds(), at in 0_usize..40) {
        let whole = record_all(&rounds, 75);
        let (first, then) = rounds.split_at(at.min(rounds.len()));
        let kept = serde_json::to_string(&record_all(first, 75).state()).expect("JSON");
        let state = serde_json::from_str(&kept).expect("a state");
        let mut scoring = Scoring::restore(ScoringConfig::standard(), state).expect("is what was kept");
        for (number, outcomes) in (first.len() as u64 + 1..).zip(then) {
            scoring.record(&round(number * 75, outcomes)).expect("a later round");
        }
        prop_assert_eq!(scoring, whole);
    }

    /// Turning a right answer into a wrong one never pays.
    #[test]
    fn failing_never_pays(others in prop::collection::vec((0_u16..5, 1_u32..5000), 0..12), latency_ms in 1_u32..5000, rounds in 1_u64..30) {
        let others = others.into_iter().map(|(uid, latency_ms)| MinerOutcome { latency_ms: Some(latency_ms), ..space(10 + uid) });
        let others: Vec<MinerOutcome> = others.collect();
        let mine = MinerOutcome { latency_ms: Some(latency_ms), ..space(1) };
        let share = |mine: MinerOutcome| {
            let mut scoring = scoring();
            repeat(&mut scoring, rounds, &[&others[..], &[space(1)]].concat());
            let height = repeat(&mut scoring, 1, &[&others[..], &[mine]].concat());
            scoring.income_share(&account(1), height).expect("is known")
        };
        let right = share(mine.clone());
        prop_assert!(share(rejected(mine.clone())) <= share(missed(mine.clone())) && share(missed(mine)) <= right);
    }
}
