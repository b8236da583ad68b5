//! Why block I/O failed.

use std::io::ErrorKind;

/// Why an I/O call failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IoError {
    /// A sync failed before: nothing is known of the file any more.
    #[error("this handle was closed by a failed sync; reopen the file, which checks it")]
    Closed,
    /// Stopped on request.
    #[error("cancelled")]
    Cancelled,
    /// Not a multiple of the page size.
    #[error("offset {offset} and length {length} must be multiples of {} bytes", super::PAGE_BYTES)]
    Unaligned {
        /// Byte offset asked for.
        offset: u64,
        /// Bytes asked for.
        length: u64,
    },
    /// The file ends before the range asked for.
    #[error("the file ends at {found} of {length} bytes asked for at offset {offset}")]
    ShortRead {
        /// Byte offset asked for.
        offset: u64,
        /// Bytes asked for.
        length: u64,
        /// Bytes that were there.
        found: u64,
    },
    /// The disk or quota is full: a clean stop; free space and run the same command again.
    #[error(
        "no space left for {length} bytes at offset {offset}; free some, then run the same command again"
    )]
    NoSpace {
        /// Byte offset of the write.
        offset: u64,
        /// Bytes of the write.
        length: u64,
    },
    /// The system refused.
    #[error("{operation} of {length} bytes at offset {offset} failed: {kind} (system error {code})")]
    System {
        /// What was tried.
        operation: &'static str,
        /// Byte offset.
        offset: u64,
        /// Bytes.
        length: u64,
        /// Kind of the error.
        kind: ErrorKind,
        /// The system's number, 0 if it has none.
        code: i32,
    },
}

impl IoError {
    /// From what the system said of an operation.
    pub fn from_system(operation: &'static str, offset: u64, length: u64, error: &std::io::Error) -> IoError {
        match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => IoError::NoSpace { offset, length },
            kind => {
                IoError::System { operation, offset, length, kind, code: error.raw_os_error().unwrap_or(0) }
            }
        }
    }
}
