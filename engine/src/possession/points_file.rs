//! The file in which a miner hands its commitments to the checker (commitment-v1 §4). It holds the blinding key.

use std::io::{self, ErrorKind, Read};

use thiserror::Error;
use zeroize::Zeroizing;

use super::Replica;
use super::blinding::{BLINDING_KEY_BYTES, BlindingKey};
use crate::codec::Reader;
use crate::rejection::{Class, Rejection};

/// Bytes before the table.
pub const POINTS_HEADER_BYTES: usize = 88;
const TAG: &[u8; 4] = b"HFT1";

/// What stands before the table: of which replica it is, and under which key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PointsHeader {
    /// The object and which copy of it.
    pub replica: Replica,
    /// The key of the blinding scalars.
    pub key: BlindingKey,
}

/// Why no header was read.
#[derive(Debug, Error)]
pub enum PointsFileError {
    /// Reading failed.
    #[error("the points file cannot be read: {0}")]
    Read(#[from] io::Error),
    /// Its bytes are wrong.
    #[error(transparent)]
    Refused(#[from] Rejection),
}

impl PointsHeader {
    /// The 88 bytes.
    pub fn encode(&self) -> Zeroizing<[u8; POINTS_HEADER_BYTES]> {
        let mut bytes = Zeroizing::new([0; POINTS_HEADER_BYTES]);
        bytes[..4].copy_from_slice(TAG);
        bytes[8..16].copy_from_slice(&self.replica.length.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.replica.replica_id.to_le_bytes());
        bytes[24..56].copy_from_slice(&self.replica.object_root);
        bytes[56..].copy_from_slice(self.key.as_bytes());
        bytes
    }

    /// Reads exactly 88 bytes.
    ///
    /// Refused: `wrong-length`, `malformed`.
    pub fn decode(bytes: &[u8]) -> Result<PointsHeader, Rejection> {
        let mut reader = Reader::exactly("header of a points file", bytes, POINTS_HEADER_BYTES)?;
        reader.tag(TAG)?;
        reader.zeros::<4>()?;
        let (length, replica_id) = (reader.u64()?, reader.u64()?);
        let replica = Replica::new(reader.array()?, length, replica_id)?;
        let key = Zeroizing::new(reader.array::<BLINDING_KEY_BYTES>()?);
        Ok(PointsHeader { replica, key: BlindingKey::from_bytes(*key) })
    }

    /// Reads the header off a points file; the table follows.
    ///
    /// # Errors
    /// Reading fails, or [`PointsHeader::decode`] refuses.
    pub fn take(file: &mut impl Read) -> Result<PointsHeader, PointsFileError> {
        let mut bytes = Zeroizing::new([0; POINTS_HEADER_BYTES]);
        match file.read_exact(&mut *bytes) {
            Ok(()) => Ok(PointsHeader::decode(&*bytes)?),
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                Err(Class::WrongLength.because("the points file ends within its header").into())
            }
            Err(error) => Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_go_round_and_strays_are_refused() {
        let replica = Replica::new([3; 32], 1 << 50, 9).unwrap();
        let header = PointsHeader { replica, key: BlindingKey::from_bytes([4; 32]) };
        let bytes = header.encode();
        let expected =
            [&b"HFT1\0\0\0\0"[..], &(1u64 << 50).to_le_bytes(), &9u64.to_le_bytes(), &[3; 32], &[4; 32]];
        assert_eq!(bytes[..], expected.concat());
        assert_eq!(PointsHeader::decode(&bytes[..]), Ok(header.clone()));
        assert_eq!(PointsHeader::take(&mut &bytes[..]).unwrap(), header);
        for (place, class) in [(0, Class::Malformed), (7, Class::Malformed), (8, Class::Malformed)] {
            let mut wrong = *bytes;
            wrong[place] = 1;
            assert_eq!(PointsHeader::decode(&wrong).unwrap_err().class, class, "byte {place}");
        }
        let short = PointsHeader::take(&mut &bytes[..87]);
        assert!(
            matches!(short, Err(PointsFileError::Refused(refused)) if refused.class == Class::WrongLength)
        );
        assert!(!format!("{header:?}").contains("4, 4"));
    }
}
