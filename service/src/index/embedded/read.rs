//! Reads: each sees one committed state.

use std::ops::Bound;

use bytes::Bytes;
use redb::{AccessGuard, Database, ReadableDatabase};

use super::definition;
use crate::index::{KeyRange, Table};

pub(super) fn get(database: &Database, table: Table, key: &[u8]) -> Result<Option<Bytes>, redb::Error> {
    let entries = database.begin_read()?.open_table(definition(table))?;
    Ok(entries.get(key)?.map(|value| copied(&value)))
}

pub(super) fn scan(
    database: &Database,
    table: Table,
    range: &KeyRange,
    limit: usize,
) -> Result<Vec<(Bytes, Bytes)>, redb::Error> {
    let entries = database.begin_read()?.open_table(definition(table))?;
    let end = range.end().map_or(Bound::Unbounded, Bound::Excluded);
    let mut inside = entries.range::<&[u8]>((Bound::Included(range.start()), end))?;
    let mut found = Vec::new();
    while found.len() < limit {
        let next = if range.is_descending() { inside.next_back() } else { inside.next() };
        let Some(entry) = next else { break };
        let (key, value) = entry?;
        found.push((copied(&key), copied(&value)));
    }
    Ok(found)
}

fn copied(bytes: &AccessGuard<'_, &'static [u8]>) -> Bytes {
    Bytes::copy_from_slice(bytes.value())
}
