//! Making and opening stores; what a crash left over is swept here.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, DirEntry, File, OpenOptions, TryLockError};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use super::error::failed;
use super::files::{
    INCOMING, LEAVING, LOCK, NEW, STORE, file_disk_bytes, remove_if_there, remove_object_directory, replace,
    sync_directory,
};
use super::{
    Damage, DamagedObject, ENTRY_BYTES, Entry, EntryError, Object, ObjectFile, ObjectName, ObjectStore,
    ObjectStoreError, State,
};
use crate::io::{IoError, PAGE_BYTES};
use crate::partition_file::OpenMode;

const TAG: [u8; 4] = *b"HFB1";
const CHECKSUM_CONTEXT: &str = "holdfast v1 object store checksum";
const HEADER_BYTES: usize = 64;
const BUDGET_AT: usize = 8;
const PADDING_AT: usize = 16;
const CHECKSUM_AT: usize = HEADER_BYTES - 32;

/// The directory of a partition's objects: beside its file, with another ending.
pub fn objects_directory(partition_file: &Path) -> PathBuf {
    partition_file.with_extension("objects")
}

/// What was found when a store was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoreRecovery {
    /// What changes that were broken off had left; deleted if the store was opened for writing.
    pub left_over: Vec<PathBuf>,
    /// Files that are not the store's; never touched.
    pub foreign: Vec<PathBuf>,
    /// Objects whose files are not what their entries say.
    pub damaged: Vec<ObjectName>,
}

impl StoreRecovery {
    /// Whether the store was left in order.
    pub fn is_clean(&self) -> bool {
        self.left_over.is_empty() && self.foreign.is_empty() && self.damaged.is_empty()
    }
}

impl ObjectStore {
    /// Makes a store in a directory that is empty or not there yet. Broken off at any point, it can be called again.
    ///
    /// # Errors
    /// [`ObjectStoreError::Foreign`] if there is anything in the directory; I/O.
    pub fn create(directory: &Path, budget_bytes: u64) -> Result<Self, ObjectStoreError> {
        match fs::create_dir(directory) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(failed("create", directory)(error).into());
            }
            _ => {}
        }
        refuse_anything(directory)?;
        let lock = lock(directory)?;
        // Again under the lock: another process may have made the store meanwhile.
        refuse_anything(directory)?;
        write_header(directory, budget_bytes)?;
        // The directory's own name.
        sync_directory(
            directory.parent().filter(|path| !path.as_os_str().is_empty()).unwrap_or(Path::new(".")),
        )?;
        let state = State::empty(budget_bytes);
        let (directory, state) = (directory.to_owned(), Mutex::new(state));
        Ok(Self { directory, mode: OpenMode::ReadWrite, state, lock: Some(lock) })
    }

    /// Opens a store. With [`OpenMode::ReadWrite`] it is locked, and what changes that were broken off left is deleted.
    /// Costs a look at every object.
    ///
    /// # Errors
    /// [`ObjectStoreError::Foreign`], [`ObjectStoreError::Locked`], I/O. A damaged object is no error.
    pub fn open(directory: &Path, mode: OpenMode) -> Result<(Self, StoreRecovery), ObjectStoreError> {
        let budget_bytes = read_header(directory)?;
        let lock = match mode {
            OpenMode::ReadWrite => Some(lock(directory)?),
            OpenMode::ReadOnly => None,
        };
        // Read again under the lock: another process may have changed it while we waited.
        let budget_bytes = if lock.is_some() { read_header(directory)? } else { budget_bytes };
        let mut scan = Scan { state: State::empty(budget_bytes), report: StoreRecovery::default() };
        for entry in entries(directory)? {
            scan.look_at(&entry)?;
        }
        if mode == OpenMode::ReadWrite {
            scan.sweep()?;
        }
        let Scan { state, mut report } = scan;
        report.damaged = state.damaged.keys().copied().collect();
        report.left_over.sort();
        report.foreign.sort();
        Ok((Self { directory: directory.to_owned(), mode, state: Mutex::new(state), lock }, report))
    }
}

impl State {
    fn empty(budget_bytes: u64) -> Self {
        Self {
            budget_bytes,
            window_bytes: 0,
            object_bytes: 0,
            reserved_bytes: 0,
            objects: BTreeMap::new(),
            damaged: BTreeMap::new(),
            next_number: 0,
            closed: false,
        }
    }
}

struct Scan {
    state: State,
    report: StoreRecovery,
}

impl Scan {
    /// Sorts one entry of the store's directory by its name and kind.
    fn look_at(&mut self, entry: &DirEntry) -> Result<(), ObjectStoreError> {
        let path = entry.path();
        let kind = entry.file_type().map_err(failed("look at", &path))?;
        let name = entry.file_name();
        let name = name.to_str().unwrap_or_default();
        match name.parse() {
            _ if kind.is_file() && (name == STORE || name == LOCK) => {}
            _ if kind.is_file() && name.strip_suffix(NEW) == Some(STORE) => self.report.left_over.push(path),
            _ if kind.is_dir() && is_temporary(name) => self.report.left_over.push(path),
            Ok(name) if kind.is_dir() => match self.look_at_object(name, &path) {
                // Deleted by a writer while we, a reader, looked.
                Err(_) if !path.is_dir() => {}
                looked => looked?,
            },
            _ => self.report.foreign.push(path),
        }
        Ok(())
    }

    fn look_at_object(&mut self, name: ObjectName, path: &Path) -> Result<(), ObjectStoreError> {
        let mut lengths = Lengths::default();
        for entry in entries(path)? {
            let kind = entry.file_type().map_err(failed("look at", &entry.path()))?;
            let file_name = entry.file_name();
            let file_name = file_name.to_str().unwrap_or_default();
            match ObjectFile::of_name(file_name.strip_suffix(NEW).unwrap_or(file_name)) {
                Some(_) if kind.is_file() && file_name.ends_with(NEW) => {
                    self.report.left_over.push(entry.path());
                }
                Some(file) if kind.is_file() => {
                    let metadata = entry.metadata().map_err(failed("look at", &entry.path()))?;
                    lengths.set(file, metadata.len());
                }
                _ => self.report.foreign.push(entry.path()),
            }
        }
        let disk_bytes = match read_object(name, path, &lengths) {
            Ok(object) => {
                self.state.objects.insert(name, object);
                object.disk_bytes()
            }
            Err(_) if !path.is_dir() => 0,
            Err(damage) => {
                let disk_bytes = lengths.disk_bytes();
                self.state.damaged.insert(name, DamagedObject { disk_bytes, damage });
                disk_bytes
            }
        };
        self.state.object_bytes = self.state.object_bytes.saturating_add(disk_bytes);
        Ok(())
    }

    /// Deletes what was left over, apart from files of others in it.
    fn sweep(&mut self) -> Result<(), ObjectStoreError> {
        for path in &self.report.left_over {
            if path.is_dir() {
                if !remove_object_directory(path)? {
                    self.report.foreign.push(path.clone());
                }
            } else {
                remove_if_there(path)?;
            }
        }
        Ok(())
    }
}

/// Refuses a directory with anything in it but what a creation that was broken off may have left.
fn refuse_anything(directory: &Path) -> Result<(), ObjectStoreError> {
    let ours = |name: &OsStr| name == LOCK || name == OsStr::new(&format!("{STORE}{NEW}"));
    if entries(directory)?.iter().all(|entry| ours(&entry.file_name())) {
        return Ok(());
    }
    let reason = "it is not empty".to_owned();
    Err(ObjectStoreError::Foreign { path: directory.to_owned(), reason })
}

/// Whether a directory of this name was on its way in or out.
fn is_temporary(name: &str) -> bool {
    let number = name.strip_prefix(INCOMING).or_else(|| name.strip_prefix(LEAVING));
    number.is_some_and(|number| !number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit()))
}

/// Lengths of the files that an object's directory has.
#[derive(Default)]
struct Lengths([Option<u64>; ObjectFile::ALL.len()]);

impl Lengths {
    fn set(&mut self, file: ObjectFile, bytes: u64) {
        self.0[file as usize] = Some(bytes);
    }

    fn of(&self, file: ObjectFile) -> Option<u64> {
        self.0[file as usize]
    }

    fn disk_bytes(&self) -> u64 {
        self.0
            .iter()
            .flatten()
            .map(|&bytes| file_disk_bytes(bytes))
            .fold(PAGE_BYTES as u64, u64::saturating_add)
    }
}

fn read_object(name: ObjectName, path: &Path, lengths: &Lengths) -> Result<Object, Damage> {
    let entry_path = path.join(ObjectFile::Entry.name());
    // A link or a pipe of this name is not the store's, and is not opened.
    let missing = || failed("read", &entry_path)(io::ErrorKind::NotFound.into());
    let found = lengths.of(ObjectFile::Entry).ok_or_else(missing)?;
    if found != ENTRY_BYTES as u64 {
        return Err(EntryError::Length { found }.into());
    }
    let entry = Entry::decode(&fs::read(&entry_path).map_err(failed("read", &entry_path))?)?;
    if entry.name != name {
        return Err(EntryError::OtherObject { found: entry.name }.into());
    }
    let expected = [(ObjectFile::Data, entry.data_bytes), (ObjectFile::Outboard, entry.outboard_bytes)];
    for (file, expected) in expected {
        let found = lengths.of(file).unwrap_or(0);
        // A file of no bytes that is not there is missing all the same, if it is the data.
        if found != expected || (file == ObjectFile::Data && lengths.of(file).is_none()) {
            return Err(Damage::Length { file: file.name(), expected, found });
        }
    }
    let beside = [ObjectFile::Table, ObjectFile::Record, ObjectFile::Ticket];
    let [table_bytes, record_bytes, ticket_bytes] = beside.map(|file| lengths.of(file));
    Ok(Object { entry, table_bytes, record_bytes, ticket_bytes })
}

fn entries(directory: &Path) -> Result<Vec<DirEntry>, IoError> {
    fs::read_dir(directory).and_then(Iterator::collect).map_err(failed("list", directory))
}

fn lock(directory: &Path) -> Result<File, ObjectStoreError> {
    let path = directory.join(LOCK);
    let open = OpenOptions::new().write(true).create(true).truncate(false).open(&path);
    let file = open.map_err(failed("open", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(ObjectStoreError::Locked { path: directory.to_owned() }),
        Err(TryLockError::Error(error)) => Err(failed("lock", &path)(error).into()),
    }
}

/// Writes the store's header and makes it durable.
pub(super) fn write_header(directory: &Path, budget_bytes: u64) -> Result<(), IoError> {
    let mut bytes = [0; HEADER_BYTES];
    bytes[..TAG.len()].copy_from_slice(&TAG);
    bytes[BUDGET_AT..PADDING_AT].copy_from_slice(&budget_bytes.to_le_bytes());
    let sum = blake3::derive_key(CHECKSUM_CONTEXT, &bytes[..CHECKSUM_AT]);
    bytes[CHECKSUM_AT..].copy_from_slice(&sum);
    replace(directory, STORE, &bytes)?;
    sync_directory(directory)
}

fn read_header(directory: &Path) -> Result<u64, ObjectStoreError> {
    let path = directory.join(STORE);
    let mut bytes = Vec::new();
    let limit = HEADER_BYTES as u64 + 1;
    match File::open(&path).and_then(|file| file.take(limit).read_to_end(&mut bytes)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && directory.is_dir() => {
            Err(ObjectStoreError::Foreign {
                reason: "it has no header".to_owned(),
                path: directory.to_owned(),
            })
        }
        Err(error) => Err(failed("read", &path)(error).into()),
        Ok(_) => decode_header(&bytes)
            .map_err(|reason| ObjectStoreError::Foreign { path, reason: reason.to_owned() }),
    }
}

/// The budget in a store's header, or what is wrong with it.
fn decode_header(bytes: &[u8]) -> Result<u64, &'static str> {
    let bytes: &[u8; HEADER_BYTES] = bytes.try_into().map_err(|_| "its header has another length")?;
    let padding = bytes[TAG.len()..BUDGET_AT].iter().chain(&bytes[PADDING_AT..CHECKSUM_AT]);
    if bytes[..TAG.len()] != TAG || padding.copied().any(|byte| byte != 0) {
        return Err("its header is not one of version 1");
    }
    if blake3::derive_key(CHECKSUM_CONTEXT, &bytes[..CHECKSUM_AT]) != bytes[CHECKSUM_AT..] {
        return Err("the checksum of its header does not hold");
    }
    let mut budget = [0; 8];
    budget.copy_from_slice(&bytes[BUDGET_AT..PADDING_AT]);
    Ok(u64::from_le_bytes(budget))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_temporary_directories_have_a_number_and_nothing_else() {
        assert!(is_temporary(".incoming-0") && is_temporary(".leaving-12"));
        for name in [".incoming-", ".incoming-1x", "incoming-1", ".leaving-1/..", ".incoming--1"] {
            assert!(!is_temporary(name), "{name}");
        }
    }

    #[test]
    fn the_directory_of_objects_stands_beside_the_partition_file() {
        let path = objects_directory(Path::new("/disk/partition-00000007.holdfast"));
        assert_eq!(path, Path::new("/disk/partition-00000007.objects"));
    }

    /// A budget that a bad sector made larger would let objects take the space of windows.
    #[test]
    fn one_changed_bit_of_the_header_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        write_header(directory.path(), 77).unwrap();
        let bytes = fs::read(directory.path().join(STORE)).unwrap();
        assert_eq!(decode_header(&bytes), Ok(77));
        for bit in 0..8 * bytes.len() {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(decode_header(&changed).is_err(), "bit {bit}");
        }
        assert!(decode_header(&bytes[..63]).is_err() && decode_header(&[]).is_err());
    }
}
