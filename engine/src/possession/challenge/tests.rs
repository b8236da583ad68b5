use super::*;
use crate::possession::fixture::record;
use crate::signature::Signer;
use crate::tree::BLOCK_BYTES;

fn ask(kind: AuditKind, samples: u32) -> Ask {
    Ask { kind, samples, deadline_ms: 5000, form: Form::Plain }
}

fn challenge(length: usize, kind: AuditKind, samples: u32) -> ObjectChallenge {
    let validator = Signer::development("validator").account();
    ObjectChallenge::of(&record(length), validator, ([3; 32], 108), ask(kind, samples)).unwrap()
}

fn class<T>(result: Result<T, Rejection>) -> Option<Class> {
    result.err().map(|refused| refused.class)
}

/// Offsets by the specification's table, not by the encoder's order.
#[test]
fn bytes_are_the_specs() {
    let challenge = challenge(100_000, AuditKind::Possession, 20);
    let record = record(100_000);
    let bytes = challenge.encode();
    assert_eq!(bytes[..8], *b"HFQ2\x03\0\0\0");
    let numbers = [108, 100_000, 7, 0u64].map(u64::to_le_bytes);
    assert_eq!(bytes[8..40], *numbers.as_flattened());
    let (validator, root) = (challenge.validator.0, *record.replica.object_root());
    let fields = [[3; 32], [5; 32], validator, record.miner.0, record.digest(), root];
    assert_eq!(bytes[40..232], *fields.as_flattened());
    assert_eq!(bytes[232..], *[&20u32.to_le_bytes()[..], &5000u32.to_le_bytes(), &[0; 8]].concat());
    assert_eq!(ObjectChallenge::decode(&bytes), Ok(challenge.clone()));
    assert_eq!(challenge.seed(), Context::CHALLENGE_SEED.derive(&[&bytes[..232]]));
    assert_eq!(challenge.digest(), Context::CHALLENGE_DIGEST.derive(&[&bytes]));
}

/// What is policy must not let a pair steer what is drawn; everything else must.
#[test]
fn the_seed_is_bound_to_all_but_policy() {
    let good = challenge(100_000, AuditKind::Possession, 20);
    let seed_with = |change: &dyn Fn(&mut ObjectTerms)| {
        let mut terms = good.0.clone();
        change(&mut terms);
        let changed = ObjectChallenge::new(terms).unwrap();
        assert_ne!(changed.digest(), good.digest());
        changed.seed()
    };
    let policy: [&dyn Fn(&mut ObjectTerms); 3] =
        [&|terms| terms.samples = 21, &|terms| terms.deadline_ms = 1, &|terms| terms.form = Form::Compressed];
    for change in policy {
        assert_eq!(seed_with(change), good.seed());
    }
    let facts: [&dyn Fn(&mut ObjectTerms); 10] = [
        &|terms| terms.kind = AuditKind::Chunks,
        &|terms| terms.height += 1,
        &|terms| terms.replica.length += 1,
        &|terms| terms.replica.replica_id += 1,
        &|terms| terms.replica.object_root[0] ^= 1,
        &|terms| terms.beacon[0] ^= 1,
        &|terms| terms.network[0] ^= 1,
        &|terms| terms.validator.0[0] ^= 1,
        &|terms| terms.miner.0[0] ^= 1,
        &|terms| terms.record_digest[0] ^= 1,
    ];
    for (i, change) in facts.iter().enumerate() {
        assert_ne!(seed_with(change), good.seed(), "fact {i}");
    }
}

#[test]
fn bytes_out_of_range_are_malformed() {
    let good = challenge(100_000, AuditKind::Possession, 20).encode();
    let changes: [(&str, usize, &[u8]); 11] = [
        ("tag", 3, b"1"),
        ("kind of space", 4, &[1]),
        ("kind 7", 4, &[7]),
        ("zero field", 5, &[1]),
        ("2^50 + 1 bytes", 16, &((1u64 << 50) + 1).to_le_bytes()),
        ("second zero field", 39, &[1]),
        ("no samples", 232, &[0; 4]),
        ("2^16 + 1 samples", 232, &65_537u32.to_le_bytes()),
        ("form 2", 240, &[2]),
        ("last zero field", 247, &[1]),
        ("20 samples of whole", 4, &[6]),
    ];
    for (what, at, change) in changes {
        let mut bytes = good;
        bytes[at..at + change.len()].copy_from_slice(change);
        assert_eq!(class(ObjectChallenge::decode(&bytes)), Some(Class::Malformed), "{what}");
    }
    let mut compressed_chunks = good;
    (compressed_chunks[4], compressed_chunks[240]) = (4, 1);
    assert_eq!(class(ObjectChallenge::decode(&compressed_chunks)), Some(Class::Malformed));
    assert_eq!(class(ObjectChallenge::decode(&good[..247])), Some(Class::WrongLength));
}

/// Empty, one chunk, a chunk and a byte, a block, a block and a byte, many: the last chunk and block always come, once.
#[test]
fn final_chunks_and_blocks_come_last_and_once() {
    for length in [0, 1, 1024, 1025, BLOCK_BYTES, BLOCK_BYTES + 1, 100 * BLOCK_BYTES] {
        let places = [
            (challenge(length, AuditKind::Chunks, 20).chunks(), chunk_count(length as u64)),
            (
                challenge(length, AuditKind::Link, 20).link_blocks(),
                length.div_ceil(BLOCK_BYTES).max(1) as u64,
            ),
        ];
        for (places, count) in places {
            assert_eq!(places.last(), Some(&(count - 1)));
            assert_eq!(places.len() as u64, count.min(21), "{length} bytes");
            let distinct: std::collections::HashSet<_> = places.iter().collect();
            assert_eq!(distinct.len(), places.len());
            assert!(places.iter().all(|place| *place < count));
        }
        let possession = challenge(length, AuditKind::Possession, 20);
        let blocks = possession.possession_blocks();
        assert_eq!(blocks.len(), length.div_ceil(BLOCK_BYTES).clamp(1, 20));
        assert_eq!(possession.possession_coefficients().len(), blocks.len());
        assert!(possession.chunks().is_empty() && possession.link_blocks().is_empty());
    }
}

/// More samples lengthen the same sequence, so asking for fewer does not move what is asked.
#[test]
fn draws_are_prefixes_of_each_other_and_streams_differ() {
    let (few, many) =
        (challenge(1 << 22, AuditKind::Possession, 5), challenge(1 << 22, AuditKind::Possession, 50));
    assert_eq!(few.possession_blocks(), many.possession_blocks()[..5]);
    assert_eq!(few.possession_coefficients(), many.possession_coefficients()[..5]);
    let stream = Context::POSSESSION_BLOCKS.stream(&[&few.seed()]);
    assert_eq!(few.possession_blocks(), stream.clone().distinct_below(256, 5));
    assert!(few.possession_coefficients().iter().all(|coefficient| *coefficient != 0));
}

#[test]
fn a_challenge_is_of_one_record_and_not_of_another() {
    let record = record(100_000);
    let good = challenge(100_000, AuditKind::Possession, 20);
    assert_eq!(good.check_against(&record, 8), Ok(()));
    assert_eq!(class(good.check_against(&record, 9)), Some(Class::NotFinal));
    assert_eq!(class(good.check_against(&record, u64::MAX)), Some(Class::NotFinal));
    let changes: [&dyn Fn(&mut ObjectRecord); 7] = [
        &|record| record.replica.length += 1,
        &|record| record.replica.replica_id += 1,
        &|record| record.replica.object_root[0] ^= 1,
        &|record| record.network[0] ^= 1,
        &|record| record.miner.0[0] ^= 1,
        &|record| record.table_root = Some([1; 32]),
        &|record| record.table_root = None,
    ];
    for (i, change) in changes.iter().enumerate() {
        let mut other = record.clone();
        change(&mut other);
        assert_eq!(class(good.check_against(&other, 8)), Some(Class::WrongChallenge), "change {i}");
    }
    let bare = ObjectRecord { table_root: None, tokens: None, ..record };
    let validator = good.validator;
    let answered = AuditKind::ALL
        .map(|kind| ObjectChallenge::of(&bare, validator, ([3; 32], 108), ask(kind, 1)).is_ok());
    assert_eq!(answered, [false, true, false, false]);
}

/// One in five of 10,000 objects: 2,000 ± 5 standard deviations of 40; the kinds fall apart.
#[test]
fn audits_fall_on_objects_at_the_rate_asked_for() {
    let five = NonZeroU64::new(5).unwrap();
    let digests = (0..10_000u32).map(|i| Context::OBJECT_RECORD.derive(&[&i.to_le_bytes()]));
    let falls = |kind: AuditKind, digest: &[u8; 32]| kind.falls_on(&[1; 32], digest, five);
    let (possession, both) = digests.fold((0, 0), |(possession, both), digest| {
        let hit = falls(AuditKind::Possession, &digest);
        let hits = hit && falls(AuditKind::Chunks, &digest);
        (possession + u32::from(hit), both + u32::from(hits))
    });
    assert!((1800..=2200).contains(&possession), "{possession}");
    assert!((300..=500).contains(&both), "{both}");
    assert!(AuditKind::Possession.falls_on(&[1; 32], &[2; 32], NonZeroU64::MIN));
}

/// Asking for less than the policy, or leaving more time, is a validator's favour to a miner.
#[test]
fn policy_refuses_favours() {
    let policy = crate::policy::Policy::standard().objects;
    let length = 50 * BLOCK_BYTES;
    assert_eq!(policy.check_challenge(&challenge(length, AuditKind::Possession, 20)), Ok(()));
    let few = challenge(length, AuditKind::Possession, 19);
    assert_eq!(class(policy.check_challenge(&few)), Some(Class::Policy));
    assert_eq!(class(policy.check_challenge(&challenge(length, AuditKind::Link, 20))), Some(Class::Policy));
    // All there are is enough, and one less is not.
    assert_eq!(policy.check_challenge(&challenge(2 * BLOCK_BYTES, AuditKind::Possession, 2)), Ok(()));
    let few = challenge(2 * BLOCK_BYTES, AuditKind::Link, 1);
    assert_eq!(class(policy.check_challenge(&few)), Some(Class::Policy));
    assert_eq!(policy.check_challenge(&challenge(3000, AuditKind::Chunks, 3)), Ok(()));
    let mut slow = challenge(1, AuditKind::Possession, 20).0;
    slow.deadline_ms = 5001;
    assert_eq!(class(policy.check_challenge(&ObjectChallenge(slow))), Some(Class::Policy));
    assert!(!policy.falls_on(AuditKind::Whole, &[1; 32], &[2; 32]));
}
