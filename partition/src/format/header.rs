//! The header: bytes as read ([`RawHeader`]) and bytes that were checked ([`Header`]) are two types.

use super::{
    CHECKSUM_AT, Digest, FORMAT_VERSION, FormatError, Geometry, HEADER_CHECKSUM, JOURNAL_PAGES, KIND_SPACE,
    MAGIC, Page, Structure, check_checksum, check_zero, get, get_u64, put, put_checksum,
};
use crate::io::PAGE_BYTES;

/// Bytes of a registration (space-v1 §3), opaque to this crate but for `k`, layers and window cap.
pub const REGISTRATION_BYTES: usize = 168;

const MAGIC_AT: usize = 0;
const VERSION_AT: usize = MAGIC_AT + 8;
const KIND_AT: usize = VERSION_AT + 2;
const PADDING_1_AT: usize = KIND_AT + 2;
const GENERATION_AT: usize = PADDING_1_AT + 4;
const REGISTRATION_AT: usize = GENERATION_AT + 8;
const WINDOWS_AT: usize = REGISTRATION_AT + REGISTRATION_BYTES;
const ACTIVE_TABLE_AT: usize = WINDOWS_AT + 8;
const PADDING_2_AT: usize = ACTIVE_TABLE_AT + 1;
const FIRST_SEQUENCE_AT: usize = PADDING_2_AT + 7;
const TABLE_HASH_AT: usize = FIRST_SEQUENCE_AT + 8;
const TABLE_WINDOWS_AT: usize = TABLE_HASH_AT + 32;
const JOURNAL_PAGES_AT: usize = TABLE_WINDOWS_AT + 8;
const DATA_OFFSET_AT: usize = JOURNAL_PAGES_AT + 8;
const SLOT_BYTES_AT: usize = DATA_OFFSET_AT + 8;
const SCRUB_POSITION_AT: usize = SLOT_BYTES_AT + 8;
const PADDING_3_AT: usize = SCRUB_POSITION_AT + 8;
const _: () = assert!(PADDING_3_AT == 288 && CHECKSUM_AT == 4064, "the offsets of the specification");

/// Largest generation and sequence number accepted: so far from 2^64 that counting on from it never overflows.
const COUNTER_MAXIMUM: u64 = u64::MAX / 2;

/// One of the two window tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// The first.
    A,
    /// The second.
    B,
}

impl Table {
    /// The one that is not this one.
    pub fn other(self) -> Self {
        match self {
            Table::A => Table::B,
            Table::B => Table::A,
        }
    }
}

/// A header whose checksum, padding, ranges and geometry hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Increases with every header written.
    pub generation: u64,
    /// What the partition is registered as.
    pub registration: [u8; REGISTRATION_BYTES],
    /// Slots in use when the header was written.
    pub windows: u64,
    /// The table that counts.
    pub active_table: Table,
    /// Sequence number of journal page 0.
    pub first_sequence: u64,
    /// Plain BLAKE3 hash of the active table's first `table_windows` pages.
    pub table_hash: Digest,
    /// Pages of the active table that are valid; windows from here on are empty.
    pub table_windows: u64,
    /// Next window to scrub.
    pub scrub_position: u64,
    geometry: Geometry,
}

/// 4,096 bytes that claim to be a header.
#[derive(Clone, Copy, Debug)]
pub struct RawHeader<'a> {
    page: &'a Page,
    structure: Structure,
    offset: u64,
}

impl Header {
    /// The first header of a new partition without windows.
    ///
    /// # Errors
    /// As [`Geometry::of_registration`].
    pub fn first(registration: [u8; REGISTRATION_BYTES]) -> Result<Self, FormatError> {
        Ok(Self {
            generation: 1,
            geometry: Geometry::of_registration(&registration)?,
            registration,
            windows: 0,
            active_table: Table::A,
            first_sequence: 1,
            table_hash: *blake3::hash(&[]).as_bytes(),
            table_windows: 0,
            scrub_position: 0,
        })
    }

    /// Where everything stands in the file.
    pub fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    /// The header's page.
    pub fn encode(&self) -> Box<Page> {
        let mut page = Box::new([0; PAGE_BYTES]);
        put(&mut page, MAGIC_AT, &MAGIC);
        put(&mut page, VERSION_AT, &FORMAT_VERSION.to_le_bytes());
        put(&mut page, KIND_AT, &KIND_SPACE.to_le_bytes());
        put(&mut page, GENERATION_AT, &self.generation.to_le_bytes());
        put(&mut page, REGISTRATION_AT, &self.registration);
        put(&mut page, WINDOWS_AT, &self.windows.to_le_bytes());
        put(&mut page, ACTIVE_TABLE_AT, &[u8::from(self.active_table == Table::B)]);
        put(&mut page, FIRST_SEQUENCE_AT, &self.first_sequence.to_le_bytes());
        put(&mut page, TABLE_HASH_AT, &self.table_hash);
        put(&mut page, TABLE_WINDOWS_AT, &self.table_windows.to_le_bytes());
        put(&mut page, JOURNAL_PAGES_AT, &JOURNAL_PAGES.to_le_bytes());
        put(&mut page, DATA_OFFSET_AT, &self.geometry.data_offset().to_le_bytes());
        put(&mut page, SLOT_BYTES_AT, &self.geometry.slot_bytes().to_le_bytes());
        put(&mut page, SCRUB_POSITION_AT, &self.scrub_position.to_le_bytes());
        put_checksum(HEADER_CHECKSUM, &mut page);
        page
    }
}

impl<'a> RawHeader<'a> {
    /// Header A or B as read from `offset`.
    pub fn new(page: &'a Page, structure: Structure, offset: u64) -> Self {
        Self { page, structure, offset }
    }

    /// Everything the format demands of a header. Version and kind come before the checksum, so that a file of a later
    /// version is refused by its number and never taken for a damaged one.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(self) -> Result<Header, FormatError> {
        self.check_identity()?;
        check_checksum(HEADER_CHECKSUM, self.page, self.structure, self.offset)?;
        for padding in
            [PADDING_1_AT..GENERATION_AT, PADDING_2_AT..FIRST_SEQUENCE_AT, PADDING_3_AT..CHECKSUM_AT]
        {
            check_zero(self.page, padding, self.structure, self.offset)?;
        }
        let registration = get(self.page, REGISTRATION_AT);
        let geometry = Geometry::of_registration(&registration)?;
        self.expect("journal pages", JOURNAL_PAGES_AT, JOURNAL_PAGES)?;
        self.expect("data offset", DATA_OFFSET_AT, geometry.data_offset())?;
        self.expect("slot bytes", SLOT_BYTES_AT, geometry.slot_bytes())?;
        let windows = self.at_most("windows", WINDOWS_AT, geometry.window_cap())?;
        Ok(Header {
            generation: self.between("generation", GENERATION_AT, 1, COUNTER_MAXIMUM)?,
            registration,
            windows,
            active_table: self.active_table()?,
            first_sequence: self.between("first sequence", FIRST_SEQUENCE_AT, 1, COUNTER_MAXIMUM)?,
            table_hash: get(self.page, TABLE_HASH_AT),
            table_windows: self.at_most("table windows", TABLE_WINDOWS_AT, windows)?,
            scrub_position: self.at_most("scrub position", SCRUB_POSITION_AT, windows)?,
            geometry,
        })
    }

    fn check_identity(self) -> Result<(), FormatError> {
        let structure = self.structure;
        let found: [u8; 8] = get(self.page, MAGIC_AT);
        if found != MAGIC {
            return Err(FormatError::Foreign { expected: MAGIC.into(), found: found.into() });
        }
        let found = u16::from_le_bytes(get(self.page, VERSION_AT));
        if found != FORMAT_VERSION {
            return Err(FormatError::UnknownVersion { structure, found, supported: FORMAT_VERSION });
        }
        let found = u16::from_le_bytes(get(self.page, KIND_AT));
        if found != KIND_SPACE {
            return Err(FormatError::UnknownKind { structure, found, supported: KIND_SPACE });
        }
        Ok(())
    }

    fn active_table(self) -> Result<Table, FormatError> {
        match self.page[ACTIVE_TABLE_AT] {
            0 => Ok(Table::A),
            1 => Ok(Table::B),
            found => Err(self.out_of_range("active table", ACTIVE_TABLE_AT, 0, 1, found.into())),
        }
    }

    fn expect(self, field: &'static str, at: usize, expected: u64) -> Result<(), FormatError> {
        let found = get_u64(self.page, at);
        if found == expected {
            return Ok(());
        }
        let (structure, offset) = (self.structure, self.offset + at as u64);
        Err(FormatError::WrongField { structure, field, offset, expected, found })
    }

    fn at_most(self, field: &'static str, at: usize, maximum: u64) -> Result<u64, FormatError> {
        self.between(field, at, 0, maximum)
    }

    fn between(self, field: &'static str, at: usize, minimum: u64, maximum: u64) -> Result<u64, FormatError> {
        let found = get_u64(self.page, at);
        if (minimum..=maximum).contains(&found) {
            return Ok(found);
        }
        Err(self.out_of_range(field, at, minimum, maximum, found))
    }

    fn out_of_range(
        self,
        field: &'static str,
        at: usize,
        minimum: u64,
        maximum: u64,
        found: u64,
    ) -> FormatError {
        let (structure, offset) = (self.structure, self.offset + at as u64);
        FormatError::OutOfRange { structure, field, offset, minimum, maximum, found }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sample() -> Header {
        let mut registration = [0; REGISTRATION_BYTES];
        for (at, byte) in registration.iter_mut().enumerate() {
            *byte = u8::try_from(at).unwrap();
        }
        registration[4] = 12;
        registration[5] = 3;
        registration[8..16].copy_from_slice(&9_u64.to_le_bytes());
        let mut header = Header::first(registration).unwrap();
        (header.generation, header.windows, header.table_windows, header.scrub_position) = (7, 5, 4, 3);
        (header.active_table, header.first_sequence, header.table_hash) = (Table::B, 257, [9; 32]);
        header
    }

    fn check(page: &Page) -> Result<Header, FormatError> {
        RawHeader::new(page, Structure::HeaderB, 4096).check()
    }

    #[test]
    fn decoding_inverts_encoding() {
        assert_eq!(check(&sample().encode()).unwrap(), sample());
    }

    /// Each case changes one field, restores the checksum, and must be refused for that field.
    #[test]
    fn every_wrong_field_is_refused_with_its_offset() {
        let cases: [(&str, usize, &[u8], &str); 13] = [
            ("padding after the kind", 13, &[1], "byte at offset 4109 is 1"),
            ("generation 0", 16, &[0; 8], "generation at offset 4112"),
            ("k", 28, &[31], "registration: k is 31"),
            ("layers", 29, &[1], "registration: layers is 1"),
            ("window cap", 32, &[0xff; 8], "more than a file can address"),
            ("windows above the cap", 192, &[10], "windows at offset 4288 is 10"),
            ("active table", 200, &[2], "active table at offset 4296 is 2"),
            ("padding after the table", 207, &[1], "byte at offset 4303 is 1"),
            ("first sequence", 208, &[0xff; 8], "first sequence at offset 4304"),
            ("table windows above windows", 248, &[6], "table windows at offset 4344 is 6"),
            ("journal pages", 256, &[9], "journal pages at offset 4352"),
            ("scrub position above windows", 280, &[6], "scrub position at offset 4376 is 6"),
            ("last padding byte", 4063, &[1], "byte at offset 8159 is 1"),
        ];
        for (name, at, bytes, expected) in cases {
            let mut page = sample().encode();
            put(&mut page, at, bytes);
            put_checksum(HEADER_CHECKSUM, &mut page);
            let message = check(&page).unwrap_err().to_string();
            assert!(message.contains(expected), "{name}: {message}");
        }
    }

    #[test]
    fn foreign_unknown_version_and_unknown_kind_are_named_without_a_checksum() {
        let with = |at: usize, byte: u8| {
            let mut page = sample().encode();
            page[at] = byte;
            check(&page).unwrap_err()
        };
        assert!(matches!(with(0, b'X'), FormatError::Foreign { .. }));
        assert!(matches!(with(8, 2), FormatError::UnknownVersion { found: 2, supported: 1, .. }));
        assert!(matches!(with(10, 9), FormatError::UnknownKind { found: 9, supported: 1, .. }));
        assert!(matches!(with(20, 1), FormatError::BadChecksum { offset: 4096, .. }));
    }

    proptest! {
        #[test]
        fn any_bytes_are_decoded_or_refused(seed in any::<[u8; 32]>(), length in 0..=PAGE_BYTES, sealed: bool) {
            let mut page = sample().encode();
            blake3::Hasher::new_keyed(&seed).finalize_xof().fill(&mut page[MAGIC_AT + 12..][..length.min(4052)]);
            if sealed {
                put_checksum(HEADER_CHECKSUM, &mut page);
            }
            if let Ok(header) = check(&page) {
                prop_assert_eq!(header.encode(), page, "what is accepted is canonical");
            }
        }
    }
}
