//! From an owner's ciphertext to pieces on miners, and back (pieces-v1).
//!
//! The ciphertext of a file is cut into *segments*; each is coded into n *shards* of which any k give it back (k = 1 is
//! replication); each shard gets an *outer layer* of its own, and is then a *piece*: the object that one miner stores.
//! Everything streams: memory does not grow with files, segments or pieces. Nothing here knows of a network.

mod code;
mod decode;
mod encode;
mod error;
mod gather;
mod layer;
mod layout;
mod manifest;
mod policy;
mod rebuild;

use std::fmt;

pub use decode::SegmentCode;
pub use encode::{EncodedSegment, EncodedShard, Encoder, remake_segment, resend_segment};
pub use error::PieceError;
pub use gather::PieceSource;
pub use layer::PlacementSecret;
pub use layout::{FileLayout, PART_BYTES, SegmentLayout};
pub use manifest::{
    Holder, MANIFEST_BYTES_MAX, Manifest, ManifestError, NAME_BYTES_MAX, Piece, PrivatePart, Segment,
};
pub use policy::{Policy, PolicyError};
pub use rebuild::RebuiltPiece;

/// The replica that records of pieces name (possession-v1 §1): pieces differ by their outer layers. A record that names another one would
/// have a miner that committed under this one fail every audit.
pub const REPLICA_ID: u64 = 0;

/// What identifies a piece of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PieceId {
    /// Which segment of the ciphertext, from 0.
    pub segment: u32,
    /// Which shard of the segment, from 0; those below k are data.
    pub shard: u8,
    /// How often the shard was made anew. Each generation has another outer layer, so its bytes are other bytes.
    pub generation: u32,
}

impl fmt::Display for PieceId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PieceId { segment, shard, generation } = self;
        write!(out, "segment {segment}, shard {shard}, generation {generation}")
    }
}

/// A byte string by its root and its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Content {
    /// Its BLAKE3 root.
    pub root: [u8; 32],
    /// Its bytes.
    pub length_bytes: u64,
}

#[cfg(test)]
mod tests;
