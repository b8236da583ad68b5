//! Objects: files of users, each under a name of 32 bytes that is opaque here (docs/spec/object-v1.md §2–§5).
//!
//! A store is a directory. An object is a directory in it, made complete under another name and then renamed, so it is
//! there whole or not at all; deleting it begins with the rename back. The store counts the disk space that objects take
//! and keeps it, with the space that windows take, within the budget of the partition.
//!
//! One handle writes at a time, any number read. Calls may come from several threads at once.

mod change;
mod entry;
mod error;
mod files;
mod incoming;
mod name;
mod open;
mod sharing;
mod space;

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};

pub use change::{Beside, BesideWriter};
pub use entry::{ENTRY_BYTES, Entry, EntryError};
pub use error::{Damage, ObjectStoreError};
pub use files::ObjectFile;
pub use incoming::{Incoming, Outcome};
pub use name::{NameError, ObjectName};
pub use open::{StoreRecovery, objects_directory};
pub use sharing::{AllocationMap, NoRoom, ObjectPlace, Sharing, WindowPlaces};

use crate::io::PAGE_BYTES;
use crate::partition_file::OpenMode;
use error::failed;
use files::file_disk_bytes;

/// Disk space that an object takes with a data file and an outboard of so many bytes: whole pages, one for its entry and
/// one for its directory.
pub fn object_disk_bytes(data_bytes: u64, outboard_bytes: u64) -> u64 {
    [data_bytes, outboard_bytes]
        .into_iter()
        .map(file_disk_bytes)
        .fold(2 * PAGE_BYTES as u64, u64::saturating_add)
}

/// An object as the store has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Object {
    /// What was written when it was stored.
    pub entry: Entry,
    /// Bytes of its table of commitments, if it has one.
    pub table_bytes: Option<u64>,
    /// Bytes of the record of that table, if it has one.
    pub record_bytes: Option<u64>,
    /// Bytes of the permission to keep it, if it came with one.
    pub ticket_bytes: Option<u64>,
}

impl Object {
    fn has(&self, file: ObjectFile) -> bool {
        match file {
            ObjectFile::Data | ObjectFile::Entry => true,
            ObjectFile::Outboard => self.entry.outboard_bytes > 0,
            ObjectFile::Table => self.table_bytes.is_some(),
            ObjectFile::Record => self.record_bytes.is_some(),
            ObjectFile::Ticket => self.ticket_bytes.is_some(),
        }
    }

    /// Disk space of all its files.
    pub fn disk_bytes(&self) -> u64 {
        let beside = [self.table_bytes, self.record_bytes, self.ticket_bytes];
        let beside = beside.into_iter().flatten().map(file_disk_bytes);
        let own = object_disk_bytes(self.entry.data_bytes, self.entry.outboard_bytes);
        beside.fold(own, u64::saturating_add)
    }
}

/// A store, open.
#[derive(Debug)]
pub struct ObjectStore {
    directory: PathBuf,
    mode: OpenMode,
    state: Mutex<State>,
    #[expect(dead_code, reason = "the lock lives as long as the file")]
    lock: Option<File>,
}

#[derive(Debug)]
struct State {
    budget_bytes: u64,
    window_bytes: u64,
    /// Disk space of all objects, damaged ones included.
    object_bytes: u64,
    /// Disk space promised to what is being written.
    reserved_bytes: u64,
    objects: BTreeMap<ObjectName, Object>,
    damaged: BTreeMap<ObjectName, DamagedObject>,
    /// Number of the next directory of incoming or leaving objects.
    next_number: u64,
    closed: bool,
}

#[derive(Clone, Debug)]
struct DamagedObject {
    disk_bytes: u64,
    damage: Damage,
}

impl State {
    fn free_bytes(&self) -> u64 {
        let taken = [self.window_bytes, self.object_bytes, self.reserved_bytes];
        taken.into_iter().fold(self.budget_bytes, u64::saturating_sub)
    }

    fn no_object(&self, name: ObjectName) -> ObjectStoreError {
        match self.damaged.get(&name) {
            Some(damaged) => ObjectStoreError::Damaged { name, damage: damaged.damage.clone() },
            None => ObjectStoreError::NoSuchObject { name },
        }
    }

    fn object(&self, name: ObjectName) -> Result<Object, ObjectStoreError> {
        self.objects.get(&name).copied().ok_or_else(|| self.no_object(name))
    }
}

impl ObjectStore {
    /// Where the store is.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Disk space of windows and objects together.
    ///
    /// # Errors
    /// [`ObjectStoreError::Closed`], as for everything here.
    pub fn budget_bytes(&self) -> Result<u64, ObjectStoreError> {
        Ok(self.state()?.budget_bytes)
    }

    /// Disk space that objects take, damaged ones and those being written included.
    ///
    /// # Errors
    /// [`ObjectStoreError::Closed`].
    pub fn object_bytes(&self) -> Result<u64, ObjectStoreError> {
        let state = self.state()?;
        Ok(state.object_bytes.saturating_add(state.reserved_bytes))
    }

    /// Disk space that a new object may take.
    ///
    /// # Errors
    /// [`ObjectStoreError::Closed`].
    pub fn free_bytes(&self) -> Result<u64, ObjectStoreError> {
        Ok(self.state()?.free_bytes())
    }

    /// Says what the partition's windows take of the budget now. Kept in memory: the partition file is what knows it.
    ///
    /// # Errors
    /// [`ObjectStoreError::Closed`].
    pub fn set_window_bytes(&self, bytes: u64) -> Result<(), ObjectStoreError> {
        self.state()?.window_bytes = bytes;
        Ok(())
    }

    /// All objects that are whole, by name.
    ///
    /// # Errors
    /// [`ObjectStoreError::Closed`].
    pub fn list(&self) -> Result<Vec<Object>, ObjectStoreError> {
        Ok(self.state()?.objects.values().copied().collect())
    }

    /// All objects whose files are not what their entries say, by name, and why.
    ///
    /// # Errors
    /// [`ObjectStoreError::Closed`].
    pub fn damaged(&self) -> Result<Vec<(ObjectName, Damage)>, ObjectStoreError> {
        let state = self.state()?;
        Ok(state.damaged.iter().map(|(name, damaged)| (*name, damaged.damage.clone())).collect())
    }

    /// An object.
    ///
    /// # Errors
    /// [`ObjectStoreError::NoSuchObject`], [`ObjectStoreError::Damaged`].
    pub fn object(&self, name: ObjectName) -> Result<Object, ObjectStoreError> {
        self.state()?.object(name)
    }

    /// Opens a file of an object for reading. It can be read to its end even when the object is deleted meanwhile.
    ///
    /// # Errors
    /// As [`ObjectStore::object`]; I/O, a file that the object does not have included.
    pub fn open_file(&self, name: ObjectName, file: ObjectFile) -> Result<File, ObjectStoreError> {
        // Held, or the object might be deleted between the look and the opening.
        let state = self.state()?;
        let object = state.object(name)?;
        let path = self.file_path(name, file);
        if !object.has(file) {
            // What stands there under this name is not the store's.
            return Err(failed("open", &path)(io::ErrorKind::NotFound.into()).into());
        }
        Ok(File::open(&path).map_err(failed("open", &path))?)
    }

    fn object_path(&self, name: ObjectName) -> PathBuf {
        self.directory.join(name.to_string())
    }

    /// Where a file of an object stands, whether it is there or not.
    pub fn file_path(&self, name: ObjectName, file: ObjectFile) -> PathBuf {
        self.object_path(name).join(file.name())
    }

    fn state(&self) -> Result<MutexGuard<'_, State>, ObjectStoreError> {
        let state = self.state.lock().map_err(|_| ObjectStoreError::Closed)?;
        if state.closed { Err(ObjectStoreError::Closed) } else { Ok(state) }
    }

    fn change(&self) -> Result<MutexGuard<'_, State>, ObjectStoreError> {
        match self.mode {
            OpenMode::ReadWrite => self.state(),
            OpenMode::ReadOnly => Err(ObjectStoreError::ReadOnly),
        }
    }
}
