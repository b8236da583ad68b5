//! A round over windows and objects: nothing that came after the beacon, and nothing of another miner, moves a sample.

use holdfast_engine::account::Account;
use holdfast_engine::audit_round::{AuditRound, RoundTerms};
use holdfast_engine::policy::Policy;
use holdfast_engine::possession::Replica;
use holdfast_engine::possession::challenge::{AuditKind, Form};
use holdfast_engine::possession::record::{ObjectRecord, SignedRecord};
use holdfast_engine::rejection::Class;
use holdfast_engine::signature::Signature;
use holdfast_tests::partition::{
    BATCH_HEIGHT, CHALLENGE_HEIGHT, FINALITY_BLOCKS, TestPartition, beacon, registration, shape,
};

use crate::class;

/// Bytes of a window of 2^10 labels.
const WINDOW_BYTES: u64 = 32 << 10;
const WINDOWS: u64 = 6;

fn policy() -> Policy {
    Policy { finality_blocks: FINALITY_BLOCKS, ..Policy::test() }
}

fn partition() -> TestPartition {
    TestPartition::honest(registration(shape(10, 2), 7), WINDOWS)
}

/// A record of an object of so many bytes; without commitments for an odd `number`.
fn record(partition: &TestPartition, number: u8, length: u64) -> SignedRecord {
    let intent = &partition.commitment.registration.intent;
    let record = ObjectRecord {
        replica: Replica::new([number; 32], length, 0).expect("short"),
        height: BATCH_HEIGHT,
        network: intent.network,
        miner: intent.miner,
        checker: Account([9; 32]),
        table_root: number.is_multiple_of(2).then_some([number; 32]),
        tokens: None,
    };
    SignedRecord { record, signature: Signature::NONE }
}

fn terms<'a>(partition: &'a TestPartition, records: &'a [SignedRecord]) -> RoundTerms<'a> {
    RoundTerms {
        commitment: Some(&partition.commitment),
        validator: Account([8; 32]),
        records,
        beacon: beacon(1),
        height: CHALLENGE_HEIGHT,
        samples: None,
        form: Form::Plain,
    }
}

/// The rule of object-v1 §6 once more, byte by byte, and nothing of the engine's.
fn plain_shares(partition: &TestPartition, sizes: &[(u8, u64)], samples: u64, round: u64) -> (u64, Vec<u64>) {
    let intent = &partition.commitment.registration.intent;
    let mut hasher = blake3::Hasher::new_derive_key("holdfast v1 audit round");
    for part in [
        &CHALLENGE_HEIGHT.to_le_bytes()[..],
        &beacon(round),
        &intent.network,
        &intent.validator.0,
        &intent.miner.0,
        &partition.commitment.registration_digest(),
    ] {
        hasher.update(part);
    }
    let seed = *hasher.finalize().as_bytes();
    let (windows, objects) = (WINDOWS * WINDOW_BYTES, sizes.iter().map(|(_, bytes)| bytes).sum::<u64>());
    let of_windows = (0..=samples)
        .min_by_key(|n| ((n * (windows + objects)).abs_diff(samples * windows), samples - n))
        .expect("a range that is not empty")
        .clamp(1, samples - 1);
    let mut stream =
        blake3::Hasher::new_derive_key("holdfast v1 object samples").update(&seed).finalize_xof();
    let mut shares = vec![0; sizes.len()];
    for _ in of_windows..samples {
        let mut word = [0; 8];
        let position = loop {
            stream.fill(&mut word);
            let drawn = u64::from_le_bytes(word);
            // 2^64 mod n, of which the draw's remainder would be too frequent.
            if drawn <= u64::MAX - (u64::MAX % objects + 1) % objects {
                break drawn % objects;
            }
        };
        let mut end = 0;
        let holder = sizes.iter().position(|(_, bytes)| {
            end += bytes;
            position < end
        });
        shares[holder.expect("below the sum")] += 1;
    }
    (of_windows, shares)
}

#[test]
fn shares_are_those_of_the_specification() {
    let partition = partition();
    let sizes = [(2, 50_000), (3, 1_000), (4, 250_000)];
    let records = sizes.map(|(number, bytes)| record(&partition, number, bytes));
    for (round, samples) in [(1, 10), (2, 16), (3, 200), (4, 1_001)] {
        let terms =
            RoundTerms { samples: Some(samples), beacon: beacon(round), ..terms(&partition, &records) };
        let split = AuditRound::new(&terms, &policy()).expect("a right question").split;
        let (windows, shares) = plain_shares(&partition, &sizes, u64::from(samples), round);
        assert_eq!(u64::from(split.windows), windows, "{samples}");
        let of =
            |number: u8| split.objects.iter().find(|(name, _)| name.0[0] == number).map_or(0, |(_, n)| *n);
        assert_eq!(sizes.map(|(number, _)| u64::from(of(number))).to_vec(), shares, "{samples}");
    }
}

/// By default windows get what the policy asks of them and objects as many a byte, so objects thin nobody's samples out; and
/// every challenge passes the policy.
#[test]
fn challenges_of_a_round_are_those_that_the_policy_asks_for() {
    let (partition, policy) = (partition(), policy());
    let records = [2, 3].map(|number| record(&partition, number, WINDOWS * WINDOW_BYTES));
    let round = AuditRound::new(&terms(&partition, &records), &policy).expect("a right question");
    let space = round.space.as_ref().expect("windows are asked");
    assert_eq!((space.samples, round.split.windows, round.samples), (4, 4, 11));
    policy.check_challenge(space).expect("as the policy asks");
    space.check_against(&partition.commitment, FINALITY_BLOCKS).expect("of this partition");
    assert_eq!(space.seed(), partition_seed(&partition), "the same places as in a challenge alone");
    let kinds: Vec<_> = round.objects.iter().map(|challenge| challenge.kind).collect();
    assert_eq!(kinds, [AuditKind::Possession, AuditKind::Chunks], "no blocks where nothing was committed to");
    for (challenge, signed) in round.objects.iter().zip(&records) {
        challenge.check_against(&signed.record, FINALITY_BLOCKS).expect("of this object");
        policy.objects.check_challenge(challenge).expect("as the policy asks");
        assert_eq!(challenge.validator, partition.commitment.registration.intent.validator);
    }
}

fn partition_seed(partition: &TestPartition) -> [u8; 32] {
    use holdfast_engine::challenge::Challenge;
    Challenge::space(&partition.commitment, beacon(1), CHALLENGE_HEIGHT, 1, 0).seed()
}

/// A record registered when the beacon was about to be known would push the samples off the objects that were lost. It takes
/// no part, whatever its size, and an object of no bytes neither.
#[test]
fn a_record_that_came_after_the_beacon_moves_no_sample() {
    let partition = partition();
    let old = [2, 4].map(|number| record(&partition, number, 300_000));
    let before = AuditRound::new(&terms(&partition, &old), &policy()).expect("a right question");
    let mut young = record(&partition, 1, 1 << 40);
    young.record.height = BATCH_HEIGHT + 1;
    let with_young = [old.to_vec(), vec![young.clone(), record(&partition, 6, 0)]].concat();
    let after = AuditRound::new(&terms(&partition, &with_young), &policy()).expect("a right question");
    assert_eq!((after.split, after.young_records), (before.split.clone(), 1));
    assert_eq!(after.space, before.space);
    assert_eq!(after.objects, before.objects);
    // One block later it is old enough, and does take part: the test above can fail.
    let later = RoundTerms { height: CHALLENGE_HEIGHT + 1, ..terms(&partition, &with_young) };
    let later = AuditRound::new(&later, &policy()).expect("a right question");
    assert!(later.young_records == 0 && later.samples > before.samples && later.split != before.split);
}

/// Nor do objects that another miner holds, a second record of one object, or too few samples.
#[test]
fn questions_that_nobody_may_ask_of_both_are_refused() {
    let (partition, policy) = (partition(), policy());
    let right = record(&partition, 2, 100_000);
    let mut stranger = record(&partition, 4, 100_000);
    stranger.record.miner = Account([99; 32]);
    let mut abroad = record(&partition, 4, 100_000);
    abroad.record.network = [99; 32];
    let mut twin = right.clone();
    twin.record.checker = Account([99; 32]);
    for other in [stranger, abroad, twin] {
        let records = [right.clone(), other];
        let refused = AuditRound::new(&terms(&partition, &records), &policy);
        assert_eq!(class(refused), Some(Class::WrongRecord));
    }
    let records = [record(&partition, 2, 10 * WINDOWS * WINDOW_BYTES)];
    let few = RoundTerms { samples: Some(30), ..terms(&partition, &records) };
    assert_eq!(class(AuditRound::new(&few, &policy)), Some(Class::Policy), "three are left to the windows");
    let early = RoundTerms { height: CHALLENGE_HEIGHT - 1, ..terms(&partition, &records) };
    assert_eq!(class(AuditRound::new(&early, &policy)), Some(Class::NotFinal));
    let signed = Policy { signatures_required: true, ..policy };
    assert_eq!(class(AuditRound::new(&terms(&partition, &records), &signed)), Some(Class::BadSignature));
}

/// Objects that stand alone are a round of their own; without any that has bytes there is none.
#[test]
fn objects_without_a_partition_are_sampled_as_one() {
    let (partition, policy) = (partition(), policy());
    let records = [2, 4].map(|number| record(&partition, number, 300_000));
    let alone = RoundTerms { commitment: None, ..terms(&partition, &records) };
    let round = AuditRound::new(&alone, &policy).expect("a right question");
    assert!(round.space.is_none() && !round.objects.is_empty());
    assert_eq!(round.samples, policy.objects.possession_samples);
    assert!(round.objects.iter().all(|challenge| challenge.validator == Account([8; 32])));
    let empty = [record(&partition, 2, 0)];
    for records in [&[][..], &empty] {
        let refused = AuditRound::new(&RoundTerms { records, ..alone }, &policy);
        assert_eq!(class(refused), Some(Class::NotFinal));
    }
}
