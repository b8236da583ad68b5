//! The entry of an object: what the store knows of it beside its bytes (object-v1 §3).

use super::ObjectName;

/// Bytes of an entry.
pub const ENTRY_BYTES: usize = 160;

const TAG: [u8; 4] = *b"HFO1";
const CHECKSUM_CONTEXT: &str = "holdfast v1 object entry checksum";
const CHECKSUM_AT: usize = ENTRY_BYTES - 32;
/// An expiry that never comes.
const NEVER: u64 = u64::MAX;

const NAME_AT: usize = 8;
const SECOND_DIGEST_AT: usize = 40;
const DATA_BYTES_AT: usize = 72;
const OUTBOARD_BYTES_AT: usize = 80;
const STORED_AT_AT: usize = 88;
const EXPIRES_AT_AT: usize = 96;
const PADDING_AT: usize = 104;

/// What is known of an object beside its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The object's name.
    pub name: ObjectName,
    /// Another digest of the same bytes; opaque here.
    pub second_digest: [u8; 32],
    /// Bytes of the data.
    pub data_bytes: u64,
    /// Bytes of the outboard; 0 where there is none.
    pub outboard_bytes: u64,
    /// When it was stored, in seconds since 1970.
    pub stored_at: u64,
    /// From when on it is expired, in seconds since 1970; `None` for never.
    pub expires_at: Option<u64>,
}

/// Why bytes are not the entry of an object.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// Another length.
    #[error("the entry has {found} bytes instead of {ENTRY_BYTES}")]
    Length {
        /// Its bytes.
        found: u64,
    },
    /// Another beginning, or a zero field that is not zero.
    #[error("the entry is not one of version 1: byte {at} is {found:#04x}")]
    Malformed {
        /// Offset of the byte.
        at: usize,
        /// What it is.
        found: u8,
    },
    /// The checksum does not hold.
    #[error("the entry's checksum does not hold")]
    Checksum,
    /// A valid entry of another object.
    #[error("the entry is that of object {found}")]
    OtherObject {
        /// The object that it names.
        found: ObjectName,
    },
}

impl Entry {
    /// The 160 bytes.
    pub fn encode(&self) -> [u8; ENTRY_BYTES] {
        let mut bytes = [0; ENTRY_BYTES];
        let expires_at = self.expires_at.unwrap_or(NEVER);
        let fields: [(usize, &[u8]); 7] = [
            (0, &TAG),
            (NAME_AT, &self.name.0),
            (SECOND_DIGEST_AT, &self.second_digest),
            (DATA_BYTES_AT, &self.data_bytes.to_le_bytes()),
            (OUTBOARD_BYTES_AT, &self.outboard_bytes.to_le_bytes()),
            (STORED_AT_AT, &self.stored_at.to_le_bytes()),
            (EXPIRES_AT_AT, &expires_at.to_le_bytes()),
        ];
        for (at, field) in fields {
            bytes[at..at + field.len()].copy_from_slice(field);
        }
        let sum = blake3::derive_key(CHECKSUM_CONTEXT, &bytes[..CHECKSUM_AT]);
        bytes[CHECKSUM_AT..].copy_from_slice(&sum);
        bytes
    }

    /// Reads exactly 160 bytes.
    ///
    /// # Errors
    /// [`EntryError`]; never a panic, whatever the bytes are.
    pub fn decode(bytes: &[u8]) -> Result<Self, EntryError> {
        let bytes: &[u8; ENTRY_BYTES] =
            bytes.try_into().map_err(|_| EntryError::Length { found: bytes.len() as u64 })?;
        let expected = TAG.iter().chain(&[0; NAME_AT - TAG.len()]).enumerate();
        let padding = (PADDING_AT..CHECKSUM_AT).map(|at| (at, &0));
        if let Some((at, _)) = expected.chain(padding).find(|&(at, byte)| bytes[at] != *byte) {
            return Err(EntryError::Malformed { at, found: bytes[at] });
        }
        if blake3::derive_key(CHECKSUM_CONTEXT, &bytes[..CHECKSUM_AT]) != bytes[CHECKSUM_AT..] {
            return Err(EntryError::Checksum);
        }
        let word = |at| u64::from_le_bytes(field(bytes, at));
        Ok(Self {
            name: ObjectName(field(bytes, NAME_AT)),
            second_digest: field(bytes, SECOND_DIGEST_AT),
            data_bytes: word(DATA_BYTES_AT),
            outboard_bytes: word(OUTBOARD_BYTES_AT),
            stored_at: word(STORED_AT_AT),
            expires_at: Some(word(EXPIRES_AT_AT)).filter(|&at| at != NEVER),
        })
    }

    /// Whether the object is expired at a time in seconds since 1970.
    pub fn is_expired(&self, now: u64) -> bool {
        self.expires_at.is_some_and(|at| at <= now)
    }
}

/// Field `at .. at + N`. Called with constants below the checksum only.
fn field<const N: usize>(bytes: &[u8; ENTRY_BYTES], at: usize) -> [u8; N] {
    let mut field = [0; N];
    field.copy_from_slice(&bytes[at..at + N]);
    field
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entry() -> Entry {
        Entry {
            name: ObjectName([1; 32]),
            second_digest: [2; 32],
            data_bytes: 3,
            outboard_bytes: 4,
            stored_at: 5,
            expires_at: Some(6),
        }
    }

    #[test]
    fn fields_stand_where_the_specification_says() {
        let bytes = entry().encode();
        assert_eq!(bytes[..8], *b"HFO1\0\0\0\0");
        assert_eq!((bytes[8..40].to_vec(), bytes[40..72].to_vec()), (vec![1; 32], vec![2; 32]));
        let words: Vec<u64> =
            bytes[72..104].as_chunks().0.iter().map(|word| u64::from_le_bytes(*word)).collect();
        assert_eq!(words, [3, 4, 5, 6]);
        assert_eq!(bytes[104..128], [0; 24]);
    }

    /// The only thing that stands between a bad sector and an object that is thrown away too early.
    #[test]
    fn one_changed_bit_anywhere_is_refused() {
        let bytes = entry().encode();
        for at in 0..ENTRY_BYTES {
            for bit in 0..8 {
                let mut changed = bytes;
                changed[at] ^= 1 << bit;
                assert!(Entry::decode(&changed).is_err(), "bit {bit} of byte {at}");
            }
        }
    }

    #[test]
    fn other_lengths_are_refused() {
        let bytes = entry().encode();
        assert_eq!(Entry::decode(&bytes[..159]), Err(EntryError::Length { found: 159 }));
        assert_eq!(Entry::decode(&[bytes.as_slice(), &[0]].concat()), Err(EntryError::Length { found: 161 }));
    }

    #[test]
    fn an_object_is_expired_from_its_expiry_on_or_never() {
        assert!(!entry().is_expired(5));
        assert!(entry().is_expired(6));
        assert!(!Entry { expires_at: None, ..entry() }.is_expired(u64::MAX));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(name: [u8; 32], second_digest: [u8; 32], words: [u64; 3], expires: Option<u64>) {
            let [data_bytes, outboard_bytes, stored_at] = words;
            let expires_at = expires.filter(|&at| at != NEVER);
            let entry =
                Entry { name: ObjectName(name), second_digest, data_bytes, outboard_bytes, stored_at, expires_at };
            prop_assert_eq!(Entry::decode(&entry.encode()), Ok(entry));
        }
    }
}
