use holdfast_engine::possession::Replica;
use holdfast_engine::possession::record::ObjectRecord;
use holdfast_engine::rejection::Class;
use holdfast_engine::signature::Signer;
use proptest::prelude::*;

use super::super::fixture::{Miner, World, bytes};
use super::*;
use std::collections::HashSet;

mod links;

/// A miner with windows and three objects, everything settled.
fn settled() -> (World, Miner) {
    let world = World::new();
    let mut miner = world.miner("miner", 12);
    for (seed, length) in [(1, 40_000), (2, 5_000), (3, 100_000)] {
        world.store(&mut miner, bytes(seed, length));
    }
    world.settle();
    (world, miner)
}

fn encoded(plan: &MinerPlan) -> Vec<Vec<u8>> {
    plan.questions.iter().chain(&plan.seals).map(Question::encode).collect()
}

#[test]
fn a_third_party_with_the_same_facts_derives_the_same_round() {
    let (world, miner) = settled();
    let ours = plan(&world.terms(), &miner.facts());
    assert!(ours.left_out.is_empty(), "{:?}", ours.left_out);
    assert_eq!(ours.seals.len(), 1, "the batch has passed no seal audit yet");
    // Somebody else has the recorder, the commitment as the miner hands it out, and the records in another order.
    let entry = world.recorder.partition(0).unwrap().unwrap();
    let commitment = Commitment::decode(&miner.commitment.encode()).unwrap();
    let mut records: Vec<SignedRecord> =
        miner.records().iter().map(|record| SignedRecord::decode(&record.encode()).unwrap()).collect();
    records.reverse();
    records.push(records[0].clone());
    let theirs = MinerFacts {
        miner: miner.account(),
        partitions: vec![PartitionFacts {
            registration: world.recorder.registration(0).unwrap().unwrap(),
            batches: entry.batches,
            commitment: Some(Arc::new(commitment)),
            sealed: BTreeSet::new(),
            sealing: false,
        }],
        records,
        doubted: BTreeSet::new(),
    };
    assert_eq!(encoded(&plan(&world.terms(), &theirs)), encoded(&ours));
}

#[test]
fn every_seed_is_one_that_receipts_take() {
    let (world, miner) = settled();
    let plan = plan(&world.terms(), &miner.facts());
    let partitions =
        plan.questions.iter().filter(|question| matches!(question.against, Against::Partition(_)));
    assert_eq!(partitions.count(), 1);
    for question in plan.questions.iter().chain(&plan.seals) {
        let round = question.round();
        assert_eq!((round.key.validator, round.key.miner), (world.validator.account(), miner.account()));
        assert_eq!(round.height, world.height());
    }
}

#[test]
fn another_block_asks_for_other_places() {
    let (world, miner) = settled();
    let first = plan(&world.terms(), &miner.facts());
    world.advance(1);
    let second = plan(&world.terms(), &miner.facts());
    let seeds = |plan: &MinerPlan| -> HashSet<[u8; 32]> {
        plan.questions.iter().map(|question| question.round().challenge_seed).collect()
    };
    assert!(seeds(&first).is_disjoint(&seeds(&second)));
}

#[test]
fn what_is_proven_is_what_is_held_and_not_more() {
    let (world, mut miner) = settled();
    let sum = |miner: &Miner| {
        let plan = plan(&world.terms(), &miner.facts());
        let space: u64 = plan.questions.iter().map(|question| question.proven_space_bytes).sum();
        let objects: u64 = plan.questions.iter().map(|question| question.proven_object_bytes).sum();
        (space, objects)
    };
    let (space, objects) = sum(&miner);
    assert_eq!(space, 0, "windows count once their seal audit is passed: anybody can register roots");
    // Shares are rounded down, at most one byte a question.
    assert!((144_997..=145_000).contains(&objects), "{objects}");
    miner.sealed.insert(0);
    assert_eq!(sum(&miner).0, 12 * (32 << 10));
    miner.sealed.insert(7);
    assert_eq!(sum(&miner).0, 12 * (32 << 10), "a batch that is not there adds nothing");
}

/// Objects that are not asked for are stood for by those that are; partitions come first, and one left out is told.
#[test]
fn a_miner_with_more_than_can_be_asked_is_asked_a_part() {
    let world = World::new();
    let mut miner = world.miner("miner", 4);
    for seed in 0..4 {
        world.store(&mut miner, bytes(seed, 700_000));
    }
    world.settle();
    let all = plan(&world.terms(), &miner.facts());
    let objects = |plan: &MinerPlan| -> u64 { plan.questions.iter().map(|q| q.proven_object_bytes).sum() };
    let asked = all.questions.len();
    assert!(asked >= 3, "a partition and two objects at least, of {asked}");
    let mut some = all.clone();
    bound_questions(&mut some, asked);
    assert_eq!(encoded(&some), encoded(&all), "what fits stays as it is");
    bound_questions(&mut some, 2);
    assert_eq!(some.questions.len(), 2);
    assert!(matches!(some.questions[0].against, Against::Partition(_)));
    assert!(objects(&some).abs_diff(objects(&all)) <= 1, "{} of {}", objects(&some), objects(&all));
    assert!(some.left_out.is_empty());
    bound_questions(&mut some, 0);
    assert_eq!(some.left_out.len(), 1, "the partition");
}

#[test]
fn a_sealed_batch_is_audited_again_by_lot_only() {
    let (world, mut miner) = settled();
    miner.sealed.insert(0);
    assert!(plan(&world.terms(), &miner.facts()).seals.is_empty(), "one in 2^64");
    let always = PlanTerms { reseal_one_in: NonZeroU64::MIN, ..world.terms() };
    assert_eq!(plan(&always, &miner.facts()).seals.len(), 1);
    let mut facts = miner.facts();
    facts.partitions[0].sealing = true;
    assert!(plan(&always, &facts).seals.is_empty(), "one at a time");
}

#[test]
fn a_commitment_that_is_not_shown_is_a_round_that_is_missed() {
    let (world, miner) = settled();
    let shown = plan(&world.terms(), &miner.facts());
    let mut facts = miner.facts();
    facts.partitions[0].commitment = None;
    let plan = plan(&world.terms(), &facts);
    let space = plan.questions.iter().find(|question| matches!(question.against, Against::Nothing));
    let space = space.expect("the partition is registered, shown or not");
    let asked = shown.questions.iter().find(|question| matches!(question.against, Against::Partition(_)));
    assert_eq!(space.round().challenge_seed, asked.unwrap().round().challenge_seed, "so the receipt counts");
    assert_eq!(space.proven_space_bytes, 0);
    // Its objects are asked for all the same.
    assert!(plan.questions.iter().any(|question| matches!(question.against, Against::Object(_))));
}

#[test]
fn nothing_is_asked_before_it_is_settled() {
    let world = World::new();
    let mut miner = world.miner("miner", 4);
    assert!(encoded(&plan(&world.terms(), &miner.facts())).is_empty(), "the batch could still be replaced");
    world.settle();
    world.store(&mut miner, bytes(1, 3_000));
    let young = plan(&world.terms(), &miner.facts());
    assert!(young.questions.iter().all(|question| !matches!(question.against, Against::Object(_))));
    world.settle();
    let old = plan(&world.terms(), &miner.facts());
    assert!(old.questions.iter().any(|question| matches!(question.against, Against::Object(_))));
}

/// One bad record must not free a miner from its round, nor a second record of the same bytes move the samples.
#[test]
fn bad_records_are_left_out_one_by_one() {
    let (world, miner) = settled();
    let honest = plan(&world.terms(), &miner.facts());
    let good = miner.records()[0].clone();
    let mut facts = miner.facts();
    let owner = Signer::development("owner");
    let later = ObjectRecord { height: good.record.height + 1, ..good.record.clone() };
    facts.records.push(later.sign(&owner));
    let elsewhere = ObjectRecord { miner: Signer::development("another").account(), ..good.record.clone() };
    facts.records.push(elsewhere.sign(&owner));
    let forged = ObjectRecord { height: 1, ..good.record.clone() };
    facts.records.push(SignedRecord { record: forged, signature: good.signature });
    let plan = plan(&world.terms(), &facts);
    assert_eq!(encoded(&plan), encoded(&honest));
    let mut classes: Vec<Class> = plan.left_out.iter().map(|left| left.rejection.class).collect();
    classes.sort_by_key(|class| class.name());
    assert_eq!(classes, [Class::BadSignature, Class::WrongRecord, Class::WrongRecord]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    /// The order in which facts are known makes no difference.
    #[test]
    fn the_order_of_facts_does_not_matter(order in Just((0..3_usize).collect::<Vec<_>>()).prop_shuffle()) {
        let (world, miner) = settled();
        let mut facts = miner.facts();
        let records = facts.records.clone();
        facts.records = order.iter().map(|place| records[*place].clone()).collect();
        prop_assert_eq!(encoded(&plan(&world.terms(), &facts)), encoded(&plan(&world.terms(), &miner.facts())));
    }
}

/// Digests of the records that a plan asks about in this way.
fn asked(plan: &MinerPlan, kind: AuditKind) -> BTreeSet<[u8; 32]> {
    let challenges = plan.questions.iter().filter_map(|question| question.challenge.of_object());
    challenges.filter(|challenge| challenge.kind == kind).map(|challenge| challenge.record_digest).collect()
}

/// Records were taken of other replicas once, for which the miner's commitments are not.
#[test]
fn a_record_of_another_replica_is_left_out() {
    let (world, miner) = settled();
    let mut facts = miner.facts();
    let record = facts.records[0].record.clone();
    let replica = Replica::new(*record.replica.object_root(), record.replica.length(), 1).expect("short");
    facts.records[0] = ObjectRecord { replica, ..record }.sign(&Signer::development("owner"));
    let plan = plan(&world.terms(), &facts);
    let digest = facts.records[0].record.digest();
    assert!(
        !asked(&plan, AuditKind::Chunks).union(&asked(&plan, AuditKind::Possession)).any(|of| *of == digest)
    );
    assert_eq!(plan.left_out.len(), 1);
    assert_eq!(plan.left_out[0].rejection.class, Class::WrongRecord);
    assert!(plan.left_out[0].rejection.detail.contains("replica 1"), "{}", plan.left_out[0].rejection);
}
