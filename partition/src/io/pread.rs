//! `pread` and `pwrite`, with as many scoped threads as operations may be in flight. Works everywhere; direct I/O where
//! the file system takes it.

use std::sync::{Mutex, PoisonError};
use std::thread;

use super::file::DataFile;
use super::{BlockIo, BufferPool, IoError, NextWrite, ReadRequest, WriteSource};

/// More threads than this only cost memory; a deeper queue wants `uring`.
const THREADS_MAX: usize = 64;

/// The back end.
#[derive(Debug)]
pub(super) struct PreadIo {
    file: DataFile,
}

impl PreadIo {
    pub(super) fn new(file: DataFile) -> Self {
        Self { file }
    }
}

impl BlockIo for PreadIo {
    fn name(&self) -> &'static str {
        "pread"
    }

    fn len_bytes(&self) -> Result<u64, IoError> {
        self.file.len_bytes()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), IoError> {
        self.file.read_at(offset, buffer)
    }

    fn write_at(&self, offset: u64, buffer: &[u8]) -> Result<(), IoError> {
        self.file.write_at(offset, buffer)
    }

    fn read_batch(&self, requests: &mut [ReadRequest<'_>], depth: usize) {
        read_batch(requests, depth, |offset, buffer| self.file.read_at(offset, buffer));
    }

    fn pump(&self, _: &BufferPool, source: &dyn WriteSource, depth: usize) {
        pump(&self.file, source, depth);
    }

    fn sync(&self) -> Result<(), IoError> {
        self.file.sync()
    }

    fn preallocate(
        &self,
        offset: u64,
        length: u64,
        progress: &mut dyn FnMut(u64) -> bool,
    ) -> Result<(), IoError> {
        self.file.preallocate(offset, length, progress)
    }

    fn set_len(&self, length: u64) -> Result<(), IoError> {
        self.file.set_len(length)
    }

    fn punch_hole(&self, offset: u64, length: u64) -> Result<(), IoError> {
        self.file.punch_hole(offset, length)
    }

    fn notes(&self) -> Vec<String> {
        self.file.notes()
    }
}

/// Reads a batch with up to `depth` threads calling `read`.
pub(super) fn read_batch(
    requests: &mut [ReadRequest<'_>],
    depth: usize,
    read: impl Fn(u64, &mut [u8]) -> Result<(), IoError> + Sync,
) {
    let threads = depth.min(requests.len());
    let queue = Mutex::new(requests.iter_mut());
    on_threads(threads, || {
        loop {
            // Taken in its own statement, or the lock would be held while reading.
            let next = queue.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some(request) = next else { break };
            request.result = read(request.offset, request.buffer);
        }
    });
}

/// Pumps with up to `depth` threads; each waits in the source only while it has nothing in flight itself.
pub(super) fn pump(file: &DataFile, source: &dyn WriteSource, depth: usize) {
    on_threads(depth, || {
        loop {
            match source.next(true) {
                NextWrite::Ready(request) => {
                    let result = file.write_at(request.offset, &request.buffer);
                    source.done(request, result);
                }
                NextWrite::Empty => {}
                NextWrite::Closed => break,
            }
        }
    });
}

/// Runs `work` on this thread and on up to `threads − 1` more; fewer where the system gives no more.
fn on_threads(threads: usize, work: impl Fn() + Sync) {
    thread::scope(|scope| {
        for _ in 1..threads.min(THREADS_MAX) {
            let builder = thread::Builder::new().name("holdfast-io".into());
            if builder.spawn_scoped(scope, &work).is_err() {
                break;
            }
        }
        work();
    });
}
