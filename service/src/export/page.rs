//! Page headers, looked at before the Parquet library is: it makes room for whatever a header says.
//!
//! An export has data pages of version 1 with plain values and nothing else, so that a file has no more in it than its headers
//! say. A header is a struct of Thrift's compact protocol (parquet.thrift, `PageHeader`).

use holdfast_engine::rejection::{Class, Rejection};

const DATA_PAGE: i32 = 0;
const PLAIN: i32 = 0;
const RLE: i32 = 3;
/// Thrift's types of fields.
const I32: u8 = 5;
const STRUCT: u8 = 12;

/// What a data page holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DataPage {
    /// Bytes after decompression.
    pub(super) plain_bytes: u64,
    /// Bytes in the file, after the header.
    pub(super) stored_bytes: u64,
    /// Values, nulls among them.
    pub(super) values: u64,
}

/// Reads the header at the front of `bytes` and moves on to what follows it.
///
/// Refused: `malformed` unless it is of a data page of version 1 with plain values, and has no field but those that it must.
pub(super) fn read_header(bytes: &mut &[u8]) -> Result<DataPage, Rejection> {
    let mut reader = Compact { bytes, last_field: 0 };
    reader.expect("type of page", 1, DATA_PAGE)?;
    let plain_bytes = reader.size("bytes of a page", 2)?;
    let stored_bytes = reader.size("stored bytes of a page", 3)?;
    reader.field("data page header", 5, STRUCT)?;
    reader.last_field = 0;
    let values = reader.size("values of a page", 1)?;
    reader.expect("encoding", 2, PLAIN)?;
    reader.expect("encoding of definition levels", 3, RLE)?;
    reader.expect("encoding of repetition levels", 4, RLE)?;
    reader.stop()?;
    reader.stop()?;
    Ok(DataPage { plain_bytes, stored_bytes, values })
}

struct Compact<'a, 'b> {
    bytes: &'a mut &'b [u8],
    last_field: u8,
}

impl Compact<'_, '_> {
    fn byte(&mut self) -> Result<u8, Rejection> {
        let (first, rest) =
            self.bytes.split_first().ok_or_else(|| Class::Malformed.because("a page header ends early"))?;
        *self.bytes = rest;
        Ok(*first)
    }

    /// The field of this number and type, given as the distance from the field before.
    fn field(&mut self, what: &str, number: u8, kind: u8) -> Result<(), Rejection> {
        let found = self.byte()?;
        if found != (number - self.last_field) << 4 | kind {
            return Err(Class::Malformed.because(format!("a page header without {what} where it must be")));
        }
        self.last_field = number;
        Ok(())
    }

    fn stop(&mut self) -> Result<(), Rejection> {
        match self.byte()? {
            0 => Ok(()),
            _ => Err(Class::Malformed.because("a page header with more than a page of an export has")),
        }
    }

    /// An integer, as a zigzag number of at most five groups of seven bits.
    fn integer(&mut self, what: &str, number: u8) -> Result<i32, Rejection> {
        self.field(what, number, I32)?;
        let mut folded = 0u64;
        for place in 0..5 {
            let byte = self.byte()?;
            folded |= u64::from(byte & 0x7f) << (7 * place);
            if byte & 0x80 == 0 {
                let folded = u32::try_from(folded).map_err(|_| {
                    Class::Malformed.because(format!("{what} of a page header is out of range"))
                })?;
                return Ok((folded >> 1).cast_signed() ^ -(folded & 1).cast_signed());
            }
        }
        Err(Class::Malformed.because(format!("{what} of a page header is no 32-bit integer")))
    }

    fn size(&mut self, what: &str, number: u8) -> Result<u64, Rejection> {
        let found = self.integer(what, number)?;
        u64::try_from(found).map_err(|_| Class::Malformed.because(format!("{found} {what}")))
    }

    fn expect(&mut self, what: &str, number: u8, expected: i32) -> Result<(), Rejection> {
        let found = self.integer(what, number)?;
        if found != expected {
            return Err(Class::Malformed
                .because(format!("a page with {what} {found}; an export has {expected} only")));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Written out by hand from the Thrift specification: field 1 i32 0, field 2 i32 300, field 3 i32 5, field 5 struct of
    /// fields 1 … 4 (7 values, plain, RLE, RLE), twice a stop.
    const HEADER: [u8; 18] =
        [0x15, 0, 0x15, 0xd8, 0x04, 0x15, 10, 0x2c, 0x15, 14, 0x15, 0, 0x15, 6, 0x15, 6, 0, 0];

    #[test]
    fn a_header_is_read_to_its_end() {
        let bytes = [&HEADER[..], b"page"].concat();
        let mut rest = &bytes[..];
        let page = read_header(&mut rest);
        assert_eq!(page, Ok(DataPage { plain_bytes: 300, stored_bytes: 5, values: 7 }));
        assert_eq!(rest, b"page");
    }

    /// Every bit of a header counts, and no beginning of one is a header: nothing is taken that the library reads otherwise.
    #[test]
    fn other_headers_are_refused() {
        for length in 0..HEADER.len() {
            assert!(read_header(&mut &HEADER[..length]).is_err(), "{length} bytes");
        }
        // Bytes 3, 4, 6 and 9 are sizes, which may be others; they are bounded by who asks.
        for place in (0..HEADER.len()).filter(|place| ![3, 4, 6, 9].contains(place)) {
            for bit in 0..8 {
                let mut bytes = HEADER;
                bytes[place] ^= 1 << bit;
                assert!(read_header(&mut &bytes[..]).is_err(), "bit {bit} of byte {place}");
            }
        }
    }

    /// A dictionary page (type 2) could make a few bytes stand for gigabytes; a negative size would be a huge one.
    #[test]
    fn dictionaries_and_negative_sizes_are_refused() {
        let mut dictionary = HEADER;
        dictionary[1] = 4;
        let detail = read_header(&mut &dictionary[..]).unwrap_err().detail;
        assert!(detail.contains("type of page 2"), "{detail}");
        let negative = [&HEADER[..3], &[1], &HEADER[5..]].concat();
        assert_eq!(read_header(&mut &negative[..]).unwrap_err().detail, "-1 bytes of a page");
        let endless = [&HEADER[..3], &[0xff; 10], &HEADER[5..]].concat();
        assert!(read_header(&mut &endless[..]).is_err());
    }
}
