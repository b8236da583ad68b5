//! Workers that commit numbered records, for tests that take something away from under them.

use holdfast_service::index::{Changes, Index, IndexError, KeyRange, Table, TypedTable};

pub(crate) const WORKERS: u8 = 4;

const RECORDS: TypedTable<(u8, u64), u64> = TypedTable::new(Table::Receipts);
/// The number of records of each worker, changed in the same commits.
const COUNTS: TypedTable<u8, u64> = TypedTable::new(Table::Chains);

/// Anything that depends on both.
fn content(worker: u8, number: u64) -> u64 {
    number.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ u64::from(worker)
}

/// The number of records that a worker has.
pub(crate) async fn count(index: &dyn Index, worker: u8) -> u64 {
    COUNTS.get(index, &worker).await.expect("reads").unwrap_or(0)
}

/// Commits a worker's next record; `number` are there.
pub(crate) async fn commit(index: &dyn Index, worker: u8, number: u64) -> Result<(), IndexError> {
    let mut changes = Changes::new();
    let before = Some(number).filter(|number| *number > 0);
    COUNTS.expect(&mut changes, &worker, before.as_ref())?;
    COUNTS.put(&mut changes, &worker, &(number + 1))?;
    RECORDS.put(&mut changes, &(worker, number), &content(worker, number))?;
    index.commit(changes).await
}

/// Panics unless all records are there that a worker was told of, at most one more, and nothing else. Returns their number.
pub(crate) async fn check(index: &dyn Index, worker: u8, acknowledged: u64) -> u64 {
    let count = count(index, worker).await;
    assert!(count >= acknowledged, "worker {worker}: {acknowledged} were acknowledged, {count} are there");
    assert!(
        count <= acknowledged + 1,
        "worker {worker}: {count} are there, {acknowledged} were acknowledged"
    );
    let rows = RECORDS.scan(index, &RECORDS.prefix(&worker), usize::MAX).await.expect("scans");
    let found: Vec<((u8, u64), u64)> = rows.into_iter().map(|row| (row.key, row.value)).collect();
    let expected: Vec<_> = (0..count).map(|number| ((worker, number), content(worker, number))).collect();
    assert!(found == expected, "worker {worker}: records and their count differ");
    count
}

/// No records of workers that do not exist.
pub(crate) async fn check_no_others(index: &dyn Index) {
    let others = index.scan(Table::Receipts, &KeyRange::from(vec![WORKERS]), 1).await.expect("scans");
    assert_eq!(others, []);
}
