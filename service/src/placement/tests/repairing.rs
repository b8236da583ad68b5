use std::collections::BTreeSet;

use super::*;

const NOW: u64 = 1_000_000;

/// Ten miners with operators of their own and room; 1,000 s of absence and 3 failed audits make a loss.
fn network() -> Vec<Miner> {
    (0..10).map(|number| present(number, number, 100 * MIB)).collect()
}

fn rules() -> RepairRules {
    RepairRules { absent_seconds: 1_000, ..RepairRules::default() }
}

fn plan(segments: &[PlacedSegment], miners: &[Miner]) -> Plan {
    repair(segments, miners, &rules(), NOW, &[5; 32]).unwrap()
}

fn actions(segments: &[PlacedSegment], miners: &[Miner]) -> Vec<Action> {
    let plan = plan(segments, miners);
    assert!(plan.waiting.is_empty() && plan.unreadable.is_empty(), "{plan:?}");
    plan.actions
}

#[test]
fn nothing_is_done_about_what_is_whole() {
    assert_eq!(plan(&[segment(0, 3, &[0, 1, 2, 3, 4])], &network()), Plan::default());
    assert_eq!(plan(&[], &[]), Plan::default());
}

#[test]
fn a_lost_piece_is_made_anew_elsewhere() {
    let gone = |miners: &mut Vec<Miner>, _: &mut PlacedSegment| miners[1].standing = Standing::Gone;
    let unknown = |miners: &mut Vec<Miner>, _: &mut PlacedSegment| {
        miners.retain(|miner| miner.candidate.miner != account(1))
    };
    let absent = |miners: &mut Vec<Miner>, _: &mut PlacedSegment| {
        miners[1].standing = Standing::Absent { since: NOW - 1_000 }
    };
    let failed = |_: &mut Vec<Miner>, segment: &mut PlacedSegment| segment.pieces[1].failed_audits = 3;
    let nobodys = |_: &mut Vec<Miner>, segment: &mut PlacedSegment| segment.pieces[1].holder = None;
    type Loss = dyn Fn(&mut Vec<Miner>, &mut PlacedSegment);
    let losses: [&Loss; 5] = [&gone, &unknown, &absent, &failed, &nobodys];
    for (lose, number) in losses.into_iter().zip(0..) {
        let (mut miners, mut segment) = (network(), segment(0, 3, &[0, 1, 2, 3, 4]));
        lose(&mut miners, &mut segment);
        let actions = actions(&[segment], &miners);
        let [Action::Rebuild { shard: of, to, sources }] = &actions[..] else {
            panic!("{number}: {actions:?}")
        };
        assert_eq!((*of, &sources[..]), (shard(0, 1), &[0, 2, 3, 4][..]), "{number}");
        // Nor to the one that lost it, though it may have room.
        let may: BTreeSet<Account> =
            (5..10).map(account).chain((number == 4).then_some(account(1))).collect();
        assert!(may.contains(to), "{number}");
    }
}

/// Most of what does not answer comes back: making it anew at once would move terabytes for every reboot.
#[test]
fn a_doubtful_piece_waits_until_it_is_needed() {
    let doubtful =
        |miners: &mut [Miner], which: usize| miners[which].standing = Standing::Absent { since: NOW - 999 };
    let mut miners = network();
    let mut five = segment(0, 3, &[0, 1, 2, 3, 4]);
    doubtful(&mut miners, 1);
    assert_eq!(actions(&[five.clone()], &miners), []);
    // Two more failed audits, short of three: with one sure piece to spare no more, both are made anew.
    five.pieces[2].failed_audits = 2;
    let made: Vec<u8> = actions(&[five.clone()], &miners)
        .iter()
        .map(|action| match action {
            Action::Rebuild { shard, sources, .. } => {
                // The doubtful ones are asked last.
                assert_eq!(sources, &[0, 3, 4, 1, 2]);
                shard.shard
            }
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(made, [1, 2]);
}

/// With fewer sure pieces than needed, doubtful ones are the only chance, and it is taken.
#[test]
fn doubtful_pieces_are_read_where_there_are_no_others() {
    let mut miners = network();
    miners[0].standing = Standing::Absent { since: NOW };
    miners[1].standing = Standing::Gone;
    let plan = plan(&[segment(0, 2, &[0, 1, 2])], &miners);
    assert_eq!(plan.unreadable, []);
    let rebuilt: Vec<_> = plan.actions.iter().collect();
    assert!(
        matches!(&rebuilt[..], [Action::Rebuild { sources, .. }, Action::Rebuild { .. }] if sources == &[2, 0])
    );
}

#[test]
fn unreadable_segments_are_said_and_left_alone() {
    let mut miners = network();
    miners[0].standing = Standing::Gone;
    miners[1].standing = Standing::Gone;
    let plan = plan(&[segment(0, 2, &[0, 1, 2]), segment(1, 2, &[3, 4, 5])], &miners);
    assert_eq!(plan.unreadable, [Unreadable { segment: key(0), readable: 1, needed: 2 }]);
    assert!(plan.actions.is_empty() && plan.waiting.is_empty(), "nothing is dropped, either");
}

#[test]
fn pieces_of_a_leaving_miner_are_moved() {
    let mut miners = network();
    miners[2].standing = Standing::Leaving;
    let actions = actions(&[segment(0, 1, &[0, 1, 2])], &miners);
    let [Action::Move { shard: of, from, to }] = actions[..] else { panic!("{actions:?}") };
    assert_eq!((of, from), (shard(0, 2), account(2)));
    assert!((3..10).map(account).any(|free| free == to));
}

/// Two pieces of a segment with one operator, as after a sale of a miner: one of them moves.
#[test]
fn pieces_that_came_under_one_operator_are_parted() {
    let mut miners = network();
    miners[3].candidate.operator = operator(1);
    let whole = segment(0, 3, &[0, 1, 2, 3, 4]);
    let parted = actions(std::slice::from_ref(&whole), &miners);
    let [Action::Move { shard: of, from, to }] = parted[..] else { panic!("{parted:?}") };
    assert_eq!((of, from), (shard(0, 3), account(3)));
    assert_ne!(to, account(1));
    // If the other one is lost, it is that one that is made anew, and nothing moves.
    miners[1].standing = Standing::Gone;
    let remade = actions(&[whole], &miners);
    assert!(matches!(&remade[..], [Action::Rebuild { shard, .. }] if shard.shard == 1), "{remade:?}");
}

#[test]
fn pieces_on_their_way_are_left_alone_and_keep_their_place() {
    let mut miners = network();
    miners[0].standing = Standing::Gone;
    miners[1].standing = Standing::Gone;
    miners.truncate(6);
    let mut segment = segment(0, 3, &[0, 1, 2, 3, 4]);
    segment.pieces[0].coming_to = Some(account(5));
    // Shard 1 has nowhere to go: all others hold a piece, or will.
    let plan = plan(&[segment], &miners);
    assert!(plan.actions.is_empty());
    let [Waiting { shard: of, why: WaitingReason::NoMiner(error) }] = &plan.waiting[..] else {
        panic!("{plan:?}")
    };
    assert_eq!(*of, shard(0, 1));
    let PlacementError::TooFewOperators { found: 0, wanted: 1, apart: 4, .. } = error else {
        panic!("{error}")
    };
}

/// Two shards of one segment that are made anew in one plan go to two operators.
#[test]
fn repairs_of_one_plan_are_apart_from_each_other() {
    let mut miners = network();
    miners[0].standing = Standing::Gone;
    miners[1].standing = Standing::Gone;
    // Two miners of one operator are the only free ones, beside one of another.
    miners.truncate(8);
    miners[6].candidate.operator = operator(5);
    for seed in 0..50 {
        let plan = repair(&[segment(0, 3, &[0, 1, 2, 3, 4])], &miners, &rules(), NOW, &[seed; 32]).unwrap();
        let targets: BTreeSet<bool> = plan
            .actions
            .iter()
            .map(|action| matches!(action, Action::Rebuild { to, .. } if *to == account(7)))
            .collect();
        assert_eq!((plan.actions.len(), targets.len()), (2, 2), "{plan:?}");
    }
}

/// The room of a miner is given once.
#[test]
fn repairs_stay_within_room() {
    let mut miners: Vec<Miner> = (0..4).map(|number| present(number, number, 0)).collect();
    miners[0].standing = Standing::Gone;
    miners[3].candidate.free_bytes = 3 * MIB;
    let segments: Vec<PlacedSegment> = (0..5).map(|number| segment(number, 1, &[0, 1, 2])).collect();
    let plan = plan(&segments, &miners);
    assert_eq!((plan.actions.len(), plan.waiting.len()), (3, 2));
}

#[test]
fn the_most_endangered_come_first_and_the_rest_waits_for_the_budget() {
    let mut miners = network();
    for gone in [0, 1] {
        miners[gone].standing = Standing::Gone;
    }
    miners[2].standing = Standing::Leaving;
    // Spare pieces: 1, 0, 2 of which one leaves, 3.
    let segments = [
        segment(0, 2, &[0, 3, 4, 5]),
        segment(1, 2, &[0, 1, 3, 4]),
        segment(2, 2, &[2, 3, 4, 5]),
        segment(3, 1, &[0, 3, 4, 5, 6]),
    ];
    let order = |budget_bytes: u64| {
        let rules = RepairRules { budget_bytes, ..rules() };
        let plan = repair(&segments, &miners, &rules, NOW, &[5; 32]).unwrap();
        let done: Vec<ShardKey> = plan
            .actions
            .iter()
            .map(|action| match action {
                Action::Rebuild { shard, .. } | Action::Move { shard, .. } | Action::Drop { shard, .. } => {
                    *shard
                }
            })
            .collect();
        assert!(plan.waiting.iter().all(|waiting| waiting.why == WaitingReason::Budget));
        (done, plan.waiting.into_iter().map(|waiting| waiting.shard).collect::<Vec<_>>())
    };
    let all = [shard(1, 0), shard(0, 0), shard(1, 1), shard(2, 0), shard(3, 0)];
    assert_eq!(order(u64::MAX), (all.to_vec(), vec![]));
    // Three pieces each for the first two, and one byte short of the third.
    assert_eq!(order(9 * MIB - 1), (all[..2].to_vec(), all[2..].to_vec()));
    // The first one is done whatever it takes: otherwise a piece larger than the budget would never be.
    assert_eq!(order(0), (all[..1].to_vec(), all[1..].to_vec()));
}

#[test]
fn expired_segments_are_dropped_and_not_repaired() {
    let mut miners = network();
    miners[0].standing = Standing::Gone;
    let at = |expires_at| PlacedSegment { expires_at, ..segment(0, 1, &[0, 1, 2]) };
    for expires_at in [None, Some(NOW + 1)] {
        let actions = actions(&[at(expires_at)], &miners);
        assert!(matches!(actions[..], [Action::Rebuild { .. }]), "{actions:?}");
    }
    let mut expired = at(Some(NOW));
    expired.pieces[2].holder = None;
    let drops: Vec<Action> =
        [0, 1].map(|held| Action::Drop { shard: shard(0, held as u8), from: account(held) }).to_vec();
    assert_eq!(actions(&[expired], &miners), drops);
}
