//! Storing, getting back, deleting: for whom, and for whom not.

use holdfast_engine::message::Ticket;
use holdfast_engine::rejection::Class;
use holdfast_partition::objects::ObjectName;
use tonic::{Code, Status};

use super::scene::{Ground, NOW_SECONDS, Peer, bytes_of, name_of, names_under};
use crate::local::objects::Secrets;
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
    assert_eq!(owner.progress(&ticket).await, (700_000, false));
    let elsewhere = owner.upload(&ticket, &bytes, 800_000);
    let refused = owner.client.store(tokio_stream::iter(elsewhere)).await.expect_err("a gap");
    assert_eq!(refused.code(), Code::FailedPrecondition);
    let rest = owner.upload(&ticket, &bytes, 700_000);
    owner.client.store(tokio_stream::iter(rest)).await.expect("goes on");
    assert_eq!(owner.progress(&ticket).await, (2_500_000, true));
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

/// Audits go on until their validator ends them, so whoever else made an answer impossible would have an honest miner fail.
#[tokio::test]
async fn an_owner_neither_deletes_nor_changes_what_is_audited() {
    let ground = Ground::new();
    let bytes = bytes_of(50_000, 1);
    {
        let running = ground.start().await;
        let mut alice = running.peer(&ground, "alice").await;
        let mut owner = running.peer(&ground, "owner").await;
        let ticket = alice.sign(&alice.ticket(&owner, &bytes));
        owner.store(&ticket, &bytes).await.expect("stores");
        let record = owner.record(&bytes, 0).sign(owner.speaker.signer());
        let refused = owner.keep_record(&record).await.expect_err("is the validator's to say");
        assert_eq!(refused.code(), Code::PermissionDenied);
        alice.keep_record(&record).await.expect("keeps");
        assert_eq!(owner.delete(&bytes).await.expect_err("is audited").code(), Code::FailedPrecondition);
        drop((alice, owner));
        running.end().await;
    }
    // Another process knows it from the disk.
    let running = ground.start().await;
    let mut alice = running.peer(&ground, "alice").await;
    let mut owner = running.peer(&ground, "owner").await;
    assert_eq!(owner.delete(&bytes).await.expect_err("is audited").code(), Code::FailedPrecondition);
    assert_eq!(owner.retrieve(&bytes, 0, 0).await.expect("is there"), bytes);
    alice.delete(&bytes).await.expect("its validator");
    assert_eq!(owner.retrieve(&bytes, 0, 0).await.expect_err("is gone").code(), Code::NotFound);
}

/// Shares of one directory have one key for the commitments of equal bytes.
#[tokio::test]
async fn deleting_an_object_leaves_the_secrets_of_another_validators_equal_one() {
    let ground = Ground::new();
    let running = ground.start().await;
    let mut alice = running.peer(&ground, "alice").await;
    let mut bob = running.peer(&ground, "bob").await;
    let mut owner = running.peer(&ground, "owner").await;
    let bytes = bytes_of(50_000, 1);
    for ticket in [alice.sign(&alice.ticket(&owner, &bytes)), bob.sign(&bob.ticket(&owner, &bytes))] {
        owner.store(&ticket, &bytes).await.expect("stores");
    }
    let name = ObjectName(*blake3::hash(&bytes).as_bytes());
    let secrets = Secrets::of(&ground.disk_path());
    let key = secrets.blinding_or_make(name).expect("makes one");
    bob.delete(&bytes).await.expect("his");
    assert!(secrets.blinding(name).expect("alice's needs it") == key);
    alice.delete(&bytes).await.expect("hers");
    secrets.blinding(name).expect_err("nobody needs it");
}

/// The room of an upload is taken once, however often its stream breaks.
#[tokio::test]
async fn an_interrupted_upload_needs_no_more_room_to_go_on() {
    let ground = Ground::new();
    let running = ground.start().await;
    let alice = running.peer(&ground, "alice").await;
    let mut owner = running.peer(&ground, "owner").await;
    // More than half of the room of a share.
    let bytes = bytes_of(6 << 20, 1);
    let ticket = alice.sign(&alice.ticket(&owner, &bytes));
    let messages = owner.upload(&ticket, &bytes, 0).into_iter().take(3);
    owner.client.store(tokio_stream::iter(messages)).await.expect_err("is not complete");
    let rest = owner.upload(&ticket, &bytes, 200_000);
    owner.client.store(tokio_stream::iter(rest)).await.expect("goes on");
    assert_eq!(owner.retrieve(&bytes, 0, 0).await.expect("is there"), bytes);
}

/// Tickets cost a validator nothing, so those of one must not take the places of another's.
#[tokio::test]
async fn uploads_under_one_validators_tickets_leave_places_for_others() {
    let mut ground = Ground::new();
    ground.limits.uploads = 2;
    let running = ground.start().await;
    let alice = running.peer(&ground, "alice").await;
    let bob = running.peer(&ground, "bob").await;
    let mut owner = running.peer(&ground, "owner").await;
    let mut other = running.peer(&ground, "other").await;
    let [first, second, third] = [1, 2, 3].map(|seed| bytes_of(200_000, seed));
    let ticket = alice.sign(&alice.ticket(&owner, &first));
    let (sender, messages) = tokio::sync::mpsc::channel(2);
    let mut client = owner.client.clone();
    let stream = tokio_stream::wrappers::ReceiverStream::new(messages);
    let held = tokio::spawn(async move { client.store(stream).await });
    for message in owner.upload(&ticket, &first, 0).into_iter().take(2) {
        sender.send(message).await.expect("is taken");
    }
    while owner.progress(&ticket).await.0 == 0 {
        tokio::task::yield_now().await;
    }
    let ticket = alice.sign(&alice.ticket(&other, &second));
    let refused = other.store(&ticket, &second).await.expect_err("alice's place is taken");
    assert_eq!(refused.code(), Code::ResourceExhausted);
    let ticket = bob.sign(&bob.ticket(&other, &third));
    other.store(&ticket, &third).await.expect("bob has his own");
    held.abort();
}

/// A byte now and then keeps a stream moving, and its place taken.
#[tokio::test]
async fn an_upload_that_only_trickles_is_ended() {
    let mut ground = Ground::new();
    (ground.limits.idle_ms, ground.limits.upload_bytes_per_second) = (2_000, 1 << 30);
    let running = ground.start().await;
    let alice = running.peer(&ground, "alice").await;
    let owner = running.peer(&ground, "owner").await;
    let bytes = bytes_of(100_000, 1);
    let ticket = alice.sign(&alice.ticket(&owner, &bytes));
    let (sender, messages) = tokio::sync::mpsc::channel(1);
    let opening = owner.upload(&ticket, &bytes, 0).remove(0);
    let mut client = owner.client.clone();
    let stream = tokio_stream::wrappers::ReceiverStream::new(messages);
    let upload = tokio::spawn(async move { client.store(stream).await });
    sender.send(opening).await.expect("is taken");
    for (offset_bytes, byte) in (0..).zip(bytes) {
        let part = proto::Part { offset_bytes, bytes: vec![byte].into() };
        // Below the idle time, until nobody takes more.
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        if sender.send(proto::StoreRequest { open: None, part: Some(part) }).await.is_err() {
            break;
        }
    }
    assert_eq!(upload.await.expect("no panic").expect_err("is too slow").code(), Code::Aborted);
}
