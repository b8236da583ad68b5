//! Disks that fail.

mod disk;

use std::sync::Arc;
use std::time::Duration;

use redb::Builder;

use self::disk::{Disk, Syncs};
use super::{EmbeddedIndex, file};
use crate::index::{Changes, Index, IndexError, KeyRange, Table};

/// More than any of the disks here lasts.
const COMMITS_MAX: u64 = 100;

/// An index on a disk that is in order.
fn formatted() -> Vec<u8> {
    let disk = Disk::of(Vec::new(), Syncs::Honest, u64::MAX);
    let database = Builder::new().create_with_backend(disk.clone()).expect("creates");
    file::prepare(&database).expect("prepares");
    drop(database);
    disk.image()
}

fn open(disk: &Disk) -> Result<EmbeddedIndex, redb::DatabaseError> {
    let database = Builder::new().create_with_backend(disk.clone())?;
    Ok(EmbeddedIndex::of("a disk".into(), database).expect("starts"))
}

/// A record, and how many there are, in one commit.
fn record(number: u64) -> Changes {
    let mut changes = Changes::new();
    changes.put(Table::Receipts, number.to_be_bytes().to_vec(), vec![number.to_le_bytes()[0]; 3000]);
    changes.put(Table::Chains, "count", (number + 1).to_be_bytes().to_vec());
    changes
}

/// Commits until the disk has had enough. How many commits were acknowledged, one after the other.
async fn commit_until_the_power_fails(disk: &Disk) -> u64 {
    let Ok(index) = open(disk) else { return 0 };
    for number in 0..COMMITS_MAX {
        if let Err(error) = index.commit(record(number)).await {
            assert!(matches!(error, IndexError::Failed { .. }), "{error}");
            return number;
        }
    }
    COMMITS_MAX
}

/// What a power cut leaves; `None` if it cannot be opened.
async fn records_after(image: Vec<u8>) -> Option<(u64, Vec<u64>)> {
    let index = open(&Disk::of(image, Syncs::Honest, u64::MAX)).ok()?;
    let count = index.get(Table::Chains, b"count").await.ok()?;
    let count = count.map_or(0, |count| u64::from_be_bytes((*count).try_into().expect("eight bytes")));
    let entries = index.scan(Table::Receipts, &KeyRange::all(), usize::MAX).await.ok()?;
    let number = |key: &[u8]| u64::from_be_bytes(key.try_into().expect("eight bytes"));
    let whole = |number: u64, value: &[u8]| value == [number.to_le_bytes()[0]; 3000];
    let numbers: Vec<u64> = entries.iter().map(|(key, _)| number(key)).collect();
    entries.iter().all(|(key, value)| whole(number(key), value)).then_some((count, numbers))
}

/// Whether everything acknowledged is there, whole, and at most the commit under way besides.
async fn survives(syncs: Syncs, operations: u64, formatted: &[u8]) -> bool {
    let disk = Disk::of(formatted.to_vec(), syncs, operations);
    let acknowledged = commit_until_the_power_fails(&disk).await;
    let Some((count, numbers)) = records_after(disk.image_after_power_cut(operations)).await else {
        return false;
    };
    (acknowledged..=acknowledged + 1).contains(&count) && numbers == (0..count).collect::<Vec<u64>>()
}

#[tokio::test]
async fn power_cuts_lose_nothing_that_was_acknowledged() {
    let formatted = formatted();
    // Every place at which the power can fail in the first commits.
    for operations in 0..250 {
        assert!(survives(Syncs::Honest, operations, &formatted).await, "after {operations} operations");
    }
}

/// The negative control: on a disk that syncs nothing, commits are lost, and the test above would see it.
#[tokio::test]
async fn power_cuts_of_a_disk_that_lies_are_noticed() {
    let formatted = formatted();
    let mut lost = 0;
    for operations in 0..100 {
        // Of a page that was not written redb makes an error, or a panic in its thread.
        let survives = tokio::spawn({
            let formatted = formatted.clone();
            async move { survives(Syncs::Lying, operations, &formatted).await }
        });
        lost += u32::from(!survives.await.unwrap_or(false));
    }
    assert!(lost > 10, "only {lost} of 100 power cuts lost something");
}

/// After a failed sync nobody knows what is on the disk, even if the next sync succeeds.
#[tokio::test]
async fn a_failed_commit_is_the_last() {
    let disk = Disk::of(formatted(), Syncs::Honest, u64::MAX);
    let index = open(&disk).expect("opens");
    index.commit(record(0)).await.expect("commits");
    disk.fail_after(0);
    let first = index.commit(record(1)).await.expect_err("the disk fails");
    disk.fail_after(u64::MAX);
    let second = index.commit(record(1)).await.expect_err("there are no more");
    assert_eq!(first.to_string(), second.to_string());
    drop(index);
    assert_eq!(records_after(disk.image()).await.map(|(count, _)| count), Some(1));
}

/// What waits while the thread is syncing is one group: few syncs for many commits, and each with its own verdict.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commits_that_wait_share_a_sync_and_not_a_verdict() {
    const CALLERS: u64 = 64;
    let disk = Disk::of(formatted(), Syncs::Honest, u64::MAX);
    let index = Arc::new(open(&disk).expect("opens"));
    index.commit(record(CALLERS)).await.expect("commits");
    let alone = disk.syncs();
    index.commit(record(CALLERS)).await.expect("commits");
    let alone = disk.syncs() - alone;
    let blocked = disk.block_syncs();
    let mut callers = tokio::task::JoinSet::new();
    // The first is at its sync; everybody else waits in the queue.
    let first = tokio::spawn({
        let index = Arc::clone(&index);
        async move { index.commit(record(CALLERS)).await }
    });
    until(|| disk.is_syncing()).await;
    for caller in 0..CALLERS {
        let index = Arc::clone(&index);
        callers.spawn(async move {
            let mut changes = record(caller);
            if caller % 2 == 1 {
                changes.check(Table::Settings, "there is no such key", Some("value".into()));
            }
            (caller, index.commit(changes).await)
        });
    }
    until(|| index.writer.waiting() == usize::try_from(CALLERS).expect("few")).await;
    let before = disk.syncs();
    drop(blocked);
    first.await.expect("no panics").expect("commits");
    for (caller, outcome) in callers.join_all().await {
        let conflict = matches!(outcome, Err(IndexError::Conflict { .. }));
        assert!(if caller % 2 == 1 { conflict } else { outcome.is_ok() }, "{caller}: {outcome:?}");
        let there = index.get(Table::Receipts, &caller.to_be_bytes()).await.expect("reads").is_some();
        assert_eq!(there, caller % 2 == 0);
    }
    // Those of the first commit, and as many for all others; a few more, since who is counted may not yet be in the queue.
    let syncs = disk.syncs() - before;
    assert!(alone > 0 && syncs < CALLERS / 4, "{syncs} syncs for {CALLERS} commits, {alone} for one");
}

/// Fails rather than hang where the condition never comes.
async fn until(condition: impl Fn() -> bool) {
    let wait = async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), wait).await.expect("what is waited for happens");
}
