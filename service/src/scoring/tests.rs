mod properties;

use super::testing::{TIB, account, missed, of_kind, possession, rejected, repeat, score, scoring, space};
use super::*;

fn round(height: u64, outcomes: &[MinerOutcome]) -> RoundResults {
    RoundResults { height, outcomes: outcomes.to_vec() }
}

fn weight(scoring: &Scoring, uid: u16) -> u16 {
    let weights = scoring.weights(scoring.height().expect("a round"));
    weights.iter().find(|weight| weight.uid == uid).expect("a known miner").weight
}

#[test]
fn more_proven_bytes_are_worth_more() {
    let mut scoring = scoring();
    let half = MinerOutcome { proven_space_bytes: TIB / 2, ..space(2) };
    repeat(&mut scoring, 400, &[space(1), half]);
    assert_eq!((weight(&scoring, 1), weight(&scoring, 2)), (65_535, 32_768));
    let share = scoring.income_share(&account(2), scoring.height().expect("a round")).expect("is known");
    assert!((share - 1.0 / 3.0).abs() < 1e-9, "{share}");
    assert_eq!(scoring.income_share(&account(3), 0), None);
}

/// FileTAO A1 and A9: paid at once for taking bytes in, and alive, and without any proof.
#[test]
fn taking_in_and_being_alive_earn_nothing() {
    let mut scoring = scoring();
    let outcomes = [
        of_kind(1, OutcomeKind::Store),
        of_kind(1, OutcomeKind::Ping),
        rejected(space(1)),
        rejected(possession(1)),
        space(2),
    ];
    repeat(&mut scoring, 3000, &outcomes);
    let liar = score(&scoring, 1);
    assert_eq!((liar.score, liar.total_successes, liar.tier.as_str()), (0.0, 0, "Bronze"));
    assert_eq!(weight(&scoring, 1), 0);
}

/// Bytes handed out to those who ask for them do not stand in for proofs either.
#[test]
fn service_without_proofs_earns_nothing() {
    let mut scoring = scoring();
    repeat(&mut scoring, 400, &[of_kind(1, OutcomeKind::Retrieval)]);
    assert_eq!((score(&scoring, 1).score, score(&scoring, 1).service), (0.0, 1.0));
}

/// A failed store costs, though one that went well earns nothing.
#[test]
fn refusing_service_costs() {
    for kind in [OutcomeKind::Store, OutcomeKind::Retrieval] {
        let mut scoring = scoring();
        repeat(&mut scoring, 100, &[space(1), possession(1)]);
        let before = score(&scoring, 1).score;
        repeat(&mut scoring, 50, &[space(1), possession(1), missed(of_kind(1, kind))]);
        assert!(score(&scoring, 1).score < before / 50.0, "{kind:?}");
    }
}

/// The slowest that are right earn more than the quickest that are not.
#[test]
fn slow_and_right_is_worth_more_than_quick_and_wrong() {
    let at = |latency_ms, outcome| MinerOutcome { latency_ms: Some(latency_ms), ..outcome };
    let mut outcomes = vec![at(30_000, space(1)), at(1, rejected(space(2)))];
    outcomes.extend((3..10).map(|uid| at(100, space(uid))));
    let mut scoring = scoring();
    repeat(&mut scoring, 400, &outcomes);
    assert_eq!(weight(&scoring, 2), 0);
    assert!(weight(&scoring, 1) > weight(&scoring, 3) / 2, "{} {}", weight(&scoring, 1), weight(&scoring, 3));
    // The wrong answer is not among the times: the median is 100 ms.
    assert!((score(&scoring, 3).performance - 1.0).abs() < 1e-9, "{}", score(&scoring, 3).performance);
}

/// FileTAO boosted the two fastest of a batch even if their proof failed, and whoever was alone.
#[test]
fn boosts_are_for_the_fastest_that_made_no_mistake() {
    let at = |latency_ms, outcome| MinerOutcome { latency_ms: Some(latency_ms), ..outcome };
    let others: Vec<MinerOutcome> = (3..10).map(|uid| at(1000, space(uid))).collect();
    let performance = |first: &[MinerOutcome]| {
        let mut scoring = scoring();
        repeat(&mut scoring, 1, &[first, &others].concat());
        score(&scoring, 1).performance
    };
    // One round moves the average by alpha of the speed, which is 1.2 at most, and 1.2 times that with the boost of Bronze.
    let boosted = performance(&[at(1, space(1))]);
    assert!((boosted - (0.95 + 0.05 * 1.2 * 1.2)).abs() < 1e-9, "{boosted}");
    let with_a_mistake = performance(&[at(1, space(1)), rejected(possession(1))]);
    assert!((with_a_mistake - (0.95 + 0.05 * 1.2)).abs() < 1e-9, "{with_a_mistake}");
    let unmeasured = performance(&[MinerOutcome { latency_ms: None, ..space(1) }]);
    assert_eq!(unmeasured, 1.0);
    let mut alone = scoring();
    repeat(&mut alone, 1, &[at(1, space(1))]);
    assert_eq!(score(&alone, 1).performance, 1.0);
}

/// FileTAO: a batch in which all failed divided 0 by 0.
#[test]
fn a_round_in_which_all_fail_is_a_round() {
    let mut scoring = scoring();
    repeat(&mut scoring, 10, &[space(1), space(2)]);
    repeat(&mut scoring, 1, &[missed(space(1)), rejected(space(2)), rejected(space(3))]);
    assert!(score(&scoring, 1).score > score(&scoring, 2).score && score(&scoring, 2).score > 0.0);
    repeat(&mut scoring, 500, &[missed(space(1)), rejected(space(2)), rejected(space(3))]);
    let weights = scoring.weights(scoring.height().expect("a round"));
    assert!(weights.iter().all(|weight| weight.weight == 0 && weight.share == 0.0), "{weights:?}");
}

#[test]
fn a_round_of_nobody_changes_nothing() {
    let mut scoring = scoring();
    repeat(&mut scoring, 30, &[space(1)]);
    let before = scoring.state().miners;
    repeat(&mut scoring, 5, &[]);
    assert_eq!(scoring.state().miners, before);
}

/// A validator that died between recording and keeping records the round once more: it must not count twice.
#[test]
fn a_round_counts_once() {
    let mut scoring = scoring();
    repeat(&mut scoring, 30, &[space(1)]);
    let (state, last) = (scoring.state(), scoring.height().expect("a round"));
    for height in [last, last - 1, 0] {
        let error = scoring.record(&round(height, &[rejected(space(1))])).expect_err("is refused");
        assert!(matches!(error, ScoringError::NotLater { .. }), "{error}");
    }
    assert_eq!(scoring.state(), state);
}

/// FileTAO: a new hotkey kept the score of the one before it at its place, which was farmed.
#[test]
fn a_new_hotkey_at_a_place_starts_afresh() {
    let mut scoring = scoring();
    repeat(&mut scoring, 600, &[space(1), space(2)]);
    let newcomer = MinerOutcome { miner: account(99), registered_at: 40_000, ..space(1) };
    let height = scoring.height().expect("a round") + 1;
    let summary = scoring.record(&round(height, &[newcomer.clone(), space(2)])).expect("is later");
    assert_eq!((summary.fresh, summary.replaced), (vec![account(99)], vec![account(1)]));
    let fresh = score(&scoring, 1);
    assert_eq!((fresh.miner, fresh.tier.as_str(), fresh.total_successes), (account(99), "Bronze", 1));
    assert!((fresh.space_bytes / TIB as f64 - 0.05).abs() < 1e-12);
    // What still comes in about the one before is of a registration that is over.
    let summary = scoring.record(&round(height + 1, &[space(1), space(2)])).expect("is later");
    assert_eq!((summary.ignored_outcomes, summary.fresh.len(), summary.replaced.len()), (1, 0, 1));
    assert_eq!(score(&scoring, 1).total_successes, 1);
}

#[test]
fn the_same_hotkey_registered_anew_starts_afresh() {
    let mut scoring = scoring();
    repeat(&mut scoring, 600, &[space(1)]);
    assert_eq!(score(&scoring, 1).tier, "Silver");
    let anew = MinerOutcome { uid: 5, registered_at: 40_000, ..space(1) };
    let height = scoring.height().expect("a round") + 1;
    // Both in one round, whichever comes first.
    for outcomes in [[space(1), anew.clone()], [anew.clone(), space(1)]] {
        let mut scoring = scoring.clone();
        let summary = scoring.record(&round(height, &outcomes)).expect("is later");
        assert_eq!((summary.ignored_outcomes, summary.fresh), (1, vec![account(1)]));
        assert_eq!(score(&scoring, 5).total_successes, 1);
    }
}

/// Another place without another registration is the same miner.
#[test]
fn a_moved_hotkey_keeps_its_score() {
    let mut scoring = scoring();
    repeat(&mut scoring, 600, &[space(1)]);
    repeat(&mut scoring, 1, &[MinerOutcome { uid: 5, ..space(1) }]);
    assert_eq!(score(&scoring, 5).total_successes, 601);
}

#[test]
fn who_is_not_registered_any_more_is_forgotten() {
    let mut scoring = scoring();
    repeat(&mut scoring, 50, &[space(1), space(2), space(3)]);
    let registered = |uid: u16, registered_at| Registration { miner: account(uid), uid, registered_at };
    // The first is still there, the second registered anew, the third is gone.
    let gone = scoring.keep_registered(&[registered(1, 0), registered(2, 9)]);
    assert_eq!(gone, [account(2), account(3)]);
    let weights = scoring.weights(scoring.height().expect("a round"));
    assert_eq!(weights.iter().map(|weight| (weight.uid, weight.weight)).collect::<Vec<_>>(), [(1, 65_535)]);
}

#[test]
fn tier_changes_are_told() {
    let mut scoring = scoring();
    repeat(&mut scoring, 499, &[space(1)]);
    let height = scoring.height().expect("a round");
    let summary = scoring.record(&round(height + 1, &[space(1)])).expect("is later");
    let change =
        TierChange { miner: account(1), from: "Bronze".to_owned(), to: "Silver".to_owned(), promoted: true };
    assert_eq!(summary.changes, [change]);
}

/// Who dies for five days and comes back has its weight again within two days, and its tier once the window has forgotten.
#[test]
fn who_comes_back_recovers() {
    let mut scoring = scoring();
    let both = [space(1), space(2)];
    repeat(&mut scoring, 3000, &both);
    repeat(&mut scoring, 480, &[missed(space(1)), space(2)]);
    assert_eq!((weight(&scoring, 1), score(&scoring, 1).tier.as_str()), (0, "Bronze"));
    repeat(&mut scoring, 192, &both);
    assert!(f64::from(weight(&scoring, 1)) > 0.79 * 65_535.0, "all but the factor of the tier");
    repeat(&mut scoring, 480, &both);
    assert_eq!((weight(&scoring, 1), score(&scoring, 1).tier.as_str()), (65_535, "Platinum"));
}

/// One disk behind many hotkeys: each proves its part, and all together have what one would have.
#[test]
fn splitting_a_disk_over_hotkeys_gains_nothing() {
    let honest = |uid: u16, bytes| MinerOutcome { proven_space_bytes: bytes, ..space(uid) };
    let income = |split: u16, rounds: u64| {
        let mut outcomes: Vec<MinerOutcome> = (100..120).map(|uid| honest(uid, 8 * TIB)).collect();
        outcomes.extend((0..split).map(|uid| honest(uid, 8 * TIB / u64::from(split))));
        let mut scoring = scoring();
        let height = repeat(&mut scoring, rounds, &outcomes);
        scoring
            .weights(height)
            .iter()
            .filter(|weight| weight.uid < 100)
            .map(|weight| weight.share)
            .sum::<f64>()
    };
    for rounds in [1, 50, 2500] {
        let one = income(1, rounds);
        for split in [2, 8, 64] {
            let many = income(split, rounds);
            assert!(
                (many / one - 1.0).abs() < 1e-9,
                "{split} hotkeys after {rounds} rounds: {many}, not {one}"
            );
        }
    }
}

/// A disk larger than its tier's limit gains by splitting, until one hotkey is in the tier for it: at most as much as the limit
/// cuts off, and nothing in the end.
#[test]
fn what_splitting_gains_is_bounded_by_the_limit_of_the_tier() {
    let total = |split: u16, rounds: u64| {
        let bytes = 40 * TIB / u64::from(split);
        let outcomes: Vec<MinerOutcome> =
            (0..split).map(|uid| MinerOutcome { proven_space_bytes: bytes, ..space(uid) }).collect();
        let mut scoring = scoring();
        let height = repeat(&mut scoring, rounds, &outcomes);
        scoring.scores(height).iter().map(|score| score.score).sum::<f64>()
    };
    assert!((total(4, 400) / total(1, 400) - 4.0).abs() < 1e-6, "Bronze: 10 of 40 TiB count");
    assert!((total(4, 501) / total(1, 501) - 1.0).abs() < 1e-6, "Silver: all count");
}

#[test]
fn a_kept_state_is_refused_if_somebody_is_in_it_twice_or_it_is_of_another_version() {
    let mut scoring = scoring();
    repeat(&mut scoring, 3, &[space(1)]);
    let restore = |change: fn(&mut ScoringState)| {
        let mut state = scoring.state();
        change(&mut state);
        Scoring::restore(ScoringConfig::standard(), state).map(|_| ()).map_err(|error| error.to_string())
    };
    assert_eq!(restore(|_| {}), Ok(()));
    let twice = restore(|state| state.miners.push(state.miners[0].clone())).expect_err("is refused");
    assert!(twice.contains("it is there twice"), "{twice}");
    assert!(restore(|state| state.version = 2).expect_err("is refused").contains("version 2"));
}
