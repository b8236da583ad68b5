use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

fn need(segment: u32, pieces: u8, piece_bytes: u64) -> Need {
    Need { segment: key(segment), pieces, piece_bytes, holders: Vec::new() }
}

fn too_few(result: Result<Vec<Vec<Account>>, PlacementError>) -> (usize, usize, usize, usize) {
    match result {
        Err(PlacementError::TooFewOperators { found, excluded, apart, full, .. }) => {
            (found, excluded, apart, full)
        }
        other => panic!("{other:?}"),
    }
}

prop_compose! {
    fn networks()(
        rooms in prop::collection::vec((0u32..12, 0u64..40, 0u8..8, 0u32..5_000, 0u8..=120), 0..40),
    ) -> Vec<Candidate> {
        let miner = |((of, free_mib, tier, latency_ms, load_percent), number)| Candidate {
            tier,
            latency_ms,
            load_percent,
            ..candidate(number, of, free_mib * MIB)
        };
        rooms.into_iter().zip(0..).map(miner).collect()
    }
}

/// Pieces, MiB of each, and holders with their operators.
type Drawn = (u8, u64, Vec<(u32, u32)>);

prop_compose! {
    fn needs()(
        needs in prop::collection::vec((0u8..6, 1u64..12, prop::collection::vec((0u32..40, 0u32..12), 0..3)), 0..8),
    ) -> Vec<Need> {
        let need = |((pieces, mib, holders), number): (Drawn, u32)| Need {
            segment: key(number),
            pieces,
            piece_bytes: mib * MIB,
            holders: holders.into_iter().map(|(miner, of)| (account(miner), operator(of))).collect(),
        };
        needs.into_iter().zip(0..).map(need).collect()
    }
}

proptest! {
    /// Bugs this would catch: pieces that are left out (FileTAO's `zip` of two lists of different lengths), two of a segment with
    /// one operator, room that is given twice, candidates' order that matters.
    #[test]
    fn all_pieces_are_placed_apart_and_within_room_or_none(
        candidates in networks(),
        needs in needs(),
        seed in any::<[u8; 32]>(),
    ) {
        let rules = Rules { reserve_bytes: 2 * MIB, ..Rules::default() };
        let chosen = choose(&candidates, &needs, &rules, &seed);
        let reversed: Vec<Candidate> = candidates.iter().rev().copied().collect();
        prop_assert_eq!(&choose(&reversed, &needs, &rules, &seed), &chosen);
        match chosen {
            Ok(chosen) => {
                prop_assert_eq!(chosen.len(), needs.len());
                let mut left: BTreeMap<Account, i64> = BTreeMap::new();
                for (need, miners) in needs.iter().zip(&chosen) {
                    prop_assert_eq!(miners.len(), usize::from(need.pieces));
                    let mut operators: BTreeSet<Account> = need.holders.iter().map(|holder| holder.1).collect();
                    for miner in miners {
                        let found = candidates.iter().find(|candidate| candidate.miner == *miner).unwrap();
                        prop_assert!(operators.insert(found.operator));
                        prop_assert!(need.holders.iter().all(|holder| holder.0 != *miner));
                        *left.entry(*miner).or_insert(found.free_bytes as i64) -= need.piece_bytes as i64;
                    }
                }
                prop_assert!(left.values().all(|&left| left >= 2 * MIB as i64));
            }
            Err(PlacementError::TooFewOperators { found, miners, excluded, apart, full, wanted, .. }) => {
                prop_assert_eq!(miners, candidates.len());
                prop_assert!(found < wanted && found + excluded + apart + full <= miners);
            }
            Err(error) => prop_assert!(false, "{}", error),
        }
    }

    /// Gale and Ryser's condition: T segments of n pieces can be placed exactly if the operators' rooms, each counted up to T, add up to
    /// n·T. Chance alone would miss some.
    #[test]
    fn pieces_of_one_size_are_placed_whenever_they_can_be(
        rooms in prop::collection::vec((0u32..6, 0u64..5), 1..12),
        segments in 1u32..6,
        pieces in 1u8..5,
    ) {
        let candidates: Vec<Candidate> =
            rooms.iter().zip(0..).map(|(&(of, pieces), number)| candidate(number, of, pieces * MIB)).collect();
        let mut operators: BTreeMap<u32, u64> = BTreeMap::new();
        rooms.iter().for_each(|&(of, pieces)| *operators.entry(of).or_default() += pieces);
        let counted: u64 = operators.values().map(|&room| room.min(segments.into())).sum();
        let possible = counted >= u64::from(pieces) * u64::from(segments);
        let needs: Vec<Need> = (0..segments).map(|number| need(number, pieces, MIB)).collect();
        prop_assert_eq!(choose(&candidates, &needs, &Rules::default(), &[1; 32]).is_ok(), possible);
    }
}

/// What lacks is said, each miner under one heading.
#[test]
fn the_error_says_what_lacks() {
    let mut candidates = vec![
        candidate(0, 0, 10 * MIB),
        candidate(1, 0, 10 * MIB),
        candidate(2, 1, MIB),
        candidate(3, 2, 10 * MIB),
        candidate(4, 3, 10 * MIB),
        candidate(5, 4, 10 * MIB),
    ];
    candidates[5].tier = 0;
    let rules = Rules {
        deny: BTreeSet::from([account(3)]),
        tier_weights: [0, 1, 1, 1, 1, 1, 1, 1],
        ..Rules::default()
    };
    let needs = [Need { holders: vec![(account(4), operator(3))], ..need(7, 3, 2 * MIB) }];
    let result = choose(&candidates, &needs, &rules, &[0; 32]);
    let text = result.clone().unwrap_err().to_string();
    assert_eq!(too_few(result), (1, 2, 1, 1));
    assert!(text.contains("segment 7 of 0404"), "{text}");
    assert!(
        text.contains("needs 3 more operators with room for a piece of 2097152 bytes, and there are 1"),
        "{text}"
    );
    // Nobody at all, and nothing to place.
    assert_eq!(too_few(choose(&[], &needs, &rules, &[0; 32])), (0, 0, 0, 0));
    assert_eq!(choose(&[], &[need(0, 0, MIB)], &rules, &[0; 32]), Ok(vec![Vec::new()]));
}

#[test]
fn a_miner_that_stands_twice_is_refused() {
    let twice = [candidate(1, 0, MIB), candidate(2, 1, MIB), candidate(1, 2, MIB)];
    let error = choose(&twice, &[need(0, 1, 1)], &Rules::default(), &[0; 32]);
    assert_eq!(error, Err(PlacementError::MinerTwice { miner: account(1) }));
}

#[test]
fn allow_and_deny_name_miners_and_operators() {
    let candidates: Vec<Candidate> = (0..6).map(|number| candidate(number, number / 2, 10 * MIB)).collect();
    let placed = |allow: Option<&[Account]>, deny: &[Account]| -> BTreeSet<Account> {
        let rules = Rules {
            allow: allow.map(|allow| allow.iter().copied().collect()),
            deny: deny.iter().copied().collect(),
            ..Rules::default()
        };
        let seeds = (0..100u8).map(|seed| choose(&candidates, &[need(0, 1, MIB)], &rules, &[seed; 32]));
        seeds.flatten().flatten().flatten().collect()
    };
    let all = |numbers: &[u32]| numbers.iter().map(|&number| account(number)).collect::<BTreeSet<_>>();
    assert_eq!(placed(None, &[]), all(&[0, 1, 2, 3, 4, 5]));
    assert_eq!(placed(Some(&[operator(0), account(5)]), &[]), all(&[0, 1, 5]));
    assert_eq!(placed(None, &[operator(0), account(5)]), all(&[2, 3, 4]));
    assert_eq!(placed(Some(&[operator(0)]), &[account(0)]), all(&[1]));
    assert_eq!(placed(Some(&[]), &[]), all(&[]));
}

/// How often each of two miners is drawn in 2,000 seeds.
fn drawn(first: Candidate, second: Candidate) -> [usize; 2] {
    let chosen: Vec<Account> = (0..2_000u16)
        .map(|number| {
            let mut seed = [0; 32];
            seed[..2].copy_from_slice(&number.to_le_bytes());
            choose(&[first, second], &[need(0, 1, MIB)], &Rules::default(), &seed).unwrap()[0][0]
        })
        .collect();
    [first, second].map(|of| chosen.iter().filter(|&&miner| miner == of.miner).count())
}

/// Shares are those of the weights; the draws are fixed by their seeds, and the bounds are five standard deviations.
#[test]
fn chances_follow_the_documented_weights() {
    let plain = |number| candidate(number, number, 1_023 * MIB);
    let cases = [
        ("equal", plain(1), 1),
        ("tiers 3 and 7 have weights 4 and 8", Candidate { tier: 7, ..plain(1) }, 2),
        ("three times the room", Candidate { free_bytes: 3_071 * MIB, ..plain(1) }, 3),
        ("a fifth of the load's rest", Candidate { load_percent: 80, ..plain(1) }, -5),
        // 100 · 1000 / 1100 = 90 and 100 · 1000 / 5555 = 18.
        ("a fifth by latency", Candidate { latency_ms: 4_555, ..plain(1) }, -5),
    ];
    for (name, second, ratio) in cases {
        let [first, second] = drawn(plain(0), second);
        let share =
            if ratio > 0 { f64::from(ratio) / f64::from(ratio + 1) } else { 1.0 / f64::from(1 - ratio) };
        let deviation = (2_000.0 * share * (1.0 - share)).sqrt();
        assert!((second as f64 - 2_000.0 * share).abs() < 5.0 * deviation, "{name}: {first} and {second}");
    }
}

/// Weights of a network of the largest miners stay within 64 bits.
#[test]
fn the_largest_weights_do_not_overflow() {
    let giant = |number| Candidate { tier: 7, latency_ms: 0, ..candidate(number, number, u64::MAX) };
    let candidates: Vec<Candidate> = (0..5_000).map(giant).collect();
    let rules = Rules { tier_weights: [255; TIERS], ..Rules::default() };
    let chosen = choose(&candidates, &[need(0, 16, u64::MAX)], &rules, &[3; 32]).unwrap();
    assert_eq!(chosen[0].iter().collect::<BTreeSet<_>>().len(), 16);
}
