//! Doubt because of link audits: of records, and of what their miner is given afterwards.

use std::collections::BTreeSet;
use std::sync::Arc;

use holdfast_engine::account::Account;
use holdfast_engine::possession::record::SignedRecord;
use holdfast_engine::receipt::Outcome;

use super::counting::CountedWrites;
use crate::client::fixture::{Ground, Running, VALIDATOR, bytes_of, options, put};
use crate::client::{Client, PutOptions};
use crate::pieces::PieceId;
use crate::validator::care::delete::Silent;
use crate::validator::care::held::HeldRow;
use crate::validator::care::{CareSettings, Keeper};
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
async fn doubted(validator: &Running<Keeper>, miner: &Account) -> BTreeSet<[u8; 32]> {
    held(validator, miner).await.doubted
}

/// Digests of all records that a miner is given with a file.
async fn given(validator: &Running<Keeper>, owner: &Client, seed: u8, miner: &Account) -> BTreeSet<[u8; 32]> {
    let digests = async || {
        let records = held(validator, miner).await.records;
        records.iter().map(|signed| signed.record.digest()).collect::<BTreeSet<_>>()
    };
    let before = digests().await;
    put(owner, &bytes_of(50_000, seed), committed()).await;
    digests().await.difference(&before).copied().collect()
}

async fn linked(validator: &Running<Keeper>, of: (&Account, &[u8; 32]), height: u64, passed: bool) {
    validator.node.linked(of, height, passed).await.expect("notes");
    let outcome = if passed { Outcome::Accepted } else { Outcome::Rejected };
    validator.node.audited(of.1, height, outcome).await.expect("notes");
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
    let [first, second, third] = [(); 3].map(|()| ground.driver.step().expect("a block").height);
    linked(&validator, (&honest, &passed), first, true).await;
    for height in [first, second] {
        linked(&validator, (&cheat, &failed), height, false).await;
        assert_eq!(doubted(&validator, &cheat).await, [failed].into());
    }
    assert!(doubted(&validator, &honest).await.is_empty());
    owner.remove(&stored.root).await.expect("releases");
    // The audit of a record that was released before it was over.
    linked(&validator, (&gone, &released), second, false).await;
    ground.clock.advance_ms(CareSettings::default().question_seconds * 1_000);
    assert_eq!(validator.node.tend().await.expect("tends").deleted_files, 1);

    validator.end().await;
    let validator = ground.start_validator().await;
    let owner = ground.owner("another owner", &validator);
    let stored = put(&owner, &bytes, committed()).await;
    for miner in [&cheat, &gone] {
        let again = record(&validator, miner).await.record.digest();
        assert_eq!(doubted(&validator, miner).await, [again].into());
    }
    assert!(doubted(&validator, &honest).await.is_empty());
    // Without commitments there is nothing to doubt.
    put(&owner, &bytes_of(50_000, 2), options("replicate-3", 100_000)).await;
    assert_eq!(doubted(&validator, &cheat).await.len(), 1);

    let again = record(&validator, &cheat).await;
    linked(&validator, (&cheat, &again.record.digest()), third, true).await;
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

/// What is registered while the first link that fails is open is as new as what comes after it; what was there before is left alone.
#[tokio::test(flavor = "multi_thread")]
async fn what_came_since_the_block_of_a_failed_link_is_doubted() {
    let ground = Ground::new();
    let validator = ground.start_validator().await;
    let miners = ground.add_miners(3).await;
    let cheat = miners[0].node.account();
    let owner = ground.owner("owner", &validator);
    let failed = given(&validator, &owner, 1, &cheat).await;
    let failed = failed.first().expect("one");
    let before = given(&validator, &owner, 2, &cheat).await;
    let asked_at = ground.driver.step().expect("a block").height;
    let between = given(&validator, &owner, 3, &cheat).await;
    assert_eq!((before.len(), between.len()), (1, 1));
    linked(&validator, (&cheat, failed), asked_at, false).await;
    let after = ground.driver.step().expect("a block").height;
    let expected: BTreeSet<_> = between.iter().chain([failed]).copied().collect();
    assert_eq!(doubted(&validator, &cheat).await, expected);
    // To go on failing does not narrow it.
    linked(&validator, (&cheat, failed), after, false).await;
    assert_eq!(doubted(&validator, &cheat).await, expected);
    // Who passes has made up for it.
    linked(&validator, (&cheat, failed), after + 1, true).await;
    assert!(doubted(&validator, &cheat).await.is_empty());
}

/// A process that was in charge before may still tell what came of its round.
#[tokio::test(flavor = "multi_thread")]
async fn an_outcome_that_comes_late_does_not_overrule_a_newer_one() {
    let ground = Ground::new();
    let validator = ground.start_validator().await;
    let miners = ground.add_miners(3).await;
    let miner = miners[0].node.account();
    let digest =
        *given(&validator, &ground.owner("owner", &validator), 1, &miner).await.first().expect("one");
    for (height, passed, is_doubted) in
        [(10, false, true), (9, true, true), (12, true, false), (11, false, false), (13, false, true)]
    {
        linked(&validator, (&miner, &digest), height, passed).await;
        assert_eq!(!doubted(&validator, &miner).await.is_empty(), is_doubted, "height {height}");
    }
}

/// Links that pass are many, and say nothing new.
#[tokio::test(flavor = "multi_thread")]
async fn a_link_writes_what_it_changes() {
    let ground = Ground::new();
    let validator = ground.start_validator().await;
    let miners = ground.add_miners(3).await;
    let miner = miners[0].node.account();
    let digest =
        *given(&validator, &ground.owner("owner", &validator), 1, &miner).await.first().expect("one");
    let index = Arc::new(CountedWrites::over(&validator.node.index));
    let keeper = Keeper::new(
        CareSettings::default(),
        Arc::clone(&validator.node.chain),
        Arc::clone(&index) as _,
        Arc::new(ground.correspondent(VALIDATOR)),
        ground.connector(),
        Arc::default(),
    );
    // Two rows of the record, and one of the miner.
    for (height, passed, written) in [
        (10, true, 2),
        (11, true, 0),
        (11, true, 0),
        (12, false, 3),
        (12, false, 0),
        (13, false, 1),
        (14, true, 3),
    ] {
        keeper.linked((&miner, &digest), height, passed).await.expect("notes");
        assert_eq!(index.take(), written, "height {height}");
    }
}

/// Rows that were written before there was doubt are read, and those without doubt say nothing of it.
#[tokio::test(flavor = "multi_thread")]
async fn rows_say_nothing_of_doubt_where_there_is_none() {
    let ground = Ground::new();
    let validator = ground.start_validator().await;
    let miners = ground.add_miners(3).await;
    put(&ground.owner("owner", &validator), &bytes_of(50_000, 1), committed()).await;
    let kept = record(&validator, &miners[0].node.account()).await;
    let piece = PieceId { segment: 0, shard: 0, generation: 0 };
    let row = |begun_at| HeldRow::new(&kept, (kept.record.checker, [1; 32]), piece, 1, begun_at);
    let value = |row: &HeldRow| {
        let value = serde_json::to_value(row).expect("writes");
        assert_eq!(&serde_json::from_value::<HeldRow>(value.clone()).expect("reads"), row);
        value
    };
    let mut before = value(&row(7));
    let fields: BTreeSet<_> = before.as_object().expect("an object").keys().cloned().collect();
    assert_eq!(
        fields,
        ["begun_at", "expires_at", "file", "owner", "piece", "record"].map(str::to_owned).into()
    );
    before.as_object_mut().expect("an object").remove("begun_at");
    assert_eq!(serde_json::from_value::<HeldRow>(before).expect("reads"), row(0));
    assert_eq!(value(&row(7).after_link(false))["failed_link"], true);
}
