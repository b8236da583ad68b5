//! The shares of validators: their partitions on the disks, with the stores of objects beside them.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use holdfast_engine::account::Account;
use holdfast_engine::registration::Registration;
use holdfast_partition::format::Geometry;
use holdfast_partition::manifest::Partition;
use holdfast_partition::objects::ObjectStoreError;

use crate::local::allocation::Proposal;
use crate::local::disks::Disk;
use crate::local::failure::Failure;
use crate::local::objects::{ObjectDirectory, OpenShelf, Secrets};

/// A store of objects that this process alone changes, and whose share it lies in.
#[derive(Debug)]
pub(super) struct Store {
    /// Whose objects they are beside their owners.
    pub(super) validator: Account,
    /// The store.
    pub(super) shelf: Arc<OpenShelf>,
    /// The directory, with the secrets that answers need.
    pub(super) directory: PathBuf,
}

impl Store {
    /// The secrets of the directory.
    pub(super) fn secrets(&self) -> Secrets {
        Secrets::of(&self.directory)
    }
}

/// One validator's partition on one disk.
#[derive(Debug)]
pub(super) struct Share {
    /// As it is registered.
    pub(super) registration: Registration,
    /// The disk as it is allocated now.
    pub(super) disk: Arc<Disk>,
    place: usize,
    /// The objects beside it.
    pub(super) store: Arc<Store>,
}

impl Share {
    /// Whose it is.
    pub(super) fn validator(&self) -> Account {
        self.registration.intent.validator
    }

    /// The line of the manifest.
    pub(super) fn partition(&self) -> &Partition {
        &self.disk.manifest.partitions[self.place]
    }
}

#[derive(Debug, Default)]
struct ByKey {
    by_id: HashMap<u64, Arc<Share>>,
    by_validator: HashMap<Account, Vec<Arc<Share>>>,
    all: Vec<Arc<Share>>,
}

/// All shares. Replaced as a whole when disks are allocated anew; stores stay open meanwhile.
#[derive(Debug, Default)]
pub(super) struct Shares(RwLock<Arc<ByKey>>);

impl Shares {
    /// The shares of directories, opened for writing.
    pub(super) fn open(directories: &[PathBuf]) -> Result<Shares, Failure> {
        let shares = Shares::default();
        shares.reopen(directories)?;
        Ok(shares)
    }

    /// Looks at the directories again. Stores that are open stay so.
    pub(super) fn reopen(&self, directories: &[PathBuf]) -> Result<(), Failure> {
        let open: HashMap<u64, Arc<Store>> = self
            .all()
            .iter()
            .map(|share| (share.registration.partition_id, Arc::clone(&share.store)))
            .collect();
        let mut next = ByKey::default();
        for found in ObjectDirectory::open_all(directories)? {
            // Nothing is allocated there yet.
            let Some(disk) = found.disk.clone().map(Arc::new) else { continue };
            for (place, partition) in disk.manifest.partitions.iter().enumerate() {
                let registration = disk.registration(partition)?;
                let store = match open.get(&registration.partition_id) {
                    Some(store) => Arc::clone(store),
                    None => Arc::new(open_store(&found, place, &registration)?),
                };
                next.add(Arc::new(Share { registration, disk: Arc::clone(&disk), place, store }));
            }
        }
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(next);
        Ok(())
    }

    /// All of them, disk by disk.
    pub(super) fn all(&self) -> Vec<Arc<Share>> {
        self.now().all.clone()
    }

    /// The share with this partition.
    pub(super) fn of_partition(&self, partition_id: u64) -> Option<Arc<Share>> {
        self.now().by_id.get(&partition_id).cloned()
    }

    /// A validator's shares, one a disk.
    pub(super) fn of_validator(&self, validator: &Account) -> Vec<Arc<Share>> {
        self.now().by_validator.get(validator).cloned().unwrap_or_default()
    }

    /// How many validators have shares.
    pub(super) fn validator_count(&self) -> usize {
        self.now().by_validator.len()
    }

    fn now(&self) -> Arc<ByKey> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl ByKey {
    fn add(&mut self, share: Arc<Share>) {
        self.by_id.insert(share.registration.partition_id, Arc::clone(&share));
        self.by_validator.entry(share.validator()).or_default().push(Arc::clone(&share));
        self.all.push(share);
    }
}

fn open_store(
    directory: &ObjectDirectory,
    place: usize,
    registration: &Registration,
) -> Result<Store, Failure> {
    let shelf = directory.beside(place).ok_or_else(|| Failure::NotAllocated(directory.directory.clone()))?;
    let shelf = Arc::new(directory.open_or_create(shelf)?);
    Ok(Store { validator: registration.intent.validator, shelf, directory: directory.directory.clone() })
}

/// Space, as allocation changes it.
impl Shares {
    /// Before partitions are resized: objects must not take the space into which windows are about to grow.
    pub(super) fn make_way(&self, proposal: &Proposal) {
        let here = |share: &&Arc<Share>| share.disk.directory == proposal.directory;
        for share in self.all().iter().filter(here) {
            let validator = &share.partition().validator_hotkey;
            let Some(line) = proposal.partitions.iter().find(|line| line.validator == *validator) else {
                continue;
            };
            let geometry =
                Geometry::new(proposal.shape.log2_labels(), proposal.shape.layers(), line.windows.max(1));
            let grown = geometry.ok().and_then(|geometry| geometry.allocated_bytes(line.windows));
            let most = grown.unwrap_or_default().max(share.partition().size_bytes);
            // A store that is closed by a failed sync takes no objects either.
            let _ = share.store.shelf.objects.store().set_window_bytes(most);
        }
    }

    /// After partitions were resized: what windows and objects of each share may take together, by directory and
    /// validator.
    pub(super) fn set_budgets(&self, budgets: &BTreeMap<(PathBuf, String), u64>) -> Result<(), Failure> {
        for share in self.all() {
            let store = share.store.shelf.objects.store();
            let failed = |error: ObjectStoreError| share.store.shelf.store_failed(error);
            let window_bytes = share.partition().size_bytes;
            store.set_window_bytes(window_bytes).map_err(failed)?;
            let key = (share.disk.directory.clone(), share.partition().validator_hotkey.clone());
            let of_share = budgets.get(&key).copied().unwrap_or_default();
            // What is there stays, even where the share became less.
            let taken = window_bytes.saturating_add(store.object_bytes().map_err(failed)?);
            let budget = of_share.max(taken);
            if store.budget_bytes().map_err(failed)? != budget {
                store.set_budget(budget).map_err(failed)?;
            }
        }
        Ok(())
    }

    /// Whether the room for objects of some share is less than half or more than twice the part of it that is wanted.
    pub(super) fn rooms_are_off(&self, reserve: f64) -> Result<bool, Failure> {
        for share in self.all() {
            let store = share.store.shelf.objects.store();
            let failed = |error: ObjectStoreError| share.store.shelf.store_failed(error);
            let (free, budget) = (store.free_bytes().map_err(failed)?, store.budget_bytes().map_err(failed)?);
            #[expect(clippy::cast_precision_loss, reason = "a rough measure")]
            let part = free as f64 / (budget as f64).max(1.0);
            if part < reserve / 2.0 || part > reserve * 2.0 {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
