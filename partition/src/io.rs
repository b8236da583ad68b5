//! Block I/O: one trait, one file for each way of doing it, and the choice between them ([`open`]).
//!
//! Offsets, lengths and buffer addresses are multiples of [`PAGE_BYTES`] in every call (direct I/O demands it, so every
//! back end does). The fault seam of the crash tests (`faulty`) is this same trait.

use std::fmt;

mod buffer;
mod choose;
#[cfg(test)]
mod conformance;
mod error;
pub mod faulty;
mod file;
mod memory;
mod mmap;
mod pread;
mod progress;
#[cfg(target_os = "linux")]
mod uring;
mod write_behind;

pub use buffer::{AlignedBuffer, BufferPool};
pub use choose::{Access, IoChoice, OpenOptions, Opened, Presence, Surveyed, open, survey};
pub use error::IoError;
pub use faulty::FaultyIo;
pub use memory::MemoryIo;
pub use write_behind::WriteBehind;

/// Alignment of every offset, length and buffer address, in bytes.
pub const PAGE_BYTES: usize = 4096;

/// One aligned read of a batch.
#[derive(Debug)]
pub struct ReadRequest<'a> {
    /// Byte offset in the file.
    pub offset: u64,
    /// Where the bytes go; filled completely on success.
    pub buffer: &'a mut [u8],
    /// What became of it. One bad sector does not spoil the other requests of a batch.
    pub result: Result<(), IoError>,
}

impl<'a> ReadRequest<'a> {
    /// A request not carried out yet: its result is [`IoError::Cancelled`] until a batch has run.
    pub fn new(offset: u64, buffer: &'a mut [u8]) -> Self {
        Self { offset, buffer, result: Err(IoError::Cancelled) }
    }
}

/// One write owned by a [`WriteSource`] until it is handed back.
#[derive(Debug)]
pub struct WriteRequest {
    /// Byte offset in the file.
    pub offset: u64,
    /// The bytes, at the buffer's length (see [`AlignedBuffer::set_length`]).
    pub buffer: AlignedBuffer,
    /// Chosen by the source, handed back unchanged.
    pub tag: u64,
}

/// What a [`WriteSource`] has to offer at the moment.
#[derive(Debug)]
pub enum NextWrite {
    /// A write to start now.
    Ready(WriteRequest),
    /// Nothing now; only returned when the caller said it would not wait.
    Empty,
    /// Nothing any more, now and at every later call.
    Closed,
}

/// Where [`BlockIo::pump`] gets its writes from and hands finished buffers back to.
///
/// Both calls may come from several threads at once. Writes in flight together must not overlap.
pub trait WriteSource: Sync {
    /// The next write. With `wait` it blocks until there is one or the source is closed.
    fn next(&self, wait: bool) -> NextWrite;
    /// A write has ended, well or not; dropping the request gives the buffer back to its pool.
    fn done(&self, request: WriteRequest, result: Result<(), IoError>);
}

/// A file (or memory) read and written in aligned pages. Calls may come from several threads at once: reads are answered
/// while a pump runs.
pub trait BlockIo: Send + Sync + fmt::Debug {
    /// How this back end calls itself in reports: `uring`, `pread`, `mmap`, `memory`, `faulty`.
    fn name(&self) -> &'static str;
    /// Current length in bytes.
    fn len_bytes(&self) -> Result<u64, IoError>;
    /// Fills `buffer` from `offset`; reading past the end is an error.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), IoError>;
    /// Writes all of `buffer` at `offset`, extending the file if need be. Durable only after [`BlockIo::sync`].
    fn write_at(&self, offset: u64, buffer: &[u8]) -> Result<(), IoError>;
    /// Reads all requests with at most `depth` in flight and notes the outcome in each.
    fn read_batch(&self, requests: &mut [ReadRequest<'_>], depth: usize);
    /// Takes writes from `source` until it is closed, keeping at most `depth` in flight. Returns when all have ended.
    /// Waits in [`WriteSource::next`] only with nothing in flight. Buffers of `pool` may be written without copying or
    /// mapping them anew for each write; others work too.
    fn pump(&self, pool: &BufferPool, source: &dyn WriteSource, depth: usize);
    /// Makes every write that ended before the call durable (data sync). After a failure every later call fails with
    /// [`IoError::Closed`].
    fn sync(&self) -> Result<(), IoError>;
    /// Reserves disk space for `[offset, offset + length)` without changing bytes that exist, in steps, telling
    /// `progress` the bytes reserved so far; `progress` returns false to stop (then `IoError::Cancelled`).
    fn preallocate(
        &self,
        offset: u64,
        length: u64,
        progress: &mut dyn FnMut(u64) -> bool,
    ) -> Result<(), IoError>;
    /// Cuts or extends the file to `length` bytes.
    fn set_len(&self, length: u64) -> Result<(), IoError>;
    /// Gives the disk space of a range inside the file back; it reads as zeros afterwards.
    fn punch_hole(&self, offset: u64, length: u64) -> Result<(), IoError>;
    /// What a user should know came out differently than hoped since opening, such as buffers that could not be
    /// registered or space that could not be reserved. Sentences, each once.
    fn notes(&self) -> Vec<String> {
        Vec::new()
    }
}

/// Refuses a transfer that direct I/O would refuse.
fn check_aligned(offset: u64, buffer: &[u8]) -> Result<(), IoError> {
    let address = (buffer.as_ptr() as usize % PAGE_BYTES) as u64;
    if address != 0 {
        return Err(IoError::Unaligned { what: "buffer address", value: address });
    }
    check_range(offset, buffer.len() as u64)
}

/// Refuses a range that is not made of whole pages, is empty, or ends beyond what a file offset can say; after it
/// `offset + length` cannot overflow.
fn check_range(offset: u64, length: u64) -> Result<(), IoError> {
    let page = PAGE_BYTES as u64;
    if !offset.is_multiple_of(page) || offset > i64::MAX as u64 {
        return Err(IoError::Unaligned { what: "offset", value: offset });
    }
    if length == 0 || !length.is_multiple_of(page) || length > i64::MAX as u64 - offset {
        return Err(IoError::Unaligned { what: "length", value: length });
    }
    Ok(())
}
