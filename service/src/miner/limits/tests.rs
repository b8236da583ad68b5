use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

use super::bucket::Bucket;
use super::*;

fn account(seed: u8) -> Account {
    Account([seed; 32])
}

#[test]
fn buckets_fill_with_time_and_no_higher_than_full() {
    let start = Instant::now();
    let mut bucket = Bucket::new(10, start);
    let mut taken = |after_ms| {
        let now = start + Duration::from_millis(after_ms);
        (0..100).filter(|_| bucket.take(now)).count()
    };
    assert_eq!([taken(0), taken(0), taken(500), taken(100_000)], [10, 0, 5, 10]);
    let mut bytes = Bucket::new(1000, start);
    assert_eq!(bytes.charge(1000, start), Duration::ZERO);
    assert_eq!(bytes.charge(500, start), Duration::from_millis(500), "in debt");
}

#[test]
fn one_caller_does_not_use_up_what_is_anothers() {
    let gate = Gate::new(Limits { requests_per_second: 3, ..Limits::default() }, account(200));
    let now = Instant::now();
    let admitted = |caller| (0..10).filter(|_| gate.admit(&account(caller), now).is_ok()).count();
    assert_eq!([admitted(1), admitted(1), admitted(2)], [3, 0, 3]);
}

/// Anybody can make keys: those that nobody knows share one allowance, which known callers do not touch.
#[test]
fn strangers_share_one_allowance() {
    let now = Instant::now();
    let gate = Gate::new(Limits { strangers_per_second: 5, ..Limits::default() }, account(200));
    let strangers = (0..20).filter(|seed| gate.look(&account(*seed), false, None, now).is_ok()).count();
    assert_eq!(strangers, 5);
    assert!(gate.look(&account(99), true, None, now).is_ok());
}

/// Whoever floods with wrong signatures is not looked at any more; what it claims to be is none the worse.
#[test]
fn wrong_signatures_count_against_the_address() {
    let now = Instant::now();
    let gate = Gate::new(Limits::default(), account(200));
    let [bad, good] = [1, 2].map(|host| Some(IpAddr::V4(Ipv4Addr::new(10, 0, 0, host))));
    (0..20).for_each(|_| gate.bad_signature(bad, now));
    assert!(gate.look(&account(1), true, bad, now).is_err());
    assert!(gate.look(&account(1), true, good, now).is_ok());
    assert!(gate.look(&account(1), true, bad, now + Duration::from_secs(1)).is_ok());
}

/// A timer of no length still waits for the next millisecond: an upload took twice as long for it.
#[tokio::test(start_paused = true)]
async fn bytes_within_the_rate_wait_for_nothing_and_those_beyond_it_for_their_time() {
    let gate = Gate::new(Limits { bytes_per_second: 1000, ..Limits::default() }, account(200));
    let start = Instant::now();
    for _ in 0..10 {
        gate.pace(&account(1), 100).await;
    }
    assert_eq!(start.elapsed(), Duration::ZERO);
    gate.pace(&account(1), 500).await;
    assert_eq!(start.elapsed(), Duration::from_millis(500));
    gate.pace(&account(2), 1000).await;
    assert_eq!(start.elapsed(), Duration::from_millis(500), "another caller's are others");
}

#[test]
fn lists_say_who_is_served() {
    let now = Instant::now();
    let deny = Gate::new(Limits { deny: vec![account(1)], ..Limits::default() }, account(200));
    assert!(
        deny.look(&account(1), true, None, now).is_err() && deny.look(&account(2), true, None, now).is_ok()
    );
    let allow = Gate::new(Limits { allow: vec![account(1)], ..Limits::default() }, account(200));
    assert!(
        allow.look(&account(1), true, None, now).is_ok() && allow.look(&account(2), true, None, now).is_err()
    );
}

/// The order in which turns come when all wait: of every four, three are of the caller with three times the weight.
#[tokio::test]
async fn turns_come_by_weight_and_everybody_gets_some() {
    let slots = Arc::new(Slots::new(1, 1000));
    let held = slots.turn(account(0), 1).await.expect("is free");
    let (order, mut turns) = (Arc::new(std::sync::Mutex::new(Vec::new())), JoinSet::new());
    for number in 0..80 {
        let (caller, weight) = if number % 2 == 0 { (1, 3) } else { (2, 1) };
        let (slots, order) = (Arc::clone(&slots), Arc::clone(&order));
        turns.spawn(async move {
            let turn = slots.turn(account(caller), weight).await.expect("waits");
            order.lock().expect("no panic").push(caller);
            drop(turn);
        });
    }
    while slots.waiting() < 80 {
        tokio::task::yield_now().await;
    }
    drop(held);
    while turns.join_next().await.is_some() {}
    let order = order.lock().expect("no panic").clone();
    for part in order[..40].chunks(8) {
        let heavy = part.iter().filter(|caller| **caller == 1).count();
        assert!((5..=7).contains(&heavy), "{order:?}");
    }
}

/// A caller that went away while it waited must not keep its turn.
#[tokio::test]
async fn a_turn_of_one_who_is_gone_goes_on() {
    let slots = Arc::new(Slots::new(1, 1));
    let held = slots.turn(account(0), 1).await.expect("is free");
    let waiting = {
        let slots = Arc::clone(&slots);
        tokio::spawn(async move { slots.turn(account(1), 1).await })
    };
    while slots.waiting() < 1 {
        tokio::task::yield_now().await;
    }
    assert!(slots.turn(account(2), 1).await.is_err(), "one may wait");
    waiting.abort();
    assert!(waiting.await.is_err(), "is gone");
    drop(held);
    drop(slots.turn(account(3), 1).await.expect("is free again"));
}

/// Whoever asks for most gives way, so that no caller fills the queue for the others.
#[tokio::test]
async fn a_full_queue_takes_whoever_waits_for_less() {
    let slots = Arc::new(Slots::new(1, 3));
    let held = slots.turn(account(0), 1).await.expect("is free");
    let wait = |caller| {
        let slots = Arc::clone(&slots);
        tokio::spawn(async move { slots.turn(account(caller), 1).await.map(drop) })
    };
    let greedy: Vec<_> = (0..3).map(|_| wait(1)).collect();
    while slots.waiting() < 3 {
        tokio::task::yield_now().await;
    }
    assert!(slots.turn(account(1), 1).await.is_err(), "has all of it");
    let modest = wait(2);
    let last = greedy.into_iter().next_back().expect("three");
    assert!(last.await.expect("no panic").is_err(), "the last of the greedy one gives way");
    drop(held);
    modest.await.expect("no panic").expect("has its turn");
}

/// Owners can be any number of accounts, so the places are divided among validators, and audits have their own.
#[test]
fn streams_to_one_validators_owners_leave_places_for_others() {
    let streams = Arc::new(Streams::new(4, 2));
    let open = |validator, caller| streams.open(account(validator), account(caller), 2);
    let of_one = [open(1, 10).expect("is free"), open(1, 11).expect("is free")];
    assert!(open(1, 12).is_err(), "all that are the first validator's owners' are taken");
    let _audits = [open(1, 1).expect("its own"), open(1, 1).expect("its own")];
    assert!(open(1, 1).is_err(), "more than one caller may have");
    let _of_other = [open(2, 10).expect("is free"), open(2, 11).expect("is free")];
    drop(of_one);
    assert!(open(1, 12).is_ok());
}
