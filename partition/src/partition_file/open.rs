//! Opening: the newer valid header, its table, the journal after it, and what had to be repaired.

use std::sync::Arc;

use super::state::State;
use super::write::TABLE_PAGES_PER_ACCESS;
use super::{PartitionFile, PartitionFileError, zeroed_pages};
use crate::format::{
    FormatError, HEADER_A_AT, HEADER_B_AT, Header, JOURNAL_PAGES, JournalPage, MAGIC, Page, RawHeader,
    Structure, TablePage, WindowEntry,
};
use crate::io::{AlignedBuffer, BlockIo, IoError, PAGE_BYTES};

/// What the handle may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenMode {
    /// Everything. There must be one such handle at a time.
    ReadWrite,
    /// Write nothing, not even to finish a recovery.
    ReadOnly,
}

/// What opening found and did. After a clean close everything is zero, empty or `None` but the header's own fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecoveryReport {
    /// The header that counted.
    pub header: Structure,
    /// Its generation.
    pub generation: u64,
    /// Why the other header is not valid, unless it was never written.
    pub other_header: Option<FormatError>,
    /// Events taken from the journal.
    pub events_replayed: u64,
    /// Journal pages after the last event that are torn.
    pub torn_journal_pages: Vec<u64>,
    /// Journal pages after the last event that are whole, but were never acknowledged and do not count.
    pub left_over_journal_pages: Vec<u64>,
    /// Windows whose table page is not valid, with the reason: they are bad now.
    pub bad_table_pages: Vec<(u64, FormatError)>,
    /// Offsets of header and table pages that the medium could not read; they count as not valid.
    pub unreadable_page_offsets: Vec<u64>,
    /// Length of the file, where it was not what the number of windows gives.
    pub wrong_length_bytes: Option<u64>,
}

impl RecoveryReport {
    /// Whether the file was closed cleanly and is undamaged.
    pub fn is_clean(&self) -> bool {
        self.events_replayed == 0
            && self.other_header.is_none()
            && self.torn_journal_pages.is_empty()
            && self.left_over_journal_pages.is_empty()
            && self.bad_table_pages.is_empty()
            && self.unreadable_page_offsets.is_empty()
            && self.wrong_length_bytes.is_none()
    }
}

impl PartitionFile {
    /// Opens a partition file and recovers it if need be. With [`OpenMode::ReadWrite`] the length is made what the
    /// number of windows gives (a resize that was broken off gives its space back), torn journal pages are zeroed, and
    /// pages left over made invalid.
    ///
    /// # Errors
    /// [`PartitionFileError::Format`] if it is not a partition file that this version can use; I/O.
    pub fn open(io: Arc<dyn BlockIo>, mode: OpenMode) -> Result<(Self, RecoveryReport), PartitionFileError> {
        let (header, mut report) = read_headers(io.as_ref())?;
        let mut state = read_table(io.as_ref(), &header, &mut report)?;
        replay(io.as_ref(), &header, &mut state, &mut report)?;

        let windows = state.windows();
        let header_offset = if report.header == Structure::HeaderA { HEADER_A_AT } else { HEADER_B_AT };
        let file = Self::new(io, mode, state, header, header_offset, report.events_replayed);
        let length = file.io.len_bytes()?;
        let expected = file.geometry.file_bytes(windows).unwrap_or(length);
        report.wrong_length_bytes = (length != expected).then_some(length);
        if mode == OpenMode::ReadWrite {
            if length != expected {
                file.or_close(file.io.set_len(expected))?;
            }
            file.clear_torn(&report.torn_journal_pages)?;
            if !report.left_over_journal_pages.is_empty() {
                file.write_checkpoint(&mut *file.writer()?)?;
            }
        }
        Ok((file, report))
    }

    /// Zeroes torn journal pages, so that each is reported once. They had no meaning, nor have they if this is torn again.
    fn clear_torn(&self, journal_pages: &[u64]) -> Result<(), PartitionFileError> {
        if journal_pages.is_empty() {
            return Ok(());
        }
        let zero = pages_buffer(1)?;
        for &page in journal_pages {
            self.or_close(self.io.write_at(self.geometry.journal_page_offset(page), &zero))?;
        }
        self.or_close(self.io.sync())
    }
}

/// The newer of the valid headers.
fn read_headers(io: &dyn BlockIo) -> Result<(Header, RecoveryReport), PartitionFileError> {
    let expected = 2 * PAGE_BYTES as u64;
    let found = io.len_bytes()?;
    if found < expected {
        return Err(FormatError::TooShort { expected, found }.into());
    }
    let mut unreadable = Vec::new();
    let bytes = read_readable(io, HEADER_A_AT, 2, &mut unreadable)?;
    let pages = bytes.as_chunks::<PAGE_BYTES>().0;
    let (Some(page_a), Some(page_b)) = (pages.first(), pages.get(1)) else {
        return Err(FormatError::TooShort { expected, found }.into());
    };
    let a = RawHeader::new(page_a, Structure::HeaderA, HEADER_A_AT).check();
    let b = RawHeader::new(page_b, Structure::HeaderB, HEADER_B_AT).check();
    for checked in [&a, &b] {
        // A later version may have written either header; its file is not ours to touch.
        if let Err(error @ (FormatError::UnknownVersion { .. } | FormatError::UnknownKind { .. })) = checked {
            return Err(error.clone().into());
        }
    }
    let a_counts = match (&a, &b) {
        (Ok(a), Ok(b)) => a.generation >= b.generation,
        (Ok(_), Err(_)) => true,
        (Err(_), Ok(_)) => false,
        // Name the one that was once ours, if any.
        (Err(error_a), Err(error_b)) => {
            return Err(if page_a.starts_with(&MAGIC) { error_a } else { error_b }.clone().into());
        }
    };
    let (structure, header, other, other_page) =
        if a_counts { (Structure::HeaderA, a?, b, page_b) } else { (Structure::HeaderB, b?, a, page_a) };
    let report = RecoveryReport {
        header: structure,
        generation: header.generation,
        other_header: other.err().filter(|_| !is_zero(other_page)),
        events_replayed: 0,
        torn_journal_pages: Vec::new(),
        left_over_journal_pages: Vec::new(),
        bad_table_pages: Vec::new(),
        unreadable_page_offsets: unreadable,
        wrong_length_bytes: None,
    };
    Ok((header, report))
}

fn read_table(
    io: &dyn BlockIo,
    header: &Header,
    report: &mut RecoveryReport,
) -> Result<State, PartitionFileError> {
    let mut state = State::new(header.windows, header.scrub_position);
    let table_offset = header.geometry().table_offset(header.active_table);
    let mut hasher = blake3::Hasher::new();
    let mut index = 0;
    while index < header.table_windows {
        let count = TABLE_PAGES_PER_ACCESS.min(header.table_windows - index);
        let offset = table_offset + index * PAGE_BYTES as u64;
        let bytes = read_readable(io, offset, count, &mut report.unreadable_page_offsets)?;
        hasher.update(&bytes);
        for page in bytes.as_chunks::<PAGE_BYTES>().0 {
            let offset = table_offset + index * PAGE_BYTES as u64;
            let layers = header.geometry().layers();
            match TablePage::decode(page, offset, layers, index, header.first_sequence) {
                Ok(page) => state.set(index, page.entry),
                Err(error) => {
                    report.bad_table_pages.push((index, error));
                    state.set(index, WindowEntry::LOST);
                }
            }
            index += 1;
        }
    }
    let found = *hasher.finalize().as_bytes();
    if found != header.table_hash && report.bad_table_pages.is_empty() {
        let (expected, found) = (header.table_hash.into(), found.into());
        return Err(FormatError::TableHash { offset: table_offset, expected, found }.into());
    }
    Ok(state)
}

fn replay(
    io: &dyn BlockIo,
    header: &Header,
    state: &mut State,
    report: &mut RecoveryReport,
) -> Result<(), PartitionFileError> {
    let geometry = header.geometry();
    let mut bytes = pages_buffer(JOURNAL_PAGES)?;
    io.read_at(geometry.journal_page_offset(0), &mut bytes)?;
    let mut ended = false;
    for (place, page) in (0..).zip(bytes.as_chunks::<PAGE_BYTES>().0) {
        let offset = geometry.journal_page_offset(place);
        match JournalPage::decode(page, offset, geometry.layers()) {
            Ok(page) if page.sequence == header.first_sequence + place => {
                if ended {
                    report.left_over_journal_pages.push(place);
                } else {
                    state.apply(&page.event, geometry, offset)?;
                    report.events_replayed += 1;
                }
            }
            // Of an earlier round of the journal; a later one would mean that its header is lost.
            Ok(page) => {
                let (found, maximum) = (page.sequence, header.first_sequence + JOURNAL_PAGES - 1);
                if found > maximum {
                    return Err(FormatError::NewerHeaderLost { offset, maximum, found }.into());
                }
                ended = true;
            }
            Err(_) => {
                ended = true;
                if !is_zero(page) {
                    report.torn_journal_pages.push(place);
                }
            }
        }
    }
    Ok(())
}

fn is_zero(page: &Page) -> bool {
    page.iter().all(|&byte| byte == 0)
}

/// Reads pages in one go, or, when that fails, one by one; those that cannot be read are zero. Fails when none can: that
/// is the medium, not a bad sector.
fn read_readable(
    io: &dyn BlockIo,
    offset: u64,
    pages: u64,
    unreadable: &mut Vec<u64>,
) -> Result<AlignedBuffer, PartitionFileError> {
    let mut buffer = pages_buffer(pages)?;
    let Err(error) = io.read_at(offset, &mut buffer) else { return Ok(buffer) };
    let unreadable_before = unreadable.len();
    for (page, offset) in buffer.chunks_exact_mut(PAGE_BYTES).zip((offset..).step_by(PAGE_BYTES)) {
        if io.read_at(offset, page).is_err() {
            page.fill(0);
            unreadable.push(offset);
        }
    }
    let all = unreadable.len() - unreadable_before == buffer.len() / PAGE_BYTES;
    if all { Err(error.into()) } else { Ok(buffer) }
}

fn pages_buffer(pages: u64) -> Result<AlignedBuffer, IoError> {
    let pages = pages.min(TABLE_PAGES_PER_ACCESS.max(JOURNAL_PAGES));
    zeroed_pages(usize::try_from(pages).unwrap_or(0))
}
