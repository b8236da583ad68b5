use super::super::fixture::World;
use super::super::plan::plan;
use super::*;
use crate::index::{EmbeddedIndex, KeyRange};

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
