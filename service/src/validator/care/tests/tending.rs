//! Lost pieces come back, and what is over goes.

use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use holdfast_engine::account::Account;
use holdfast_engine::receipt::Outcome;
use holdfast_engine::signature::Signer;

use crate::chain::Event;
use crate::client::fixture::{Faults, Ground, Running, bytes_of, get, options, put};
use crate::client::{Client, ClientError, GetOptions};
use crate::export::EventKind;
use crate::miner::Miner;
use crate::placement::RepairRules;
use crate::validator::care::{CareSettings, Keeper, Tended};
use crate::validator::events::events_from;
use crate::validator::holdings::Holdings;

const SEGMENT: u64 = 100_000;

/// Whoever does not answer is lost at once, and is asked each time.
fn impatient() -> CareSettings {
    let repair = RepairRules { absent_seconds: 0, ..RepairRules::default() };
    CareSettings { repair, allocation_age_ms: 0, ..CareSettings::default() }
}

/// After this nobody is asked any more about what is not audited now.
fn question_ms() -> u64 {
    CareSettings::default().question_seconds * 1_000
}

async fn healthy(owner: &Client) -> (u32, u32, i32) {
    let summary = owner.list().await.expect("lists").remove(0).summary;
    (summary.pieces, summary.healthy_pieces, summary.spare_pieces)
}

async fn tend(validator: &Running<Keeper>) -> Tended {
    validator.node.tend().await.expect("tends")
}

fn account(name: &str) -> Account {
    Signer::development(name).account()
}

#[tokio::test(flavor = "multi_thread")]
async fn pieces_of_miners_that_died_are_made_anew_until_the_first_ones_are_all_gone() {
    for policy in ["replicate-3", "2-of-3"] {
        let ground = Ground::new();
        let validator = ground.start_validator_with(impatient()).await;
        let mut miners = ground.add_miners(3).await;
        let owner = ground.owner("owner", &validator);
        let bytes = bytes_of(250_000, 1);
        let stored = put(&owner, &bytes, options(policy, SEGMENT)).await;
        assert_eq!(tend(&validator).await, Tended::default(), "{policy}: all is well");
        let spare = if policy == "replicate-3" { 2 } else { 1 };
        for number in 3..6 {
            // A miner dies for each that comes.
            miners.remove(0).end().await;
            miners.push(ground.add_miner(&format!("miner-{number}")).await);
            let tended = tend(&validator).await;
            assert_eq!(tended, Tended { rebuilt_pieces: 3, ..Tended::default() }, "{policy}");
            assert_eq!(healthy(&owner).await, (9, 9, spare), "{policy}");
            assert!(get(&owner, &stored.root).await == bytes, "{policy}");
        }
        // Rounds audit those that hold pieces now.
        let mut held = validator.node.miners().await.expect("reads");
        held.sort();
        let mut now: Vec<_> = miners.iter().map(|miner| miner.node.account()).collect();
        now.sort();
        assert_eq!(held, now, "{policy}");
        let record = validator.node.records_of(&now[0]).await.expect("reads").remove(0);
        assert_eq!(record.record.checker, account("validator"), "{policy}");
        record.check_signature().expect("the validator's");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_miner_whose_audits_fail_loses_its_piece() {
    let ground = Ground::new();
    let validator = ground.start_validator_with(impatient()).await;
    let miners = ground.add_miners(3).await;
    let owner = ground.owner("owner", &validator);
    let bytes = bytes_of(50_000, 1);
    let stored = put(&owner, &bytes, options("replicate-3", SEGMENT)).await;
    let bad = miners[0].node.account();
    let record = validator.node.records_of(&bad).await.expect("reads")[0].record.digest();
    for height in 1..3 {
        validator.node.audited(&record, height, Outcome::Rejected).await.expect("notes");
        assert_eq!(
            tend(&validator).await.rebuilt_pieces,
            0,
            "after {height} audits it may still be an accident"
        );
    }
    validator.node.audited(&record, 3, Outcome::Missed).await.expect("notes");
    // Nobody else is there who has no piece yet: it waits, and says so.
    assert_eq!(tend(&validator).await, Tended { waiting: 1, ..Tended::default() });
    let fourth = ground.add_miner("miner-3").await;
    assert_eq!(tend(&validator).await, Tended { rebuilt_pieces: 1, ..Tended::default() });
    assert_eq!(ground.object_count(&fourth).await, 1);
    assert!(validator.node.records_of(&bad).await.expect("reads").is_empty());
    // It may be under way with an answer about it; later it is not, also by the process that comes then.
    ground.clock.advance_ms(question_ms() - 1_000);
    assert_eq!(tend(&validator).await, Tended::default());
    assert_eq!(ground.object_count(&miners[0]).await, 1);
    validator.end().await;
    let validator = ground.start_validator_with(impatient()).await;
    let owner = ground.owner("owner", &validator);
    ground.clock.advance_ms(1_000);
    assert_eq!(tend(&validator).await, Tended::default());
    assert_eq!(ground.object_count(&miners[0]).await, 0);
    assert_eq!(healthy(&owner).await, (3, 3, 2));
    let events = events_from(&*validator.node.index, 0, 100).await.expect("reads");
    let told = events.iter().map(|event| (event.kind, event.miner));
    let told: Vec<_> =
        told.filter(|(kind, _)| [EventKind::PieceLost, EventKind::PieceRepaired].contains(kind)).collect();
    let expected = [(EventKind::PieceLost, bad), (EventKind::PieceRepaired, fourth.node.account())];
    assert_eq!(told, expected.map(|(kind, miner)| (kind, Some(miner))));
    // The owner's own manifest knows the piece that was, and learns of the one that is.
    let faults = Arc::new(Faults::default());
    let asked = GetOptions { identities: None, watch: Arc::clone(&faults) as _ };
    let (came, _) = owner.get_to(&stored.root, Vec::new(), asked).await.expect("comes back");
    assert_eq!(came, bytes);
    assert!(faults.take().is_empty());
}

/// A full miner is relieved of pieces that it has until nobody asks it for them any more; as long as it counts them, no others are moved.
#[tokio::test(flavor = "multi_thread")]
async fn a_piece_that_is_moved_stays_until_nobody_is_asked_about_it() {
    let ground = Ground::new();
    let validator = ground.start_validator_with(impatient()).await;
    let full = ground.add_miner("miner-0").await;
    let owner = ground.owner("owner", &validator);
    let bytes = bytes_of(4 << 20, 1);
    let stored = put(&owner, &bytes, options("1-of-1", 512 << 10)).await;
    let empty = ground.add_miner("miner-1").await;
    let moved = tend(&validator).await.moved_pieces;
    assert!((1..8).contains(&moved), "{moved}");
    assert_eq!((ground.object_count(&full).await, ground.object_count(&empty).await), (8, moved));
    assert_eq!(validator.node.records_of(&full.node.account()).await.expect("reads").len() as u64, 8 - moved);
    assert_eq!(tend(&validator).await, Tended::default());
    assert_eq!(ground.object_count(&full).await, 8);
    ground.clock.advance_ms(question_ms());
    assert_eq!(tend(&validator).await, Tended::default());
    assert_eq!((ground.object_count(&full).await, ground.object_count(&empty).await), (8 - moved, moved));
    assert!(get(&owner, &stored.root).await == bytes);
}

/// A miner that is away for a while misses audits; that alone costs it no piece, neither then nor when it is back.
#[tokio::test(flavor = "multi_thread")]
async fn a_miner_that_restarts_keeps_its_pieces() {
    let ground = Ground::new();
    let settings = CareSettings { allocation_age_ms: 0, ..CareSettings::default() };
    let validator = ground.start_validator_with(settings).await;
    let mut miners = ground.add_miners(4).await;
    let owner = ground.owner("owner", &validator);
    put(&owner, &bytes_of(50_000, 1), options("1-of-3", SEGMENT)).await;
    let held = validator.node.miners().await.expect("reads")[0];
    let name =
        (0..4).map(|number| format!("miner-{number}")).find(|name| account(name) == held).expect("one");
    let at = miners.iter().position(|miner| miner.node.account() == held).expect("there");
    let record = validator.node.records_of(&held).await.expect("reads")[0].record.digest();
    miners.remove(at).end().await;
    for height in 1..6 {
        validator.node.audited(&record, height, Outcome::Missed).await.expect("notes");
        assert_eq!(tend(&validator).await, Tended::default(), "away for {height} audits");
    }
    let back = ground.start_miner(&name).await;
    ground.move_miner(held, back.address);
    assert_eq!(tend(&validator).await, Tended::default());
    // It has had the time to answer, and has not: then it is the piece that is lost.
    ground.clock.advance_ms(700_000);
    validator.node.audited(&record, 6, Outcome::Missed).await.expect("notes");
    assert_eq!(tend(&validator).await, Tended { rebuilt_pieces: 1, ..Tended::default() });
}

/// Too few are left: nothing is dropped, and when a miner comes back, all is made whole.
#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_now_is_kept_until_it_can() {
    let ground = Ground::new();
    let validator = ground.start_validator_with(impatient()).await;
    let mut miners = ground.add_miners(3).await;
    let owner = ground.owner("owner", &validator);
    let bytes = bytes_of(50_000, 1);
    let stored = put(&owner, &bytes, options("2-of-3", SEGMENT)).await;
    for _ in 0..2 {
        miners.pop().expect("there").end().await;
    }
    let _others = [ground.add_miner("miner-3").await, ground.add_miner("miner-4").await];
    assert_eq!(tend(&validator).await, Tended { unreadable_segments: 1, ..Tended::default() });
    let back = ground.start_miner("miner-1").await;
    ground.move_miner(account("miner-1"), back.address);
    assert_eq!(tend(&validator).await, Tended { rebuilt_pieces: 1, ..Tended::default() });
    assert_eq!(healthy(&owner).await, (3, 3, 1));
    assert!(get(&owner, &stored.root).await == bytes);
}

#[tokio::test(flavor = "multi_thread")]
async fn released_and_expired_files_are_deleted_also_where_miners_were_away() {
    let ground = Ground::new();
    let validator = ground.start_validator_with(impatient()).await;
    let mut miners: Vec<Running<Miner>> = ground.add_miners(3).await;
    let owner = ground.owner("owner", &validator);
    let bytes = bytes_of(50_000, 1);
    let stored = put(&owner, &bytes, options("replicate-3", SEGMENT)).await;
    miners.pop().expect("there").end().await;
    let released = owner.remove(&stored.root).await.expect("releases");
    assert_eq!((released.deleted_pieces, released.pending_pieces), (0, 3));
    assert!(owner.list().await.expect("lists").is_empty());
    // Who is being asked about a piece still has it.
    ground.clock.advance_ms(question_ms() - 1_000);
    assert_eq!(tend(&validator).await, Tended::default());
    for miner in &miners {
        assert_eq!(ground.object_count(miner).await, 1);
    }
    ground.clock.advance_ms(1_000);
    assert_eq!(tend(&validator).await, Tended::default());
    for miner in &miners {
        assert_eq!(ground.object_count(miner).await, 0);
    }
    // The same bytes are not taken while the old ones are still somewhere.
    let back = ground.start_miner("miner-2").await;
    ground.move_miner(account("miner-2"), back.address);
    assert_eq!(ground.object_count(&back).await, 1);
    assert_eq!(tend(&validator).await, Tended { deleted_files: 1, ..Tended::default() });
    assert_eq!(ground.object_count(&back).await, 0);

    put(&owner, &bytes, options("replicate-3", SEGMENT)).await;
    ground.clock.advance_ms(86_399_000);
    assert_eq!(tend(&validator).await, Tended::default());
    ground.clock.advance_ms(2_000);
    let tended = tend(&validator).await;
    assert_eq!(tended, Tended { expired_files: 1, deleted_files: 1, ..Tended::default() });
    assert!(owner.list().await.expect("lists").is_empty());
    for miner in miners.iter().chain([&back]) {
        assert_eq!(ground.object_count(miner).await, 0);
    }
    assert!(matches!(owner.remove(&stored.root).await, Err(ClientError::Peer(_))));

    // Nobody waits for ever for a miner that does not come back.
    put(&owner, &bytes, options("replicate-3", SEGMENT)).await;
    back.end().await;
    ground.clock.advance_ms(86_401_000);
    assert_eq!(tend(&validator).await, Tended { expired_files: 1, ..Tended::default() });
    ground.clock.advance_ms(question_ms());
    assert_eq!(tend(&validator).await, Tended { deleted_files: 1, ..Tended::default() });
}

/// Work that is dropped after any number of steps, as a killed process leaves it, is done by the next process, and nothing is lost.
#[tokio::test(flavor = "multi_thread")]
async fn repair_goes_on_after_it_was_cut_off_anywhere() {
    let ground = Ground::new();
    let mut validator = ground.start_validator_with(impatient()).await;
    let mut miners = ground.add_miners(5).await;
    let bytes = bytes_of(250_000, 1);
    let stored = put(&ground.owner("owner", &validator), &bytes, options("2-of-3", SEGMENT)).await;
    let before = ground.owner("owner", &validator).list().await.expect("lists");
    assert_eq!(before[0].summary.healthy_pieces, 9);
    miners.remove(0).end().await;
    for polls in [1, 3, 7, 12, 20, 30, 45, 70, 100] {
        {
            let keeper = Arc::clone(&validator.node);
            let mut tending = pin!(keeper.tend());
            let mut left = polls;
            std::future::poll_fn(|context| {
                left -= 1;
                match tending.as_mut().poll(context) {
                    Poll::Pending if left > 0 => Poll::Pending,
                    _ => Poll::Ready(()),
                }
            })
            .await;
        }
        validator.end().await;
        validator = ground.start_validator_with(impatient()).await;
        assert!(get(&ground.owner("owner", &validator), &stored.root).await == bytes, "cut after {polls}");
    }
    tend(&validator).await;
    let owner = ground.owner("owner", &validator);
    assert_eq!(healthy(&owner).await, (9, 9, 1));
    assert_eq!(tend(&validator).await, Tended::default());
    assert!(get(&owner, &stored.root).await == bytes);
    // A miner that leaves the network for good.
    ground.driver.schedule(Event::Deregister { hotkey: account("miner-1") });
    ground.driver.step().expect("a block");
    tend(&validator).await;
    assert_eq!(healthy(&owner).await, (9, 9, 1));
}
