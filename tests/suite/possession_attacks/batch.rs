//! Wrong responses among many.

use ark_bls12_381::Fr;
use ark_ff::AdditiveGroup;
use holdfast_engine::possession::batch::{Collector, CollectorFull, Limits, Ticket, verify_possession_batch};
use holdfast_engine::possession::challenge::{Form, ObjectChallenge};
use holdfast_engine::possession::points::decode_point;
use holdfast_engine::possession::verify::{CheckedResponse, PossessionCase};
use holdfast_engine::reference::possession as reference;
use holdfast_engine::rejection::{Class, Rejection};

use crate::forger::Forger;
use crate::{FORMS, OBJECT, SAMPLES, generators};

fn verdicts(cases: &[PossessionCase<'_>]) -> Vec<Option<Class>> {
    let verdicts = verify_possession_batch(generators(), cases).expect("randomness");
    verdicts.into_iter().map(|verdict| verdict.err().map(|refused| refused.class)).collect()
}

/// Two responses of which one is too large by what the other is too small, once it has been weighted so.
fn cancelling(weights: [Fr; 2]) -> [(ObjectChallenge, Forger<'static>); 2] {
    let [mut first, mut second] = [0, 1].map(|round| {
        let challenge = OBJECT.challenge(round, SAMPLES, Form::Plain);
        (challenge.clone(), Forger::new(&OBJECT, Box::leak(Box::new(challenge))))
    });
    first.1.added_to_z[17] = weights[1];
    second.1.added_to_z[17] = -weights[0];
    [first, second]
}

/// Errors that cancel under equal weights and under weights that could be foreseen. That they do is checked with the
/// reference: a batch with these weights would accept them.
#[test]
fn errors_that_cancel_under_equal_and_under_predictable_weights() {
    let points: Vec<_> =
        (0..25).map(|i| decode_point(OBJECT.table.point(i).expect("there")).expect("a point")).collect();
    for weights in [[Fr::from(1u8); 2], [Fr::from(u128::MAX), Fr::from(0x1234_5678_9abc_u64)]] {
        let pair = cancelling(weights);
        let left_sides = pair.each_ref().map(|(challenge, forger)| {
            let (t, z) = forger.proof();
            reference::left_side(&reference::Statement::new(challenge, &points), &reference::Proof { t, z })
        });
        assert!(reference::verify_batch(&weights, &left_sides), "the attack is none");
        assert!(!reference::verify_batch(&[weights[0], weights[1] + Fr::from(1u8)], &left_sides));
        let responses = pair.each_ref().map(|(_, forger)| forger.response());
        let cases = [0, 1].map(|i| OBJECT.case(&pair[i].0, &responses[i]));
        assert_eq!(verdicts(&cases), [Some(Class::WrongProof); 2]);
        // In the midst of honest ones, on both sides of a half.
        let challenge = OBJECT.challenge(9, SAMPLES, Form::Compressed);
        let honest = OBJECT.answer(&challenge);
        let honest = OBJECT.case(&challenge, &honest);
        let wrong = Some(Class::WrongProof);
        assert_eq!(verdicts(&[honest, cases[0], honest, honest, cases[1]]), [None, wrong, None, None, wrong]);
    }
}

/// Of a thousand responses in both forms one is bad, and it is the one that is named, wherever it stands; then several.
#[test]
fn bad_responses_among_a_thousand_are_named() {
    let rounds: Vec<(ObjectChallenge, Vec<u8>)> = (0..10)
        .map(|round| OBJECT.challenge(round, SAMPLES, FORMS[round as usize % 2]))
        .map(|challenge| (challenge.clone(), OBJECT.answer(&challenge)))
        .collect();
    let mut cases: Vec<_> =
        rounds.iter().map(|(challenge, response)| OBJECT.case(challenge, response)).collect();
    cases = cases.into_iter().cycle().take(1_000).collect();
    assert!(verdicts(&cases).iter().all(Option::is_none));
    let challenge = OBJECT.challenge(0, SAMPLES, Form::Plain);
    let mut forger = Forger::new(&OBJECT, &challenge);
    forger.vectors[0][0] += Fr::from(1u8);
    let bad = forger.response();
    for places in [&[0][..], &[999], &[617], &[3, 4, 500, 998]] {
        let mut cases = cases.clone();
        places.iter().for_each(|place| cases[*place] = OBJECT.case(&challenge, &bad));
        let found = verdicts(&cases);
        let named: Vec<usize> = (0..1_000).filter(|i| found[*i].is_some()).collect();
        assert_eq!(named, places);
        assert!(places.iter().all(|place| found[*place] == Some(Class::WrongProof)));
    }
}

/// Nothing but wrong ones: each is named, whatever refuses it.
#[test]
fn nothing_but_bad_responses() {
    let challenge = OBJECT.challenge(0, SAMPLES, Form::Plain);
    let mut forger = Forger::new(&OBJECT, &challenge);
    forger.vectors[0][0] += Fr::from(1u8);
    let (bad, short) = (forger.response(), forger.response()[..100].to_vec());
    let cases: Vec<_> = (0..9)
        .map(|i| if i == 4 { &short } else { &bad })
        .map(|response| OBJECT.case(&challenge, response))
        .collect();
    let expected = |i| if i == 4 { Some(Class::WrongLength) } else { Some(Class::WrongProof) };
    assert_eq!(verdicts(&cases), (0..9).map(expected).collect::<Vec<_>>());
}

#[test]
fn a_batch_of_none_and_of_one() {
    assert_eq!(verdicts(&[]), []);
    let challenge = OBJECT.challenge(0, SAMPLES, Form::Plain);
    let honest = OBJECT.answer(&challenge);
    assert_eq!(verdicts(&[OBJECT.case(&challenge, &honest)]), [None]);
}

fn checked(challenge: &ObjectChallenge, response: &[u8]) -> CheckedResponse {
    CheckedResponse::check(&OBJECT.case(challenge, response)).expect("right but perhaps for its equation")
}

/// As responses arrive; verdicts stand under their tickets.
#[test]
fn a_collector_gives_tickets_and_verdicts() {
    let challenge = OBJECT.challenge(0, SAMPLES, Form::Plain);
    let mut forger = Forger::new(&OBJECT, &challenge);
    let good = forger.response();
    forger.vectors[0][0] += Fr::ZERO + Fr::from(1u8);
    let bad = forger.response();
    let mut collector = Collector::new(Limits::default());
    let tickets: Vec<(bool, Ticket)> = [true, false, true, true, false]
        .map(|right| (right, collector.add(checked(&challenge, if right { &good } else { &bad }))))
        .into_iter()
        .map(|(right, ticket)| (right, ticket.expect("room")))
        .collect();
    assert_eq!(collector.len(), 5);
    let verdicts: Vec<Result<(), Rejection>> = collector.conclude(generators()).expect("randomness");
    for (right, ticket) in tickets {
        assert_eq!(verdicts[ticket.position()].is_ok(), right);
    }
}

/// More responses, or larger ones, than were agreed on are not taken, and those before keep their verdicts.
#[test]
fn a_collectors_limits_hold() {
    let challenge = OBJECT.challenge(0, SAMPLES, Form::Plain);
    let honest = OBJECT.answer(&challenge);
    let one = checked(&challenge, &honest).held_bytes();
    let limits = [
        Limits { responses: 3, held_bytes: usize::MAX },
        Limits { responses: usize::MAX, held_bytes: 4 * one - 1 },
    ];
    for limits in limits {
        let mut collector = Collector::new(limits);
        for _ in 0..3 {
            collector.add(checked(&challenge, &honest)).expect("room");
        }
        let full = collector.add(checked(&challenge, &honest)).expect_err("no room for a fourth");
        assert_eq!(full, CollectorFull { responses: 3, held_bytes: 3 * one });
        assert_eq!(collector.conclude(generators()).expect("randomness"), [Ok(()), Ok(()), Ok(())]);
    }
}

/// What is stated of memory: ten thousand responses of twenty blocks stay below the default limits, and those, with as
/// much again for the sums, below a gibibyte.
#[test]
fn ten_thousand_responses_fit() {
    for form in FORMS {
        let challenge = OBJECT.challenge(0, 20, form);
        let held = checked(&challenge, &OBJECT.answer(&challenge)).held_bytes();
        let Limits { responses, held_bytes } = Limits::default();
        assert!(10_000 * held < held_bytes && 10_000 < responses, "{held} bytes each");
        assert!(2 * held_bytes < 1 << 30);
    }
}
