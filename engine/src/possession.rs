//! Possession: audits of objects (commitment-v1, possession-v1).
//!
//! Points and scalars are arkworks'. Every equation on points that somebody else made is cofactored
//! ([`group::is_zero_cofactored`]), so points are checked to be on the curve and never for their order.

pub mod batch;
pub mod blinding;
pub mod challenge;
pub mod check;
pub mod chunks;
pub mod commit;
pub mod commitment_table;
pub mod encode;
mod equation;
#[cfg(test)]
mod fixture;
pub mod fold;
pub mod generators;
pub mod group;
pub mod header;
pub mod link;
pub mod mask;
pub mod points;
pub mod points_file;
pub mod prove;
pub mod read;
pub mod record;
pub mod response;
pub mod scalars;
pub mod secret_file;
mod statement;
pub mod sums;
pub mod token;
pub mod verify;

use crate::rejection::{Class, Rejection};
use crate::tree::{BLOCK_BYTES, block_count};

/// Longest object in bytes.
pub const OBJECT_BYTES_MAX: u64 = 1 << 50;

/// One copy of an object: which bytes, how many, and which of the copies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Replica {
    object_root: [u8; 32],
    length: u64,
    replica_id: u64,
}

impl Replica {
    /// A copy of the object with this root and this many bytes.
    ///
    /// Refused: `malformed` if it is longer than 2^50 bytes.
    pub fn new(object_root: [u8; 32], length: u64, replica_id: u64) -> Result<Replica, Rejection> {
        if length > OBJECT_BYTES_MAX {
            return Err(Class::Malformed.because(format!("an object of {length} bytes, at most 2^50")));
        }
        Ok(Replica { object_root, length, replica_id })
    }

    /// The object's content address, the root of its bytes.
    pub fn object_root(&self) -> &[u8; 32] {
        &self.object_root
    }

    /// L: bytes of the object.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Tells the copies of one object apart.
    pub fn replica_id(&self) -> u64 {
        self.replica_id
    }

    /// B: blocks that are committed to; an empty object has one, of no bytes.
    pub fn blocks(&self) -> u64 {
        block_count(self.length).max(1)
    }

    /// Bytes of block `block`, which is one of the object's.
    pub fn block_bytes(&self, block: u64) -> usize {
        let left = self.length.saturating_sub(block * BLOCK_BYTES as u64);
        usize::try_from(left).map_or(BLOCK_BYTES, |left| left.min(BLOCK_BYTES))
    }
}
