//! Reads through a shared memory map, writes through the page cache: for small files that are mostly read, such as tables.
//!
//! Both see the same pages, so a write is visible to the next read. The risk of every map: when the device fails to deliver
//! a page, or another process cuts the file while a read copies from it, the kernel ends the process with SIGBUS instead
//! of an error. Each read therefore checks the file's length first, and this handle cuts the file only while nobody reads;
//! what remains is foreign processes and dying disks, so window data is never read this way.
#![allow(unsafe_code)]

use std::sync::{PoisonError, RwLock};

use memmap2::{MmapOptions, MmapRaw};

use super::file::DataFile;
use super::{BlockIo, BufferPool, IoError, ReadRequest, WriteSource, pread};

/// The back end.
#[derive(Debug)]
pub(super) struct MmapIo {
    file: DataFile,
    /// Covers the first bytes of the file; made at the first read and made anew when the file has grown.
    map: RwLock<Option<MmapRaw>>,
}

impl MmapIo {
    pub(super) fn new(file: DataFile) -> Self {
        Self { file, map: RwLock::new(None) }
    }

    /// Maps the whole file if the present map does not reach `end`.
    fn reach(&self, end: u64) -> Result<(), IoError> {
        let reaches = |map: &Option<MmapRaw>| map.as_ref().is_some_and(|map| map.len() as u64 >= end);
        if reaches(&self.map.read().unwrap_or_else(PoisonError::into_inner)) {
            return Ok(());
        }
        let mut map = self.map.write().unwrap_or_else(PoisonError::into_inner);
        if !reaches(&map) {
            let mapped = MmapOptions::new().map_raw_read_only(&self.file.file);
            *map = Some(mapped.map_err(|error| self.file.error(&error, "map", 0, end))?);
        }
        Ok(())
    }

    fn copy(&self, offset: u64, buffer: &mut [u8]) -> Result<(), IoError> {
        self.file.check_read(offset, buffer)?;
        let length = buffer.len() as u64;
        let past_end = || self.file.error(&std::io::ErrorKind::UnexpectedEof.into(), "read", offset, length);
        if offset + length > self.file.len_bytes()? {
            return Err(past_end());
        }
        self.reach(offset + length)?;
        let map = self.map.read().unwrap_or_else(PoisonError::into_inner);
        let Some(map) = map.as_ref() else { return Err(past_end()) };
        // Again under the lock: `set_len` may have cut file and map meanwhile.
        let Ok(start) = usize::try_from(offset) else { return Err(past_end()) };
        if map.len().saturating_sub(start) < buffer.len() || offset + length > self.file.len_bytes()? {
            return Err(past_end());
        }
        // SAFETY: `[start, start + buffer.len())` lies inside the map (checked above), which lives while the lock is held,
        // and inside the file. `buffer` is exclusive memory of ours, so the two do not overlap. No reference into the map
        // is made, so bytes changing under the copy by a write elsewhere can give old or new bytes, nothing worse.
        unsafe {
            std::ptr::copy_nonoverlapping(map.as_ptr().add(start), buffer.as_mut_ptr(), buffer.len());
        }
        Ok(())
    }
}

impl BlockIo for MmapIo {
    fn name(&self) -> &'static str {
        "mmap"
    }

    fn len_bytes(&self) -> Result<u64, IoError> {
        self.file.len_bytes()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), IoError> {
        self.copy(offset, buffer)
    }

    fn write_at(&self, offset: u64, buffer: &[u8]) -> Result<(), IoError> {
        self.file.write_at(offset, buffer)
    }

    fn read_batch(&self, requests: &mut [ReadRequest<'_>], depth: usize) {
        pread::read_batch(requests, depth, |offset, buffer| self.copy(offset, buffer));
    }

    fn pump(&self, _: &BufferPool, source: &dyn WriteSource, depth: usize) {
        pread::pump(&self.file, source, depth);
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
        let mut map = self.map.write().unwrap_or_else(PoisonError::into_inner);
        *map = None;
        self.file.set_len(length)
    }

    fn punch_hole(&self, offset: u64, length: u64) -> Result<(), IoError> {
        self.file.punch_hole(offset, length)
    }

    fn notes(&self) -> Vec<String> {
        self.file.notes()
    }
}
