//! Uploads: the bytes of a stream go to a thread that writes and hashes them. An upload whose stream breaks waits for
//! another one that goes on, for a while, as long as this process lives.

use std::collections::HashMap;
use std::io::{self, Read};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use holdfast_engine::account::Account;
use holdfast_engine::object::{Put, PutTerms};
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard, mpsc, oneshot};
use tokio::time::Instant;
use tonic::Code;

use super::error::MinerError;
use super::limits::fair_share;
use super::shares::Store;
use crate::local::failure::Failure;

/// Parts that wait for the writing thread: as many as it writes and hashes at once, so that the next ones are there when it has.
const PARTS_WAITING: usize = 4;

/// What an upload is, whoever continues it: the digest of its ticket.
pub(super) type UploadKey = [u8; 32];

/// How an object is to be written.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) store: Arc<Store>,
    pub(super) length_bytes: u64,
    pub(super) root: [u8; 32],
    pub(super) now: u64,
    pub(super) expires_at: u64,
    pub(super) signed_ticket: Vec<u8>,
}

/// The sending end of an upload.
#[derive(Debug)]
pub(super) struct Upload {
    /// Where it goes.
    store: Arc<Store>,
    /// None once the upload was given up.
    parts: Option<mpsc::Sender<Bytes>>,
    done: oneshot::Receiver<Result<Put, Failure>>,
    received: Arc<AtomicU64>,
    length_bytes: u64,
}

impl Upload {
    fn start(plan: Plan) -> Upload {
        let (parts, receiver) = mpsc::channel(PARTS_WAITING);
        let (sender, done) = oneshot::channel();
        let (store, length_bytes) = (Arc::clone(&plan.store), plan.length_bytes);
        // Ends when the parts do, or when nobody can send any more: no shutdown waits for it.
        drop(tokio::task::spawn_blocking(move || {
            let source = Parts { receiver, current: Bytes::new(), left: plan.length_bytes };
            let terms = PutTerms {
                declared_bytes: Some(plan.length_bytes),
                expected: Some(holdfast_engine::object::Address::Blake3(plan.root)),
                now: plan.now,
                expires_at: Some(plan.expires_at),
                ticket: Some(&plan.signed_ticket),
            };
            let put = plan.store.shelf.objects.put(source, &terms);
            // Whoever asked may be gone; what was stored is stored.
            drop(sender.send(put.map_err(|error| plan.store.shelf.failed(error))));
        }));
        Upload { store, parts: Some(parts), done, received: Arc::default(), length_bytes }
    }

    /// Where it goes: a validator may have several stores here.
    pub(super) fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// Bytes that came.
    pub(super) fn received(&self) -> u64 {
        self.received.load(Ordering::SeqCst)
    }

    /// Bytes that are still to come.
    pub(super) fn left(&self) -> u64 {
        self.length_bytes - self.received()
    }

    /// Takes the next part, which is not longer than what is left. `false` if the writer ended: [`Upload::finish`] says why.
    pub(super) async fn take(&mut self, part: Bytes) -> bool {
        let bytes = part.len() as u64;
        let Some(parts) = &self.parts else { return false };
        let taken = parts.send(part).await.is_ok();
        if taken {
            self.received.fetch_add(bytes, Ordering::SeqCst);
        }
        taken
    }

    /// Throws away what came, and returns when nothing of it is left.
    pub(super) async fn give_up(&mut self) {
        self.parts = None;
        // Why the writer ended is what we just did.
        let _ = (&mut self.done).await;
    }

    /// Waits until the object is durable, or why it never will be.
    pub(super) async fn finish(&mut self) -> Result<Put, MinerError> {
        match (&mut self.done).await {
            Ok(put) => Ok(put?),
            Err(_) => Err(MinerError::Lost("the writer of an upload ended".to_owned())),
        }
    }
}

/// Parts as a stream of bytes, for the writing thread.
struct Parts {
    receiver: mpsc::Receiver<Bytes>,
    current: Bytes,
    left: u64,
}

impl Read for Parts {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() {
            if self.left == 0 || buffer.is_empty() {
                return Ok(0);
            }
            let abandoned = || io::Error::new(io::ErrorKind::ConnectionAborted, "the upload was abandoned");
            self.current = self.receiver.blocking_recv().ok_or_else(abandoned)?;
        }
        let bytes = buffer.len().min(self.current.len());
        buffer[..bytes].copy_from_slice(&self.current.split_to(bytes));
        self.left = self.left.saturating_sub(bytes as u64);
        Ok(bytes)
    }
}

#[derive(Debug)]
struct Entry {
    upload: Arc<AsyncMutex<Upload>>,
    received: Arc<AtomicU64>,
    caller: Account,
    /// Who gave the ticket for it.
    validator: Account,
    touched: Instant,
}

impl Entry {
    fn is_parked(&self) -> bool {
        self.upload.try_lock().is_ok()
    }
}

/// All uploads, those that wait for another stream included.
#[derive(Debug)]
pub(super) struct Uploads {
    entries: Mutex<HashMap<UploadKey, Entry>>,
    most: usize,
    most_per_caller: usize,
    kept: Duration,
}

impl Uploads {
    pub(super) fn new(most: usize, most_per_caller: usize, kept: Duration) -> Uploads {
        Uploads { entries: Mutex::default(), most, most_per_caller, kept }
    }

    /// Goes on with an upload where it stopped; `None` if one is to begin. It waits for another stream when the guard is dropped.
    pub(super) fn resume(
        &self,
        key: &UploadKey,
        offset_bytes: u64,
    ) -> Result<Option<OwnedMutexGuard<Upload>>, MinerError> {
        let mut entries = self.lock();
        self.sweep(&mut entries);
        let Some(entry) = entries.get_mut(key) else {
            return if offset_bytes == 0 { Ok(None) } else { Err(wrong_offset(offset_bytes, 0)) };
        };
        let upload = Arc::clone(&entry.upload).try_lock_owned();
        let upload = upload.map_err(|_| goes_on_elsewhere())?;
        if upload.received() == offset_bytes {
            entry.touched = Instant::now();
            return Ok(Some(upload));
        }
        if offset_bytes != 0 {
            return Err(wrong_offset(offset_bytes, upload.received()));
        }
        // It begins anew, and what came before is thrown away.
        drop(upload);
        entries.remove(key);
        Ok(None)
    }

    /// Begins an upload under a ticket of the plan's validator, one of so many `validators`. It waits as one that goes on does.
    pub(super) fn begin(
        &self,
        key: UploadKey,
        caller: Account,
        plan: Plan,
        validators: usize,
    ) -> Result<OwnedMutexGuard<Upload>, MinerError> {
        let mut entries = self.lock();
        if entries.contains_key(&key) {
            return Err(goes_on_elsewhere());
        }
        let validator = plan.store.validator;
        self.make_place(&mut entries, &caller, &validator, validators)?;
        let upload = Upload::start(plan);
        let received = Arc::clone(&upload.received);
        let upload = Arc::new(AsyncMutex::new(upload));
        let guard = Arc::clone(&upload).try_lock_owned();
        let guard = guard.map_err(|_| MinerError::Lost("an upload that just began is held".to_owned()))?;
        entries.insert(key, Entry { upload, received, caller, validator, touched: Instant::now() });
        Ok(guard)
    }

    /// Bytes that are kept of an upload.
    pub(super) fn received(&self, key: &UploadKey) -> u64 {
        self.lock().get(key).map_or(0, |entry| entry.received.load(Ordering::SeqCst))
    }

    /// An upload ended, well or not: there is nothing to go on with.
    pub(super) fn forget(&self, key: &UploadKey) {
        self.lock().remove(key);
    }

    fn make_place(
        &self,
        entries: &mut HashMap<UploadKey, Entry>,
        caller: &Account,
        validator: &Account,
        validators: usize,
    ) -> Result<(), MinerError> {
        let of_caller = entries.values().filter(|entry| entry.caller == *caller).count();
        if of_caller >= self.most_per_caller {
            return Err(MinerError::busy(format!("{of_caller} uploads of {caller} are going on or wait")));
        }
        // Whoever gives tickets can give them to any number of callers: so it has its part of the places and no more.
        let of_validator = |entry: &Entry| entry.validator == *validator;
        let taken = entries.values().filter(|entry| of_validator(entry)).count();
        if taken < fair_share(self.most, validators) {
            return Ok(());
        }
        let parked = entries.iter().filter(|(_, entry)| of_validator(entry) && entry.is_parked());
        let oldest = parked.min_by_key(|(_, entry)| entry.touched).map(|(key, _)| *key);
        let going_on =
            || MinerError::busy(format!("{taken} uploads under tickets of {validator} are going on"));
        entries.remove(&oldest.ok_or_else(going_on)?);
        Ok(())
    }

    /// Forgets what waited too long.
    fn sweep(&self, entries: &mut HashMap<UploadKey, Entry>) {
        let now = Instant::now();
        entries.retain(|_, entry| {
            now.saturating_duration_since(entry.touched) < self.kept || !entry.is_parked()
        });
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<UploadKey, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn goes_on_elsewhere() -> MinerError {
    MinerError::busy("this upload is going on in another stream")
}

fn wrong_offset(asked: u64, kept: u64) -> MinerError {
    MinerError::Refused {
        code: Code::FailedPrecondition,
        reason: "wrong-offset",
        message: format!("the parts are to begin at {asked}, and {kept} bytes are kept"),
        advice: "ask StoreProgress where to go on, or begin at 0",
    }
}
