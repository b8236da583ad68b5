//! What a miner or a validator has to remember: ordered keys and values in named tables, changed in transactions.
//!
//! Two implementations with one behaviour, held to it by `tests/suite/index.rs`: [`embedded`], one file and one process,
//! and [`postgres`], a server that several processes share. What is kept in the tables is said by types
//! ([`TypedTable`]); reads that a change rests on are checked when it is committed ([`Work`], [`transact`]), so that
//! processes that share an index lose no updates; and [`lease`] lets only one of them do what must not be done twice.

mod changes;
mod copy;
pub mod embedded;
mod error;
mod key;
pub mod lease;
mod pages;
pub mod postgres;
mod range;
mod table;
mod typed;
mod work;

use std::fmt::Debug;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

pub use changes::{Changes, Check};
pub use copy::{Copied, copy, copy_watched};
pub use embedded::{EmbeddedIndex, EmbeddedSettings};
pub use error::IndexError;
pub use key::{Key, KeyError, KeyPrefix};
pub use pages::Pages;
pub use postgres::{PostgresIndex, PostgresSettings};
pub use range::KeyRange;
pub use table::Table;
pub use typed::{Row, TypedTable};
pub use work::{ATTEMPTS_MAX, Work, transact};

/// Longest key in bytes. A row of PostgreSQL's B-trees must fit a third of a page, 2,704 bytes with its overhead.
pub const KEY_BYTES_MAX: usize = 1024;
/// Longest value in bytes: what is larger is a file, and the index knows its name.
pub const VALUE_BYTES_MAX: usize = 4 << 20;
/// Most bytes of keys and values in one commit, those of checks included.
pub const COMMIT_BYTES_MAX: usize = 16 << 20;
/// Most checks and writes in one commit.
pub const COMMIT_ENTRIES_MAX: usize = 65_536;
/// Most entries that one scan returns, whatever it asks for.
pub const SCAN_ENTRIES_MAX: usize = 65_536;

/// Ordered tables of bytes.
///
/// Keys are compared byte by byte; a key that is a prefix of another comes first. Keys and values may be empty.
#[async_trait]
pub trait Index: Send + Sync + Debug {
    /// The value of a key; `None` if it has none.
    ///
    /// # Errors
    /// Where the storage fails or cannot be reached.
    async fn get(&self, table: Table, key: &[u8]) -> Result<Option<Bytes>, IndexError>;

    /// Entries of a range as they were at one moment: the first `limit` of them in the range's direction. Fewer only if
    /// there are no more, or if `limit` is above [`SCAN_ENTRIES_MAX`].
    ///
    /// # Errors
    /// As [`Index::get`].
    async fn scan(
        &self,
        table: Table,
        range: &KeyRange,
        limit: usize,
    ) -> Result<Vec<(Bytes, Bytes)>, IndexError>;

    /// Makes changes, all or none of them, and returns when they are durable. Commits of all handles and processes take
    /// effect as if one after the other.
    ///
    /// # Errors
    /// - [`IndexError::Conflict`]: a check does not hold; nothing was changed. Read again, and decide again.
    /// - [`IndexError::TooLarge`]: beyond a limit above; nothing was changed.
    /// - [`IndexError::OutcomeUnknown`]: the connection was lost while the answer was awaited. The changes were made or
    ///   not, wholly; only reading tells.
    /// - Others: nothing was changed, as far as can be known of storage that fails.
    async fn commit(&self, changes: Changes) -> Result<(), IndexError>;

    /// Where the entries are, for messages: a path, or a URL without its password.
    fn place(&self) -> &str;
}

/// Opens the index that a configuration names: `postgres://…` or `postgresql://…`, or else the path of a file, which is
/// made if there is none.
///
/// # Errors
/// As [`EmbeddedIndex::open`] and [`PostgresIndex::connect`].
pub async fn open(location: &str) -> Result<Arc<dyn Index>, IndexError> {
    let index: Arc<dyn Index> = if postgres::is_url(location) {
        Arc::new(PostgresIndex::connect(PostgresSettings::from_url(location)?).await?)
    } else {
        Arc::new(EmbeddedIndex::open(Path::new(location), EmbeddedSettings::default()).await?)
    };
    copy::refuse_unfinished(&*index).await?;
    Ok(index)
}
