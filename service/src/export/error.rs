//! Why an export was not written, read or believed.

use std::io;
use std::path::{Path, PathBuf};

use holdfast_engine::recorder::RecorderError;
use holdfast_engine::rejection::{Class, Rejection};
use parquet::errors::ParquetError;
use thiserror::Error;

use super::Table;

/// What can go wrong. Only [`ExportError::Rejected`] says that somebody's bytes are wrong.
#[derive(Debug, Error)]
pub enum ExportError {
    /// What is in the export is not what may be there.
    #[error("{}: {rejection}", place.display())]
    Rejected {
        /// The file or folder.
        place: PathBuf,
        /// Class and detail.
        rejection: Rejection,
    },
    /// The system refused something about a file.
    #[error("cannot {doing} {}: {source}", path.display())]
    File {
        /// What was being done: "read", "write", "sync", …
        doing: &'static str,
        /// Which file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// Another process appends to the export.
    #[error("{} is being written by another process; wait for it, or stop it", path.display())]
    Locked {
        /// The export.
        path: PathBuf,
    },
    /// The directory holds another export.
    #[error(
        "{} is an export with {field} {found}, and {expected} was to be written; take another directory",
        path.display()
    )]
    OtherExport {
        /// The export's settings.
        path: PathBuf,
        /// What differs.
        field: &'static str,
        /// What the export has.
        found: String,
        /// What was asked for.
        expected: String,
    },
    /// Rows would be missing between what is there and what is appended.
    #[error("row {found} of {}: the next row is {expected}, so append from there", table.name())]
    Gap {
        /// The table.
        table: Table,
        /// The number that the row must have.
        expected: u64,
        /// The number that it has.
        found: u64,
    },
    /// An earlier write failed.
    #[error("{} is not written to since a write failed; open it again", path.display())]
    Stopped {
        /// The export.
        path: PathBuf,
    },
    /// A row that no reader would take.
    #[error("row {number} of {}: {detail}", table.name())]
    Row {
        /// The table.
        table: Table,
        /// The row.
        number: u64,
        /// What is wrong with it.
        detail: String,
    },
    /// The Parquet library refused to write.
    #[error("cannot encode {}: {source}", path.display())]
    Encode {
        /// The file.
        path: PathBuf,
        /// The library's reason.
        source: ParquetError,
    },
    /// The recorder that the export was compared with failed.
    #[error(transparent)]
    Recorder(#[from] RecorderError),
}

impl ExportError {
    /// Bytes at a place that are refused.
    pub(super) fn rejected(place: impl AsRef<Path>, rejection: Rejection) -> ExportError {
        ExportError::Rejected { place: place.as_ref().to_owned(), rejection }
    }

    /// An operation on a file that the system refused; for `map_err`.
    pub(super) fn file(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> ExportError {
        move |source| ExportError::File { doing, path: path.to_owned(), source }
    }
}

/// A refusal of what the Parquet library cannot read: the bytes are at fault, not the disk, for they are in memory.
pub(super) fn unreadable(error: &(dyn std::error::Error + 'static)) -> Rejection {
    Class::Malformed.because(format!("no Parquet file that can be read: {error}"))
}
