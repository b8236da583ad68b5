//! Reading small secret files whole, and making new ones durably without ever replacing one.

use std::fs::{DirBuilder, File};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;
use zeroize::Zeroizing;

use super::IdentityError;
use super::key_file::KEY_FILE_BYTES_MAXIMUM;

/// A file's bytes, one more than allowed at most, and its permission bits.
pub(super) struct Contents {
    pub(super) bytes: Zeroizing<Vec<u8>>,
    pub(super) mode: u32,
}

/// Reads a file, or says that there is none.
pub(super) fn read(path: &Path) -> Result<Option<Contents>, IdentityError> {
    match read_contents(path) {
        Ok(contents) => Ok(Some(contents)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => Err(IdentityError::File { doing: "read", path: path.to_owned(), source }),
    }
}

fn read_contents(path: &Path) -> io::Result<Contents> {
    // Opening a named pipe would wait for somebody to write.
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::new(ErrorKind::InvalidInput, "it is not a regular file"));
    }
    let file = File::open(path)?;
    let mode = file.metadata()?.permissions().mode();
    let limit = KEY_FILE_BYTES_MAXIMUM + 1;
    let mut bytes = Zeroizing::new(Vec::with_capacity(limit));
    file.take(limit as u64).read_to_end(&mut bytes)?;
    Ok(Contents { bytes, mode })
}

/// Makes a file of mode 0600 with these bytes, whole and durable before it has its name; an existing one is left as it is.
pub(super) fn create(path: &Path, bytes: &[u8]) -> Result<(), IdentityError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let failed = |source| IdentityError::File { doing: "write", path: path.to_owned(), source };
    make_directories(folder).map_err(failed)?;
    let file = write_temporary(folder, bytes).map_err(failed)?;
    file.persist_noclobber(path).map_err(|error| match error.error.kind() {
        ErrorKind::AlreadyExists => IdentityError::Exists { path: path.to_owned() },
        _ => failed(error.error),
    })?;
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)
}

/// tempfile makes files of mode 0600, and deletes them unless they get a name.
fn write_temporary(folder: &Path, bytes: &[u8]) -> io::Result<NamedTempFile> {
    let mut file = tempfile::Builder::new().prefix(".new-").tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    Ok(file)
}

/// Makes the directories that are missing, for their owner only, and makes their names durable.
fn make_directories(folder: &Path) -> io::Result<()> {
    let missing: Vec<PathBuf> =
        folder.ancestors().take_while(|path| !path.exists()).map(Path::to_owned).collect();
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    for path in missing {
        match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => File::open(parent)?.sync_all()?,
            Some(_) => File::open(".")?.sync_all()?,
            None => {}
        }
    }
    Ok(())
}
