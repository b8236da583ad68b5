//! Storing an object: everything is written and synced under a name that nobody looks up, then renamed.

use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;

use super::change::Removal;
use super::error::failed;
use super::files::{INCOMING, file_disk_bytes, remove_object_directory, sync_directory, write_new};
use super::space::Reservation;
use super::{Entry, Object, ObjectFile, ObjectStore, ObjectStoreError, State, object_disk_bytes};
use crate::io::WriteBehind;

/// What became of an object that was to be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is stored, durably.
    Stored,
    /// It was there already; it expires at the later of the two times.
    AlreadyThere,
}

/// An object being stored. Dropped before [`Incoming::commit`], it leaves nothing behind.
#[derive(Debug)]
pub struct Incoming<'a> {
    store: &'a ObjectStore,
    directory: PathBuf,
    data: WriteBehind<File>,
    outboard: Option<File>,
    data_bytes: u64,
    outboard_bytes: u64,
    ticket_bytes: Option<u64>,
    reservation: Reservation<'a>,
    renamed: bool,
}

impl ObjectStore {
    /// Begins to store an object and reserves disk space for it (see [`super::object_disk_bytes`]); if it turns out
    /// larger, more is reserved as it comes.
    ///
    /// # Errors
    /// [`ObjectStoreError::Full`], [`ObjectStoreError::ReadOnly`], [`ObjectStoreError::Closed`], I/O.
    pub fn begin(&self, disk_bytes: u64) -> Result<Incoming<'_>, ObjectStoreError> {
        let mut reservation = Reservation::new(self);
        reservation.grow_to(disk_bytes.max(object_disk_bytes(0, 0)))?;
        let directory = self.new_directory(&mut *self.change()?, INCOMING);
        fs::create_dir(&directory).map_err(failed("create", &directory))?;
        let path = directory.join(ObjectFile::Data.name());
        let data = File::create_new(&path).map_err(failed("create", &path));
        if data.is_err() {
            // Of no use to anybody; the first error is the one to tell.
            let _ = remove_object_directory(&directory);
        }
        Ok(Incoming {
            store: self,
            directory,
            data: WriteBehind::leaving_memory(data?),
            outboard: None,
            data_bytes: 0,
            outboard_bytes: 0,
            ticket_bytes: None,
            reservation,
            renamed: false,
        })
    }

    /// The path of a directory that is not there yet.
    pub(super) fn new_directory(&self, state: &mut State, prefix: &str) -> PathBuf {
        loop {
            let path = self.directory.join(format!("{prefix}{}", state.next_number));
            state.next_number += 1;
            // One that holds somebody's files was not swept.
            if fs::symlink_metadata(&path).is_err() {
                return path;
            }
        }
    }
}

impl Incoming<'_> {
    /// Appends to the data.
    ///
    /// # Errors
    /// [`ObjectStoreError::Full`], I/O.
    pub fn write_data(&mut self, bytes: &[u8]) -> Result<(), ObjectStoreError> {
        let data_bytes = self.data_bytes.saturating_add(bytes.len() as u64);
        self.reservation.grow_to(self.disk_bytes(data_bytes, self.outboard_bytes))?;
        let path = self.directory.join(ObjectFile::Data.name());
        self.data.write_all(bytes).map_err(failed("write", &path))?;
        self.data_bytes = data_bytes;
        Ok(())
    }

    /// Appends to the outboard.
    ///
    /// # Errors
    /// [`ObjectStoreError::Full`], I/O.
    pub fn write_outboard(&mut self, bytes: &[u8]) -> Result<(), ObjectStoreError> {
        let outboard_bytes = self.outboard_bytes.saturating_add(bytes.len() as u64);
        self.reservation.grow_to(self.disk_bytes(self.data_bytes, outboard_bytes))?;
        let path = self.directory.join(ObjectFile::Outboard.name());
        let file = match &mut self.outboard {
            Some(file) => file,
            none => none.insert(File::create_new(&path).map_err(failed("create", &path))?),
        };
        file.write_all(bytes).map_err(failed("write", &path))?;
        self.outboard_bytes = outboard_bytes;
        Ok(())
    }

    /// Writes the permission to keep the object, once, so that it is there whenever the object is.
    ///
    /// # Errors
    /// [`ObjectStoreError::Full`], I/O.
    pub fn write_ticket(&mut self, bytes: &[u8]) -> Result<(), ObjectStoreError> {
        self.ticket_bytes = Some(bytes.len() as u64);
        self.reservation.grow_to(self.disk_bytes(self.data_bytes, self.outboard_bytes))?;
        Ok(write_new(&self.directory.join(ObjectFile::Ticket.name()), bytes)?)
    }

    fn disk_bytes(&self, data_bytes: u64, outboard_bytes: u64) -> u64 {
        object_disk_bytes(data_bytes, outboard_bytes)
            .saturating_add(self.ticket_bytes.map_or(0, file_disk_bytes))
    }

    /// Bytes of the data so far.
    pub fn data_bytes(&self) -> u64 {
        self.data_bytes
    }

    /// Stores the object under the entry's name; its lengths are filled in here. When this returns, it is durable. A
    /// damaged object of this name is replaced.
    ///
    /// # Errors
    /// I/O, [`ObjectStoreError::Closed`]. After an error the object is stored or not: opening the store again tells.
    pub fn commit(mut self, entry: Entry) -> Result<Outcome, ObjectStoreError> {
        let entry = Entry { data_bytes: self.data_bytes, outboard_bytes: self.outboard_bytes, ..entry };
        self.data
            .get_ref()
            .sync_all()
            .map_err(failed("sync", &self.directory.join(ObjectFile::Data.name())))?;
        if let Some(outboard) = &self.outboard {
            outboard.sync_all().map_err(failed("sync", &self.directory.join(ObjectFile::Outboard.name())))?;
        }
        write_new(&self.directory.join(ObjectFile::Entry.name()), &entry.encode())?;
        sync_directory(&self.directory)?;
        self.publish(entry)
    }

    /// Gives the complete directory its name.
    fn publish(&mut self, entry: Entry) -> Result<Outcome, ObjectStoreError> {
        let name = entry.name;
        let mut state = self.store.change()?;
        // Under one lock with what follows: else the object that another writer has just stored would go instead.
        let is_damaged = state.damaged.contains_key(&name);
        let damaged = is_damaged.then(|| self.store.take_out(&mut state, name)).transpose()?;
        if let Some(there) = state.objects.get(&name).copied() {
            let expires_at = there.entry.expires_at.zip(entry.expires_at).map(|(a, b)| a.max(b));
            self.store.write_expiry(&mut state, there, expires_at)?;
            return Ok(Outcome::AlreadyThere);
        }
        let path = self.store.object_path(name);
        fs::rename(&self.directory, &path).map_err(failed("rename", &self.directory))?;
        self.renamed = true;
        self.store.sync_or_close(&mut state, &self.store.directory)?;
        let object = Object { entry, table_bytes: None, record_bytes: None, ticket_bytes: self.ticket_bytes };
        self.reservation.settle(&mut state);
        state.object_bytes = state.object_bytes.saturating_add(object.disk_bytes());
        state.objects.insert(name, object);
        drop(state);
        // What cannot be deleted now is swept when the store is opened again.
        let _ = damaged.map(Removal::finish);
        Ok(Outcome::Stored)
    }
}

impl Drop for Incoming<'_> {
    fn drop(&mut self) {
        if !self.renamed {
            // What cannot be deleted now is swept when the store is opened again.
            let _ = remove_object_directory(&self.directory);
        }
    }
}
