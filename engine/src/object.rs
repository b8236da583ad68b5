//! User objects in the store of a partition: stored with both addresses and an outboard, read with every block checked
//! (object-v1).
//!
//! Times are seconds since 1970 and always given by the caller. Calls may come from several threads at once.

mod address;
mod answer;
mod error;
mod hash;
mod put;
mod read;
mod sampling;
mod verify;

use holdfast_partition::objects::{Object, ObjectName, ObjectStore, ObjectStoreError};
use serde::Serialize;

pub use address::Address;
pub use error::ObjectError;
pub use hash::Hashed;
pub use put::{Put, PutTerms};
pub use read::ObjectReader;
pub use sampling::{AuditSplit, Holdings, split_samples};
pub use verify::Verification;

use crate::tree::block_count;

/// What is known of an object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ObjectStat {
    /// Its root in hex, as `b3sum` writes it.
    pub root: ObjectName,
    /// Its CID by BLAKE3.
    pub cid: Address,
    /// Its CID by SHA2-256.
    pub cid_sha256: Address,
    /// Its bytes.
    pub bytes: u64,
    /// Its blocks of 16 KiB.
    pub blocks: u64,
    /// Disk space of all its files, in bytes.
    pub disk_bytes: u64,
    /// When it was stored.
    pub stored_at: u64,
    /// From when on it is expired; `None` for never.
    pub expires_at: Option<u64>,
    /// Kinds of audits that it can answer (possession-v1).
    pub audits: Vec<&'static str>,
}

impl ObjectStat {
    /// Of an object as its store has it.
    pub fn of(object: &Object) -> ObjectStat {
        let entry = &object.entry;
        let committed = object.table_bytes.is_some() && object.record_bytes.is_some();
        let audits = if committed { ["chunks", "possession", "link"].as_slice() } else { &["chunks"] };
        ObjectStat {
            root: entry.name,
            cid: Address::Blake3(entry.name.0),
            cid_sha256: Address::Sha256(entry.second_digest),
            bytes: entry.data_bytes,
            blocks: block_count(entry.data_bytes),
            disk_bytes: object.disk_bytes(),
            stored_at: entry.stored_at,
            expires_at: entry.expires_at,
            audits: audits.to_vec(),
        }
    }
}

/// What garbage collection deleted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Collected {
    /// The objects.
    pub removed: Vec<ObjectName>,
    /// Disk space that is free again.
    pub bytes_freed: u64,
}

/// The objects of a partition.
#[derive(Debug)]
pub struct Objects {
    store: ObjectStore,
}

impl Objects {
    /// Over an open store.
    pub fn new(store: ObjectStore) -> Objects {
        Objects { store }
    }

    /// The store: its budget, its files, and what may stand beside an object.
    pub fn store(&self) -> &ObjectStore {
        &self.store
    }

    /// All objects that are whole, by root, expired ones included.
    ///
    /// # Errors
    /// [`ObjectError::Store`].
    pub fn list(&self) -> Result<Vec<ObjectStat>, ObjectError> {
        Ok(self.store.list()?.iter().map(ObjectStat::of).collect())
    }

    /// The name of the object with this address.
    ///
    /// # Errors
    /// [`ObjectError::NoSuchObject`]. The name of a damaged object is found by its root only.
    pub fn find(&self, address: &Address) -> Result<ObjectName, ObjectError> {
        match address {
            Address::Blake3(root) => Ok(ObjectName(*root)),
            Address::Sha256(digest) => {
                let objects = self.store.list()?;
                let found = objects.iter().find(|object| object.entry.second_digest == *digest);
                let no_such = ObjectError::NoSuchObject { address: *address };
                found.map(|object| object.entry.name).ok_or(no_such)
            }
        }
    }

    /// What is known of an object.
    ///
    /// # Errors
    /// [`ObjectError::NoSuchObject`], [`ObjectError::Store`].
    pub fn stat(&self, address: &Address) -> Result<ObjectStat, ObjectError> {
        Ok(ObjectStat::of(&self.object(address)?))
    }

    /// Deletes an object, expired, damaged or not, and returns the disk space that is free again.
    ///
    /// # Errors
    /// As [`Objects::stat`].
    pub fn remove(&self, address: &Address) -> Result<u64, ObjectError> {
        self.store.remove(self.find(address)?).map_err(|error| named(*address, error))
    }

    /// Deletes what is expired.
    ///
    /// # Errors
    /// [`ObjectError::Store`]; what was deleted before the error stays deleted.
    pub fn collect_garbage(&self, now: u64) -> Result<Collected, ObjectError> {
        let mut collected = Collected::default();
        for name in self.store.expired(now)? {
            // Unless it was stored again meanwhile.
            if let Some(bytes) = self.store.remove_expired(name, now)? {
                collected.bytes_freed += bytes;
                collected.removed.push(name);
            }
        }
        Ok(collected)
    }

    fn object(&self, address: &Address) -> Result<Object, ObjectError> {
        self.store.object(self.find(address)?).map_err(|error| named(*address, error))
    }
}

/// An object that is not there is named as it was asked for.
fn named(address: Address, error: ObjectStoreError) -> ObjectError {
    match error {
        ObjectStoreError::NoSuchObject { .. } => ObjectError::NoSuchObject { address },
        other => other.into(),
    }
}
