use bytes::Bytes;
use proptest::prelude::*;
use tonic::Code;

use super::*;
use crate::proto::{DeleteRequest, DeleteResponse, ObjectName, RetrieveRequest};
use clock::ManualClock;

fn node(name: &str) -> (Correspondent, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::at(1_800_000_000_000));
    let signer = Arc::new(Signer::development(name));
    (Correspondent::new([1; 32], signer, Arc::clone(&clock) as Arc<dyn Clock>), clock)
}

fn delete() -> DeleteRequest {
    let object = ObjectName { root: vec![5; 32].into(), length_bytes: 9 };
    DeleteRequest { object: Some(object), seal: None }
}

#[test]
fn a_conversation_is_believed_once_and_only_between_the_two() {
    let (alice, _) = node("alice");
    let (bob, _) = node("bob");
    let (eve, _) = node("eve");
    let mut request = delete();
    let asked = alice.ask(methods::MINER_DELETE, bob.account(), &mut request);
    let class = |result: Result<Caller, Rejection>| result.expect_err("refused").class;
    assert_eq!(class(eve.hear(methods::MINER_DELETE, &request)), Class::WrongReceiver);
    assert_eq!(class(bob.hear(methods::MINER_RETRIEVE, &request)), Class::WrongChallenge);
    let caller = bob.hear(methods::MINER_DELETE, &request).expect("good");
    assert_eq!(caller.account, alice.account());
    assert_eq!(class(bob.hear(methods::MINER_DELETE, &request)), Class::Replayed);

    let response = bob.answer(&caller, DeleteResponse { freed_bytes: 7, seal: None });
    alice.hear_answer(&asked, &response).expect("good");
    let changed = DeleteResponse { freed_bytes: 8, ..response.clone() };
    assert_eq!(alice.hear_answer(&asked, &changed).expect_err("changed").class, Class::WrongChallenge);
    // An answer that Bob gave to somebody else, or to another request of Alice's.
    let again = alice.ask(methods::MINER_DELETE, bob.account(), &mut delete());
    assert_eq!(alice.hear_answer(&again, &response).expect_err("another").class, Class::WrongChallenge);
    // Eve answers in Bob's place, with a seal of her own.
    let forged = eve.answer(&caller, DeleteResponse { freed_bytes: 7, seal: None });
    assert_eq!(alice.hear_answer(&asked, &forged).expect_err("forged").class, Class::BadSignature);
}

#[test]
fn a_node_that_restarts_takes_nothing_from_before() {
    let (alice, _) = node("alice");
    let (bob, clock) = node("bob");
    let mut request = delete();
    alice.ask(methods::MINER_DELETE, bob.account(), &mut request);
    bob.hear(methods::MINER_DELETE, &request).expect("good");
    clock.advance_ms(10);
    let restarted = Correspondent::new([1; 32], Arc::clone(bob.signer()), Arc::clone(bob.clock()));
    assert_eq!(restarted.hear(methods::MINER_DELETE, &request).expect_err("from before").class, Class::Stale);
}

/// Whoever makes as many keys as a node remembers keeps those out that the node does not know, and nobody else.
#[test]
fn strangers_leave_a_place_for_those_who_are_known() {
    let (bob, _) = node("bob");
    let (alice, _) = node("alice");
    let ask = |speaker: &Correspondent| {
        let mut request = delete();
        speaker.ask(methods::MINER_DELETE, bob.account(), &mut request);
        request
    };
    let first = ask(&alice);
    bob.hear(methods::MINER_DELETE, &first).expect("is still a stranger");
    for number in 1..SENDERS_MAX {
        let seed = zeroize::Zeroizing::new(*blake3::hash(&number.to_le_bytes()).as_bytes());
        let stranger =
            Correspondent::new([1; 32], Arc::new(Signer::from_seed(&seed)), Arc::clone(bob.clock()));
        bob.hear(methods::MINER_DELETE, &ask(&stranger)).expect("there is a place");
    }
    let (carol, _) = node("carol");
    let request = ask(&carol);
    let full = bob.hear(methods::MINER_DELETE, &request).expect_err("no place for one more");
    assert_eq!(full.class, Class::Policy);
    bob.hear_from(true, methods::MINER_DELETE, &request).expect("is known");
    // Once all the same, whichever of the two the sender is.
    let replayed = |known, request: &DeleteRequest| {
        let refused = bob.hear_from(known, methods::MINER_DELETE, request).expect_err("came before");
        assert_eq!(refused.class, Class::Replayed);
    };
    replayed(true, &request);
    replayed(false, &request);
    replayed(true, &first);
}

#[test]
fn a_message_without_a_seal_is_from_nobody() {
    let (bob, _) = node("bob");
    let refused = bob.hear(methods::MINER_DELETE, &delete()).expect_err("no seal");
    assert_eq!(refused.class, Class::BadSignature);
}

/// A sender is remembered for a minute at most, of a clock that is 30 s ahead. If strangers could fill the book in that time, a
/// validator that asks every few hours would find no place in it.
#[test]
fn strangers_do_not_shut_out_those_who_are_known() {
    let strangers = crate::miner::limits::Limits::default().strangers_per_second;
    let remembered_seconds = 2 * holdfast_engine::message::CLOCK_SKEW_MS / 1000;
    assert!(u64::from(strangers) * remembered_seconds < SENDERS_MAX as u64 / 2);
}

#[test]
fn the_canonical_encoding_is_the_specs() {
    // message-v1 §3, worked by hand: presence, 32 bytes with their count, length; offset; length.
    let object = ObjectName { root: vec![5; 32].into(), length_bytes: 9 };
    let request = RetrieveRequest { object: Some(object), offset_bytes: 0x0102, length_bytes: 3, seal: None };
    let mut expected = vec![1];
    expected.extend(32_u64.to_le_bytes());
    expected.extend([5; 32]);
    expected.extend(9_u64.to_le_bytes());
    expected.extend(0x0102_u64.to_le_bytes());
    expected.extend(3_u64.to_le_bytes());
    assert_eq!(Encoder::of(&request), expected);
    // An absent message and one of defaults are two things.
    let (absent, empty) = (DeleteRequest::default(), ObjectName::default());
    let empty = DeleteRequest { object: Some(empty), seal: None };
    assert_ne!(Encoder::of(&absent), Encoder::of(&empty));
}

#[test]
fn the_class_of_a_rejection_survives_the_wire() {
    for class in Class::ALL {
        let status = status::of_rejection(&class.because("why"));
        assert_eq!(status::class_of(&status), Some(*class));
        assert!(status.message().contains("why"));
    }
    let foreign = tonic::Status::new(Code::InvalidArgument, "late");
    assert_eq!(status::class_of(&foreign), None);
    let refused = status::refusal(Code::ResourceExhausted, "full", "late", "come again");
    assert_eq!(status::class_of(&refused), None, "a failure of ours is no rejection of theirs");
    assert_eq!(status::advice_of(&refused).as_deref(), Some("come again"));
}

proptest! {
    /// Two messages with equal encodings are equal: nobody can move bytes from one field into the next.
    #[test]
    fn the_encoding_is_injective(
        first in (proptest::collection::vec(any::<u8>(), 0..6), any::<u64>(), any::<bool>()),
        second in (proptest::collection::vec(any::<u8>(), 0..6), any::<u64>(), any::<bool>()),
    ) {
        let message = |(root, length_bytes, present): &(Vec<u8>, u64, bool)| RetrieveRequest {
            object: present.then(|| ObjectName { root: Bytes::from(root.clone()), length_bytes: *length_bytes }),
            offset_bytes: root.len() as u64,
            length_bytes: *length_bytes,
            seal: None,
        };
        let (first, second) = (message(&first), message(&second));
        prop_assert_eq!(first == second, Encoder::of(&first) == Encoder::of(&second));
    }

    #[test]
    fn hostile_seals_are_refused(header in proptest::collection::vec(any::<u8>(), 0..300), signature in proptest::collection::vec(any::<u8>(), 0..80)) {
        let (bob, _) = node("bob");
        let seal = proto::Seal { header: header.into(), signature: signature.into() };
        let request = DeleteRequest { seal: Some(seal), ..delete() };
        prop_assert!(bob.hear(methods::MINER_DELETE, &request).is_err());
    }
}
