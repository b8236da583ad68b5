//! The files of a store: their names, and writing them so that a crash leaves the old one or the new one.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use super::error::failed;
use crate::io::{IoError, PAGE_BYTES};

/// The header of the store.
pub(super) const STORE: &str = "store";
/// Held by whoever changes anything.
pub(super) const LOCK: &str = ".lock";
/// Beginning of the name of a directory that is to become an object.
pub(super) const INCOMING: &str = ".incoming-";
/// Beginning of the name of a directory that was one.
pub(super) const LEAVING: &str = ".leaving-";
/// Added to a file's name until it is complete.
pub(super) const NEW: &str = ".new";

/// A file of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObjectFile {
    /// Its bytes.
    Data,
    /// The nodes of its tree.
    Outboard,
    /// What the store knows of it.
    Entry,
    /// Its table of commitments, once there is one.
    Table,
    /// The signed record of that table, once there is one.
    Record,
    /// The permission to keep it, with which it came, if there is one.
    Ticket,
}

impl ObjectFile {
    /// All of them.
    pub const ALL: [ObjectFile; 6] =
        [Self::Data, Self::Outboard, Self::Entry, Self::Table, Self::Record, Self::Ticket];

    /// Its name in the object's directory.
    pub fn name(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Outboard => "outboard",
            Self::Entry => "entry",
            Self::Table => "table",
            Self::Record => "record",
            Self::Ticket => "ticket",
        }
    }

    /// The file of this name.
    pub(super) fn of_name(name: &str) -> Option<ObjectFile> {
        Self::ALL.into_iter().find(|file| file.name() == name)
    }
}

/// Disk space that a file of so many bytes takes: whole pages.
pub(super) fn file_disk_bytes(bytes: u64) -> u64 {
    bytes.checked_next_multiple_of(PAGE_BYTES as u64).unwrap_or(u64::MAX)
}

pub(super) fn sync_directory(path: &Path) -> Result<(), IoError> {
    File::open(path).and_then(|directory| directory.sync_all()).map_err(failed("sync", path))
}

/// Writes a new file and makes its bytes durable; its name is durable once the directory is synced.
pub(super) fn write_new(path: &Path, bytes: &[u8]) -> Result<(), IoError> {
    let write = || {
        let mut file = File::create_new(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(failed("write", path))
}

/// Puts a file of these bytes in the place of an old one, or of none, up to the rename: the directory is the caller's to
/// sync. A crash leaves the old file or the new one, and perhaps a `.new` file.
pub(super) fn replace(directory: &Path, name: &str, bytes: &[u8]) -> Result<(), IoError> {
    let (new, path) = (directory.join(format!("{name}{NEW}")), directory.join(name));
    // Only one handle writes, so a file of this name was left over by a call that failed.
    remove_if_there(&new)?;
    let written =
        write_new(&new, bytes).and_then(|()| fs::rename(&new, &path).map_err(failed("rename", &new)));
    if written.is_err() {
        // The first error is the one to tell.
        let _ = fs::remove_file(&new);
    }
    written
}

pub(super) fn remove_if_there(path: &Path) -> Result<(), IoError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed("delete", path)(error)),
        _ => Ok(()),
    }
}

/// Deletes a directory with the files that an object may have; returns false if there is something else in it, which
/// stays.
pub(super) fn remove_object_directory(path: &Path) -> Result<bool, IoError> {
    for file in ObjectFile::ALL {
        remove_if_there(&path.join(file.name()))?;
        remove_if_there(&path.join(format!("{}{NEW}", file.name())))?;
    }
    match fs::remove_dir(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(false),
        Err(error) => Err(failed("delete", path)(error)),
    }
}
