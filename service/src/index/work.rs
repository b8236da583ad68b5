//! Read, decide, write: and do it over if what was read has changed.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;

use super::{Changes, Index, IndexError, Table};

/// How often [`transact`] tries. With the pauses between, that is some seconds.
pub const ATTEMPTS_MAX: u32 = 200;

/// Pauses grow from the first to the second, in milliseconds, and are random below that.
const PAUSE_MS: (u64, u64) = (2, 50);

/// Changes that rest on reads. What was read is checked when they are committed, so they are made as if nobody else had
/// been there between. Clones are handles of the same work.
///
/// Single keys only: a range that was scanned may have gained a key. What depends on a range being complete must read, and
/// whoever adds to it must write, a key that stands for it.
#[derive(Clone, Debug)]
pub struct Work<'i> {
    index: &'i dyn Index,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    read: BTreeMap<(Table, Bytes), Option<Bytes>>,
    changes: Changes,
}

impl<'i> Work<'i> {
    /// Nothing read, nothing to write.
    pub fn new(index: &'i dyn Index) -> Work<'i> {
        Work { index, state: Arc::default() }
    }

    /// A value as this work has set it, or else as it was when the work first read it.
    ///
    /// # Errors
    /// As [`Index::get`].
    pub async fn get(&self, table: Table, key: &[u8]) -> Result<Option<Bytes>, IndexError> {
        if let Some(known) = self.known(table, key) {
            return Ok(known);
        }
        let found = self.index.get(table, key).await?;
        // Of two reads at once the first counts: both are checked by it.
        Ok(self.state().read.entry((table, Bytes::copy_from_slice(key))).or_insert(found).clone())
    }

    /// Sets a value when the work is committed.
    pub fn put(&self, table: Table, key: impl Into<Bytes>, value: impl Into<Bytes>) {
        self.state().changes.put(table, key, value);
    }

    /// Removes a value when the work is committed.
    pub fn delete(&self, table: Table, key: impl Into<Bytes>) {
        self.state().changes.delete(table, key);
    }

    /// Makes the changes. Without any it still makes sure that all reads were true at one moment.
    ///
    /// # Errors
    /// As [`Index::commit`].
    pub async fn commit(self) -> Result<(), IndexError> {
        let State { read, mut changes } = std::mem::take(&mut *self.state());
        for ((table, key), value) in read {
            changes.check(table, key, value);
        }
        self.index.commit(changes).await
    }

    /// Makes sure that all reads were true at one moment, and changes nothing.
    async fn confirm(self) -> Result<(), IndexError> {
        self.state().changes = Changes::new();
        self.commit().await
    }

    fn known(&self, table: Table, key: &[u8]) -> Option<Option<Bytes>> {
        let state = self.state();
        let read = || state.read.get(&(table, Bytes::copy_from_slice(key))).cloned();
        state.changes.written(table, key).map(|written| written.cloned()).or_else(read)
    }

    /// Never held across an await. A panic in between leaves nothing half done.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs `attempt` and commits what it wants written; if meanwhile somebody changed what it read, runs it again. An error of
/// `attempt` ends it, nothing written, unless what it read was of different moments.
///
/// # Errors
/// Those of `attempt`, of [`Index::get`] and [`Index::commit`], and [`IndexError::Contended`] after [`ATTEMPTS_MAX`]
/// attempts. [`IndexError::OutcomeUnknown`] is passed on: `attempt` may have been done.
pub async fn transact<'i, T, E: From<IndexError>, A: Future<Output = Result<T, E>>>(
    index: &'i dyn Index,
    mut attempt: impl FnMut(Work<'i>) -> A,
) -> Result<T, E> {
    let mut attempts = 0;
    loop {
        let work = Work::new(index);
        let wanted = attempt(work.clone()).await;
        let confirmed = if wanted.is_ok() { work.commit().await } else { work.confirm().await };
        attempts += 1;
        match confirmed {
            Err(IndexError::Conflict { table, key }) if attempts == ATTEMPTS_MAX => {
                return Err(IndexError::Contended { attempts, table, key }.into());
            }
            Err(IndexError::Conflict { .. }) => pause(attempts).await,
            // The attempt's own error says more than that it could not be confirmed.
            Err(error) if wanted.is_ok() => return Err(error.into()),
            _ => return wanted,
        }
    }
}

/// Waits before an attempt is repeated: at random, so that those who met do not meet again, and longer each time.
pub(super) async fn pause(attempt: u32) {
    let longest_ms = PAUSE_MS.0.saturating_mul(1 << attempt.min(16)).min(PAUSE_MS.1);
    // Without randomness all wait equally long, which is still right.
    let random = getrandom::u64().unwrap_or(longest_ms);
    tokio::time::sleep(Duration::from_micros(random % (longest_ms * 1000 + 1))).await;
}
