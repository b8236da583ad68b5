//! Storing, getting back, deleting: for whom, and for whom not.

use holdfast_engine::message::Ticket;
use holdfast_engine::rejection::Class;
use tonic::{Code, Status};

use super::scene::{Ground, NOW_SECONDS, Peer, bytes_of, name_of, names_under};
use crate::proto;
use crate::wire::canonical::methods;
use crate::wire::status::class_of;

/// Sizes around blocks, groups and parts.
const SIZES: [usize; 7] = [0, 1, 16_384, 16_385, 1 << 20, (1 << 20) + 1, 2_500_000];

#[tokio::test]
async fn what_is_stored_comes_back_whole_and_in_ranges() {
    let ground = Ground::new();
    let running = ground.start().await;
    let alice = running.peer(&ground, "alice").await;
    let mut owner = running.peer(&ground, "owner").await;
    for (seed, size) in (0..).zip(SIZES) {
        let bytes = bytes_of(size, seed);
        let ticket = alice.sign(&alice.ticket(&owner, &bytes));
        let stored = owner.store(&ticket, &bytes).await.expect("stores");
        assert_eq!((stored.object, stored.kept_already), (Some(name_of(&bytes)), false), "{size}");
        assert_eq!(stored.expires_at, NOW_SECONDS + 86_400);
        assert_eq!(owner.retrieve(&bytes, 0, 0).await.expect("whole"), bytes, "{size}");
        assert!(owner.store(&ticket, &bytes).await.expect("again").kept_already, "{size}");
    }
    let bytes = bytes_of(SIZES[6], 6);
    // Across the end of a group, not on the edges of blocks: whole blocks come.
    let got = owner.retrieve(&bytes, 1_000_000, 200_000).await.expect("a range");
    assert_eq!(got, bytes[61 * 16_384..74 * 16_384]);
    let beyond = owner.retrieve(&bytes, 2_499_999, 2).await.expect_err("beyond the end");
    assert_eq!(class_of(&beyond), Some(Class::Malformed));
    running.end().await;
}

/// What was acknowledged is there for another process, with its owner, from the disk alone.
#[tokio::test]
async fn a_miner_that_starts_again_knows_whose_objects_it_has() {
    let ground = Ground::new();
    let bytes = bytes_of(100_000, 1);
    {
        let running = ground.start().await;
        let alice = running.peer(&ground, "alice").await;
        let mut owner = running.peer(&ground, "owner").await;
        let ticket = alice.sign(&alice.ticket(&owner, &bytes));
        owner.store(&ticket, &bytes).await.expect("stores");
        drop((alice, owner));
        running.end().await;
    }
    let running = ground.start().await;
    let mut owner = running.peer(&ground, "owner").await;
    let mut other = running.peer(&ground, "other").await;
    assert_eq!(owner.retrieve(&bytes, 0, 0).await.expect("is there"), bytes);
    assert_eq!(other.retrieve(&bytes, 0, 0).await.expect_err("is not theirs").code(), Code::NotFound);
}

#[tokio::test]
async fn nobody_but_its_validator_and_its_owner_gets_or_deletes_an_object() {
    let ground = Ground::new();
    let running = ground.start().await;
    let mut alice = running.peer(&ground, "alice").await;
    let mut bob = running.peer(&ground, "bob").await;
    let mut owner = running.peer(&ground, "owner").await;
    let mut other = running.peer(&ground, "other").await;
    let bytes = bytes_of(50_000, 1);
    let ticket = alice.sign(&alice.ticket(&owner, &bytes));
    owner.store(&ticket, &bytes).await.expect("stores");
    for stranger in [&mut bob, &mut other] {
        assert_eq!(stranger.retrieve(&bytes, 0, 0).await.expect_err("a stranger").code(), Code::NotFound);
        assert_eq!(stranger.delete(&bytes).await.expect_err("a stranger").code(), Code::NotFound);
    }
    assert_eq!(alice.retrieve(&bytes, 0, 0).await.expect("its validator"), bytes);
    // Another owner of the same bytes, in the same share, must not become one of these.
    let theirs = alice.sign(&alice.ticket(&other, &bytes));
    assert_eq!(other.store(&theirs, &bytes).await.expect_err("not theirs").code(), Code::PermissionDenied);
    // In another share it is another object.
    let in_bobs = bob.sign(&bob.ticket(&other, &bytes));
    assert!(!other.store(&in_bobs, &bytes).await.expect("in another share").kept_already);
    owner.delete(&bytes).await.expect("its owner");
    assert_eq!(owner.retrieve(&bytes, 0, 0).await.expect_err("is gone").code(), Code::NotFound);
    assert_eq!(other.retrieve(&bytes, 0, 0).await.expect("is still there"), bytes);
    assert!(bob.delete(&bytes).await.expect("its validator") > 50_000);
}

#[tokio::test]
async fn tickets_that_do_not_hold_are_refused() {
    let ground = Ground::new();
    let running = ground.start().await;
    let alice = running.peer(&ground, "alice").await;
    let nobody = running.peer(&ground, "carol").await;
    let mut owner = running.peer(&ground, "owner").await;
    let other = running.peer(&ground, "other").await;
    let bytes = bytes_of(1000, 1);
    let good = alice.ticket(&owner, &bytes);
    let account = |peer: &Peer| peer.speaker.account();
    let rejected = [
        (Ticket { network: [9; 32], ..good }, Class::WrongReceiver, "another network"),
        (Ticket { miner: account(&other), ..good }, Class::WrongReceiver, "another miner"),
        (Ticket { use_until: NOW_SECONDS - 1, ..good }, Class::Stale, "used too late"),
        (
            Ticket { use_until: NOW_SECONDS, keep_until: NOW_SECONDS, ..good },
            Class::Policy,
            "kept for no time",
        ),
        (Ticket { keep_until: u64::MAX, ..good }, Class::Policy, "kept for ever"),
        (Ticket { root: [7; 32], ..good }, Class::WrongRoot, "other bytes"),
        (Ticket { length_bytes: 999, ..good }, Class::WrongLength, "more bytes than announced"),
    ];
    for (ticket, class, why) in rejected {
        let refused = owner.store(&alice.sign(&ticket), &bytes).await.expect_err(why);
        assert_eq!(class_of(&refused), Some(class), "{why}: {refused}");
    }
    // The signature of somebody else over a ticket of alice's.
    let forged = owner.store(&other.sign(&good), &bytes).await.expect_err("forged");
    assert_eq!(class_of(&forged), Some(Class::BadSignature));
    let denied = [
        (alice.sign(&alice.ticket(&other, &bytes)), "somebody else's"),
        (nobody.sign(&nobody.ticket(&owner, &bytes)), "of one who does not validate"),
    ];
    for (ticket, why) in denied {
        assert_eq!(
            owner.store(&ticket, &bytes).await.expect_err(why).code(),
            Code::PermissionDenied,
            "{why}"
        );
    }
    let full = Ticket { length_bytes: 1 << 40, ..good };
    let refused = owner.store(&alice.sign(&full), &bytes).await.expect_err("too large");
    assert_eq!(refused.code(), Code::ResourceExhausted);
    // Nothing of all that is left on the disk.
    let disk = ground.disk();
    let store = crate::local::objects::store_path(&disk, &disk.manifest.partitions[0]);
    assert_eq!(names_under(&store), [".lock", "store"]);
    assert!(!owner.store(&alice.sign(&good), &bytes).await.expect("the good one").kept_already);
}

/// A recorded request that somebody sends again must do nothing.
#[tokio::test]
async fn requests_count_once() {
    let ground = Ground::new();
    let running = ground.start().await;
    let alice = running.peer(&ground, "alice").await;
    let mut owner = running.peer(&ground, "owner").await;
    let bytes = bytes_of(1000, 1);
    let ticket = alice.sign(&alice.ticket(&owner, &bytes));
    let messages = owner.upload(&ticket, &bytes, 0);
    owner.client.store(tokio_stream::iter(messages.clone())).await.expect("stores");
    let mut delete = proto::DeleteRequest { object: Some(name_of(&bytes)), seal: None };
    owner.speaker.ask(methods::MINER_DELETE, owner.miner, &mut delete);
    owner.client.delete(delete.clone()).await.expect("deletes");
    let replayed = |refused: Status| assert_eq!(class_of(&refused), Some(Class::Replayed), "{refused}");
    replayed(owner.client.store(tokio_stream::iter(messages)).await.expect_err("replayed"));
    owner.store(&ticket, &bytes).await.expect("stores anew");
    replayed(owner.client.delete(delete).await.expect_err("replayed"));
    assert_eq!(owner.retrieve(&bytes, 0, 0).await.expect("is there"), bytes);
}

#[tokio::test]
async fn an_interrupted_upload_goes_on_where_it_stopped() {
    let ground = Ground::new();
    let running = ground.start().await;
    let alice = running.peer(&ground, "alice").await;
    let mut owner = running.peer(&ground, "owner").await;
    let bytes = bytes_of(2_500_000, 1);
    let ticket = alice.sign(&alice.ticket(&owner, &bytes));
    // The opening and 7 of 25 parts; then the stream ends.
    let messages = owner.upload(&ticket, &bytes, 0).into_iter().take(8);
    let broken = owner.client.store(tokio_stream::iter(messages)).await.expect_err("is not complete");
    assert_eq!(broken.code(), Code::Aborted);
    let progress = async |owner: &mut Peer| {
        let mut request = proto::StoreProgressRequest { ticket: Some(ticket.clone()), seal: None };
        owner.speaker.ask(methods::MINER_STORE_PROGRESS, owner.miner, &mut request);
        let progress = owner.client.store_progress(request).await.expect("answers").into_inner();
        (progress.kept_bytes, progress.complete)
    };
    assert_eq!(progress(&mut owner).await, (700_000, false));
    let elsewhere = owner.upload(&ticket, &bytes, 800_000);
    let refused = owner.client.store(tokio_stream::iter(elsewhere)).await.expect_err("a gap");
    assert_eq!(refused.code(), Code::FailedPrecondition);
    let rest = owner.upload(&ticket, &bytes, 700_000);
    owner.client.store(tokio_stream::iter(rest)).await.expect("goes on");
    assert_eq!(progress(&mut owner).await, (2_500_000, true));
    assert_eq!(owner.retrieve(&bytes, 0, 0).await.expect("is there"), bytes);
}

/// A part of another offset, or more bytes than announced, must not be written.
#[tokio::test]
async fn parts_that_do_not_follow_are_refused() {
    let ground = Ground::new();
    let running = ground.start().await;
    let alice = running.peer(&ground, "alice").await;
    let mut owner = running.peer(&ground, "owner").await;
    let bytes = bytes_of(300_000, 1);
    let ticket = alice.sign(&alice.ticket(&owner, &bytes));
    let mut gap = owner.upload(&ticket, &bytes, 0);
    gap.remove(2);
    let refused = owner.client.store(tokio_stream::iter(gap)).await.expect_err("a gap");
    assert_eq!(class_of(&refused), Some(Class::Malformed));
    let mut long = owner.upload(&ticket, &bytes, 0);
    let part = proto::Part { offset_bytes: 0, bytes: vec![0; 300_001].into() };
    long[1] = proto::StoreRequest { open: None, part: Some(part) };
    let refused = owner.client.store(tokio_stream::iter(long)).await.expect_err("too long");
    assert_eq!(class_of(&refused), Some(Class::WrongLength));
    let silent = vec![proto::StoreRequest::default()];
    let refused = owner.client.store(tokio_stream::iter(silent)).await.expect_err("nothing opened");
    assert_eq!(class_of(&refused), Some(Class::Malformed));
}
