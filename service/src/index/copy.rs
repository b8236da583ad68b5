//! Everything from one index to another: how an index moves from a file to a server and back.

use serde::Serialize;

use super::{Changes, Index, IndexError, KeyRange, Pages, Table};

/// Entries that are read at a time.
const PAGE_ENTRIES: usize = 1000;
/// A commit that has reached this is made. Below the limit by more than one entry.
const COMMIT_BYTES: usize = 4 << 20;

/// Stands in an index while it is being filled from another.
const UNFINISHED_KEY: &[u8] = b"\0copy-unfinished";

/// What was copied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Copied {
    /// Entries of all tables.
    pub entries: u64,
    /// Bytes of their keys and values.
    pub bytes: u64,
}

/// Copies all tables into an index that has no entries. Nothing may change the source meanwhile.
///
/// If it is cut off, the target holds a part, and [`super::open`] refuses it; it must be removed.
///
/// # Errors
/// [`IndexError::Foreign`] if the target has entries; those of reading and writing.
pub async fn copy(from: &dyn Index, to: &dyn Index) -> Result<Copied, IndexError> {
    copy_watched(from, to, &|_| {}).await
}

/// The same; `watch` is told what has been copied, again and again.
///
/// # Errors
/// As [`copy`].
pub async fn copy_watched(
    from: &dyn Index,
    to: &dyn Index,
    watch: &(dyn Fn(Copied) + Sync),
) -> Result<Copied, IndexError> {
    refuse_unfinished(from).await?;
    for table in Table::ALL {
        if !to.scan(table, &KeyRange::all(), 1).await?.is_empty() {
            let reason = format!("table {table} has entries already; copy into an empty index");
            return Err(IndexError::Foreign { place: to.place().to_owned(), reason });
        }
    }
    let mut changes = Changes::new();
    changes.put(Table::Settings, UNFINISHED_KEY, "");
    to.commit(changes).await?;
    let mut copied = Copied::default();
    for table in Table::ALL {
        copy_table(from, to, table, &mut copied, watch).await?;
    }
    let mut changes = Changes::new();
    changes.delete(Table::Settings, UNFINISHED_KEY);
    to.commit(changes).await?;
    Ok(copied)
}

async fn copy_table(
    from: &dyn Index,
    to: &dyn Index,
    table: Table,
    copied: &mut Copied,
    watch: &(dyn Fn(Copied) + Sync),
) -> Result<(), IndexError> {
    let mut pages = Pages::new(from, table, KeyRange::all(), PAGE_ENTRIES);
    while let Some(page) = pages.next().await? {
        let (mut changes, mut bytes) = (Changes::new(), 0);
        for (key, value) in page {
            bytes += key.len() + value.len();
            copied.entries += 1;
            copied.bytes += (key.len() + value.len()) as u64;
            changes.put(table, key, value);
            if bytes >= COMMIT_BYTES {
                to.commit(std::mem::take(&mut changes)).await?;
                bytes = 0;
            }
        }
        if !changes.is_empty() {
            to.commit(changes).await?;
        }
        watch(*copied);
    }
    Ok(())
}

/// Refuses an index into which a copy was begun and not finished.
pub(super) async fn refuse_unfinished(index: &dyn Index) -> Result<(), IndexError> {
    match index.get(Table::Settings, UNFINISHED_KEY).await? {
        None => Ok(()),
        Some(_) => Err(IndexError::Foreign {
            place: index.place().to_owned(),
            reason: "a copy into it was not finished: remove it and copy again".to_owned(),
        }),
    }
}
