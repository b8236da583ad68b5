//! Why bytes are not a valid structure of a partition file.

use std::fmt;

/// The structure that a [`FormatError`] speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Structure {
    /// The header at offset 0.
    HeaderA,
    /// The header at offset 4,096.
    HeaderB,
    /// A page of a window table.
    TablePage,
    /// A page of the journal.
    JournalPage,
}

impl fmt::Display for Structure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Structure::HeaderA => "header A",
            Structure::HeaderB => "header B",
            Structure::TablePage => "table page",
            Structure::JournalPage => "journal page",
        })
    }
}

/// Bytes shown as hexadecimal in messages.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Hex<const N: usize>(pub [u8; N]);

impl<const N: usize> From<[u8; N]> for Hex<N> {
    fn from(bytes: [u8; N]) -> Self {
        Self(bytes)
    }
}

impl<const N: usize> fmt::Display for Hex<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl<const N: usize> fmt::Debug for Hex<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why bytes were refused. Offsets are from the start of the file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// Neither header begins with the magic: not a file of holdfast.
    #[error(
        "not a holdfast file: it begins with {found}, a partition file with {expected}; it was not touched"
    )]
    Foreign {
        /// `"HOLDFAST"`.
        expected: Hex<8>,
        /// The first eight bytes.
        found: Hex<8>,
    },
    /// Too short to hold the two headers.
    #[error(
        "not a holdfast file: {found} bytes long, the two headers alone take {expected}; it was not touched"
    )]
    TooShort {
        /// Fewest bytes.
        expected: u64,
        /// Bytes of the file.
        found: u64,
    },
    /// Written by another version of holdfast.
    #[error(
        "{structure} has format version {found}, this program reads version {supported}: use the release that wrote the file"
    )]
    UnknownVersion {
        /// Which header.
        structure: Structure,
        /// The version in the file.
        found: u16,
        /// The only one this code reads.
        supported: u16,
    },
    /// A file of holdfast, but not a space partition.
    #[error("{structure} says file kind {found}, this program knows kind {supported} (space partition)")]
    UnknownKind {
        /// Which header.
        structure: Structure,
        /// The kind in the file.
        found: u16,
        /// The only one this code reads.
        supported: u16,
    },
    /// A page is torn or was changed.
    #[error(
        "{structure} at offset {offset}: checksum is {found}, its bytes give {expected}: torn or changed"
    )]
    BadChecksum {
        /// Which structure.
        structure: Structure,
        /// Where the page begins.
        offset: u64,
        /// What the bytes give.
        expected: Hex<32>,
        /// What stands there.
        found: Hex<32>,
    },
    /// A page of a kind begins with other bytes.
    #[error("{structure} at offset {offset} begins with {found}, expected {expected}")]
    BadMagic {
        /// Which structure.
        structure: Structure,
        /// Where the page begins.
        offset: u64,
        /// Its magic.
        expected: Hex<4>,
        /// What stands there.
        found: Hex<4>,
    },
    /// A byte that the format fixes to zero is not.
    #[error("{structure}: byte at offset {offset} is {found}, expected 0")]
    NonZeroPadding {
        /// Which structure.
        structure: Structure,
        /// Where the byte stands.
        offset: u64,
        /// The byte.
        found: u8,
    },
    /// A field has a value that this place does not allow.
    #[error("{structure}: {field} at offset {offset} is {found}, expected {expected}")]
    WrongField {
        /// Which structure.
        structure: Structure,
        /// The field's name in the specification.
        field: &'static str,
        /// Where the field begins.
        offset: u64,
        /// The only value allowed.
        expected: u64,
        /// The value there.
        found: u64,
    },
    /// A field is outside its range.
    #[error("{structure}: {field} at offset {offset} is {found}, allowed are {minimum} to {maximum}")]
    OutOfRange {
        /// Which structure.
        structure: Structure,
        /// The field's name in the specification.
        field: &'static str,
        /// Where the field begins.
        offset: u64,
        /// Smallest value allowed.
        minimum: u64,
        /// Largest value allowed.
        maximum: u64,
        /// The value there.
        found: u64,
    },
    /// A sealed window without a record.
    #[error("{structure} at offset {offset}: window {index} is sealed and has no record")]
    SealedWithoutRecord {
        /// Which structure.
        structure: Structure,
        /// Where the page begins.
        offset: u64,
        /// The window.
        index: u64,
    },
    /// Label exponent, layers or window cap of the registration allow no file.
    #[error("registration: {field} is {found}, allowed are {minimum} to {maximum}")]
    Registration {
        /// `k`, `layers` or `window cap`.
        field: &'static str,
        /// Smallest value allowed.
        minimum: u64,
        /// Largest value allowed.
        maximum: u64,
        /// The value there.
        found: u64,
    },
    /// The whole file would not be addressable.
    #[error(
        "{window_cap} windows of {slot_bytes} bytes are more than a file can address: register a smaller window cap"
    )]
    TooLarge {
        /// The registration's window cap.
        window_cap: u64,
        /// Bytes of one slot.
        slot_bytes: u64,
    },
    /// All table pages are valid one by one, but are not those the header was written for.
    #[error(
        "window table at offset {offset}: hash is {found}, the header says {expected}: the file was put together from parts"
    )]
    TableHash {
        /// Where the table begins.
        offset: u64,
        /// The header's.
        expected: Hex<32>,
        /// What the pages give.
        found: Hex<32>,
    },
    /// The journal belongs to a header later than any that is valid.
    #[error(
        "journal page at offset {offset} has sequence number {found}, the newest valid header ends at {maximum}: a later header is damaged, and what it says cannot be told"
    )]
    NewerHeaderLost {
        /// Where the journal page begins.
        offset: u64,
        /// Largest sequence number that the valid header allows.
        maximum: u64,
        /// The page's.
        found: u64,
    },
}
