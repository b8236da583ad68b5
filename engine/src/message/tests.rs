use proptest::prelude::*;

use super::*;

const NETWORK: [u8; 32] = [1; 32];
const NOW_MS: u64 = 1_800_000_000_000;

fn header(sender: &Signer, receiver: Account) -> Header {
    Header {
        network: NETWORK,
        sender: sender.account(),
        receiver,
        time_ms: NOW_MS,
        nonce: [7; 16],
        answers: [0; 32],
        body_digest: body_digest("service/Method", b"body"),
    }
}

fn expected(receiver: Account) -> Expected {
    Expected {
        network: NETWORK,
        receiver,
        answers: [0; 32],
        body_digest: body_digest("service/Method", b"body"),
        now_ms: NOW_MS,
    }
}

fn class_of(result: Result<Header, Rejection>) -> Class {
    result.expect_err("refused").class
}

#[test]
fn a_message_is_taken_only_by_whom_it_is_for_when_and_as_it_was_said() {
    let (alice, bob) = (Signer::development("alice"), Signer::development("bob").account());
    let header = header(&alice, bob);
    let (bytes, signature) = (header.encode(), header.sign(&alice));
    let sealed = SealedHeader { header: &bytes, signature: &signature.0 };
    assert_eq!(sealed.open(&expected(bob)).expect("good"), header);
    let but = |change: &dyn Fn(&mut Expected)| {
        let mut expected = expected(bob);
        change(&mut expected);
        class_of(sealed.open(&expected))
    };
    assert_eq!(but(&|e| e.receiver = alice.account()), Class::WrongReceiver);
    assert_eq!(but(&|e| e.network = [2; 32]), Class::WrongReceiver);
    assert_eq!(but(&|e| e.now_ms += CLOCK_SKEW_MS + 1), Class::Stale);
    assert_eq!(but(&|e| e.now_ms -= CLOCK_SKEW_MS + 1), Class::Stale);
    assert_eq!(but(&|e| e.answers = [3; 32]), Class::WrongChallenge);
    assert_eq!(but(&|e| e.body_digest = body_digest("service/Method", b"other")), Class::WrongChallenge);
    assert_eq!(but(&|e| e.body_digest = body_digest("service/Other", b"body")), Class::WrongChallenge);
}

#[test]
fn every_byte_of_a_header_is_signed() {
    let (alice, bob) = (Signer::development("alice"), Signer::development("bob").account());
    let header = header(&alice, bob);
    let signature = header.sign(&alice);
    for place in 0..HEADER_BYTES {
        let mut bytes = header.encode();
        bytes[place] ^= 1;
        let sealed = SealedHeader { header: &bytes, signature: &signature.0 };
        let Ok(changed) = Header::decode(&bytes) else { continue };
        // Expected to be just what was changed, so that only the signature can tell.
        let expected = Expected {
            network: changed.network,
            receiver: changed.receiver,
            answers: changed.answers,
            body_digest: changed.body_digest,
            now_ms: changed.time_ms,
        };
        assert_eq!(class_of(sealed.open(&expected)), Class::BadSignature, "byte {place}");
    }
}

#[test]
fn method_and_body_cannot_be_cut_elsewhere() {
    // Without the length of the method, "ab" + "c" and "a" + "bc" would be one.
    assert_ne!(body_digest("ab", b"c"), body_digest("a", b"bc"));
}

#[test]
fn nothing_counts_twice_nor_after_a_restart() {
    let (alice, bob) = (Signer::development("alice"), Signer::development("bob").account());
    let header = header(&alice, bob);
    let mut book = NonceBook::new(NOW_MS - 1, 8, 8);
    book.note(&header, NOW_MS).expect("the first time");
    assert_eq!(book.note(&header, NOW_MS).expect_err("again").class, Class::Replayed);
    let other = Header { nonce: [8; 16], ..header };
    book.note(&other, NOW_MS).expect("another nonce");
    let mut restarted = NonceBook::new(NOW_MS + 1, 8, 8);
    assert_eq!(restarted.note(&header, NOW_MS + 2).expect_err("older than the start").class, Class::Stale);
}

#[test]
fn a_nonce_is_kept_as_long_as_its_message_would_be_taken() {
    // A book that forgot by the time of arrival would take a message from ahead of its clock twice.
    let (alice, bob) = (Signer::development("alice"), Signer::development("bob").account());
    let ahead = Header { time_ms: NOW_MS + CLOCK_SKEW_MS, ..header(&alice, bob) };
    let mut book = NonceBook::new(0, 8, 8);
    book.note(&ahead, NOW_MS).expect("ahead, but within the skew");
    let later_ms = NOW_MS + 2 * CLOCK_SKEW_MS;
    assert_eq!(book.note(&ahead, later_ms).expect_err("still fresh").class, Class::Replayed);
}

#[test]
fn a_book_stays_within_its_size_and_makes_room_when_nonces_are_stale() {
    let bob = Signer::development("bob").account();
    let senders = ["a", "b", "c"].map(Signer::development);
    let mut book = NonceBook::new(0, 2, 2);
    for sender in &senders[..2] {
        book.note(&header(sender, bob), NOW_MS).expect("room");
    }
    assert_eq!(book.note(&header(&senders[2], bob), NOW_MS).expect_err("full").class, Class::Policy);
    let second = Header { nonce: [8; 16], ..header(&senders[0], bob) };
    book.note(&second, NOW_MS).expect("room");
    let third = Header { nonce: [9; 16], ..header(&senders[0], bob) };
    assert_eq!(book.note(&third, NOW_MS).expect_err("too many").class, Class::Policy);
    let later_ms = NOW_MS + CLOCK_SKEW_MS + 1;
    let late = Header { time_ms: later_ms, ..header(&senders[2], bob) };
    book.note(&late, later_ms).expect("the others are stale now");
}

#[test]
fn a_ticket_is_its_validators_alone() {
    let validator = Signer::development("validator");
    let ticket = Ticket {
        network: NETWORK,
        validator: validator.account(),
        owner: Signer::development("owner").account(),
        miner: Signer::development("miner").account(),
        root: [5; 32],
        length_bytes: 77,
        use_until: 100,
        keep_until: 200,
    };
    let signature = validator.sign(&ticket.signing_digest());
    assert_eq!(Ticket::open(&ticket.encode(), &signature.0).expect("good"), ticket);
    for place in 8..TICKET_BYTES {
        let mut bytes = ticket.encode();
        bytes[place] ^= 1;
        assert!(Ticket::open(&bytes, &signature.0).is_err(), "byte {place}");
    }
    let backwards = Ticket { use_until: 201, ..ticket };
    assert_eq!(Ticket::decode(&backwards.encode()).expect_err("backwards").class, Class::Malformed);
}

proptest! {
    #[test]
    fn decoders_are_total_and_canonical(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        if let Ok(header) = Header::decode(&bytes) {
            prop_assert_eq!(&header.encode()[..], &bytes[..]);
        }
        if let Ok(ticket) = Ticket::decode(&bytes) {
            prop_assert_eq!(&ticket.encode()[..], &bytes[..]);
        }
    }
}
