//! The thread that makes all commits, several at a time.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use redb::{Database, Durability, ReadableTable, WriteTransaction};
use tokio::sync::{mpsc, oneshot};

use super::{definition, failed};
use crate::index::{COMMIT_BYTES_MAX, Changes, IndexError, Table};

/// Commits that wait; who comes later waits to wait.
const QUEUE: usize = 128;

#[derive(Debug)]
pub(super) struct Writer {
    place: Arc<str>,
    /// `None` only while it is dropped.
    queue: Option<mpsc::Sender<Request>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Request {
    changes: Changes,
    answer: oneshot::Sender<Result<(), IndexError>>,
}

impl Writer {
    pub(super) fn start(place: Arc<str>, database: Arc<Database>) -> Result<Writer, IndexError> {
        let (queue, requests) = mpsc::channel(QUEUE);
        let shared = Arc::clone(&place);
        let thread = thread::Builder::new().name("index-writer".to_owned());
        let thread = thread.spawn(move || serve(&shared, &database, requests));
        let thread = thread.map_err(|error| failed("start a thread for", &place, error))?;
        Ok(Writer { place, queue: Some(queue), thread: Some(thread) })
    }

    /// Returns when the changes are durable. They may be made even if the caller stops waiting.
    pub(super) async fn commit(&self, changes: Changes) -> Result<(), IndexError> {
        let gone = |_| failed("commit to", &self.place, "its thread ended");
        let (answer, answered) = oneshot::channel();
        let queue = self.queue.as_ref().ok_or_else(|| gone(()))?;
        queue.send(Request { changes, answer }).await.map_err(|_| gone(()))?;
        answered.await.map_err(|_| gone(()))?
    }

    /// Commits in the queue.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.queue.as_ref().map_or(0, |queue| queue.max_capacity() - queue.capacity())
    }
}

/// Ends the thread, so that the file is closed when the index is gone.
impl Drop for Writer {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            // A panic of it was told to those who waited.
            let _ = thread.join();
        }
    }
}

/// Until all senders are gone. After a failed commit nothing is known of the disk, so there are no more.
fn serve(place: &str, database: &Database, mut requests: mpsc::Receiver<Request>) {
    let mut broken: Option<IndexError> = None;
    while let Some(first) = requests.blocking_recv() {
        let group = gather(first, &mut requests);
        let outcome = match &broken {
            Some(error) => Err(error.clone()),
            None => commit_group(database, &group).map_err(|error| failed("commit to", place, error)),
        };
        match outcome {
            Ok(verdicts) => {
                for (request, verdict) in group.into_iter().zip(verdicts) {
                    // Who no longer waits need not be told.
                    let _ = request.answer.send(verdict);
                }
            }
            Err(error) => {
                for request in group {
                    let _ = request.answer.send(Err(error.clone()));
                }
                broken = Some(error);
            }
        }
    }
}

/// The first request and those that wait already, within what one transaction may hold in memory.
fn gather(first: Request, requests: &mut mpsc::Receiver<Request>) -> Vec<Request> {
    let mut bytes = first.changes.size_bytes();
    let mut group = vec![first];
    while group.len() < QUEUE && bytes < COMMIT_BYTES_MAX {
        let Ok(request) = requests.try_recv() else { break };
        bytes += request.changes.size_bytes();
        group.push(request);
    }
    group
}

/// One transaction for all; each is made or refused on its own. The verdicts hold once this returns.
fn commit_group(database: &Database, group: &[Request]) -> Result<Vec<Result<(), IndexError>>, redb::Error> {
    let mut transaction = database.begin_write()?;
    transaction.set_durability(Durability::Immediate)?;
    transaction.set_two_phase_commit(true);
    let mut tables = Tables { transaction: &transaction, open: BTreeMap::new() };
    let mut verdicts = Vec::with_capacity(group.len());
    let mut written = false;
    for request in group {
        let verdict = apply(&mut tables, &request.changes)?;
        written |= verdict.is_ok() && request.changes.has_writes();
        verdicts.push(verdict);
    }
    drop(tables);
    // Checks alone leave nothing to sync.
    if written {
        transaction.commit()?
    } else {
        transaction.abort()?
    }
    Ok(verdicts)
}

/// Checks first, so that a refused one leaves nothing to undo.
fn apply(tables: &mut Tables<'_>, changes: &Changes) -> Result<Result<(), IndexError>, redb::Error> {
    for check in changes.checks() {
        let found = tables.table(check.table)?.get(&*check.key)?;
        if found.as_ref().map(|value| value.value()) != check.expected.as_deref() {
            return Ok(Err(IndexError::Conflict { table: check.table, key: check.key.clone() }));
        }
    }
    for (table, key, value) in changes.writes() {
        let entries = tables.table(table)?;
        match value {
            Some(value) => entries.insert(&**key, &**value)?,
            None => entries.remove(&**key)?,
        };
    }
    Ok(Ok(()))
}

/// Tables of one transaction, each opened when it is first used.
struct Tables<'t> {
    transaction: &'t WriteTransaction,
    open: BTreeMap<Table, redb::Table<'t, &'static [u8], &'static [u8]>>,
}

impl<'t> Tables<'t> {
    fn table(
        &mut self,
        table: Table,
    ) -> Result<&mut redb::Table<'t, &'static [u8], &'static [u8]>, redb::Error> {
        Ok(match self.open.entry(table) {
            Entry::Occupied(open) => open.into_mut(),
            Entry::Vacant(place) => place.insert(self.transaction.open_table(definition(table))?),
        })
    }
}
