//! Files whose pieces are committed to: checked when they are stored, and audited by whole blocks from then on.

use std::sync::Arc;

use holdfast_engine::account::Account;
use holdfast_engine::possession::challenge::AuditKind;
use holdfast_engine::receipt::{Outcome, RoundKind};
use holdfast_tests::disk::damage_object;

use super::meddler::Meddler;
use crate::chain::Chain;
use crate::client::fixture::{Faults, Ground, bytes_of, get, options, put};
use crate::client::{ClientError, PutOptions};
use crate::index::KeyRange;
use crate::validator::care::CareSettings;
use crate::validator::holdings::Holdings;
use crate::validator::node::Node;
use crate::validator::store::{RECEIPTS, ReceiptRow};

const SEGMENT: u64 = 100_000;
/// Until records are settled: the client gives them 20 blocks to be recorded in, and then F.
const SETTLING_BLOCKS: u64 = 24;

fn committed(policy: &str) -> PutOptions {
    PutOptions { commit: true, ..options(policy, SEGMENT) }
}

/// Makes a block, and waits until the validator has done all that it asks for.
async fn round(ground: &Ground, node: &Arc<Node>) {
    ground.driver.step().expect("a block");
    let head = ground.driver.chain().head().await.expect("a head");
    node.on_head(head).await.expect("follows");
    node.idle().await;
}

/// How audits of possession came out, by miner.
async fn possession(node: &Node) -> Vec<(Account, Outcome, ReceiptRow)> {
    let rows = RECEIPTS.scan(&**node.index(), &KeyRange::all(), usize::MAX).await.expect("reads");
    let kind = RoundKind::Object(AuditKind::Possession).number();
    let of_kind = rows.into_iter().filter(|row| row.value.finding.kind == kind);
    of_kind.map(|row| (row.key.0, row.value.finding.outcome().expect("known"), row.value)).collect()
}

/// All pieces are committed to, audits ask for whole blocks, and honest miners pass them. One that lost a byte does not.
#[tokio::test(flavor = "multi_thread")]
async fn committed_pieces_are_audited_by_possession() {
    let ground = Ground::new();
    let (validator, node) = ground.start_validator_and_node(CareSettings::default()).await;
    let miners = ground.add_miners(3).await;
    let owner = ground.owner("owner", &validator);
    let bytes = bytes_of(50_000, 1);
    let stored = put(&owner, &bytes, committed("replicate-3")).await;
    let cost = stored.commit.expect("was asked for");
    assert_eq!((cost.pieces, cost.table_bytes), (3, 3 * 1024), "four points and zeros each");
    assert!(cost.seconds >= cost.check_seconds);
    assert!(get(&owner, &stored.root).await == bytes);
    let summary = &owner.list().await.expect("lists")[0].summary;
    assert_eq!((summary.pieces, summary.uncommitted_pieces), (3, 0));
    for miner in &miners {
        let records = validator.node.records_of(&miner.node.account()).await.expect("reads");
        assert!(records.iter().all(|record| record.record.table_root.is_some()));
        assert_eq!(records.len(), 1);
    }

    for _ in 0..SETTLING_BLOCKS {
        ground.driver.step().expect("a block");
    }
    for _ in 0..6 {
        round(&ground, &node).await;
    }
    let passed = possession(&node).await;
    assert!(passed.iter().all(|(_, outcome, _)| *outcome == Outcome::Accepted), "{passed:?}");
    for miner in &miners {
        let of_miner = passed.iter().filter(|(account, ..)| *account == miner.node.account());
        assert!(of_miner.clone().count() >= 2, "of two validated blocks at least");
        assert!(of_miner.clone().all(|(_, _, row)| row.finding.proven_object_bytes > 0));
    }

    let piece = stored.manifest.segments()[0].pieces[0].holder.expect("is held");
    let lost = miners.iter().position(|miner| miner.node.account() == piece.miner).expect("one of them");
    damage_object(&ground.disk_path(&format!("miner-{lost}")), 20_000);
    let before = passed.len();
    for _ in 0..6 {
        round(&ground, &node).await;
    }
    let after = possession(&node).await;
    assert!(after.len() > before);
    let failed: Vec<_> = after.iter().filter(|(_, outcome, _)| *outcome != Outcome::Accepted).collect();
    assert!(!failed.is_empty());
    for (miner, _, row) in failed {
        assert_eq!(*miner, piece.miner, "nobody else fails");
        assert!(row.finding.class.is_some(), "{:?}", row.finding);
    }
}

/// A miner whose commitments are of other bytes loses its piece before the file is in anybody's care.
#[tokio::test(flavor = "multi_thread")]
async fn a_table_of_other_bytes_is_refused_at_store_time() {
    let ground = Ground::new();
    let validator = ground.start_validator().await;
    let miners = ground.add_miners(3).await;
    let owner = ground.owner("owner", &validator);
    let meddler = miners[1].node.account();
    ground.move_miner(meddler, Meddler::before(miners[1].address).await);
    let bytes = bytes_of(50_000, 1);
    let faults = Arc::new(Faults::default());
    let watched = PutOptions { watch: faults.clone(), ..committed("replicate-3") };
    let error =
        owner.put(std::io::Cursor::new(bytes.clone()), watched).await.expect_err("nobody else is there");
    assert!(matches!(error, ClientError::Peer(_)), "{error}");
    let faults = faults.take();
    assert!(faults[0].is_wrong && faults[0].miner == meddler, "{faults:?}");
    assert!(faults[0].what.contains("does not commit to the object's bytes"), "{}", faults[0].what);
    assert!(owner.list().await.expect("lists").is_empty());
    assert_eq!(ground.object_count(&miners[1]).await, 0, "it was told to delete it");

    // Another process and another miner: what was checked stays checked.
    drop(owner);
    ground.clock.advance_ms(31_000);
    let fourth = ground.add_miner("miner-3").await;
    let owner = ground.owner("owner", &validator);
    let interrupted = owner.interrupted_puts().expect("reads");
    let stored = owner.resume_put(&interrupted[0], Arc::new(())).await.expect("goes on");
    assert_eq!(stored.commit.expect("the plan says so").pieces, 1);
    assert!(get(&owner, &stored.root).await == bytes);
    let records = validator.node.records_of(&fourth.node.account()).await.expect("reads");
    assert!(records[0].record.table_root.is_some());
    assert!(validator.node.records_of(&meddler).await.expect("reads").is_empty());
}
