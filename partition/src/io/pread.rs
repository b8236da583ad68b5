//! Plain positional reads and writes on threads: works everywhere.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{BlockIo, BufferPool, IoError, NextWrite, PAGE_BYTES, ReadRequest, WriteSource};

/// Bytes reserved in one step of a preallocation.
const PREALLOCATE_STEP_BYTES: u64 = 256 << 20;

/// A file by `pread` and `pwrite`.
#[derive(Debug)]
pub struct Pread {
    file: File,
    closed: AtomicBool,
}

impl Pread {
    /// Over an open file.
    pub fn new(file: File) -> Pread {
        Pread { file, closed: AtomicBool::new(false) }
    }

    fn check(&self, offset: u64, length: usize) -> Result<(), IoError> {
        if self.closed.load(Ordering::Acquire) {
            return Err(IoError::Closed);
        }
        let length = length as u64;
        let page = PAGE_BYTES as u64;
        if !offset.is_multiple_of(page) || !length.is_multiple_of(page) {
            return Err(IoError::Unaligned { offset, length });
        }
        Ok(())
    }
}

impl BlockIo for Pread {
    fn name(&self) -> &'static str {
        "pread"
    }

    fn len_bytes(&self) -> Result<u64, IoError> {
        let metadata = self.file.metadata().map_err(|e| IoError::from_system("stat", 0, 0, &e))?;
        Ok(metadata.len())
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), IoError> {
        self.check(offset, buffer.len())?;
        let length = buffer.len() as u64;
        let mut done = 0;
        while done < buffer.len() {
            match self.file.read_at(&mut buffer[done..], offset + done as u64) {
                Ok(0) => return Err(IoError::ShortRead { offset, length, found: done as u64 }),
                Ok(count) => done += count,
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Err(e) => return Err(IoError::from_system("read", offset, length, &e)),
            }
        }
        Ok(())
    }

    fn write_at(&self, offset: u64, buffer: &[u8]) -> Result<(), IoError> {
        self.check(offset, buffer.len())?;
        self.file
            .write_all_at(buffer, offset)
            .map_err(|e| IoError::from_system("write", offset, buffer.len() as u64, &e))
    }

    fn read_batch(&self, requests: &mut [ReadRequest<'_>], depth: usize) {
        let threads = depth.clamp(1, requests.len().max(1));
        let queue = Mutex::new(requests.iter_mut());
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    loop {
                        let request = queue.lock().map(|mut queue| queue.next());
                        let Ok(Some(request)) = request else { break };
                        request.result = self.read_at(request.offset, request.buffer);
                    }
                });
            }
        });
    }

    fn pump(&self, _: &BufferPool, source: &dyn WriteSource, depth: usize) {
        std::thread::scope(|scope| {
            for _ in 0..depth.max(1) {
                scope.spawn(|| {
                    while let NextWrite::Ready(request) = source.next(true) {
                        let result = self.write_at(request.offset, &request.buffer[..request.length]);
                        source.done(request, result);
                    }
                });
            }
        });
    }

    fn sync(&self) -> Result<(), IoError> {
        self.check(0, 0)?;
        self.file.sync_data().map_err(|e| {
            self.closed.store(true, Ordering::Release);
            IoError::from_system("sync", 0, 0, &e)
        })
    }

    fn preallocate(
        &self,
        offset: u64,
        length: u64,
        progress: &mut dyn FnMut(u64) -> bool,
    ) -> Result<(), IoError> {
        self.check(offset, 0)?;
        let mut done = 0;
        while done < length {
            let step = PREALLOCATE_STEP_BYTES.min(length - done);
            let flags = rustix::fs::FallocateFlags::empty();
            rustix::fs::fallocate(&self.file, flags, offset + done, step)
                .map_err(|e| IoError::from_system("preallocate", offset + done, step, &e.into()))?;
            done += step;
            if !progress(done) && done < length {
                return Err(IoError::Cancelled);
            }
        }
        Ok(())
    }

    fn set_len(&self, length: u64) -> Result<(), IoError> {
        self.check(length, 0)?;
        self.file.set_len(length).map_err(|e| IoError::from_system("resize", length, 0, &e))
    }

    fn punch_hole(&self, offset: u64, length: u64) -> Result<(), IoError> {
        self.check(offset, 0)?;
        let flags = rustix::fs::FallocateFlags::PUNCH_HOLE | rustix::fs::FallocateFlags::KEEP_SIZE;
        rustix::fs::fallocate(&self.file, flags, offset, length)
            .map_err(|e| IoError::from_system("punch hole", offset, length, &e.into()))
    }
}
