use std::io;
use std::path::{Path, PathBuf};

use super::{EntryError, ObjectName};
use crate::io::IoError;

/// Why something could not be done with a store of objects.
#[derive(Debug, thiserror::Error)]
pub enum ObjectStoreError {
    /// The file system below failed.
    #[error(transparent)]
    Io(#[from] IoError),
    /// The directory is not a store of this version; nothing in it was touched.
    #[error("{} is not a store of objects that can be used: {reason}", path.display())]
    Foreign {
        /// The directory or file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Another process, or another handle of this one, has the store open for writing.
    #[error("{} is in use: another process has it open for writing", path.display())]
    Locked {
        /// The store's directory.
        path: PathBuf,
    },
    /// Opened for reading.
    #[error("the store was opened for reading only")]
    ReadOnly,
    /// A directory could not be synced earlier, so nothing is known about what is on the disk.
    #[error("the store is closed by a failed sync: open it again")]
    Closed,
    /// There is no such object.
    #[error("there is no object {name}")]
    NoSuchObject {
        /// The object asked for.
        name: ObjectName,
    },
    /// The object is there, but its files are not what its entry says.
    #[error("object {name} is damaged: {damage}")]
    Damaged {
        /// The object.
        name: ObjectName,
        /// What is wrong with it.
        damage: Damage,
    },
    /// The budget does not allow it.
    #[error(
        "{needed_bytes} bytes are needed and {free_bytes} are free of {budget_bytes}, of which windows take {window_bytes}: give up windows or delete objects first"
    )]
    Full {
        /// Disk space that was to be taken.
        needed_bytes: u64,
        /// What was left to take.
        free_bytes: u64,
        /// Disk space of windows and objects together.
        budget_bytes: u64,
        /// Disk space that windows take.
        window_bytes: u64,
    },
}

/// What is wrong with an object's files.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// The entry cannot be read by the system.
    #[error(transparent)]
    Unreadable(#[from] IoError),
    /// The entry cannot be used.
    #[error(transparent)]
    Entry(#[from] EntryError),
    /// A file that the entry speaks of is missing or of another length.
    #[error("its {file} has {found} bytes instead of {expected}")]
    Length {
        /// `data` or `outboard`.
        file: &'static str,
        /// As the entry says.
        expected: u64,
        /// As it is.
        found: u64,
    },
}

/// Names what failed and where.
pub(super) fn failed(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> IoError {
    move |error| IoError::from_os(&error, operation, path, 0, 0)
}
