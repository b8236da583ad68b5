use super::super::fixture::World;
use super::super::plan::plan;
use super::*;
use crate::index::{EmbeddedIndex, KeyRange};
use holdfast_engine::commitment::CommitmentFields;

async fn opened(index: &Arc<dyn Index>) -> Commitments {
    Commitments::open(Arc::clone(index)).await.unwrap()
}

fn index() -> Arc<dyn Index> {
    Arc::new(EmbeddedIndex::in_memory().unwrap())
}

#[tokio::test]
async fn a_commitment_is_held_against_the_chain_and_kept() {
    let (world, index) = (World::new(), index());
    let miner = world.miner("miner", 6);
    let recorded = Recorded::read(&*world.recorder, &world.validator.account()).unwrap();
    let [recorded] = &recorded[..] else { panic!("one partition") };
    let bytes = miner.commitment.encode();
    assert_eq!(recorded.commitment_bytes(), Some(bytes.len()), "known before it is asked for");
    let commitments = opened(&index).await;
    assert!(commitments.lacks(recorded));
    commitments.keep(recorded.check(&bytes, &world.policy).unwrap()).await.unwrap();
    assert!(!commitments.lacks(recorded));
    commitments.seal_audited(0, 0, true).await.unwrap();
    world.settle();
    let facts = commitments.facts(recorded, world.height(), world.policy.finality_blocks);
    assert_eq!(facts.commitment.as_deref(), Some(&*miner.commitment));
    // A process that starts anew knows the same.
    let again = opened(&index).await.facts(recorded, world.height(), world.policy.finality_blocks);
    assert_eq!((again.commitment, &again.sealed), (facts.commitment, &BTreeSet::from([0])));
}

#[tokio::test]
async fn what_contradicts_the_chain_is_refused() {
    let world = World::new();
    let (one, two) = (world.miner("one", 3), world.miner("two", 3));
    let recorded = Recorded::read(&*world.recorder, &world.validator.account()).unwrap();
    let of_one = &recorded[0];
    let class = |bytes: &[u8]| of_one.check(bytes, &world.policy).map_err(|refused| refused.class);
    assert_eq!(class(&two.commitment.encode()), Err(Class::WrongRecord), "another's");
    let mut unsigned = one.commitment.encode();
    unsigned[176..240].fill(0);
    assert_eq!(class(&unsigned), Err(Class::BadSignature));
    let mut other_record = one.commitment.encode();
    *other_record.last_mut().unwrap() ^= 1;
    assert!(class(&other_record).is_err());
    let older = Recorded { batches: vec![Batch { height: 1, ..of_one.batches[0] }], ..of_one.clone() };
    assert!(older.check(&one.commitment.encode(), &world.policy).is_err());
}

/// The index lost a part of a commitment's bytes: it is fetched again, and what else is known stays.
#[tokio::test]
async fn what_is_not_whole_is_fetched_again() {
    let (world, index) = (World::new(), index());
    let miner = world.miner("miner", 2);
    let recorded = Recorded::read(&*world.recorder, &world.validator.account()).unwrap();
    let commitments = opened(&index).await;
    commitments.keep(Commitment::clone(&miner.commitment)).await.unwrap();
    commitments.seal_audited(0, 0, true).await.unwrap();
    let keys = KeyRange::prefix((PART_TAG, 0_u64).to_bytes());
    let parts = index.scan(Table::Miners, &keys, 10).await.unwrap();
    let mut changes = Changes::new();
    assert!(!parts.is_empty());
    for (key, _) in parts {
        changes.delete(Table::Miners, key);
    }
    index.commit(changes).await.unwrap();
    let commitments = opened(&index).await;
    assert!(commitments.lacks(&recorded[0]));
    let facts = commitments.facts(&recorded[0], 100, world.policy.finality_blocks);
    assert_eq!((facts.commitment, facts.sealed), (None, BTreeSet::from([0])));
}

#[tokio::test]
async fn a_failed_seal_audit_takes_the_windows_out_of_the_count() {
    let (world, index) = (World::new(), index());
    let miner = world.miner("miner", 4);
    let commitments = opened(&index).await;
    commitments.keep(Commitment::clone(&miner.commitment)).await.unwrap();
    world.settle();
    let recorded = Recorded::read(&*world.recorder, &world.validator.account()).unwrap();
    let proven = async |passed: bool| {
        commitments.seal_audited(0, 0, passed).await.unwrap();
        let partition = commitments.facts(&recorded[0], world.height(), world.policy.finality_blocks);
        let facts = super::super::plan::MinerFacts { partitions: vec![partition], ..miner.facts() };
        plan(&world.terms(), &facts).questions[0].proven_space_bytes
    };
    assert_eq!((proven(true).await, proven(false).await), (4 * (32 << 10), 0));
}

async fn part_keys_of(index: &dyn Index, partition_id: u64) -> usize {
    let keys = KeyRange::prefix((PART_TAG, partition_id).to_bytes());
    index.scan(Table::Miners, &keys, 100).await.unwrap().len()
}

/// A miner that adds batch after batch, or registers, shows and withdraws one partition after the other, fills nothing.
#[tokio::test]
async fn what_stands_no_more_is_forgotten() {
    let (world, index) = (World::new(), index());
    let (one, two) = (world.miner("one", 6), world.miner("two", 6));
    let commitments = opened(&index).await;
    for miner in [&one, &two] {
        commitments.keep(Commitment::clone(&miner.commitment)).await.unwrap();
    }
    // Five batches more, each trimmed by a window.
    for end in (1..6).rev() {
        let mut fields = CommitmentFields::clone(&commitments.with(0, |known| known.commitments[0].clone()));
        fields.records.truncate(end);
        let height = fields.batches.last().unwrap().height + 1;
        let partition_root = holdfast_engine::space::record::partition_root(&fields.records);
        fields.batches.push(Batch { end: end as u64, height, partition_root });
        commitments.keep(Commitment::new(fields).unwrap()).await.unwrap();
    }
    assert_eq!(part_keys_of(&*index, 0).await, VERSIONS_MAX, "each has one part");
    commitments.forget_others(&BTreeSet::from([1])).await.unwrap();
    assert_eq!((part_keys_of(&*index, 0).await, part_keys_of(&*index, 1).await), (0, 1));
    let recorded = Recorded::read(&*world.recorder, &world.validator.account()).unwrap();
    assert!(commitments.lacks(&recorded[0]) && !commitments.lacks(&recorded[1]));
    let again = opened(&index).await;
    assert!(again.lacks(&recorded[0]) && !again.lacks(&recorded[1]));
}
