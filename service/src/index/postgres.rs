//! An index on a PostgreSQL server, shared by the processes that use it.
//!
//! One table of (table name, key, value), whose `bytea` keys compare byte by byte. Every call is one statement, a commit
//! too: its checks, deletions and writes are parts of one query, in a serialisable transaction of its own. So nothing
//! is ever left half done, whoever is cut off when.
//!
//! Failures that pass (a restart, a lost connection, two transactions that cannot both be) are tried again until
//! [`PostgresSettings::patience`] is over. A commit whose answer is lost is not: it may have been made.

mod failure;
mod pool;
mod schema;
mod session;
mod settings;
mod tls;

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::time::timeout;

use self::failure::Failure;
use self::pool::Pool;
use self::session::Session;
pub use self::settings::{CONNECTIONS_DEFAULT, PATIENCE_DEFAULT, PostgresSettings, SCHEMA_DEFAULT, is_url};
use super::work::pause;
use super::{Changes, Index, IndexError, KEY_BYTES_MAX, KeyRange, SCAN_ENTRIES_MAX, Table};

/// The format of the tables, in the one row of the table `format`.
const FORMAT: i64 = 1;
/// An attempt is not begun with less than this share of the patience left: who sends a commit and then has no time for the
/// answer does not know what became of it, where the answer before had said that nothing was changed.
const LAST_ATTEMPT_SHARE: u32 = 10;
/// The oldest version that knows all that the statements use (`MATERIALIZED`).
const OLDEST_SERVER: i32 = 12;

/// An index on a PostgreSQL server.
#[derive(Debug)]
pub struct PostgresIndex {
    pool: Pool,
    place: Arc<str>,
    patience: Duration,
}

/// What a call was doing when it failed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The server does not know of it.
    Before,
    /// It may have been carried out.
    Sent,
}

impl PostgresIndex {
    /// Connects, and makes the schema and the tables where there are none.
    ///
    /// # Errors
    /// [`IndexError::Unavailable`], [`IndexError::Refused`] (also of servers that do not keep what they confirm),
    /// [`IndexError::Foreign`], [`IndexError::UnknownFormat`].
    pub async fn connect(settings: PostgresSettings) -> Result<PostgresIndex, IndexError> {
        let (place, patience) = (settings.place(), settings.patience);
        let index = PostgresIndex { pool: Pool::new(settings), place, patience };
        // The first session makes the tables.
        index.call(true, async |_| Ok(())).await?;
        Ok(index)
    }

    /// Makes a call with a session, again and again while failures pass and there is time.
    async fn call<T, C: Future<Output = Result<T, Failure>>>(
        &self,
        repeatable: bool,
        call: impl Fn(Arc<Session>) -> C,
    ) -> Result<T, IndexError> {
        let started = Instant::now();
        let (mut attempt, mut reason) = (0, None);
        loop {
            let left = self.patience.saturating_sub(started.elapsed());
            let (phase, failure) = match self.attempt(left, &call).await {
                Ok(result) => return Ok(result),
                Err(failed) => failed,
            };
            let reason = match failure {
                Failure::Index(error) => return Err(error),
                Failure::Refused(reason) => {
                    return Err(IndexError::Refused { place: self.place.to_string(), reason });
                }
                Failure::Lost(reason) | Failure::Late(reason) if phase == Phase::Sent && !repeatable => {
                    return Err(IndexError::OutcomeUnknown { place: self.place.to_string(), reason });
                }
                // What the server said before says more.
                Failure::Late(late) => reason.get_or_insert(late),
                Failure::Lost(last) | Failure::Misplaced(last) | Failure::Passing(last) => {
                    reason.insert(last)
                }
            };
            pause(attempt).await;
            if self.patience.saturating_sub(started.elapsed()) < self.patience / LAST_ATTEMPT_SHARE {
                let waited_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
                return Err(IndexError::Unavailable {
                    place: self.place.to_string(),
                    waited_ms,
                    reason: reason.clone(),
                });
            }
            tracing::debug!(place = %self.place, attempt, reason = reason.as_str(), "trying again");
            attempt += 1;
        }
    }

    async fn attempt<T, C: Future<Output = Result<T, Failure>>>(
        &self,
        left: Duration,
        call: &impl Fn(Arc<Session>) -> C,
    ) -> Result<T, (Phase, Failure)> {
        let started = Instant::now();
        let late = |what: &str| Failure::Late(format!("{what} took longer than {} ms", left.as_millis()));
        let lent = match timeout(left, self.pool.take()).await {
            Ok(lent) => lent.map_err(|failure| (Phase::Before, failure))?,
            Err(_) => return Err((Phase::Before, late("getting a connection"))),
        };
        match timeout(left.saturating_sub(started.elapsed()), call(lent.session())).await {
            Ok(Ok(result)) => {
                lent.give_back();
                Ok(result)
            }
            // The server told us, so the connection is in order.
            Ok(Err(failure @ (Failure::Index(_) | Failure::Passing(_)))) => {
                lent.give_back();
                Err((Phase::Sent, failure))
            }
            Ok(Err(failure)) => Err((Phase::Sent, failure)),
            Err(_) => Err((Phase::Sent, late("an answer"))),
        }
    }
}

#[async_trait]
impl Index for PostgresIndex {
    async fn get(&self, table: Table, key: &[u8]) -> Result<Option<Bytes>, IndexError> {
        if key.len() > KEY_BYTES_MAX {
            return Ok(None);
        }
        self.call(true, |session| async move { session.get(table, key).await }).await
    }

    async fn scan(
        &self,
        table: Table,
        range: &KeyRange,
        limit: usize,
    ) -> Result<Vec<(Bytes, Bytes)>, IndexError> {
        let limit = limit.min(SCAN_ENTRIES_MAX);
        if range.is_empty() || limit == 0 {
            return Ok(Vec::new());
        }
        self.call(true, |session| async move { session.scan(table, range, limit).await }).await
    }

    async fn commit(&self, changes: Changes) -> Result<(), IndexError> {
        changes.check_limits()?;
        if changes.is_empty() {
            return Ok(());
        }
        let changes = &changes;
        self.call(false, |session| async move { session.commit(changes).await }).await
    }

    fn place(&self) -> &str {
        &self.place
    }
}
