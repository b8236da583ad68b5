//! An opened partition file: window states kept in memory, changed on disk first (docs/spec/partition-file-v1.md §4–5).
//!
//! One writer at a time, any number of readers: answers look up entries while a fill seals windows. Nothing is
//! acknowledged or visible to readers before it is durable. After a failed write or sync of the file's own structures
//! the handle is closed for good.

mod error;
mod open;
mod state;
mod write;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};

pub use error::PartitionFileError;
pub use open::{OpenMode, RecoveryReport};
pub use state::{StateCounts, WindowState};
pub use write::{Mark, SealedWindow};

use crate::format::{Geometry, Header, REGISTRATION_BYTES, WindowEntry};
use crate::io::{AlignedBuffer, BlockIo, IoError, PAGE_BYTES};
use state::State;

/// A partition file, open.
#[derive(Debug)]
pub struct PartitionFile {
    io: Arc<dyn BlockIo>,
    registration: [u8; REGISTRATION_BYTES],
    geometry: Geometry,
    mode: OpenMode,
    state: RwLock<State>,
    writer: Mutex<Writer>,
    closed: AtomicBool,
}

/// What the next journal page and the next header depend on.
#[derive(Debug)]
struct Writer {
    /// The header that counts.
    header: Header,
    /// Where it stands.
    header_offset: u64,
    /// The next free page of the journal.
    next_page: u64,
}

impl PartitionFile {
    fn new(
        io: Arc<dyn BlockIo>,
        mode: OpenMode,
        state: State,
        header: Header,
        header_offset: u64,
        next_page: u64,
    ) -> Self {
        Self {
            io,
            registration: header.registration,
            geometry: *header.geometry(),
            mode,
            state: RwLock::new(state),
            writer: Mutex::new(Writer { header, header_offset, next_page }),
            closed: AtomicBool::new(false),
        }
    }

    /// The file below, for reading and writing slots.
    pub fn io(&self) -> &Arc<dyn BlockIo> {
        &self.io
    }

    /// What the partition is registered as (space-v1 §3).
    pub fn registration(&self) -> &[u8; REGISTRATION_BYTES] {
        &self.registration
    }

    /// Where everything stands in the file.
    pub fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    /// Slots in use.
    ///
    /// # Errors
    /// [`PartitionFileError::Closed`].
    pub fn windows(&self) -> Result<u64, PartitionFileError> {
        Ok(self.read()?.windows())
    }

    /// What the file knows of window `index`; a clone is cheap.
    ///
    /// # Errors
    /// [`PartitionFileError::NoSuchWindow`], [`PartitionFileError::Closed`].
    pub fn entry(&self, index: u64) -> Result<WindowEntry, PartitionFileError> {
        let state = self.read()?;
        state.check_index(index)?;
        Ok(state.entry(index))
    }

    /// The state of window `index`, `Filling` included.
    ///
    /// # Errors
    /// As [`PartitionFile::entry`].
    pub fn window_state(&self, index: u64) -> Result<WindowState, PartitionFileError> {
        let state = self.read()?;
        state.check_index(index)?;
        Ok(state.window_state(index))
    }

    /// How many windows are in which state.
    ///
    /// # Errors
    /// [`PartitionFileError::Closed`].
    pub fn counts(&self) -> Result<StateCounts, PartitionFileError> {
        Ok(self.read()?.counts())
    }

    /// Where the bytes of window `index` begin in the file.
    ///
    /// # Errors
    /// As [`PartitionFile::entry`].
    pub fn window_offset(&self, index: u64) -> Result<u64, PartitionFileError> {
        let state = self.read()?;
        self.geometry
            .window_offset(index)
            .filter(|_| index < state.windows())
            .ok_or_else(|| state.no_window(index))
    }

    /// Where the outboard pages of window `index` begin in the file.
    ///
    /// # Errors
    /// As [`PartitionFile::entry`].
    pub fn outboard_offset(&self, index: u64) -> Result<u64, PartitionFileError> {
        Ok(self.window_offset(index)? + self.geometry.window_bytes())
    }

    /// The window at which scrub goes on.
    ///
    /// # Errors
    /// [`PartitionFileError::Closed`].
    pub fn scrub_position(&self) -> Result<u64, PartitionFileError> {
        Ok(self.read()?.scrub_position())
    }

    /// Notes in memory that window `index`, empty or bad so far, is being written.
    ///
    /// # Errors
    /// [`PartitionFileError::WrongState`] in every other state; [`PartitionFileError::NoSuchWindow`].
    pub fn begin_filling(&self, index: u64) -> Result<(), PartitionFileError> {
        self.check_writable()?;
        self.change()?.begin_filling(index)
    }

    /// Takes [`PartitionFile::begin_filling`] back; does nothing if the window is not being filled.
    ///
    /// # Errors
    /// [`PartitionFileError::Closed`].
    pub fn abandon_filling(&self, index: u64) -> Result<(), PartitionFileError> {
        self.change()?.end_filling(index);
        Ok(())
    }

    fn read(&self) -> Result<RwLockReadGuard<'_, State>, PartitionFileError> {
        self.check_open()?;
        self.state.read().map_err(|_| PartitionFileError::Closed)
    }

    fn change(&self) -> Result<RwLockWriteGuard<'_, State>, PartitionFileError> {
        self.check_open()?;
        self.state.write().map_err(|_| PartitionFileError::Closed)
    }

    fn writer(&self) -> Result<MutexGuard<'_, Writer>, PartitionFileError> {
        let writer = self.writer.lock().map_err(|_| PartitionFileError::Closed)?;
        // Checked under the lock: the writer before us may have failed.
        self.check_writable()?;
        Ok(writer)
    }

    fn check_writable(&self) -> Result<(), PartitionFileError> {
        match self.mode {
            OpenMode::ReadWrite => self.check_open(),
            OpenMode::ReadOnly => Err(PartitionFileError::ReadOnly),
        }
    }

    fn check_open(&self) -> Result<(), PartitionFileError> {
        if self.closed.load(Ordering::Acquire) { Err(PartitionFileError::Closed) } else { Ok(()) }
    }

    /// Closes the handle for good when a write or sync of the file's own structures failed.
    fn or_close<T>(&self, result: Result<T, IoError>) -> Result<T, PartitionFileError> {
        result.map_err(|error| {
            self.closed.store(true, Ordering::Release);
            error.into()
        })
    }
}

fn zeroed_pages(pages: usize) -> Result<AlignedBuffer, IoError> {
    AlignedBuffer::zeroed(pages * PAGE_BYTES)
}
