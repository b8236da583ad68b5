use std::io;

use holdfast_engine::rejection::Rejection;
use thiserror::Error;

use super::PieceId;

/// Why bytes could not be coded, given back or made anew.
#[derive(Debug, Error)]
pub enum PieceError {
    /// The file that is being cut cannot be read.
    #[error("cannot read what is to be cut into pieces, after {read_bytes} bytes: {error}")]
    Source {
        /// What was read until then.
        read_bytes: u64,
        /// The reader's answer.
        #[source]
        error: io::Error,
    },
    /// A piece cannot be read to the end. Take another one, from where the sink is.
    #[error("cannot read the piece of {piece}: {error}")]
    Piece {
        /// Which one.
        piece: PieceId,
        /// The reader's answer.
        #[source]
        error: io::Error,
    },
    /// A piece or the file cannot be written.
    #[error("cannot write {what}: {error}")]
    Sink {
        /// What was being written.
        what: String,
        /// The writer's answer.
        #[source]
        error: io::Error,
    },
    /// Fewer pieces than the code needs.
    #[error("segment {segment} needs {needed} pieces of different shards, and {given} were given")]
    TooFew {
        /// Which segment.
        segment: u32,
        /// k.
        needed: u8,
        /// Different shards among what was given.
        given: usize,
    },
    /// A piece that is not of this segment.
    #[error("the piece of {piece} was given for segment {segment} of {shards} shards")]
    Foreign {
        /// What was given.
        piece: PieceId,
        /// What it was given for.
        segment: u32,
        /// n.
        shards: u8,
    },
    /// Bytes that the segment does not have.
    #[error("bytes {start} to {end} of segment {segment}, which has {length_bytes}")]
    OutOfRange {
        /// Which segment.
        segment: u32,
        /// First byte asked for.
        start: u64,
        /// The one behind the last.
        end: u64,
        /// What there is.
        length_bytes: u64,
    },
    /// More segments than a file may have.
    #[error("the file has more than 2^32 segments; take larger ones")]
    TooManySegments,
    /// The bytes of a piece are wrong.
    #[error(transparent)]
    Rejected(#[from] Rejection),
}
