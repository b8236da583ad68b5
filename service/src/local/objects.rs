//! The stores of user objects in a directory: one beside each partition, and a plain one where nothing was allocated.

mod mend;
mod room;
mod secrets;

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use holdfast_engine::object::{Address, ObjectStat, Objects};
use holdfast_engine::possession::Replica;
use holdfast_engine::possession::record::SignedRecord;
use holdfast_partition::format::Geometry;
use holdfast_partition::manifest::Partition;
use holdfast_partition::objects::{ObjectFile, ObjectName, ObjectStore, Sharing, objects_directory};
use holdfast_partition::partition_file::OpenMode;

use crate::local::disks::Disk;
use crate::local::failure::{DAMAGED, Failure};

pub use mend::mend;
pub use room::{
    RoomMade, fill_again, follow_windows, make_room, object_bytes, object_disk_bytes, refuse_objects,
    remove_empty_store,
};
pub use secrets::Secrets;

/// The store of a directory in which nothing was allocated.
const PLAIN_NAME: &str = "objects";
/// What a plain store has as its budget as long as none was set: the disk is the limit.
pub const UNLIMITED_BYTES: u64 = u64::MAX;

/// Seconds since 1970.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// A directory that has objects, or may have.
#[derive(Debug)]
pub struct ObjectDirectory {
    /// As it was given.
    pub directory: PathBuf,
    /// What was allocated there.
    pub disk: Option<Disk>,
}

/// Where a store is.
#[derive(Clone, Debug)]
pub struct Shelf {
    /// The store's directory.
    pub path: PathBuf,
    /// The partition whose space it shares, by its place in the manifest; `None` for the plain store.
    pub partition: Option<usize>,
}

/// A store, open.
#[derive(Debug)]
pub struct OpenShelf {
    /// Where it is.
    pub shelf: Shelf,
    /// What is in it.
    pub objects: Objects,
    /// Files in it that are not the store's.
    pub foreign: Vec<PathBuf>,
}

impl ObjectDirectory {
    /// Looks at a directory, which must exist.
    pub fn open(directory: &Path) -> Result<ObjectDirectory, Failure> {
        let disk = Disk::find(directory)?;
        Ok(ObjectDirectory { directory: directory.to_owned(), disk })
    }

    /// All directories.
    pub fn open_all(directories: &[PathBuf]) -> Result<Vec<ObjectDirectory>, Failure> {
        crate::local::disks::check_distinct(directories)?;
        directories.iter().map(|directory| ObjectDirectory::open(directory)).collect()
    }

    /// The plain store, whether it is there or not.
    pub fn plain(&self) -> Shelf {
        Shelf { path: self.directory.join(PLAIN_NAME), partition: None }
    }

    /// The store of a partition, whether it is there or not.
    pub fn beside(&self, place: usize) -> Option<Shelf> {
        let disk = self.disk.as_ref()?;
        let partition = disk.manifest.partitions.get(place)?;
        Some(Shelf { path: store_path(disk, partition), partition: Some(place) })
    }

    /// All stores that are there.
    pub fn shelves(&self) -> Vec<Shelf> {
        let partitions = self.disk.as_ref().map_or(0, |disk| disk.manifest.partitions.len());
        let beside = (0..partitions).filter_map(|place| self.beside(place));
        let mut shelves: Vec<Shelf> = beside.filter(|shelf| shelf.path.exists()).collect();
        let plain = self.plain();
        if plain.path.exists() && is_store(&plain.path) {
            shelves.push(plain);
        }
        shelves
    }

    /// Opens a store that is there.
    pub fn open_shelf(&self, shelf: Shelf, mode: OpenMode) -> Result<OpenShelf, Failure> {
        let (store, recovery) =
            ObjectStore::open(&shelf.path, mode).map_err(|error| Failure::store(&shelf.path, error))?;
        self.tell_windows(&shelf, &store)?;
        Ok(OpenShelf { shelf, objects: Objects::new(store), foreign: recovery.foreign })
    }

    /// Opens a store for writing; makes it if it is not there.
    pub fn open_or_create(&self, shelf: Shelf) -> Result<OpenShelf, Failure> {
        if is_store(&shelf.path) {
            return self.open_shelf(shelf, OpenMode::ReadWrite);
        }
        let budget_bytes = match self.partition(&shelf) {
            Some(partition) => partition.size_bytes,
            None => UNLIMITED_BYTES,
        };
        let store = ObjectStore::create(&shelf.path, budget_bytes)
            .map_err(|error| Failure::store(&shelf.path, error))?;
        self.tell_windows(&shelf, &store)?;
        Ok(OpenShelf { shelf, objects: Objects::new(store), foreign: Vec::new() })
    }

    /// The partition of a store.
    pub fn partition(&self, shelf: &Shelf) -> Option<&Partition> {
        self.disk.as_ref()?.manifest.partitions.get(shelf.partition?)
    }

    /// How a partition's space is counted.
    pub fn sharing(&self, shelf: &OpenShelf) -> Result<Option<(Sharing, u64)>, Failure> {
        let (Some(disk), Some(partition)) = (self.disk.as_ref(), self.partition(&shelf.shelf)) else {
            return Ok(None);
        };
        let budget_bytes = shelf.budget_bytes()?;
        Ok(Some((Sharing::new(budget_bytes, geometry(disk, partition)?), partition.windows)))
    }

    /// The store knows its budget, the partition file knows what windows take of it.
    fn tell_windows(&self, shelf: &Shelf, store: &ObjectStore) -> Result<(), Failure> {
        let window_bytes = self.partition(shelf).map_or(0, |partition| partition.size_bytes);
        store.set_window_bytes(window_bytes).map_err(|error| Failure::store(&shelf.path, error))
    }

    /// The store that has an object.
    pub fn find(&self, address: &Address, mode: OpenMode) -> Result<OpenShelf, Failure> {
        for shelf in self.shelves() {
            let open = self.open_shelf(shelf.clone(), OpenMode::ReadOnly)?;
            if open.has(address)? {
                return if mode == OpenMode::ReadOnly { Ok(open) } else { self.open_shelf(shelf, mode) };
            }
        }
        Err(Failure::NotFound(format!("{} has no object {address}", self.directory.display())))
    }

    /// The secrets of the miner whose directory this is.
    pub fn secrets(&self) -> Secrets {
        Secrets::of(&self.directory)
    }
}

impl OpenShelf {
    /// Whether an object is here, damaged or not.
    fn has(&self, address: &Address) -> Result<bool, Failure> {
        let store = self.objects.store();
        let failed = |error| Failure::store(&self.shelf.path, error);
        Ok(match address {
            Address::Blake3(root) => {
                let name = ObjectName(*root);
                store.object(name).is_ok()
                    || store.damaged().map_err(failed)?.iter().any(|(damaged, _)| *damaged == name)
            }
            Address::Sha256(_) => self.objects.find(address).is_ok(),
        })
    }

    /// What is known of an object.
    pub fn stat(&self, address: &Address) -> Result<ObjectStat, Failure> {
        self.objects.stat(address).map_err(|error| self.failed(error))
    }

    /// The record of an object; an object without one is not committed.
    pub fn record(&self, name: ObjectName) -> Result<SignedRecord, Failure> {
        match self.find_record(name)? {
            Some(record) => Ok(record),
            None => Err(Failure::State {
                message: format!("{} is not committed yet", Address::Blake3(name.0)),
                advice: "run `holdfast commit` first".to_owned(),
            }),
        }
    }

    /// The record of an object, if it has one.
    pub fn find_record(&self, name: ObjectName) -> Result<Option<SignedRecord>, Failure> {
        let path = self.objects.store().file_path(name, ObjectFile::Record);
        match std::fs::read(&path) {
            Ok(bytes) => match SignedRecord::decode(&bytes) {
                Ok(record) if record.record.replica.object_root() == &name.0 => Ok(Some(record)),
                Ok(_) => Err(Failure::Foreign {
                    path,
                    expected: "the record of this object",
                    reason: "it is of another object".to_owned(),
                }),
                Err(rejection) => Err(Failure::work(DAMAGED, path, rejection)),
            },
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Failure::file("read", path, error)),
        }
    }

    /// The budget of the store.
    pub fn budget_bytes(&self) -> Result<u64, Failure> {
        self.objects.store().budget_bytes().map_err(|error| Failure::store(&self.shelf.path, error))
    }

    /// What an operation on objects here answered.
    pub fn failed(&self, error: holdfast_engine::object::ObjectError) -> Failure {
        Failure::object(&self.shelf.path, error)
    }

    /// What an operation on files here answered.
    pub fn store_failed(&self, error: impl Into<holdfast_partition::objects::ObjectStoreError>) -> Failure {
        Failure::store(&self.shelf.path, error.into())
    }
}

/// The copy of an object that a directory holds; one miner keeps one.
pub fn replica(stat: &ObjectStat) -> Result<Replica, Failure> {
    let replica = Replica::new(stat.root.0, stat.bytes, 0);
    replica.map_err(|rejection| Failure::work("state", stat.cid.to_string(), rejection))
}

/// The directory of a partition's objects.
pub fn store_path(disk: &Disk, partition: &Partition) -> PathBuf {
    objects_directory(&disk.path(partition))
}

/// Whether there is a store; a directory whose making was broken off is made again.
fn is_store(path: &Path) -> bool {
    path.join("store").is_file()
}

fn geometry(disk: &Disk, partition: &Partition) -> Result<Geometry, Failure> {
    let window = &disk.manifest.window;
    Geometry::new(window.k, window.layers, partition.window_cap)
        .map_err(|error| Failure::work("state", disk.path(partition), error))
}
