use super::*;
use crate::challenge::{Challenge, Kind, Terms};
use crate::possession::Replica;
use crate::possession::challenge::{AuditKind, Form, ObjectChallenge, ObjectTerms};
use crate::registration::WindowShape;
use crate::space::response::{response_digest, response_signing_digest};

fn challenge() -> Challenge {
    Challenge::new(Terms {
        kind: Kind::Space,
        shape: WindowShape::new(10, 4).unwrap(),
        height: 300,
        partition_id: 7,
        first_window: 0,
        window_count: 6,
        beacon: [1; 32],
        network: [2; 32],
        validator: Signer::development("validator").account(),
        miner: Signer::development("miner").account(),
        registration_digest: [3; 32],
        partition_root: [4; 32],
        samples: 3,
        deadline_ms: 5_000,
    })
    .unwrap()
}

/// The layout of receipt-v1 §2 and §3, written out by hand.
#[test]
fn bytes_are_the_specs() {
    let challenge = challenge();
    let body = Body::of(&challenge, Some(([8; 32], false)), [9; 32]);
    let mut expected = b"HFR1\x01\x02\0\0".to_vec();
    expected.extend(300u64.to_le_bytes());
    expected.extend(7u64.to_le_bytes());
    expected.extend(challenge.validator.0);
    expected.extend(challenge.miner.0);
    expected.extend(challenge.seed());
    expected.extend([8; 32]);
    expected.extend([9; 32]);
    assert_eq!(body.encode(), expected[..]);
    assert_eq!(Body::decode(&expected), Ok(body));

    let network = [2; 32];
    let receipt = Receipt::issue(body, &network, &Signer::development("validator"))
        .countersign(&network, &Signer::development("miner"));
    expected.extend(receipt.validator_signature.0);
    expected.extend(receipt.miner_signature.0);
    assert_eq!(receipt.encode(), expected[..]);
    assert_eq!(Receipt::decode(&expected), Ok(receipt));

    let evidence = Evidence { network, receipts: [receipt, receipt] };
    let bytes = [b"HFE1\0\0\0\0", &[2; 32][..], &expected, &expected].concat();
    assert_eq!(evidence.encode(), bytes[..]);
    assert_eq!(Evidence::decode(&bytes), Ok(evidence));
}

fn object_challenge(kind: AuditKind) -> ObjectChallenge {
    ObjectChallenge::new(ObjectTerms {
        kind,
        height: 300,
        replica: Replica::new([5; 32], 100_000, 1).unwrap(),
        beacon: [1; 32],
        network: [2; 32],
        validator: Signer::development("validator").account(),
        miner: Signer::development("miner").account(),
        record_digest: [6; 32],
        samples: 1,
        deadline_ms: 5_000,
        form: Form::Plain,
    })
    .unwrap()
}

/// The number of an object from plain BLAKE3, and where it stands in a body.
#[test]
fn bodies_of_objects_name_their_numbers() {
    let derived = blake3::derive_key("holdfast v1 object number", &[6; 32]);
    let number = u64::from_le_bytes(derived[..8].try_into().unwrap()) | 1 << 63;
    assert_eq!(ObjectNumber::of(&[6; 32]).get(), number);
    for kind in AuditKind::ALL {
        let challenge = object_challenge(kind);
        let body = Body::of(&challenge, Some(([8; 32], true)), [0; 32]);
        let bytes = body.encode();
        assert_eq!((bytes[4], &bytes[16..24]), (kind as u8, &number.to_le_bytes()[..]));
        assert_eq!(bytes[88..120], challenge.seed());
        assert_eq!(Body::decode(&bytes), Ok(body));
        assert_eq!(body.key.subject.to_string(), format!("object {number}"));
    }
}

/// Without that, a partition's chain and an object's could be mixed up by whoever makes bodies.
#[test]
fn kind_and_subject_go_together() {
    let partition = Body::of(&challenge(), None, [0; 32]);
    let object = Body::of(&object_challenge(AuditKind::Chunks), None, [0; 32]);
    for number in 0..=u8::MAX {
        let decoded = |body: &Body| {
            let mut bytes = body.encode();
            bytes[4] = number;
            Body::decode(&bytes).map_err(|rejection| rejection.class)
        };
        assert_eq!(decoded(&partition).is_ok(), (1..=2).contains(&number), "kind {number}");
        assert_eq!(decoded(&object).is_ok(), (3..=6).contains(&number), "kind {number}");
    }
    for (body, byte) in [(partition, 0x80), (object, object.encode()[23] & 0x7f)] {
        let mut bytes = body.encode();
        bytes[23] = byte;
        assert_eq!(Body::decode(&bytes).unwrap_err().class, Class::Malformed, "the top bit");
    }
}

#[test]
fn bodies_differ_by_network() {
    let body = Body::of(&challenge(), None, [0; 32]);
    assert_ne!(body.digest(&[2; 32]), body.digest(&[3; 32]));
}

#[test]
fn a_missed_round_has_neither_digest_nor_miner_signature() {
    let missed = Body::of(&challenge(), None, [0; 32]);
    let class = |body: Body| Body::decode(&body.encode()).map_err(|rejection| rejection.class);
    assert_eq!(class(missed), Ok(missed));
    assert_eq!(class(Body { response_digest: [1; 32], ..missed }), Err(Class::Malformed));
    assert_eq!(class(Body { outcome: Outcome::Accepted, ..missed }), Err(Class::Malformed));
    let receipt = Receipt::issue(missed, &[2; 32], &Signer::development("validator"));
    assert_eq!(receipt.countersign(&[2; 32], &Signer::development("miner")), receipt);
    let mut bytes = receipt.encode();
    bytes[RECEIPT_BYTES - 1] = 1;
    assert_eq!(Receipt::decode(&bytes).unwrap_err().class, Class::Malformed);
}

#[test]
fn anchored_pairs_are_shown_at_every_size() {
    let validator = Signer::development("validator");
    for count in [1u8, 2, 15, 16, 17, 33, 250] {
        let digest = |seed: u8| [seed ^ 0xff; 32];
        let pairs = AnchoredPairs::new((0..count).rev().map(|seed| ([seed; 32], digest(seed)))).unwrap();
        let claim = pairs.claim(9, &[2; 32], &validator);
        let anchor = crate::recorder::Anchor {
            height: 9,
            validator: claim.validator,
            root: claim.root,
            count: claim.count,
            recorded_at: 10,
        };
        for seed in 0..count {
            let proof = pairs.prove(9, validator.account(), &[seed; 32]).unwrap();
            let proof = PairProof::decode(&proof.encode()).unwrap();
            assert_eq!(proof.verify(&anchor), Ok(([seed; 32], digest(seed))), "{seed} of {count}");
        }
        assert_eq!(pairs.prove(9, validator.account(), &[count; 32]), None);
    }
    let none = AnchoredPairs::new([]).unwrap();
    assert_eq!((none.count(), none.root()), (0, *blake3::hash(b"").as_bytes()));
    let twice = AnchoredPairs::new([([1; 32], [2; 32]), ([1; 32], [3; 32])]);
    assert_eq!(twice.unwrap_err().class, Class::Equivocation);
    assert_eq!(
        AnchoredPairs::new([([1; 32], [2; 32]); 2]).unwrap().count(),
        1,
        "the same promise twice is one"
    );
}

/// τ for the digest and 10 τ for the body, both from sending; the last millisecond counts.
#[test]
fn deadlines_at_the_edges() {
    let (challenge, miner) = (challenge(), Signer::development("miner"));
    let body = b"response";
    let digest = response_digest(body);
    let signature = miner.sign(&response_signing_digest(&challenge.digest(), &digest));
    let run = |digest_ms: u64, body_ms: u64| {
        let mut round = Timeliness::start(&challenge, 1_000);
        let first = round.digest_came(&digest, &signature, digest_ms).map_err(|rejection| rejection.class);
        let second = round.body_came(body, body_ms).map_err(|rejection| rejection.class);
        (first, second, round.conclude(true, [0; 32]).outcome)
    };
    assert_eq!(run(6_000, 51_000), (Ok(()), Ok(()), Outcome::Accepted));
    assert_eq!(run(6_001, 6_002), (Err(Class::Late), Err(Class::Late), Outcome::Missed));
    assert_eq!(run(6_000, 51_001), (Ok(()), Err(Class::Late), Outcome::Rejected));
    assert_eq!(run(0, 0), (Ok(()), Ok(()), Outcome::Accepted), "a clock that stands still is in time");
    assert_eq!(run(u64::MAX, u64::MAX), (Err(Class::Late), Err(Class::Late), Outcome::Missed));
}
