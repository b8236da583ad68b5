//! The bytes of a partition file (docs/spec/partition-file-v1.md): total codecs, offsets as chained constants.
//!
//! A decoder never panics whatever bytes it is given; every refusal names the file offset, what was expected and what
//! was found. The registration and the window records are opaque here, apart from the three numbers that fix the
//! file's layout.

mod error;
mod geometry;
mod header;
mod page;

pub use error::{FormatError, Structure};
pub use geometry::{
    Geometry, HEADER_A_AT, HEADER_B_AT, LAYERS_MAXIMUM, LAYERS_MINIMUM, LOG2_LABELS_MAXIMUM,
    LOG2_LABELS_MINIMUM, fixed_bytes,
};
pub use header::{Header, REGISTRATION_BYTES, RawHeader, Table};
pub use page::{Event, JournalPage, RECORD_BYTES, Seal, StoredState, TablePage, WindowEntry};

use crate::io::PAGE_BYTES;

/// Every structure of the file that is not window data is one of these.
pub type Page = [u8; PAGE_BYTES];
/// A BLAKE3 hash.
pub type Digest = [u8; 32];

/// Version of the format that this code writes, and the only one it reads.
pub const FORMAT_VERSION: u16 = 1;
/// File kind of a space partition.
pub const KIND_SPACE: u16 = 1;
/// First eight bytes of every file of holdfast.
pub const MAGIC: [u8; 8] = *b"HOLDFAST";
/// Pages of the journal of version 1.
pub const JOURNAL_PAGES: u64 = 256;

/// Key-derivation contexts of the three checksums.
const HEADER_CHECKSUM: &str = "holdfast v1 partition header checksum";
const TABLE_CHECKSUM: &str = "holdfast v1 partition table checksum";
const JOURNAL_CHECKSUM: &str = "holdfast v1 partition journal checksum";

const CHECKSUM_BYTES: usize = 32;
/// The checksum ends every page and covers all before it.
const CHECKSUM_AT: usize = PAGE_BYTES - CHECKSUM_BYTES;

fn checksum(context: &str, page: &Page) -> Digest {
    let mut hasher = blake3::Hasher::new_derive_key(context);
    hasher.update(&page[..CHECKSUM_AT]);
    *hasher.finalize().as_bytes()
}

fn put_checksum(context: &str, page: &mut Page) {
    let sum = checksum(context, page);
    put(page, CHECKSUM_AT, &sum);
}

fn check_checksum(context: &str, page: &Page, structure: Structure, offset: u64) -> Result<(), FormatError> {
    let expected = checksum(context, page);
    let found = get::<CHECKSUM_BYTES>(page, CHECKSUM_AT);
    if expected == found {
        return Ok(());
    }
    Err(FormatError::BadChecksum { structure, offset, expected: expected.into(), found: found.into() })
}

/// Field `at .. at + N`. Called with constants below 4,096 only.
fn get<const N: usize>(page: &Page, at: usize) -> [u8; N] {
    let mut field = [0; N];
    field.copy_from_slice(&page[at..at + N]);
    field
}

fn get_u64(page: &Page, at: usize) -> u64 {
    u64::from_le_bytes(get(page, at))
}

fn put(page: &mut Page, at: usize, bytes: &[u8]) {
    page[at..at + bytes.len()].copy_from_slice(bytes);
}

/// Refuses a byte other than zero in `range`; `offset` is where the page stands in the file.
fn check_zero(
    page: &Page,
    range: std::ops::Range<usize>,
    structure: Structure,
    offset: u64,
) -> Result<(), FormatError> {
    match page[range.clone()].iter().position(|&byte| byte != 0) {
        None => Ok(()),
        Some(at) => {
            let at = range.start + at;
            Err(FormatError::NonZeroPadding { structure, offset: offset + at as u64, found: page[at] })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_checksums_are_of_different_domains() {
        let page = [7; PAGE_BYTES];
        let sums =
            [HEADER_CHECKSUM, TABLE_CHECKSUM, JOURNAL_CHECKSUM].map(|context| checksum(context, &page));
        assert_ne!(sums[0], sums[1]);
        assert_ne!(sums[1], sums[2]);
        assert_ne!(sums[0], sums[2]);
    }

    #[test]
    fn the_checksum_covers_every_byte_before_it_and_none_after() {
        let page = [0; PAGE_BYTES];
        let clean = checksum(HEADER_CHECKSUM, &page);
        for at in [0, 1, 2047, CHECKSUM_AT - 1] {
            let mut changed = page;
            changed[at] ^= 1;
            assert_ne!(checksum(HEADER_CHECKSUM, &changed), clean, "byte {at}");
        }
        let mut changed = page;
        changed[CHECKSUM_AT] ^= 1;
        assert_eq!(checksum(HEADER_CHECKSUM, &changed), clean);
    }

    #[test]
    fn padding_is_checked_to_its_last_byte() {
        let mut page = [0; PAGE_BYTES];
        page[20] = 9;
        assert!(check_zero(&page, 10..20, Structure::HeaderA, 0).is_ok());
        let error = check_zero(&page, 10..21, Structure::HeaderB, 4096).unwrap_err();
        assert!(matches!(error, FormatError::NonZeroPadding { offset: 4116, found: 9, .. }), "{error}");
    }
}
