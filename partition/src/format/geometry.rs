//! Where everything stands in a file: a function of `k`, the layers and the window cap of its registration, with
//! checked arithmetic.

use super::{FormatError, JOURNAL_PAGES, REGISTRATION_BYTES, Table};
use crate::io::PAGE_BYTES;

/// Smallest `k`: a window of 32 KiB.
pub const LOG2_LABELS_MINIMUM: u8 = 10;
/// Largest `k`: a window of 32 GiB.
pub const LOG2_LABELS_MAXIMUM: u8 = 30;
/// Fewest layers.
pub const LAYERS_MINIMUM: u8 = 2;
/// Most layers: what a page of the table has room for.
pub const LAYERS_MAXIMUM: u8 = 64;

const PAGE: u64 = PAGE_BYTES as u64;
/// The data region begins at a multiple of this.
const DATA_ALIGNMENT_BYTES: u64 = 1 << 20;
/// No file is longer than a signed 64-bit offset can say.
const FILE_BYTES_MAXIMUM: u64 = i64::MAX.unsigned_abs();
const LABEL_BYTES: u64 = 32;
const BLOCK_BYTES: u64 = 16_384;
const OUTBOARD_BLOCKS_PER_PAGE: u64 = 64;

/// Offsets in the registration (space-v1 §2) of the three numbers that fix the layout.
const LOG2_LABELS_AT: usize = 4;
const LAYERS_AT: usize = 5;
const WINDOW_CAP_AT: usize = 8;

/// Offset of header A.
pub const HEADER_A_AT: u64 = 0;
/// Offset of header B.
pub const HEADER_B_AT: u64 = HEADER_A_AT + PAGE;
const JOURNAL_AT: u64 = HEADER_B_AT + PAGE;
const TABLE_A_AT: u64 = JOURNAL_AT + JOURNAL_PAGES * PAGE;

/// The layout of one partition file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    log2_labels: u8,
    layers: u8,
    window_cap: u64,
    window_bytes: u64,
    slot_bytes: u64,
    table_b_offset: u64,
    data_offset: u64,
}

impl Geometry {
    /// Of a partition with windows of `2^k` labels, `layers` layers and at most `window_cap` windows.
    ///
    /// # Errors
    /// [`FormatError::Registration`] for a number out of range, [`FormatError::TooLarge`] when offsets overflow.
    pub fn new(k: u8, layers: u8, window_cap: u64) -> Result<Self, FormatError> {
        in_range("k", k, LOG2_LABELS_MINIMUM, LOG2_LABELS_MAXIMUM)?;
        in_range("layers", layers, LAYERS_MINIMUM, LAYERS_MAXIMUM)?;
        if window_cap == 0 {
            let (minimum, maximum) = (1, u64::MAX);
            return Err(FormatError::Registration { field: "window cap", minimum, maximum, found: 0 });
        }
        let window_bytes = LABEL_BYTES << k;
        let slot_bytes = window_bytes + outboard_pages(window_bytes) * PAGE;
        let too_large = FormatError::TooLarge { window_cap, slot_bytes };
        let (table_b_offset, data_offset) = table_and_data_offset(window_cap, slot_bytes).ok_or(too_large)?;
        Ok(Self { log2_labels: k, layers, window_cap, window_bytes, slot_bytes, table_b_offset, data_offset })
    }

    /// Of the partition with this registration.
    ///
    /// # Errors
    /// As [`Geometry::new`].
    pub fn of_registration(registration: &[u8; REGISTRATION_BYTES]) -> Result<Self, FormatError> {
        let mut cap = [0; 8];
        cap.copy_from_slice(&registration[WINDOW_CAP_AT..WINDOW_CAP_AT + 8]);
        Self::new(registration[LOG2_LABELS_AT], registration[LAYERS_AT], u64::from_le_bytes(cap))
    }

    /// `k`: a window has `2^k` labels.
    pub fn k(&self) -> u8 {
        self.log2_labels
    }

    /// Layers, of which the last is stored.
    pub fn layers(&self) -> u8 {
        self.layers
    }

    /// The most windows the file may ever have.
    pub fn window_cap(&self) -> u64 {
        self.window_cap
    }

    /// Bytes of a window's labels, without its outboard.
    pub fn window_bytes(&self) -> u64 {
        self.window_bytes
    }

    /// Bytes of a window's outboard pages.
    pub fn outboard_bytes(&self) -> u64 {
        self.slot_bytes - self.window_bytes
    }

    /// Bytes of a window and its outboard.
    pub fn slot_bytes(&self) -> u64 {
        self.slot_bytes
    }

    /// Where slot 0 begins.
    pub fn data_offset(&self) -> u64 {
        self.data_offset
    }

    /// Length of a file with `windows` windows; `None` above the cap.
    pub fn file_bytes(&self, windows: u64) -> Option<u64> {
        (windows <= self.window_cap).then(|| self.data_offset + windows * self.slot_bytes)
    }

    /// Disk space that `windows` windows need: slots, their pages in both tables, headers and journal. Less than
    /// [`Geometry::file_bytes`], because the tables' unused pages are holes.
    pub fn allocated_bytes(&self, windows: u64) -> Option<u64> {
        (windows <= self.window_cap).then(|| fixed_bytes() + windows * self.bytes_per_window())
    }

    /// Disk space that one more window takes.
    pub fn bytes_per_window(&self) -> u64 {
        self.slot_bytes + 2 * PAGE
    }

    /// Where window `index` begins; `None` from the cap on.
    pub fn window_offset(&self, index: u64) -> Option<u64> {
        (index < self.window_cap).then(|| self.data_offset + index * self.slot_bytes)
    }

    /// Where the outboard of window `index` begins; `None` from the cap on.
    pub fn outboard_offset(&self, index: u64) -> Option<u64> {
        self.window_offset(index).map(|offset| offset + self.window_bytes)
    }

    /// Where a window table begins.
    pub fn table_offset(&self, table: Table) -> u64 {
        match table {
            Table::A => TABLE_A_AT,
            Table::B => self.table_b_offset,
        }
    }

    /// Where journal page `page` begins; `page` is below [`JOURNAL_PAGES`].
    pub fn journal_page_offset(&self, page: u64) -> u64 {
        JOURNAL_AT + page * PAGE
    }
}

/// Disk space of a partition without windows: two headers and the journal.
pub fn fixed_bytes() -> u64 {
    TABLE_A_AT
}

fn in_range(field: &'static str, found: u8, minimum: u8, maximum: u8) -> Result<(), FormatError> {
    if (minimum..=maximum).contains(&found) {
        return Ok(());
    }
    let (minimum, maximum, found) = (minimum.into(), maximum.into(), found.into());
    Err(FormatError::Registration { field, minimum, maximum, found })
}

fn table_and_data_offset(window_cap: u64, slot_bytes: u64) -> Option<(u64, u64)> {
    let table_bytes = window_cap.checked_mul(PAGE)?;
    let table_b = TABLE_A_AT.checked_add(table_bytes)?;
    let data = table_b.checked_add(table_bytes)?.checked_next_multiple_of(DATA_ALIGNMENT_BYTES)?;
    let end = data.checked_add(window_cap.checked_mul(slot_bytes)?)?;
    (end <= FILE_BYTES_MAXIMUM).then_some((table_b, data))
}

/// Pages of the outboard of `bytes` bytes (tree-v1 §4).
fn outboard_pages(bytes: u64) -> u64 {
    match bytes.div_ceil(BLOCK_BYTES) {
        0 | 1 => 0,
        blocks => blocks.div_ceil(OUTBOARD_BLOCKS_PER_PAGE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outboard_of_one_gibibyte_has_the_pages_of_the_tree_specification() {
        assert_eq!(outboard_pages(1 << 30), 1024);
        assert_eq!(outboard_pages(16_384), 0, "one block has no outboard");
        assert_eq!(outboard_pages(16_385), 1);
        assert_eq!(outboard_pages(64 * 16_384), 1, "exactly one full page");
        assert_eq!(outboard_pages(65 * 16_384), 2, "one block more, one page more");
    }

    #[test]
    fn regions_follow_one_another() {
        let geometry = Geometry::new(10, 2, 3).unwrap();
        assert_eq!(geometry.slot_bytes(), 32_768 + 4096);
        assert_eq!(geometry.table_offset(Table::A), 8192 + 256 * 4096);
        assert_eq!(geometry.table_offset(Table::B), 8192 + 256 * 4096 + 3 * 4096);
        assert_eq!(geometry.data_offset(), 2 << 20, "8192 + 1 MiB + 24 KiB, aligned up");
        assert_eq!(geometry.window_offset(2), Some((2 << 20) + 2 * 36_864));
        assert_eq!(geometry.outboard_offset(2), Some((2 << 20) + 2 * 36_864 + 32_768));
        assert_eq!(geometry.window_offset(3), None);
        assert_eq!(geometry.file_bytes(3), Some((2 << 20) + 3 * 36_864));
        assert_eq!(geometry.file_bytes(4), None);
        assert_eq!(geometry.allocated_bytes(0), Some(8192 + (1 << 20)));
    }

    #[test]
    fn numbers_out_of_range_and_overflows_are_refused() {
        for (k, layers) in [(9, 2), (31, 2), (10, 1), (10, 65), (255, 255), (0, 0)] {
            let error = Geometry::new(k, layers, 1).unwrap_err();
            assert!(matches!(error, FormatError::Registration { .. }), "k {k} layers {layers}: {error}");
        }
        assert!(matches!(Geometry::new(10, 2, 0), Err(FormatError::Registration { found: 0, .. })));
        for cap in [u64::MAX, u64::MAX / 4096, 1 << 60, i64::MAX as u64 / 36_864] {
            assert!(matches!(Geometry::new(10, 2, cap), Err(FormatError::TooLarge { .. })), "cap {cap}");
        }
        assert!(Geometry::new(30, 64, 1 << 20).is_ok(), "32 PiB are addressable");
    }
}
