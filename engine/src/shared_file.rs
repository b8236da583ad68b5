//! A small file that several processes of one machine read and change: whole or not at all, one writer at a time.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Added to the file's name: the empty file whose lock serialises writers.
pub const LOCK_SUFFIX: &str = ".lock";
const NEW_SUFFIX: &str = ".new";

/// What the operating system refused.
#[derive(Debug, Error)]
#[error("cannot {doing} {}: {source}", path.display())]
pub struct SharedFileError {
    /// What was being done: "read", "lock", "replace", …
    pub doing: &'static str,
    /// Which file.
    pub path: PathBuf,
    /// The system's reason.
    pub source: io::Error,
}

impl SharedFileError {
    /// An error with its place.
    pub fn new(doing: &'static str, path: &Path, source: io::Error) -> SharedFileError {
        SharedFileError { doing, path: path.to_owned(), source }
    }

    /// Whether the file is not there.
    pub fn is_missing(&self) -> bool {
        self.source.kind() == io::ErrorKind::NotFound
    }
}

/// Reads see the old bytes or the new ones, crashes too; who changes the file holds its lock.
#[derive(Debug)]
pub struct SharedFile {
    path: PathBuf,
}

/// The turn of one writer, until it is dropped.
#[derive(Debug)]
pub struct Turn {
    /// The lock goes when this is closed, also by the end of the process.
    _lock: File,
}

impl SharedFile {
    /// The file of that path, which need not exist.
    pub fn new(path: impl Into<PathBuf>) -> SharedFile {
        SharedFile { path: path.into() }
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// All bytes as they are now.
    ///
    /// # Errors
    /// The system's, and a file of more than `bytes_maximum`, of which no more than that is read.
    pub fn read(&self, bytes_maximum: u64) -> Result<Vec<u8>, SharedFileError> {
        let failed = |source| SharedFileError::new("read", &self.path, source);
        let mut bytes = Vec::new();
        let file = File::open(&self.path).map_err(failed)?;
        file.take(bytes_maximum.saturating_add(1)).read_to_end(&mut bytes).map_err(failed)?;
        if bytes.len() as u64 > bytes_maximum {
            let message = format!("it is larger than {bytes_maximum} bytes");
            return Err(failed(io::Error::new(io::ErrorKind::FileTooLarge, message)));
        }
        Ok(bytes)
    }

    /// Waits for the turn of this writer. What a writer decides by it reads after this.
    pub fn lock(&self) -> Result<Turn, SharedFileError> {
        let path = self.beside(LOCK_SUFFIX);
        let open = OpenOptions::new().write(true).create(true).truncate(false).open(&path);
        let file = open.map_err(|source| SharedFileError::new("open", &path, source))?;
        file.lock().map_err(|source| SharedFileError::new("lock", &path, source))?;
        Ok(Turn { _lock: file })
    }

    /// Replaces the file; durable when this returns. The turn shows that no other writer is at it.
    pub fn replace(&self, _turn: &Turn, bytes: &[u8]) -> Result<(), SharedFileError> {
        replace(&self.path, &self.beside(NEW_SUFFIX), bytes)
            .map_err(|source| SharedFileError::new("replace", &self.path, source))
    }

    fn beside(&self, suffix: &str) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(suffix);
        name.into()
    }
}

/// The rename is durable only once the directory is synced.
fn replace(path: &Path, new: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(new, path)?;
    sync_folder_of(path)
}

/// Makes durable that the file is in its directory.
pub fn sync_folder_of(path: &Path) -> io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
}
