//! The state directory of an owner: what is known of files, and puts that are under way. All of it is for the owner's eyes.
//!
//! ```text
//! files/ROOT.manifest          manifest of pieces-v1 with the private part
//! files/ROOT.tokens/           records and sealed tokens of its pieces (tokens.rs)
//! puts/new-NUMBER/ciphertext   a put whose source is still being read
//! puts/ROOT/ciphertext         what is being stored, until all of it is
//! puts/ROOT/plan.json          what it was cut into
//! puts/ROOT/acknowledged.jsonl what miners have of it, a line each
//! ```

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::ClientError;
use crate::pieces::{MANIFEST_BYTES_MAX, Manifest};

/// The ciphertext of a put.
pub(super) const CIPHERTEXT: &str = "ciphertext";
const NEW: &str = "new-";

/// The directory.
#[derive(Clone, Debug)]
pub(super) struct Library {
    files: PathBuf,
    puts: PathBuf,
}

/// The directory of a put, which no other process works on.
#[derive(Debug)]
pub(super) struct PutDirectory {
    pub(super) path: PathBuf,
    /// The ciphertext, locked.
    pub(super) ciphertext: File,
}

impl Library {
    pub(super) fn open(state: &Path) -> Result<Library, ClientError> {
        let library = Library { files: state.join("files"), puts: state.join("puts") };
        for path in [&library.files, &library.puts] {
            make_directory(path)?;
        }
        Ok(library)
    }

    /// What is known here of a file.
    pub(super) fn manifest(&self, root: &[u8; 32]) -> Result<Option<Manifest>, ClientError> {
        let path = self.manifest_path(root);
        let bytes = match fs::metadata(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Ok(found) if found.len() > MANIFEST_BYTES_MAX as u64 => {
                let reason = format!("{} bytes are no manifest", found.len());
                return Err(ClientError::Damaged { path, reason });
            }
            _ => fs::read(&path).map_err(ClientError::file("read", &path))?,
        };
        let bytes = zeroize::Zeroizing::new(bytes);
        let decoded = Manifest::decode(&bytes);
        decoded.map(Some).map_err(|rejection| ClientError::Damaged { path, reason: rejection.to_string() })
    }

    /// Keeps what is known of a file, in place of what was.
    pub(super) fn keep(&self, manifest: &Manifest) -> Result<(), ClientError> {
        write_durably(&self.manifest_path(&manifest.ciphertext().root), &manifest.encode())
    }

    /// Where the sealed tokens of a file are, if it has any.
    pub(super) fn tokens_path(&self, root: &[u8; 32]) -> PathBuf {
        self.files.join(format!("{}.tokens", hex::encode(root)))
    }

    /// Forgets a file.
    pub(super) fn forget(&self, root: &[u8; 32]) -> Result<(), ClientError> {
        let tokens = self.tokens_path(root);
        match fs::remove_dir_all(&tokens) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(ClientError::file("delete", &tokens)(error));
            }
            _ => {}
        }
        let path = self.manifest_path(root);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(ClientError::file("delete", &path)(error))
            }
            _ => Ok(()),
        }
    }

    /// A directory for a put that begins. Those of processes that ended before they had read their source are deleted.
    pub(super) fn begin_put(&self) -> Result<PutDirectory, ClientError> {
        self.sweep()?;
        let path = self.puts.join(format!("{NEW}{:016x}", getrandom::u64()?));
        make_directory(&path)?;
        let file = path.join(CIPHERTEXT);
        let open = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&file);
        let ciphertext = open.map_err(ClientError::file("make", &file))?;
        lock(&ciphertext, &file)?;
        Ok(PutDirectory { path, ciphertext })
    }

    /// The put has a plan, and so can be resumed: from now on it is called by the root of its ciphertext.
    pub(super) fn name_put(&self, put: &mut PutDirectory, root: &[u8; 32]) -> Result<(), ClientError> {
        let path = self.puts.join(hex::encode(root));
        fs::rename(&put.path, &path).map_err(ClientError::file("make", &path))?;
        sync_directory(&self.puts)?;
        put.path = path;
        Ok(())
    }

    /// A put that was interrupted.
    pub(super) fn resume_put(&self, root: &[u8; 32]) -> Result<PutDirectory, ClientError> {
        let path = self.puts.join(hex::encode(root));
        let file = path.join(CIPHERTEXT);
        let ciphertext = match OpenOptions::new().read(true).write(true).open(&file) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Err(ClientError::NoSuchPut(*root)),
            opened => opened.map_err(ClientError::file("open", &file))?,
        };
        lock(&ciphertext, &file)?;
        Ok(PutDirectory { path, ciphertext })
    }

    /// Roots of the puts that can be resumed.
    pub(super) fn interrupted_puts(&self) -> Result<Vec<[u8; 32]>, ClientError> {
        let mut roots = Vec::new();
        for entry in self.entries()? {
            let name = entry.file_name().and_then(|name| name.to_str()).map(hex::decode);
            if let Some(root) = name.and_then(Result::ok).and_then(|bytes| bytes.try_into().ok()) {
                roots.push(root);
            }
        }
        roots.sort_unstable();
        Ok(roots)
    }

    fn sweep(&self) -> Result<(), ClientError> {
        for path in self.entries()? {
            let name = path.file_name().and_then(|name| name.to_str());
            if !name.is_some_and(|name| name.starts_with(NEW)) {
                continue;
            }
            let file = path.join(CIPHERTEXT);
            let in_use = File::open(&file).is_ok_and(|file| file.try_lock().is_err());
            if !in_use {
                fs::remove_dir_all(&path).map_err(ClientError::file("delete", &path))?;
            }
        }
        Ok(())
    }

    fn entries(&self) -> Result<Vec<PathBuf>, ClientError> {
        let list = || fs::read_dir(&self.puts)?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>();
        list().map_err(ClientError::file("list", &self.puts))
    }

    fn manifest_path(&self, root: &[u8; 32]) -> PathBuf {
        self.files.join(format!("{}.manifest", hex::encode(root)))
    }
}

impl PutDirectory {
    /// All of it is stored.
    pub(super) fn delete(self) -> Result<(), ClientError> {
        fs::remove_dir_all(&self.path).map_err(ClientError::file("delete", &self.path))
    }
}

/// Writes a file beside its place, and puts it there when it is durable.
pub(super) fn write_durably(path: &Path, bytes: &[u8]) -> Result<(), ClientError> {
    let new = path.with_extension("new");
    let write = || {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&new, path)
    };
    write().map_err(ClientError::file("write", path))?;
    path.parent().map_or(Ok(()), sync_directory)
}

/// Makes the names in a directory durable.
pub(super) fn sync_directory(path: &Path) -> Result<(), ClientError> {
    File::open(path).and_then(|file| file.sync_all()).map_err(ClientError::file("write to", path))
}

/// Keeps other processes off a file until it is closed.
pub(super) fn lock(file: &File, path: &Path) -> Result<(), ClientError> {
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(ClientError::Busy(path.to_owned())),
        Err(TryLockError::Error(error)) => Err(ClientError::file("lock", path)(error)),
    }
}

pub(super) fn make_directory(path: &Path) -> Result<(), ClientError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(ClientError::file("make", path))
}
