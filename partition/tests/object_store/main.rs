//! The store of objects as its users see it, on a real directory: behaviour, and every point at which it can be killed.

#![allow(clippy::unwrap_used, reason = "the helpers here belong to tests too")]

mod behaviour;
mod crash;

use std::path::{Path, PathBuf};

use holdfast_partition::objects::{
    Entry, Incoming, ObjectName, ObjectStore, ObjectStoreError, Outcome, StoreRecovery,
};
use holdfast_partition::partition_file::OpenMode;

const BUDGET_BYTES: u64 = 1 << 20;
const PAGE: u64 = 4096;

/// A directory whose child `objects` is to be a store.
fn directory() -> (tempfile::TempDir, PathBuf) {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("objects");
    (parent, path)
}

fn open(path: &Path) -> (ObjectStore, StoreRecovery) {
    ObjectStore::open(path, OpenMode::ReadWrite).unwrap()
}

fn name(number: u8) -> ObjectName {
    ObjectName([number; 32])
}

fn entry(number: u8, expires_at: Option<u64>) -> Entry {
    let second_digest = [number ^ 0xff; 32];
    Entry {
        name: name(number),
        second_digest,
        data_bytes: 0,
        outboard_bytes: 0,
        stored_at: 1_000,
        expires_at,
    }
}

fn begin<'a>(store: &'a ObjectStore, data: &[u8], outboard: &[u8]) -> Incoming<'a> {
    let mut incoming = store.begin(0).unwrap();
    incoming.write_data(data).unwrap();
    if !outboard.is_empty() {
        incoming.write_outboard(outboard).unwrap();
    }
    incoming
}

/// Stores object `number` of these bytes with an outboard of one page.
fn put(store: &ObjectStore, number: u8, data: &[u8]) -> Outcome {
    begin(store, data, &[number; 4096]).commit(entry(number, None)).unwrap()
}

fn names(store: &ObjectStore) -> Vec<ObjectName> {
    store.list().unwrap().iter().map(|object| object.entry.name).collect()
}

fn is_missing(result: Result<impl Sized, ObjectStoreError>) -> bool {
    matches!(result, Err(ObjectStoreError::NoSuchObject { .. }))
}

/// Names of everything in a directory, sorted.
fn listing(path: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        path.read_dir().unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
