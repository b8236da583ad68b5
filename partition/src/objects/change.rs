//! Changes to objects that are stored: deleting, another expiry, files that come later; and another budget.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use super::error::failed;
use super::files::{
    INCOMING, LEAVING, NEW, file_disk_bytes, remove_object_directory, replace, sync_directory,
};
use super::open::write_header;
use super::space::Reservation;
use super::{Damage, Entry, Object, ObjectFile, ObjectName, ObjectStore, ObjectStoreError, State};

/// A file that can be written after the object was stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beside {
    /// The outboard made anew, of the same length.
    Outboard,
    /// The table of commitments.
    Table,
    /// The record of that table.
    Record,
    /// The permission to keep the object.
    Ticket,
}

impl Beside {
    fn file(self) -> ObjectFile {
        match self {
            Self::Outboard => ObjectFile::Outboard,
            Self::Table => ObjectFile::Table,
            Self::Record => ObjectFile::Record,
            Self::Ticket => ObjectFile::Ticket,
        }
    }
}

impl ObjectStore {
    /// Deletes an object, damaged or not, and returns the disk space that is free again. When this returns it is gone for
    /// good; broken off, it is there or gone.
    ///
    /// # Errors
    /// [`ObjectStoreError::NoSuchObject`]; [`ObjectStoreError::Foreign`] if its directory holds a file that is not the
    /// store's, and then nothing is deleted; I/O.
    pub fn remove(&self, name: ObjectName) -> Result<u64, ObjectStoreError> {
        let removal = self.take_out(&mut *self.change()?, name)?;
        removal.finish()
    }

    /// Deletes an object if it is expired at a time in seconds since 1970, and returns the disk space that is free again;
    /// `None` if it is not, or not any more, or not there.
    ///
    /// # Errors
    /// As [`ObjectStore::remove`].
    pub fn remove_expired(&self, name: ObjectName, now: u64) -> Result<Option<u64>, ObjectStoreError> {
        let mut state = self.change()?;
        // Looked at under the lock: whoever stores the object again was told that it stays.
        if !state.objects.get(&name).is_some_and(|object| object.entry.is_expired(now)) {
            return Ok(None);
        }
        let removal = self.take_out(&mut state, name)?;
        drop(state);
        removal.finish().map(Some)
    }

    /// Takes the name from an object, durably.
    pub(super) fn take_out(&self, state: &mut State, name: ObjectName) -> Result<Removal, ObjectStoreError> {
        let whole = state.objects.get(&name).map(Object::disk_bytes);
        let disk_bytes = whole.or_else(|| state.damaged.get(&name).map(|damaged| damaged.disk_bytes));
        let disk_bytes = disk_bytes.ok_or(ObjectStoreError::NoSuchObject { name })?;
        let path = self.object_path(name);
        refuse_foreign_files(&path)?;
        let leaving = self.new_directory(state, LEAVING);
        fs::rename(&path, &leaving).map_err(failed("rename", &path))?;
        self.sync_or_close(state, &self.directory)?;
        state.objects.remove(&name);
        state.damaged.remove(&name);
        state.object_bytes = state.object_bytes.saturating_sub(disk_bytes);
        Ok(Removal { leaving, disk_bytes })
    }

    /// Names of the objects that are expired at a time in seconds since 1970.
    ///
    /// # Errors
    /// [`ObjectStoreError::Closed`].
    pub fn expired(&self, now: u64) -> Result<Vec<ObjectName>, ObjectStoreError> {
        let state = self.state()?;
        let expired = state.objects.values().filter(|object| object.entry.is_expired(now));
        Ok(expired.map(|object| object.entry.name).collect())
    }

    /// Gives an object another expiry, in seconds since 1970, durably; `None` for never.
    ///
    /// # Errors
    /// As [`ObjectStore::object`]; I/O.
    pub fn set_expiry(&self, name: ObjectName, expires_at: Option<u64>) -> Result<(), ObjectStoreError> {
        let mut state = self.change()?;
        let object = state.object(name)?;
        self.write_expiry(&mut state, object, expires_at)
    }

    pub(super) fn write_expiry(
        &self,
        state: &mut State,
        object: Object,
        expires_at: Option<u64>,
    ) -> Result<(), ObjectStoreError> {
        if object.entry.expires_at == expires_at {
            return Ok(());
        }
        let name = object.entry.name;
        let entry = Entry { expires_at, ..object.entry };
        let directory = self.object_path(name);
        replace(&directory, ObjectFile::Entry.name(), &entry.encode())?;
        self.sync_or_close(state, &directory)?;
        state.objects.insert(name, Object { entry, ..object });
        Ok(())
    }

    /// Writes a file beside an object's data; an old one is replaced. When this returns, it is durable.
    ///
    /// # Errors
    /// As [`ObjectStore::object`]; [`ObjectStoreError::Full`]; an outboard of another length than the entry says is
    /// [`ObjectStoreError::Damaged`]; what `write` returns, and I/O. After an error the old file is there.
    pub fn write_beside(
        &self,
        name: ObjectName,
        beside: Beside,
        write: impl FnOnce(&mut BesideWriter<'_>) -> Result<(), ObjectStoreError>,
    ) -> Result<(), ObjectStoreError> {
        // A directory of its own: others may be writing the same file.
        let directory = {
            let mut state = self.change()?;
            state.object(name)?;
            self.new_directory(&mut state, INCOMING)
        };
        fs::create_dir(&directory).map_err(failed("create", &directory))?;
        let path = directory.join(beside.file().name());
        let written = File::create_new(&path).map_err(|error| failed("create", &path)(error).into());
        let written = written.and_then(|out| {
            let mut out = BesideWriter { out, bytes: 0, path: &path, reservation: Reservation::new(self) };
            write(&mut out).and_then(|()| self.publish_beside(name, beside, &mut out))
        });
        // What cannot be deleted now is swept when the store is opened again.
        let _ = remove_object_directory(&directory);
        written
    }

    fn publish_beside(
        &self,
        name: ObjectName,
        beside: Beside,
        out: &mut BesideWriter<'_>,
    ) -> Result<(), ObjectStoreError> {
        out.out.sync_all().map_err(failed("sync", out.path))?;
        let mut state = self.change()?;
        let before = state.object(name)?;
        let mut after = before;
        match beside {
            Beside::Table => after.table_bytes = Some(out.bytes),
            Beside::Record => after.record_bytes = Some(out.bytes),
            Beside::Ticket => after.ticket_bytes = Some(out.bytes),
            Beside::Outboard if out.bytes == before.entry.outboard_bytes => {}
            Beside::Outboard => {
                let (file, expected) = (beside.file().name(), before.entry.outboard_bytes);
                let damage = Damage::Length { file, expected, found: out.bytes };
                return Err(ObjectStoreError::Damaged { name, damage });
            }
        }
        fs::rename(out.path, self.file_path(name, beside.file())).map_err(failed("rename", out.path))?;
        self.sync_or_close(&mut state, &self.object_path(name))?;
        out.reservation.settle(&mut state);
        let others = state.object_bytes.saturating_sub(before.disk_bytes());
        state.object_bytes = others.saturating_add(after.disk_bytes());
        state.objects.insert(name, after);
        Ok(())
    }

    /// Changes the disk space of windows and objects together, durably.
    ///
    /// # Errors
    /// [`ObjectStoreError::Full`] if objects take more already; I/O.
    pub fn set_budget(&self, budget_bytes: u64) -> Result<(), ObjectStoreError> {
        let mut state = self.change()?;
        let needed_bytes = state.object_bytes.saturating_add(state.reserved_bytes);
        if needed_bytes > budget_bytes {
            let (free_bytes, window_bytes) = (budget_bytes, state.window_bytes);
            return Err(ObjectStoreError::Full { needed_bytes, free_bytes, budget_bytes, window_bytes });
        }
        write_header(&self.directory, budget_bytes)?;
        state.budget_bytes = budget_bytes;
        Ok(())
    }

    /// After a rename: if the directory cannot be synced, nobody knows which of the two states the disk has.
    pub(super) fn sync_or_close(&self, state: &mut State, directory: &Path) -> Result<(), ObjectStoreError> {
        sync_directory(directory).map_err(|error| {
            state.closed = true;
            error.into()
        })
    }
}

/// Takes the bytes of a file that [`ObjectStore::write_beside`] writes.
#[derive(Debug)]
pub struct BesideWriter<'a> {
    out: File,
    bytes: u64,
    path: &'a Path,
    reservation: Reservation<'a>,
}

impl BesideWriter<'_> {
    /// Appends to the file.
    ///
    /// # Errors
    /// [`ObjectStoreError::Full`], I/O.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), ObjectStoreError> {
        let length = self.bytes.saturating_add(bytes.len() as u64);
        self.reservation.grow_to(file_disk_bytes(length))?;
        self.out.write_all(bytes).map_err(failed("write", self.path))?;
        self.bytes = length;
        Ok(())
    }
}

/// An object that has no name any more, with files to be deleted.
pub(super) struct Removal {
    leaving: PathBuf,
    disk_bytes: u64,
}

impl Removal {
    /// Deletes its files, and returns the disk space that is free again.
    pub(super) fn finish(self) -> Result<u64, ObjectStoreError> {
        remove_object_directory(&self.leaving)?;
        Ok(self.disk_bytes)
    }
}

/// Files of others are not ours to delete, wherever they lie; nor are links and directories, whatever their names.
fn refuse_foreign_files(directory: &Path) -> Result<(), ObjectStoreError> {
    for entry in fs::read_dir(directory).map_err(failed("list", directory))? {
        let entry = entry.map_err(failed("list", directory))?;
        let name = entry.file_name();
        let name = name.to_str().unwrap_or_default();
        let kind = entry.file_type().map_err(failed("look at", &entry.path()))?;
        if !kind.is_file() || ObjectFile::of_name(name.strip_suffix(NEW).unwrap_or(name)).is_none() {
            let reason = "it is no file of the store".to_owned();
            return Err(ObjectStoreError::Foreign { path: entry.path(), reason });
        }
    }
    Ok(())
}
