//! Miners that want something for nothing, or want others to get nothing.

use std::time::Duration;

use super::super::super::commitments::{Recorded, Withdrawn};
use super::super::tend::within_bytes;
use super::*;

/// Whether the first batch of a miner counts as sealed.
fn is_sealed(scene: &Scene, node: &Node, miner: &Account) -> bool {
    let recorded = Recorded::read(&*scene.world.recorder, &node.account()).unwrap();
    let recorded = recorded.iter().find(|recorded| recorded.miner() == *miner).unwrap();
    node.commitments.facts(recorded, scene.world.height(), 1).sealed.contains(&0)
}

/// A seal audit has hours, and its body ten times as long: whoever draws its own out keeps nobody else's windows from counting.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stalled_seal_audit_holds_up_nobody_elses() {
    let mut scene = Scene::new(&[("honest", Behaviour::Honest), ("stalling", Behaviour::Silent)]).await;
    scene.world.policy.seal_deadline_ms = 3_600_000;
    let node = scene.process("one", &scene.index).await;
    let [honest, stalling] = [0, 1].map(|place| scene.miners[place].account());
    let sealed = async {
        while !is_sealed(&scene, &node, &honest) {
            node.on_head(scene.world.driver.step().unwrap()).await.unwrap();
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), sealed).await.expect("long before the other's deadline");
    assert!(!is_sealed(&scene, &node, &stalling));
    let open = lock(&node.open);
    let sealing: Vec<_> = open.values().map(|open| open.sealing.len()).filter(|count| *count > 0).collect();
    assert_eq!(sealing, [1], "the stalling one's is still asked");
}

/// Whoever proved its windows once and withdraws them is not paid for them as long as a proof would be valid.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_withdrawn_partition_goes_on_being_missed() {
    let mut scene = Scene::new(&[("stays", Behaviour::Honest), ("leaves", Behaviour::Honest)]).await;
    scene.world.policy.missed_rounds_on_withdrawal = 40;
    let node = scene.process("one", &scene.index).await;
    for _ in 0..4 {
        scene.close_all(&node).await;
    }
    let space_bytes = async |place: usize| {
        let scores = node.scoring.lock().await.scores(scene.world.height());
        let of = scores.iter().find(|score| score.miner == scene.miners[place].account());
        of.map_or(0.0, |score| score.space_bytes)
    };
    let before = space_bytes(1).await;
    assert!(before > 0.0);
    let leaves = Recorded::read(&*scene.world.recorder, &node.account()).unwrap();
    let leaves = leaves.iter().find(|recorded| recorded.miner() == scene.miners[1].account()).unwrap();
    let partition_id = leaves.partition_id();
    let entry = scene.world.recorder.partition(partition_id).unwrap().unwrap();
    let signature = scene.miners[1].sign(&entry.withdrawal_signing_digest());
    let height = scene.world.recorder.withdraw(partition_id, &signature).unwrap();
    let expected = Withdrawn { partition_id, miner: scene.miners[1].account(), height };
    assert_eq!(node.withdrawn(height).await.unwrap(), [expected]);
    for _ in 0..4 {
        scene.close_all(&node).await;
    }
    let after = space_bytes(1).await;
    assert!(after < before / 2.0, "{before} bytes before, {after} after");
    assert!(space_bytes(0).await > before / 2.0, "who stays is not concerned");
}

/// What a miner shows is kept in memory, so of one that registers without end it is the oldest partitions only.
#[tokio::test]
async fn the_commitments_of_one_miner_are_bounded() {
    let world = World::new();
    for (name, windows) in [("one", 3), ("two", 2)] {
        world.miner(name, windows);
    }
    let mut recorded = Recorded::read(&*world.recorder, &world.validator.account()).unwrap();
    let (one, two) = (recorded[0].clone(), recorded[1].clone());
    let second_of_one = Recorded { registration: recorded[0].registration, ..recorded[1].clone() };
    recorded.push(second_of_one);
    let bytes = |recorded: &Recorded| recorded.commitment_bytes().unwrap();
    let fits = within_bytes(recorded.clone(), bytes(&one) + bytes(&two));
    assert_eq!([&one, &two].map(|of| fits[&of.miner()].len()), [2, 1]);
    let fits = within_bytes(recorded, bytes(&one) + bytes(&two) - 1);
    assert_eq!([&one, &two].map(|of| fits[&of.miner()].len()), [1, 1], "each miner by itself");
}
