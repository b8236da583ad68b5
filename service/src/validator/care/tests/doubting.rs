//! Doubt because of link audits: of records, and of what their miner is given afterwards.

use std::collections::BTreeSet;

use holdfast_engine::account::Account;
use holdfast_engine::possession::record::SignedRecord;

use crate::client::PutOptions;
use crate::client::fixture::{Ground, Running, bytes_of, options, put};
use crate::pieces::PieceId;
use crate::validator::care::Keeper;
use crate::validator::care::release::Silent;
use crate::validator::care::rows::HeldRow;
use crate::validator::holdings::{Held, Holdings};

fn committed() -> PutOptions {
    PutOptions { commit: true, ..options("replicate-3", 100_000) }
}

async fn held(validator: &Running<Keeper>, miner: &Account) -> Held {
    validator.node.held(miner).await.expect("reads")
}

/// The one record with commitments that a miner keeps.
async fn record(validator: &Running<Keeper>, miner: &Account) -> SignedRecord {
    let records = held(validator, miner).await.records;
    let mut committed = records.into_iter().filter(|signed| signed.record.table_root.is_some());
    let record = committed.next().expect("one");
    assert_eq!(committed.next(), None);
    record
}

/// Digests of doubted records.
async fn doubted(validator: &Running<Keeper>, miner: &Account) -> Vec<[u8; 32]> {
    held(validator, miner).await.doubted.into_iter().collect()
}

/// Whoever releases what is doubted and registers it anew has a record that is doubted, after a restart too.
#[tokio::test(flavor = "multi_thread")]
async fn a_miner_that_failed_a_link_does_not_shed_the_doubt() {
    let ground = Ground::new();
    let validator = ground.start_validator().await;
    let miners = ground.add_miners(3).await;
    let [cheat, honest, gone] = [0, 1, 2].map(|number: usize| miners[number].node.account());
    let (owner, bytes) = (ground.owner("owner", &validator), bytes_of(50_000, 1));
    let stored = put(&owner, &bytes, committed()).await;
    let [failed, passed, released] = [
        record(&validator, &cheat).await.record.digest(),
        record(&validator, &honest).await.record.digest(),
        record(&validator, &gone).await.record.digest(),
    ];
    validator.node.linked((&honest, &passed), 5, true).await.expect("notes");
    for height in [5, 6] {
        validator.node.linked((&cheat, &failed), height, false).await.expect("notes");
        assert_eq!(doubted(&validator, &cheat).await, [failed]);
    }
    assert!(doubted(&validator, &honest).await.is_empty());
    owner.remove(&stored.root).await.expect("releases");
    // The audit of a record that was released before it was over.
    validator.node.linked((&gone, &released), 6, false).await.expect("notes");

    validator.end().await;
    let validator = ground.start_validator().await;
    let owner = ground.owner("another owner", &validator);
    let stored = put(&owner, &bytes, committed()).await;
    for miner in [&cheat, &gone] {
        let again = record(&validator, miner).await.record.digest();
        assert_eq!(doubted(&validator, miner).await, [again]);
    }
    assert!(doubted(&validator, &honest).await.is_empty());
    // Without commitments there is nothing to doubt.
    put(&owner, &bytes_of(50_000, 2), options("replicate-3", 100_000)).await;
    assert_eq!(doubted(&validator, &cheat).await.len(), 1);

    let again = record(&validator, &cheat).await;
    validator.node.linked((&cheat, &again.record.digest()), 7, true).await.expect("notes");
    assert!(doubted(&validator, &cheat).await.is_empty());
    // It has not made up for the record that failed first, and is gone.
    put(&owner, &bytes_of(50_000, 3), committed()).await;
    assert_eq!(doubted(&validator, &cheat).await.len(), 1);
    // A record that is handed out once more is no new one.
    let pieces = &stored.manifest.segments()[0].pieces;
    let shard = pieces.iter().position(|piece| piece.holder.is_some_and(|holder| holder.miner == cheat));
    let shard = u8::try_from(shard.expect("holds one")).expect("of three");
    let piece = PieceId { segment: 0, shard, generation: 0 };
    let (key, digest) = ((again.record.checker, stored.root), again.record.digest());
    validator.node.hand_out(key, vec![(piece, again)], &Silent::default()).await.expect("hands out");
    assert!(!doubted(&validator, &cheat).await.contains(&digest));
}

/// A row of a record that is not doubted is as it was before there was doubt.
#[tokio::test(flavor = "multi_thread")]
async fn rows_say_nothing_of_doubt_where_there_is_none() {
    let ground = Ground::new();
    let validator = ground.start_validator().await;
    let miners = ground.add_miners(3).await;
    put(&ground.owner("owner", &validator), &bytes_of(50_000, 1), committed()).await;
    let kept = record(&validator, &miners[0].node.account()).await;
    let piece = PieceId { segment: 0, shard: 0, generation: 0 };
    let mut row = HeldRow::new(&kept, (kept.record.checker, [1; 32]), piece, 1);
    let fields = |row: &HeldRow| {
        let value = serde_json::to_value(row).expect("writes");
        assert_eq!(&serde_json::from_value::<HeldRow>(value.clone()).expect("reads"), row);
        value.as_object().expect("an object").keys().cloned().collect::<BTreeSet<_>>()
    };
    let before = ["expires_at", "file", "owner", "piece", "record"];
    assert_eq!(fields(&row), before.map(str::to_owned).into());
    row.is_doubted = true;
    assert!(fields(&row).contains("is_doubted"));
}
