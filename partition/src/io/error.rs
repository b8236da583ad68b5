//! Why an I/O call failed.

use std::fmt::{self, Display};
use std::io;
use std::path::{Path, PathBuf};

use super::PAGE_BYTES;

/// Why an I/O call failed. Clone-able, because one failure may concern many waiting parties.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IoError {
    /// The operating system refused or the device failed.
    #[error("cannot {operation} {}: {}", Place { path, offset: *offset, length: *length }, Cause { number: *number, kind: *kind })]
    Os {
        /// What was tried: `open`, `read`, `write`, `sync`, …
        operation: &'static str,
        /// The file.
        path: PathBuf,
        /// Byte offset; 0 where the operation has none.
        offset: u64,
        /// Bytes concerned; 0 where the operation concerns the whole file.
        length: u64,
        /// Error number of the operating system, where it gave one.
        number: Option<i32>,
        /// The same in Rust's terms.
        kind: io::ErrorKind,
    },
    /// No space or quota left: what was written before stays good, and the work can go on once there is space.
    #[error("disk full: cannot {operation} {}; free some space and start again, finished work is kept", Place { path, offset: *offset, length: *length })]
    DiskFull {
        /// What was tried: `write`, `reserve space for`, …
        operation: &'static str,
        /// The file.
        path: PathBuf,
        /// Byte offset.
        offset: u64,
        /// Bytes concerned.
        length: u64,
    },
    /// A sync failed earlier, so nothing is known about what is on the disk; see partition-file-v1 §1.
    #[error("this handle was closed by a failed sync; reopen the file and check it")]
    Closed,
    /// The caller asked to stop, or the request was never carried out.
    #[error("stopped on request")]
    Cancelled,
    /// The range to read reaches past the end of the file.
    #[error("{}: the file ends before the range does; it was cut short or is not the expected file", Place { path, offset: *offset, length: *length })]
    PastEnd {
        /// The file.
        path: PathBuf,
        /// Byte offset.
        offset: u64,
        /// Bytes asked for.
        length: u64,
    },
    /// An offset, length or buffer address is not a positive multiple of [`PAGE_BYTES`].
    #[error("{what} {value} is not a multiple of {PAGE_BYTES} bytes (lengths: nor 0), or too large")]
    Unaligned {
        /// `offset`, `length` or `buffer address`.
        what: &'static str,
        /// The value, modulo [`PAGE_BYTES`] for an address.
        value: u64,
    },
    /// Writing through a handle opened for reading.
    #[error("{} was opened for reading only", path.display())]
    ReadOnly {
        /// The file.
        path: PathBuf,
    },
    /// Another process, or another handle of this one, has the file open for writing.
    #[error("{} is in use: another process has it open for writing; wait for it or stop it", path.display())]
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// The chosen back end is absent here.
    #[error("back end {backend} is absent: {reason}; choose another with --io or use --io auto")]
    Unsupported {
        /// Name of the back end.
        backend: &'static str,
        /// Why.
        reason: String,
    },
}

impl IoError {
    /// Sorts an error of the operating system into the right variant.
    pub fn from_os(
        error: &io::Error,
        operation: &'static str,
        path: &Path,
        offset: u64,
        length: u64,
    ) -> Self {
        let path = path.to_path_buf();
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Self::DiskFull { operation, path, offset, length }
            }
            io::ErrorKind::UnexpectedEof => Self::PastEnd { path, offset, length },
            kind => Self::Os { operation, path, offset, length, number: error.raw_os_error(), kind },
        }
    }

    /// True when the disk or quota is full: a clean stop after which the same work resumes.
    pub fn is_disk_full(&self) -> bool {
        matches!(self, Self::DiskFull { .. })
    }
}

struct Place<'a> {
    path: &'a Path,
    offset: u64,
    length: u64,
}

impl Display for Place<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.length > 0 {
            write!(out, "{} bytes at offset {} of ", self.length, self.offset)?;
        }
        write!(out, "{}", self.path.display())
    }
}

struct Cause {
    number: Option<i32>,
    kind: io::ErrorKind,
}

impl Display for Cause {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.number {
            Some(number) => io::Error::from_raw_os_error(number).fmt(out),
            None => self.kind.fmt(out),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_say_what_where_and_why() {
        let full =
            IoError::from_os(&io::Error::from_raw_os_error(28), "write", Path::new("/d/p.hf"), 8192, 4096);
        assert!(full.is_disk_full());
        assert!(
            full.to_string().starts_with("disk full: cannot write 4096 bytes at offset 8192 of /d/p.hf;")
        );
        let bad =
            IoError::from_os(&io::Error::from_raw_os_error(5), "read", Path::new("/d/p.hf"), 4096, 4096);
        assert!(!bad.is_disk_full());
        assert_eq!(
            bad.to_string(),
            "cannot read 4096 bytes at offset 4096 of /d/p.hf: Input/output error (os error 5)"
        );
        let sync = IoError::from_os(&io::Error::from_raw_os_error(5), "sync", Path::new("/d/p.hf"), 0, 0);
        assert_eq!(sync.to_string(), "cannot sync /d/p.hf: Input/output error (os error 5)");
    }

    #[test]
    fn quota_counts_as_disk_full() {
        // EDQUOT is how a per-user limit says the same thing; treating it as a broken disk would mark windows bad.
        let quota = IoError::from_os(&io::Error::from_raw_os_error(122), "write", Path::new("p"), 0, 4096);
        assert!(quota.is_disk_full());
    }
}
