//! What all back ends over a real file share: single transfers, sync, reserving and freeing space, errors with names.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use super::progress::{Progress, Step};
use super::{AlignedBuffer, IoError, PAGE_BYTES, check_aligned, check_range};

/// Space is reserved in steps of this many bytes, so that progress shows and a stop is quick.
const PREALLOCATE_STEP_BYTES: u64 = 256 << 20;

/// Zeros are written in pieces of this many bytes where holes cannot be punched.
const ZERO_PIECE_BYTES: usize = 1 << 20;

/// An open file. After a failed sync it refuses everything.
#[derive(Debug)]
pub(super) struct DataFile {
    pub(super) file: File,
    path: PathBuf,
    writable: bool,
    closed: AtomicBool,
    notes: Mutex<Vec<String>>,
}

impl DataFile {
    pub(super) fn new(file: File, path: PathBuf, writable: bool) -> Self {
        Self { file, path, writable, closed: AtomicBool::new(false), notes: Mutex::default() }
    }

    pub(super) fn error(
        &self,
        error: &io::Error,
        operation: &'static str,
        offset: u64,
        length: u64,
    ) -> IoError {
        IoError::from_os(error, operation, &self.path, offset, length)
    }

    /// Keeps a sentence for the user, once.
    pub(super) fn note(&self, sentence: String) {
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        if !notes.contains(&sentence) {
            notes.push(sentence);
        }
    }

    pub(super) fn notes(&self) -> Vec<String> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn check_open(&self) -> Result<(), IoError> {
        if self.closed.load(Ordering::Acquire) { Err(IoError::Closed) } else { Ok(()) }
    }

    pub(super) fn check_writable(&self) -> Result<(), IoError> {
        self.check_open()?;
        if self.writable { Ok(()) } else { Err(IoError::ReadOnly { path: self.path.clone() }) }
    }

    /// What every read checks first.
    pub(super) fn check_read(&self, offset: u64, buffer: &[u8]) -> Result<(), IoError> {
        self.check_open()?;
        check_aligned(offset, buffer)
    }

    /// What every write checks first.
    pub(super) fn check_write(&self, offset: u64, buffer: &[u8]) -> Result<(), IoError> {
        self.check_writable()?;
        check_aligned(offset, buffer)
    }

    pub(super) fn len_bytes(&self) -> Result<u64, IoError> {
        self.check_open()?;
        let metadata = self.file.metadata().map_err(|error| self.error(&error, "get the length of", 0, 0))?;
        Ok(metadata.len())
    }

    pub(super) fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), IoError> {
        self.check_read(offset, buffer)?;
        let length = buffer.len();
        let outcome = transfer(length, |done| self.file.read_at(&mut buffer[done..], offset + done as u64));
        outcome.map_err(|error| self.error(&error, "read", offset, length as u64))
    }

    pub(super) fn write_at(&self, offset: u64, buffer: &[u8]) -> Result<(), IoError> {
        self.check_write(offset, buffer)?;
        let outcome =
            transfer(buffer.len(), |done| self.file.write_at(&buffer[done..], offset + done as u64));
        outcome.map_err(|error| self.error(&error, "write", offset, buffer.len() as u64))
    }

    pub(super) fn sync(&self) -> Result<(), IoError> {
        self.check_open()?;
        self.file.sync_data().map_err(|error| {
            // The kernel may have dropped the dirty pages and will not say so twice; see partition-file-v1 §1.
            self.closed.store(true, Ordering::Release);
            self.error(&error, "sync", 0, 0)
        })
    }

    pub(super) fn set_len(&self, length: u64) -> Result<(), IoError> {
        self.check_writable()?;
        if !length.is_multiple_of(PAGE_BYTES as u64) {
            return Err(IoError::Unaligned { what: "length", value: length });
        }
        self.file.set_len(length).map_err(|error| self.error(&error, "set the length of", 0, length))
    }

    pub(super) fn preallocate(
        &self,
        offset: u64,
        length: u64,
        progress: &mut dyn FnMut(u64) -> bool,
    ) -> Result<(), IoError> {
        self.check_writable()?;
        check_range(offset, length)?;
        let mut reserved = 0;
        while reserved < length {
            if !progress(reserved) {
                return Err(IoError::Cancelled);
            }
            let step = PREALLOCATE_STEP_BYTES.min(length - reserved);
            match retry(|| reserve(&self.file, offset + reserved, step)) {
                Ok(()) => reserved += step,
                Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                    self.extend(offset + length)?;
                    reserved = length;
                }
                Err(error) => {
                    return Err(self.error(&error, "reserve space for", offset + reserved, step));
                }
            }
        }
        progress(length);
        Ok(())
    }

    /// Where space cannot be reserved: at least the length, so that later writes need not extend the file.
    fn extend(&self, end: u64) -> Result<(), IoError> {
        self.note(format!(
            "{}: this file system cannot reserve space, so the file was only extended; the disk may fill up under it",
            self.path.display()
        ));
        if self.len_bytes()? < end { self.set_len(end) } else { Ok(()) }
    }

    pub(super) fn punch_hole(&self, offset: u64, length: u64) -> Result<(), IoError> {
        self.check_writable()?;
        check_range(offset, length)?;
        if offset + length > self.len_bytes()? {
            return Err(IoError::PastEnd { path: self.path.clone(), offset, length });
        }
        match retry(|| punch(&self.file, offset, length)) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::Unsupported => self.write_zeros(offset, length),
            Err(error) => Err(self.error(&error, "free space of", offset, length)),
        }
    }

    /// Where holes cannot be punched: the bytes read as zeros, but the space stays taken.
    fn write_zeros(&self, offset: u64, length: u64) -> Result<(), IoError> {
        self.note(format!(
            "{}: this file system cannot free space inside a file, so the range was only overwritten with zeros",
            self.path.display()
        ));
        let zeros = AlignedBuffer::zeroed(ZERO_PIECE_BYTES)?;
        let mut done = 0;
        while done < length {
            let piece = usize::try_from(length - done).map_or(zeros.len(), |rest| rest.min(zeros.len()));
            self.write_at(offset + done, &zeros[..piece])?;
            done += piece as u64;
        }
        Ok(())
    }
}

/// Repeats a system call until all bytes are transferred; `call` gets the bytes done so far.
fn transfer(length: usize, mut call: impl FnMut(usize) -> io::Result<usize>) -> io::Result<()> {
    let mut progress = Progress::new(length);
    loop {
        match progress.step(call(progress.done())) {
            Step::Finished => return Ok(()),
            Step::Again => {}
            Step::Failed(error) => return Err(error),
        }
    }
}

fn retry(mut call: impl FnMut() -> io::Result<()>) -> io::Result<()> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            outcome => return outcome,
        }
    }
}

#[cfg(target_os = "linux")]
fn reserve(file: &File, offset: u64, length: u64) -> io::Result<()> {
    Ok(rustix::fs::fallocate(file, rustix::fs::FallocateFlags::empty(), offset, length)?)
}

#[cfg(target_os = "linux")]
fn punch(file: &File, offset: u64, length: u64) -> io::Result<()> {
    use rustix::fs::FallocateFlags;
    let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    Ok(rustix::fs::fallocate(file, flags, offset, length)?)
}

#[cfg(not(target_os = "linux"))]
fn reserve(_: &File, _: u64, _: u64) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(not(target_os = "linux"))]
fn punch(_: &File, _: u64, _: u64) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
