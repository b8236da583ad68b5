//! Small files that hold secrets and change durably: only their owner may read them, they end with a hash of what is before
//! it, and they are replaced whole, under a lock, so that a crash leaves the old bytes or the new ones.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use thiserror::Error;
use zeroize::Zeroizing;

use crate::rejection::{Class, Rejection};
use crate::tree;

/// Bytes of the hash at the end.
pub(super) const HASH_BYTES: usize = 32;
const MODE: u32 = 0o600;
/// Added to the file's name: the empty file whose lock serialises writers.
const LOCK_SUFFIX: &str = ".lock";
const NEW_SUFFIX: &str = ".new";

/// A file of secrets that could not be used.
#[derive(Debug, Error)]
pub enum SecretFileError {
    /// It could not be read or written.
    #[error("cannot {doing} {}: {source}", path.display())]
    File {
        /// What was being done.
        doing: &'static str,
        /// Which file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// Its bytes are wrong.
    #[error("{} cannot be used: {rejection}", path.display())]
    Unusable {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        rejection: Rejection,
    },
}

/// Where such a file is, or will be.
#[derive(Clone, Debug)]
pub(super) struct SecretFile {
    path: PathBuf,
}

impl SecretFile {
    pub(super) fn new(path: PathBuf) -> SecretFile {
        SecretFile { path }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a file that is not there yet.
    pub(super) fn create(&self, contents: &[u8]) -> Result<(), SecretFileError> {
        let _lock = self.lock()?;
        if fs::exists(&self.path).map_err(|source| self.failed("look for", source))? {
            return Err(self.failed("create", io::ErrorKind::AlreadyExists.into()));
        }
        self.replace(contents)
    }

    /// Reads it and decodes all its bytes, the hash included ([`unseal`]).
    pub(super) fn read<T>(
        &self,
        decode: impl FnOnce(&[u8]) -> Result<T, Rejection>,
    ) -> Result<T, SecretFileError> {
        let bytes = Zeroizing::new(fs::read(&self.path).map_err(|source| self.failed("read", source))?);
        decode(&bytes).map_err(|rejection| SecretFileError::Unusable { path: self.path.clone(), rejection })
    }

    /// Puts these bytes and their hash in its place; durable when it returns.
    pub(super) fn replace(&self, contents: &[u8]) -> Result<(), SecretFileError> {
        replace(&self.path, &self.beside(NEW_SUFFIX), contents)
            .map_err(|source| self.failed("replace", source))
    }

    /// Removes it; durable when it returns.
    pub(super) fn remove(&self) -> Result<(), SecretFileError> {
        let removed = fs::remove_file(&self.path).and_then(|()| sync_directory_of(&self.path));
        removed.map_err(|source| self.failed("remove", source))
    }

    /// Holds other writers off until it is dropped.
    pub(super) fn lock(&self) -> Result<File, SecretFileError> {
        let path = self.beside(LOCK_SUFFIX);
        let open = OpenOptions::new().write(true).create(true).truncate(false).mode(MODE).open(path);
        let locked = open.and_then(|file| file.lock().map(|()| file));
        locked.map_err(|source| self.failed("lock", source))
    }

    fn beside(&self, suffix: &str) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(suffix);
        name.into()
    }

    fn failed(&self, doing: &'static str, source: io::Error) -> SecretFileError {
        SecretFileError::File { doing, path: self.path.clone(), source }
    }
}

/// What is before the hash.
///
/// Refused: `wrong-length`, `malformed`.
pub(super) fn unseal(bytes: &[u8]) -> Result<&[u8], Rejection> {
    let Some((contents, hash)) = bytes.split_last_chunk::<HASH_BYTES>() else {
        return Err(Class::WrongLength.because("a file that is shorter than its hash"));
    };
    if tree::root(contents) != *hash {
        return Err(Class::Malformed.because("the file's hash is not that of its bytes"));
    }
    Ok(contents)
}

fn replace(path: &Path, new: &Path, contents: &[u8]) -> io::Result<()> {
    // One that a crash left may have other permissions.
    match fs::remove_file(new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(MODE).open(new)?;
    file.write_all(contents)?;
    file.write_all(&tree::root(contents))?;
    file.sync_all()?;
    fs::rename(new, path)?;
    sync_directory_of(path)
}

/// A name is durable only once its directory is synced.
fn sync_directory_of(path: &Path) -> io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
}
