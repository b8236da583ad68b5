//! Everything that changes the file: journal, checkpoint, resize.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::state::State;
use super::{OpenMode, PartitionFile, PartitionFileError, WindowState, Writer, zeroed_pages};
use crate::format::{
    Digest, Event, HEADER_A_AT, HEADER_B_AT, Header, JOURNAL_PAGES, JournalPage, Page, RECORD_BYTES,
    REGISTRATION_BYTES, Seal, StoredState, Table, TablePage, WindowEntry, fixed_bytes,
};
use crate::io::{AlignedBuffer, BlockIo, IoError, PAGE_BYTES};

/// Pages of a table written or read in one go.
pub(super) const TABLE_PAGES_PER_ACCESS: u64 = 256;

/// A window whose bytes and outboard were written, to be acknowledged.
#[derive(Clone, Debug)]
pub struct SealedWindow {
    /// The window.
    pub index: u64,
    /// Its window record (space-v1 §6).
    pub record: [u8; RECORD_BYTES],
    /// Roots of all layers, layer 1 first.
    pub layer_roots: Vec<Digest>,
}

/// What a window can be marked as without being filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// Its bytes are wrong; the record is kept, so that the window can be made again and compared.
    Bad,
    /// Nothing of value; the record is dropped.
    Empty,
    /// Taken by user data; the record is dropped.
    Data,
}

impl PartitionFile {
    /// Makes an empty file a partition without windows; [`PartitionFile::resize`] adds them. Broken off at any point it
    /// leaves a file that is not a partition, or a valid one. (The directory entry is the caller's to sync.)
    ///
    /// # Errors
    /// [`PartitionFileError::NotEmpty`]; a registration that allows no file; I/O.
    pub fn create(
        io: Arc<dyn BlockIo>,
        registration: [u8; REGISTRATION_BYTES],
    ) -> Result<Self, PartitionFileError> {
        let found_bytes = io.len_bytes()?;
        if found_bytes > 0 {
            return Err(PartitionFileError::NotEmpty { found_bytes });
        }
        let header = Header::first(registration)?;
        io.preallocate(0, fixed_bytes(), &mut |_| true)?;
        io.set_len(header.geometry().data_offset())?;
        // The length is durable before the header makes the file a partition.
        io.sync()?;
        io.write_at(HEADER_A_AT, &pages_buffer([header.encode()])?)?;
        io.sync()?;
        Ok(Self::new(io, OpenMode::ReadWrite, State::new(0, 0), header, HEADER_A_AT, 0))
    }

    /// Acknowledges windows whose bytes and outboards were written before: data sync, journal, data sync. When this
    /// returns, all of them are sealed for good; after an error, opening the file again tells which are.
    ///
    /// # Errors
    /// Nothing is written if any window is refused: [`PartitionFileError::NoSuchWindow`],
    /// [`PartitionFileError::WrongState`] (sealed or data), [`PartitionFileError::BadSeal`],
    /// [`PartitionFileError::Twice`]. After an I/O error the handle is closed.
    pub fn seal(&self, windows: &[SealedWindow]) -> Result<(), PartitionFileError> {
        let mut writer = self.writer()?;
        self.check_seals(windows)?;
        self.or_close(self.io.sync())?;
        let events = windows.iter().map(|window| Event::Window {
            index: window.index,
            entry: WindowEntry {
                state: StoredState::Sealed,
                seal: Some(Arc::new(Seal { record: window.record, layer_roots: window.layer_roots.clone() })),
            },
        });
        self.append(&mut writer, &events.collect::<Vec<_>>())
    }

    /// Marks a window; durable when this returns.
    ///
    /// # Errors
    /// [`PartitionFileError::WrongState`] while it is being filled; [`PartitionFileError::NoSuchWindow`]; I/O.
    pub fn mark(&self, index: u64, mark: Mark) -> Result<(), PartitionFileError> {
        let mut writer = self.writer()?;
        let state = self.read()?;
        let allowed = [WindowState::Empty, WindowState::Sealed, WindowState::Bad, WindowState::Data];
        state.check_state(index, &allowed, "mark")?;
        let entry = match mark {
            Mark::Bad => WindowEntry { state: StoredState::Bad, seal: state.entry(index).seal },
            Mark::Empty => WindowEntry::EMPTY,
            Mark::Data => WindowEntry { state: StoredState::Data, seal: None },
        };
        drop(state);
        self.append(&mut writer, &[Event::Window { index, entry }])
    }

    /// Notes where scrub goes on; durable when this returns.
    ///
    /// # Errors
    /// [`PartitionFileError::NoSuchWindow`] beyond the last window + 1; I/O.
    pub fn set_scrub_position(&self, next: u64) -> Result<(), PartitionFileError> {
        let mut writer = self.writer()?;
        let state = self.read()?;
        if next > state.windows() {
            return Err(state.no_window(next));
        }
        drop(state);
        self.append(&mut writer, &[Event::Scrub { next }])
    }

    /// Appends empty windows or trims the last ones, so that there are `windows`; no other window changes. Growing
    /// reserves the space first and tells `progress` the bytes of slots reserved so far; when it returns false, or the
    /// disk is full, everything is as before.
    ///
    /// # Errors
    /// [`PartitionFileError::AboveCap`]; [`PartitionFileError::WrongState`] if a window to trim is being filled; I/O.
    pub fn resize(
        &self,
        windows: u64,
        progress: &mut dyn FnMut(u64) -> bool,
    ) -> Result<(), PartitionFileError> {
        let mut writer = self.writer()?;
        let window_cap = self.geometry.window_cap();
        let Some(new_bytes) = self.geometry.file_bytes(windows) else {
            return Err(PartitionFileError::AboveCap { requested: windows, window_cap });
        };
        let state = self.read()?;
        let old_windows = state.windows();
        if let Some(index) = state.filling_from(windows) {
            return Err(PartitionFileError::WrongState {
                index,
                found: WindowState::Filling,
                action: "trim",
            });
        }
        drop(state);
        if windows > old_windows {
            self.reserve(old_windows, windows, progress)?;
            // The new length is durable before the event says that there are slots.
            self.or_close(self.io.sync())?;
        }
        if windows != old_windows {
            self.append(&mut writer, &[Event::Resize { windows }])?;
        }
        if windows < old_windows {
            self.io.set_len(new_bytes)?;
        }
        Ok(())
    }

    /// Writes the window table anew and empties the journal; does nothing if the journal is empty.
    ///
    /// # Errors
    /// I/O; the handle is closed then.
    pub fn checkpoint(&self) -> Result<(), PartitionFileError> {
        let mut writer = self.writer()?;
        if writer.next_page > 0 { self.write_checkpoint(&mut writer) } else { Ok(()) }
    }

    /// Checkpoints and closes the handle: every later call fails. A file that was not closed is recovered when opened.
    ///
    /// # Errors
    /// I/O.
    pub fn close(&self) -> Result<(), PartitionFileError> {
        let done = match self.mode {
            OpenMode::ReadWrite => self.checkpoint(),
            OpenMode::ReadOnly => Ok(()),
        };
        self.closed.store(true, Ordering::Release);
        done
    }

    fn check_seals(&self, windows: &[SealedWindow]) -> Result<(), PartitionFileError> {
        let state = self.read()?;
        let layers = self.geometry.layers();
        let mut seen = std::collections::BTreeSet::new();
        for &SealedWindow { index, ref record, ref layer_roots } in windows {
            state.check_state(
                index,
                &[WindowState::Empty, WindowState::Filling, WindowState::Bad],
                "seal",
            )?;
            let found = layer_roots.len();
            if found != usize::from(layers) || record.iter().all(|&byte| byte == 0) {
                return Err(PartitionFileError::BadSeal { index, layers, found });
            }
            if !seen.insert(index) {
                return Err(PartitionFileError::Twice { index });
            }
        }
        Ok(())
    }

    fn reserve(
        &self,
        old_windows: u64,
        windows: u64,
        progress: &mut dyn FnMut(u64) -> bool,
    ) -> Result<(), PartitionFileError> {
        let geometry = &self.geometry;
        let added = windows - old_windows;
        let page = PAGE_BYTES as u64;
        let slots_at = geometry.data_offset() + old_windows * geometry.slot_bytes();
        let slots_end = geometry.data_offset() + windows * geometry.slot_bytes();
        let reserved = [Table::A, Table::B]
            .into_iter()
            .try_for_each(|table| {
                let offset = geometry.table_offset(table) + old_windows * page;
                self.io.preallocate(offset, added * page, &mut |_| true)
            })
            .and_then(|()| self.io.preallocate(slots_at, added * geometry.slot_bytes(), progress))
            .and_then(|()| self.io.set_len(slots_end));
        reserved.map_err(|error| {
            // Give back what was reserved. Should this fail too, opening the file does it.
            let _ = self.io.set_len(slots_at);
            error.into()
        })
    }

    /// Appends events, at most a whole journal at a time, and makes them visible once they are durable.
    fn append(&self, writer: &mut Writer, events: &[Event]) -> Result<(), PartitionFileError> {
        for group in events.chunks(TABLE_PAGES_PER_ACCESS.min(JOURNAL_PAGES) as usize) {
            if writer.next_page + group.len() as u64 > JOURNAL_PAGES {
                self.write_checkpoint(writer)?;
            }
            let first = writer.header.first_sequence + writer.next_page;
            let pages = (first..)
                .zip(group)
                .map(|(sequence, event)| JournalPage { sequence, event: event.clone() }.encode());
            let offset = self.geometry.journal_page_offset(writer.next_page);
            self.or_close(self.io.write_at(offset, &pages_buffer(pages)?))?;
            self.or_close(self.io.sync())?;
            writer.next_page += group.len() as u64;
            let mut state = self.change()?;
            for event in group {
                state.apply(event, &self.geometry, offset)?;
            }
        }
        Ok(())
    }

    /// Table, sync, header, sync. What was acknowledged stays where it is until the new header is durable.
    pub(super) fn write_checkpoint(&self, writer: &mut Writer) -> Result<(), PartitionFileError> {
        let state = self.read()?;
        let mut header = writer.header.clone();
        header.generation += 1;
        header.first_sequence += JOURNAL_PAGES;
        header.active_table = header.active_table.other();
        header.windows = state.windows();
        header.scrub_position = state.scrub_position();
        header.table_windows = state.windows_to_write();

        let mut hasher = blake3::Hasher::new();
        let mut index = 0;
        while index < header.table_windows {
            let end = header.table_windows.min(index + TABLE_PAGES_PER_ACCESS);
            let pages = (index..end).map(|index| {
                let entry = state.entry(index);
                TablePage { index, first_sequence: header.first_sequence, entry }.encode()
            });
            let buffer = pages_buffer(pages)?;
            hasher.update(&buffer);
            let offset = self.geometry.table_offset(header.active_table) + index * PAGE_BYTES as u64;
            self.or_close(self.io.write_at(offset, &buffer))?;
            index = end;
        }
        drop(state);
        header.table_hash = *hasher.finalize().as_bytes();
        self.or_close(self.io.sync())?;

        let header_offset = if writer.header_offset == HEADER_A_AT { HEADER_B_AT } else { HEADER_A_AT };
        self.or_close(self.io.write_at(header_offset, &pages_buffer([header.encode()])?))?;
        self.or_close(self.io.sync())?;
        *writer = Writer { header, header_offset, next_page: 0 };
        Ok(())
    }
}

fn pages_buffer(pages: impl IntoIterator<Item = Box<Page>>) -> Result<AlignedBuffer, IoError> {
    let pages: Vec<Box<Page>> = pages.into_iter().collect();
    let mut buffer = zeroed_pages(pages.len())?;
    for (to, from) in buffer.chunks_exact_mut(PAGE_BYTES).zip(pages) {
        to.copy_from_slice(&*from);
    }
    Ok(buffer)
}
