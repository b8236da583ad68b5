use std::io;

use holdfast_partition::io::IoError;
use holdfast_partition::objects::{ObjectName, ObjectStoreError};
use thiserror::Error;

use super::Address;
use crate::rejection::Rejection;

/// Why something could not be done with an object.
#[derive(Debug, Error)]
pub enum ObjectError {
    /// The store says no, or the disk fails.
    #[error(transparent)]
    Store(#[from] ObjectStoreError),
    /// What was sent is not what was announced.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// The stream to be stored ended with an error.
    #[error("cannot read what is to be stored: {0}")]
    Source(#[source] io::Error),
    /// Whoever gets the bytes takes no more.
    #[error("cannot hand the bytes on: {0}")]
    Sink(#[source] io::Error),
    /// No object has this address.
    #[error("there is no object {address}")]
    NoSuchObject {
        /// The address asked for.
        address: Address,
    },
    /// The object is still there, but not for long.
    #[error("object {name} expired at {expires_at} (seconds since 1970)")]
    Expired {
        /// The object.
        name: ObjectName,
        /// When.
        expires_at: u64,
    },
    /// The range reaches beyond the object's end, or ends before it begins.
    #[error("bytes {start} to {end} of an object of {length} bytes")]
    NoSuchRange {
        /// First byte asked for.
        start: u64,
        /// The byte after the last one.
        end: u64,
        /// Bytes of the object.
        length: u64,
    },
    /// A block's bytes are not those that were stored. None of them was handed on.
    #[error("block {block} of object {name} is damaged (16 KiB at byte {})", block * 16_384)]
    DamagedBlock {
        /// The object.
        name: ObjectName,
        /// Number of the block.
        block: u64,
    },
    /// A page of the outboard is not what was stored, so the blocks under it cannot be checked.
    #[error(
        "page {page} of the outboard of object {name} is damaged: verify the object, and mend its outboard"
    )]
    DamagedOutboard {
        /// The object.
        name: ObjectName,
        /// Number of the page.
        page: u64,
    },
}

impl From<IoError> for ObjectError {
    fn from(error: IoError) -> ObjectError {
        ObjectError::Store(error.into())
    }
}
