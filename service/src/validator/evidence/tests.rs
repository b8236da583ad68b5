use holdfast_engine::receipt::Body;
use holdfast_engine::signature::Signer;

use super::super::fixture::World;
use super::super::plan::plan;
use super::*;
use crate::index::EmbeddedIndex;

#[tokio::test]
async fn who_signs_two_bodies_for_one_round_is_kept_and_others_are_not() {
    let world = World::new();
    let miner = world.miner("miner", 4);
    world.settle();
    let round = plan(&world.terms(), &miner.facts()).questions[0].round();
    let issue =
        |answer, signer: &Signer| Receipt::issue(Body::of(round, answer, [0; 32]), &world.network, signer);
    let index = EmbeddedIndex::in_memory().unwrap();
    let (accepted, missed) = (Some(([1; 32], true)), None);
    // A forgery shows nothing, nor does one receipt twice.
    let stranger = Signer::development("stranger");
    let honest = issue(accepted, &world.validator);
    let none = [honest, honest, issue(missed, &stranger)];
    assert_eq!(keep_evidence(&index, &world.network, &none).await.unwrap(), Found::default());
    assert!(evidence(&index, None, 10).await.unwrap().is_empty());

    let both = [honest, issue(missed, &world.validator)];
    let found = keep_evidence(&index, &world.network, &both).await.unwrap();
    assert_eq!((found.count, found.fresh.len()), (1, 1));
    let found = keep_evidence(&index, &world.network, &both).await.unwrap();
    assert_eq!((found.count, found.fresh.len()), (1, 0), "found again");
    let validator = world.validator.account();
    let kept = evidence(&index, Some(&validator), 10).await.unwrap();
    assert_eq!(kept.len(), 1, "and kept once");
    assert_eq!((kept[0].validator, kept[0].miner), (Some(validator), None));
    let shown = Evidence::decode(&hex::decode(&kept[0].evidence).unwrap()).unwrap();
    assert_eq!(shown.verify().unwrap().validator, Some(validator), "anybody can check it");
    assert!(evidence(&index, Some(&miner.account()), 10).await.unwrap().is_empty());
}
