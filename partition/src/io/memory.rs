//! Memory as a file: for tests, and for things too small and short-lived for a disk.

use std::path::Path;
use std::sync::{PoisonError, RwLock};

use super::{
    BlockIo, BufferPool, IoError, NextWrite, PAGE_BYTES, ReadRequest, WriteSource, check_aligned, check_range,
};

/// The name that stands for a path in errors.
const NAME: &str = "(memory)";

/// A growing byte vector behind [`BlockIo`].
#[derive(Debug, Default)]
pub struct MemoryIo {
    bytes: RwLock<Vec<u8>>,
}

impl MemoryIo {
    /// An empty file.
    pub fn new() -> Self {
        Self::default()
    }

    /// A file that holds `bytes`.
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        Self { bytes: RwLock::new(bytes) }
    }

    /// A copy of the whole file.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.bytes.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn change(&self, change: impl FnOnce(&mut Vec<u8>) -> Result<(), IoError>) -> Result<(), IoError> {
        change(&mut self.bytes.write().unwrap_or_else(PoisonError::into_inner))
    }
}

impl BlockIo for MemoryIo {
    fn name(&self) -> &'static str {
        "memory"
    }

    fn len_bytes(&self) -> Result<u64, IoError> {
        Ok(self.bytes.read().unwrap_or_else(PoisonError::into_inner).len() as u64)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), IoError> {
        check_aligned(offset, buffer)?;
        read(&self.bytes.read().unwrap_or_else(PoisonError::into_inner), NAME, offset, buffer)
    }

    fn write_at(&self, offset: u64, buffer: &[u8]) -> Result<(), IoError> {
        check_aligned(offset, buffer)?;
        self.change(|bytes| write(bytes, NAME, offset, buffer))
    }

    fn read_batch(&self, requests: &mut [ReadRequest<'_>], _: usize) {
        for request in requests {
            request.result = self.read_at(request.offset, request.buffer);
        }
    }

    fn pump(&self, _: &BufferPool, source: &dyn WriteSource, _: usize) {
        loop {
            match source.next(true) {
                NextWrite::Ready(request) => {
                    let result = self.write_at(request.offset, &request.buffer);
                    source.done(request, result);
                }
                NextWrite::Empty => {}
                NextWrite::Closed => return,
            }
        }
    }

    fn sync(&self) -> Result<(), IoError> {
        Ok(())
    }

    fn preallocate(
        &self,
        offset: u64,
        length: u64,
        progress: &mut dyn FnMut(u64) -> bool,
    ) -> Result<(), IoError> {
        check_range(offset, length)?;
        if !progress(0) {
            return Err(IoError::Cancelled);
        }
        self.change(|bytes| {
            let end = offset + length;
            if bytes.len() as u64 >= end { Ok(()) } else { resize(bytes, NAME, end) }
        })?;
        progress(length);
        Ok(())
    }

    fn set_len(&self, length: u64) -> Result<(), IoError> {
        if !length.is_multiple_of(PAGE_BYTES as u64) {
            return Err(IoError::Unaligned { what: "length", value: length });
        }
        self.change(|bytes| resize(bytes, NAME, length))
    }

    fn punch_hole(&self, offset: u64, length: u64) -> Result<(), IoError> {
        check_range(offset, length)?;
        self.change(|bytes| punch(bytes, NAME, offset, length))
    }
}

/// Position of `[offset, offset + length)` in `bytes`, or that it lies past the end.
fn range(bytes: &[u8], name: &str, offset: u64, length: u64) -> Result<std::ops::Range<usize>, IoError> {
    let past_end = IoError::PastEnd { path: Path::new(name).into(), offset, length };
    let (Ok(start), Ok(length)) = (usize::try_from(offset), usize::try_from(length)) else {
        return Err(past_end);
    };
    match start.checked_add(length) {
        Some(end) if end <= bytes.len() => Ok(start..end),
        _ => Err(past_end),
    }
}

/// Fills `buffer` from `bytes`.
pub(super) fn read(bytes: &[u8], name: &str, offset: u64, buffer: &mut [u8]) -> Result<(), IoError> {
    buffer.copy_from_slice(&bytes[range(bytes, name, offset, buffer.len() as u64)?]);
    Ok(())
}

/// Copies `buffer` into `bytes`, extending them.
pub(super) fn write(bytes: &mut Vec<u8>, name: &str, offset: u64, buffer: &[u8]) -> Result<(), IoError> {
    let end = offset + buffer.len() as u64;
    if (bytes.len() as u64) < end {
        resize(bytes, name, end)?;
    }
    let range = range(bytes, name, offset, buffer.len() as u64)?;
    bytes[range].copy_from_slice(buffer);
    Ok(())
}

/// Cuts or extends `bytes`; memory that cannot be had counts as a full disk.
pub(super) fn resize(bytes: &mut Vec<u8>, name: &str, length: u64) -> Result<(), IoError> {
    let full = || IoError::DiskFull {
        operation: "set the length of",
        path: Path::new(name).into(),
        offset: 0,
        length,
    };
    let length = usize::try_from(length).map_err(|_| full())?;
    bytes.try_reserve(length.saturating_sub(bytes.len())).map_err(|_| full())?;
    bytes.resize(length, 0);
    Ok(())
}

/// Zeroes a range.
pub(super) fn punch(bytes: &mut [u8], name: &str, offset: u64, length: u64) -> Result<(), IoError> {
    let range = range(bytes, name, offset, length)?;
    bytes[range].fill(0);
    Ok(())
}
