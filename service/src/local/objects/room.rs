//! Windows give way to objects and come again: trims are recorded and in force before their space is used.

use holdfast_engine::object::Objects;
use holdfast_engine::possession::commitment_table::table_bytes;
use holdfast_engine::possession::record::SIGNED_RECORD_BYTES;
use holdfast_engine::tree::BLOCK_BYTES;
use holdfast_partition::objects::{ObjectStore, ObjectStoreError, Sharing};
use holdfast_partition::partition_file::OpenMode;
use serde::Serialize;

use super::{ObjectDirectory, OpenShelf, geometry, is_store, store_path};
use crate::local::allocation::resize_partition;
use crate::local::commit;
use crate::local::console::Console;
use crate::local::disks::Disk;
use crate::local::failure::Failure;
use crate::local::recording::LocalRegistrar;
use crate::local::table;

/// Disk space of an object with everything that will stand beside it.
pub fn object_disk_bytes(bytes: u64) -> u64 {
    const PAGE_BYTES: u64 = 4096;
    let table = table_bytes(bytes.div_ceil(BLOCK_BYTES as u64).max(1));
    let pages = [table, SIGNED_RECORD_BYTES as u64].map(|bytes| bytes.next_multiple_of(PAGE_BYTES));
    pages.into_iter().fold(Objects::disk_bytes(bytes), u64::saturating_add)
}

/// Windows that gave way.
#[derive(Clone, Debug, Serialize)]
pub struct RoomMade {
    /// The validator whose partition became smaller.
    pub validator: String,
    /// How many went.
    pub windows_given_up: u64,
    /// How many are left.
    pub windows: u64,
}

/// Makes room for files of `incoming_bytes` of disk space in a partition's store, which is open for writing. Says so before
/// windows go.
pub fn make_room(
    directory: &mut ObjectDirectory,
    shelf: &OpenShelf,
    incoming_bytes: u64,
    keep_windows: bool,
    console: &Console,
) -> Result<Option<RoomMade>, Failure> {
    let object_bytes = shelf.objects.store().object_bytes().map_err(|error| shelf.store_failed(error))?;
    let Some((sharing, windows)) = directory.sharing(shelf)? else { return Ok(None) };
    let given_up = sharing
        .windows_to_give_up(windows, object_bytes, incoming_bytes)
        .map_err(|error| Failure::work("quota-full", &shelf.shelf.path, error))?;
    if given_up == 0 {
        return Ok(None);
    }
    let (Some(disk), Some(place)) = (directory.disk.as_mut(), shelf.shelf.partition) else { return Ok(None) };
    let validator = disk.manifest.partitions[place].validator_hotkey.clone();
    if keep_windows {
        return Err(Failure::State {
            message: format!(
                "there is no room beside the windows of {validator}: {given_up} would have to go"
            ),
            advice: "leave --keep-windows out, or delete objects".to_owned(),
        });
    }
    let _lock = disk.lock()?;
    let left = windows - given_up;
    console.note(format!(
        "{given_up} of the {windows} windows of {validator} give way ({}); the trim is recorded first",
        table::bytes(given_up * disk.slot_bytes())
    ));
    let local = LocalRegistrar::of(disk, console)?;
    resize_partition(disk, place, left, local.registrar())?;
    commit::record_batches(disk, local.registrar())?;
    let window_bytes = disk.manifest.partitions[place].size_bytes;
    shelf.objects.store().set_window_bytes(window_bytes).map_err(|error| shelf.store_failed(error))?;
    Ok(Some(RoomMade { validator, windows_given_up: given_up, windows: left }))
}

/// Gives windows their places back where objects went, as many as fit. Returns how many. The disk is locked. A store that is
/// being written to is left alone: only its writer knows what space it has promised.
pub fn fill_again(disk: &mut Disk, console: &Console) -> Result<u64, Failure> {
    let mut again = 0;
    let local = LocalRegistrar::of(disk, console)?;
    for place in 0..disk.manifest.partitions.len() {
        let store = match open_store(disk, place, OpenMode::ReadWrite) {
            Ok(Some(store)) => store,
            Ok(None) => continue,
            Err(Failure::Locked(path)) => {
                console
                    .note(format!("{}: objects are being changed, so no windows come again", path.display()));
                continue;
            }
            Err(error) => return Err(error),
        };
        let partition = &disk.manifest.partitions[place];
        let failed = |error: ObjectStoreError| Failure::store(store.directory(), error);
        let (budget_bytes, object_bytes) =
            (store.budget_bytes().map_err(failed)?, store.object_bytes().map_err(failed)?);
        let sharing = Sharing::new(budget_bytes, geometry(disk, partition)?);
        let fitting = sharing.windows_to_fill_again(partition.windows, object_bytes);
        if fitting > 0 {
            let windows = partition.windows + fitting;
            resize_partition(disk, place, windows, local.registrar())?;
            again += fitting;
        }
    }
    Ok(again)
}

/// After a partition's windows were resized on request: its windows and objects are the new budget, or `share_bytes` if that
/// is more.
pub fn follow_windows(disk: &Disk, place: usize, share_bytes: u64) -> Result<(), Failure> {
    let Some(store) = open_store(disk, place, OpenMode::ReadWrite)? else { return Ok(()) };
    let failed = |error: ObjectStoreError| Failure::store(store.directory(), error);
    let object_bytes = store.object_bytes().map_err(failed)?;
    let budget_bytes = disk.manifest.partitions[place].size_bytes.saturating_add(object_bytes);
    store.set_budget(budget_bytes.max(share_bytes)).map_err(failed)
}

/// Disk space that objects of a partition take; none if it has no store.
pub fn object_bytes(disk: &Disk, place: usize) -> Result<u64, Failure> {
    match open_store(disk, place, OpenMode::ReadOnly)? {
        Some(store) => store.object_bytes().map_err(|error| Failure::store(store.directory(), error)),
        None => Ok(0),
    }
}

/// A partition whose objects would be lost with it is not deleted.
pub fn refuse_objects(disk: &Disk, place: usize) -> Result<(), Failure> {
    let Some(store) = open_store(disk, place, OpenMode::ReadOnly)? else { return Ok(()) };
    let failed = |error: ObjectStoreError| Failure::store(store.directory(), error);
    let count = store.list().map_err(failed)?.len() + store.damaged().map_err(failed)?.len();
    if count == 0 {
        return Ok(());
    }
    Err(Failure::State {
        message: format!("{} holds {count} objects, which would be lost", store.directory().display()),
        advice: "delete them with `holdfast object rm` first".to_owned(),
    })
}

/// Deletes the store of a partition that is gone. Files in it that are not the store's stay.
pub fn remove_empty_store(path: &std::path::Path) -> Result<(), Failure> {
    for name in ["store", ".lock"] {
        match std::fs::remove_file(path.join(name)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Failure::file("delete", path, error));
            }
            _ => {}
        }
    }
    // Not empty: somebody else's files are in it.
    let _ = std::fs::remove_dir(path);
    Ok(())
}

fn open_store(disk: &Disk, place: usize, mode: OpenMode) -> Result<Option<ObjectStore>, Failure> {
    let path = store_path(disk, &disk.manifest.partitions[place]);
    if !is_store(&path) {
        return Ok(None);
    }
    let (store, _) = ObjectStore::open(&path, mode).map_err(|error| Failure::store(&path, error))?;
    Ok(Some(store))
}
