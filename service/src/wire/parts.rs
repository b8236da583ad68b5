//! Byte strings in parts, none of them larger than a message may be.

use bytes::Bytes;

use crate::proto::Part;

/// Bytes of one part.
pub const PART_BYTES: usize = 256 << 10;

/// The parts of a byte string; one of none for an empty one.
pub fn parts(mut bytes: Bytes) -> impl Iterator<Item = Part> {
    let mut next = Some(0);
    std::iter::from_fn(move || {
        let offset_bytes = next?;
        let part = bytes.split_to(bytes.len().min(PART_BYTES));
        next = (!bytes.is_empty()).then_some(offset_bytes + part.len() as u64);
        Some(Part { offset_bytes, bytes: part })
    })
}
