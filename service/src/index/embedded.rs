//! An index in one file, for one process: redb, a B-tree that copies pages before it changes them.
//!
//! All commits go through one thread. What came while it was syncing becomes one transaction of redb and one sync, so many
//! callers wait for few syncs; each commit is still checked and made on its own. Commits are in two phases (two syncs),
//! because values hold strangers' bytes and redb's checksum, which one phase relies on after a crash, is not made
//! against those who choose bytes.

mod file;
mod read;
mod writer;

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use redb::{Database, TableDefinition};

use self::writer::Writer;
use super::{Changes, Index, IndexError, KEY_BYTES_MAX, KeyRange, SCAN_ENTRIES_MAX, Table};

/// The format of the file above redb's own.
const FORMAT: u64 = 1;
/// What holds [`FORMAT`], by which an index of ours is known.
const FORMAT_TABLE: TableDefinition<'static, &str, u64> = TableDefinition::new("holdfast-index");
const FORMAT_KEY: &str = "format";

/// How an embedded index is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EmbeddedSettings {
    /// Memory for pages, in bytes.
    pub cache_bytes: usize,
}

impl Default for EmbeddedSettings {
    /// 32 MiB: an idle miner is to stay small, and the system caches the file besides.
    fn default() -> EmbeddedSettings {
        EmbeddedSettings { cache_bytes: 32 << 20 }
    }
}

/// An index in a file. No other process can open the file while there is one.
#[derive(Debug)]
pub struct EmbeddedIndex {
    place: Arc<str>,
    database: Arc<Database>,
    writer: Writer,
}

impl EmbeddedIndex {
    /// Opens the index in a file, and makes one if there is no such file. After a crash, redb first reads the whole file
    /// and checks it.
    ///
    /// # Errors
    /// [`IndexError::Locked`], [`IndexError::Foreign`], [`IndexError::UnknownFormat`], [`IndexError::File`] (the folder must
    /// exist), [`IndexError::Failed`].
    pub async fn open(path: &Path, settings: EmbeddedSettings) -> Result<EmbeddedIndex, IndexError> {
        let place: Arc<str> = path.display().to_string().into();
        let path = path.to_owned();
        let database = blocking(&place, "open", move |_| file::open_or_create(&path, settings)).await?;
        EmbeddedIndex::of(place, database)
    }

    /// An index in memory, which is gone when it is dropped.
    ///
    /// # Errors
    /// [`IndexError::Failed`], where memory is short.
    pub fn in_memory() -> Result<EmbeddedIndex, IndexError> {
        EmbeddedIndex::of("memory".into(), file::in_memory()?)
    }

    fn of(place: Arc<str>, database: Database) -> Result<EmbeddedIndex, IndexError> {
        let database = Arc::new(database);
        let writer = Writer::start(Arc::clone(&place), Arc::clone(&database))?;
        Ok(EmbeddedIndex { place, database, writer })
    }

    /// Runs a read on a thread that may wait for the disk.
    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Database) -> Result<T, redb::Error> + Send + 'static,
    ) -> Result<T, IndexError> {
        let database = Arc::clone(&self.database);
        blocking(&self.place, "read from", move |place| {
            read(&database).map_err(|error| failed("read from", place, error))
        })
        .await
    }
}

#[async_trait]
impl Index for EmbeddedIndex {
    async fn get(&self, table: Table, key: &[u8]) -> Result<Option<Bytes>, IndexError> {
        if key.len() > KEY_BYTES_MAX {
            return Ok(None);
        }
        let key = key.to_vec();
        self.read(move |database| read::get(database, table, &key)).await
    }

    async fn scan(
        &self,
        table: Table,
        range: &KeyRange,
        limit: usize,
    ) -> Result<Vec<(Bytes, Bytes)>, IndexError> {
        let (range, limit) = (range.clone(), limit.min(SCAN_ENTRIES_MAX));
        if range.is_empty() || limit == 0 {
            return Ok(Vec::new());
        }
        self.read(move |database| read::scan(database, table, &range, limit)).await
    }

    async fn commit(&self, changes: Changes) -> Result<(), IndexError> {
        changes.check_limits()?;
        self.writer.commit(changes).await
    }

    fn place(&self) -> &str {
        &self.place
    }
}

/// The table of redb that holds one of ours.
fn definition(table: Table) -> TableDefinition<'static, &'static [u8], &'static [u8]> {
    TableDefinition::new(table.name())
}

/// Runs work that waits for disks outside of the threads that must not wait. redb panics where it meets pages that
/// nobody wrote; that ends the call, not the process.
async fn blocking<T: Send + 'static>(
    place: &Arc<str>,
    doing: &'static str,
    work: impl FnOnce(&str) -> Result<T, IndexError> + Send + 'static,
) -> Result<T, IndexError> {
    let shared = Arc::clone(place);
    match tokio::task::spawn_blocking(move || work(&shared)).await {
        Ok(result) => result,
        Err(error) => Err(failed(doing, place, error)),
    }
}

fn failed(doing: &'static str, place: &str, reason: impl ToString) -> IndexError {
    IndexError::Failed { doing, place: place.to_owned(), reason: reason.to_string() }
}

#[cfg(test)]
mod tests;
