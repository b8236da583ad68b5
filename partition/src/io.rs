//! Block I/O: one trait, one file for each way of doing it, and the choice between them.
//!
//! Offsets, lengths and buffer addresses are multiples of [`PAGE_BYTES`] in every call (direct I/O demands it, so every
//! back end does). The fault seam of the crash tests (`faulty`) is this same trait.

mod buffer;
mod error;
mod pread;

use std::fmt;

pub use buffer::{AlignedBuffer, BufferPool};
pub use error::IoError;
pub use pread::Pread;

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
    /// A request that has not been performed.
    pub fn new(offset: u64, buffer: &'a mut [u8]) -> ReadRequest<'a> {
        ReadRequest { offset, buffer, result: Ok(()) }
    }
}

/// One write owned by a [`WriteSource`] until it is handed back.
#[derive(Debug)]
pub struct WriteRequest {
    /// Byte offset in the file.
    pub offset: u64,
    /// The bytes.
    pub buffer: AlignedBuffer,
    /// How many of the buffer's bytes to write: a multiple of [`PAGE_BYTES`].
    pub length: usize,
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
    /// Nothing any more.
    Closed,
}

/// Where [`BlockIo::pump`] gets its writes from and hands finished buffers back to.
pub trait WriteSource: Sync {
    /// The next write. With `wait` it blocks until there is one or the source is closed.
    fn next(&self, wait: bool) -> NextWrite;
    /// A write has ended, well or not; the buffer goes back to its pool.
    fn done(&self, request: WriteRequest, result: Result<(), IoError>);
}

/// A file (or memory) read and written in aligned pages.
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
    fn pump(&self, pool: &BufferPool, source: &dyn WriteSource, depth: usize);
    /// Makes everything written before durable (data sync). After a failure every later call fails with [`IoError::Closed`].
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
    /// Gives the disk space of a range back; it reads as zeros afterwards.
    fn punch_hole(&self, offset: u64, length: u64) -> Result<(), IoError>;
}
