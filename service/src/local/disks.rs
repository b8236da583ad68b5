//! Allocated directories: the manifest, the recorder's file, the lock, and the partition files that the manifest names.

use std::collections::HashSet;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use holdfast_engine::recorder::FileRecorder;
use holdfast_engine::registration::Registration;
use holdfast_partition::format::{Geometry, MAGIC};
use holdfast_partition::io::IoChoice;
use holdfast_partition::manifest::{Manifest, ManifestError, Partition};
use holdfast_partition::partition_file::{OpenMode, PartitionFile};

use crate::local::failure::Failure;
use crate::local::medium;

/// The recorder's file of a simulated network, in the first directory that was allocated with it.
pub const RECORDER_NAME: &str = "recorder.json";
/// What a manifest's chain source begins with when the rest is the path of a recorder's file.
const SIMULATED: &str = "simulated:";
/// Held by whoever changes anything in the directory.
const LOCK_NAME: &str = ".holdfast.lock";
/// Both headers of a partition file, and no more.
const BEGINNING_BYTES: u64 = 8192;
/// Ending of partition files.
const FILE_ENDING: &str = ".holdfast";

/// The name of a partition's file.
pub fn file_name(partition_id: u64) -> String {
    format!("partition-{partition_id:08}{FILE_ENDING}")
}

/// What the manifest says about a recorder's file.
pub fn chain_source(directory: &Path, recorder: &Path) -> String {
    // Relative where it can be, so that the directory can be moved.
    let here =
        std::path::absolute(directory).is_ok_and(|directory| recorder == directory.join(RECORDER_NAME));
    let path = if here { Path::new(RECORDER_NAME) } else { recorder };
    format!("{SIMULATED}{}", path.display())
}

/// A directory that was allocated.
#[derive(Clone, Debug)]
pub struct Disk {
    /// As it was given.
    pub directory: PathBuf,
    /// What was allocated.
    pub manifest: Manifest,
}

impl Disk {
    /// The directory's manifest; a directory without one was not allocated.
    pub fn open(directory: &Path) -> Result<Disk, Failure> {
        match Disk::find(directory)? {
            Some(disk) => Ok(disk),
            None => Err(Failure::NotAllocated(directory.to_owned())),
        }
    }

    /// The directory's manifest, if it has one.
    pub fn find(directory: &Path) -> Result<Option<Disk>, Failure> {
        std::fs::read_dir(directory).map_err(|error| Failure::file("read directory", directory, error))?;
        match Manifest::read(directory) {
            Ok(manifest) => Ok(Some(Disk { directory: directory.to_owned(), manifest })),
            Err(error) if error.is_absent() => Ok(None),
            Err(ManifestError::Read { path, source }) => Err(Failure::file("read", path, source)),
            Err(error) => Err(Failure::Foreign {
                path: Manifest::path(directory),
                expected: "a manifest of holdfast",
                reason: match error {
                    ManifestError::Refused { problem, .. } => problem.to_string(),
                    other => other.to_string(),
                },
            }),
        }
    }

    /// The manifests of several directories, none of them twice.
    pub fn open_all(directories: &[PathBuf]) -> Result<Vec<Disk>, Failure> {
        check_distinct(directories)?;
        directories.iter().map(|directory| Disk::open(directory)).collect()
    }

    /// Keeps other processes from changing anything here until the guard is dropped.
    pub fn lock(&self) -> Result<DirectoryLock, Failure> {
        lock(&self.directory)
    }

    /// Writes the manifest.
    pub fn save(&self) -> Result<(), Failure> {
        self.manifest.write(&self.directory).map_err(|error| match error {
            ManifestError::Write { path, source } => Failure::file("write", path, source),
            other => Failure::work("state", &self.directory, other),
        })
    }

    /// Bytes of all windows, without headers and outboards: what progress counts.
    pub fn window_bytes_allocated(&self) -> u64 {
        let windows: u64 = self.manifest.partitions.iter().map(|partition| partition.windows).sum();
        windows * self.manifest.window.window_bytes
    }

    /// Disk space of one window with its outboard, in bytes.
    pub fn slot_bytes(&self) -> u64 {
        let window = &self.manifest.window;
        // A manifest whose windows have no such shape is not read.
        Geometry::new(window.k, window.layers, 1)
            .map_or(window.window_bytes, |geometry| geometry.slot_bytes())
    }

    /// Where the recorder's file is.
    pub fn recorder_path(&self) -> Result<PathBuf, Failure> {
        let source = &self.manifest.network.chain_source;
        match source.strip_prefix(SIMULATED) {
            Some(path) => Ok(self.directory.join(path)),
            None => Err(Failure::State {
                message: format!(
                    "{}: chain source {source:?} is not one of this version",
                    self.directory.display()
                ),
                advice: "use the version of holdfast that allocated it".to_owned(),
            }),
        }
    }

    /// The recorder.
    pub fn recorder(&self) -> Result<FileRecorder, Failure> {
        FileRecorder::open(self.recorder_path()?).map_err(Failure::from)
    }

    /// The file of a partition.
    pub fn path(&self, partition: &Partition) -> PathBuf {
        self.directory.join(&partition.path)
    }

    /// The registration of a partition, as the manifest has it.
    pub fn registration(&self, partition: &Partition) -> Result<Registration, Failure> {
        let manifest = Manifest::path(&self.directory);
        let foreign = |reason: String| Failure::Foreign {
            path: manifest.clone(),
            expected: "a manifest of holdfast",
            reason,
        };
        let registration = partition.registration.as_ref();
        let registration =
            registration.ok_or_else(|| foreign(format!("{} is not registered", partition.path)))?;
        let bytes = registration.decode().map_err(|error| foreign(error.to_string()))?;
        Registration::decode(&bytes).map_err(|rejection| foreign(rejection.to_string()))
    }

    /// Opens the file of a partition, which must be that partition's.
    pub fn open_file(
        &self,
        partition: &Partition,
        mode: OpenMode,
        io: IoChoice,
    ) -> Result<PartitionFile, Failure> {
        let path = self.path(partition);
        if beginning(&path)? == Beginning::Foreign {
            return Err(foreign_file(&path));
        }
        let io = medium::open(&path, io, mode)?.io;
        let (file, _) = PartitionFile::open(io, mode).map_err(|error| Failure::partition(&path, error))?;
        if *file.registration() != self.registration(partition)?.encode() {
            let reason = "its registration is not the one in partition.json".to_owned();
            return Err(Failure::Foreign { path, expected: "the file of this partition", reason });
        }
        Ok(file)
    }
}

/// Two names of one directory would fill it twice.
pub fn check_distinct(directories: &[PathBuf]) -> Result<(), Failure> {
    let mut seen = HashSet::new();
    for directory in directories {
        let metadata =
            std::fs::metadata(directory).map_err(|error| Failure::file("open", directory, error))?;
        if !seen.insert((metadata.dev(), metadata.ino())) {
            return Err(Failure::Usage(format!("--dir {} is given twice", directory.display())));
        }
    }
    Ok(())
}

/// What a file begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beginning {
    /// The magic of partition files.
    Ours,
    /// No file, no bytes, or zeros only: at most a partition file whose making was broken off.
    Nothing,
    /// Anything else.
    Foreign,
}

/// Looks at the first bytes of a file, whatever it is.
pub fn beginning(path: &Path) -> Result<Beginning, Failure> {
    let mut start = Vec::new();
    let read = File::open(path).and_then(|file| file.take(BEGINNING_BYTES).read_to_end(&mut start));
    match read {
        Ok(_) if start.starts_with(&MAGIC) => Ok(Beginning::Ours),
        Ok(_) if start.iter().all(|&byte| byte == 0) => Ok(Beginning::Nothing),
        Ok(_) => Ok(Beginning::Foreign),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Beginning::Nothing),
        Err(error) => Err(Failure::file("open", path, error)),
    }
}

/// What to say of a file that is not ours.
pub fn foreign_file(path: &Path) -> Failure {
    let reason = "it does not begin like one".to_owned();
    Failure::Foreign { path: path.to_owned(), expected: "a partition file", reason }
}

/// Partition files in a directory that its manifest does not name.
pub fn stray_files(disk: &Disk) -> Result<Vec<PathBuf>, Failure> {
    let named: HashSet<&str> =
        disk.manifest.partitions.iter().map(|partition| partition.path.as_str()).collect();
    let failed = |error| Failure::file("read directory", &disk.directory, error);
    let mut strays = Vec::new();
    for entry in std::fs::read_dir(&disk.directory).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        let name = name.to_string_lossy();
        if name.ends_with(FILE_ENDING) && !named.contains(&*name) {
            strays.push(disk.directory.join(&*name));
        }
    }
    strays.sort();
    Ok(strays)
}

/// Held while something in a directory is changed; freed by the system however the process ends.
#[derive(Debug)]
pub struct DirectoryLock(#[expect(dead_code, reason = "the lock lives as long as the file")] File);

/// Locks a directory, or says that somebody else has.
pub fn lock(directory: &Path) -> Result<DirectoryLock, Failure> {
    let path = directory.join(LOCK_NAME);
    let file = OpenOptions::new().write(true).create(true).truncate(false).open(&path);
    let file = file.map_err(|error| Failure::file("write to", &path, error))?;
    match file.try_lock() {
        Ok(()) => Ok(DirectoryLock(file)),
        Err(TryLockError::WouldBlock) => Err(Failure::Locked(directory.to_owned())),
        Err(TryLockError::Error(error)) => Err(Failure::file("lock", &path, error)),
    }
}

/// Deletes the lock's file with the last of the directory's other files.
pub fn remove_lock_file(directory: &Path) -> Result<(), Failure> {
    let path = directory.join(LOCK_NAME);
    std::fs::remove_file(&path).map_err(|error| Failure::file("delete", path, error))
}
