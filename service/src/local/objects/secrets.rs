//! The secrets of a miner: files of mode 0600 in its directory, made once.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use holdfast_engine::possession::blinding::BlindingKey;
use holdfast_engine::possession::mask::DeviceSecret;
use holdfast_partition::objects::ObjectName;
use zeroize::Zeroizing;

use crate::local::failure::Failure;

const DIRECTORY_NAME: &str = ".holdfast-secrets";
const SECRET_BYTES: usize = 32;

/// Where the secrets of a directory are.
#[derive(Clone, Debug)]
pub struct Secrets(PathBuf);

impl Secrets {
    /// Those of this directory.
    pub fn of(directory: &Path) -> Secrets {
        Secrets(directory.join(DIRECTORY_NAME))
    }

    /// What keeps masks secret where the system's randomness is bad; made at the first call.
    pub fn device(&self) -> Result<DeviceSecret, Failure> {
        let path = self.0.join("device");
        let fresh = || DeviceSecret::random().map(|secret| Zeroizing::new(*secret.as_bytes()));
        Ok(DeviceSecret::from_bytes(*self.get_or_make(&path, fresh)?))
    }

    /// The blinding key of an object, made at the first call.
    pub fn blinding_or_make(&self, name: ObjectName) -> Result<BlindingKey, Failure> {
        let fresh = || BlindingKey::random().map(|key| Zeroizing::new(*key.as_bytes()));
        Ok(BlindingKey::from_bytes(*self.get_or_make(&self.blinding_path(name), fresh)?))
    }

    /// The blinding key of an object that is committed.
    pub fn blinding(&self, name: ObjectName) -> Result<BlindingKey, Failure> {
        let path = self.blinding_path(name);
        match read(&path)? {
            Some(key) => Ok(BlindingKey::from_bytes(*key)),
            None => Err(Failure::State {
                message: format!(
                    "{} is missing: without it nobody can answer for the object",
                    path.display()
                ),
                advice: "bring it back from a copy, or run `holdfast commit --again`".to_owned(),
            }),
        }
    }

    /// Deletes the blinding key of an object that is gone.
    pub fn forget(&self, name: ObjectName) -> Result<(), Failure> {
        let path = self.blinding_path(name);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(Failure::file("delete", path, error)),
            _ => Ok(()),
        }
    }

    fn blinding_path(&self, name: ObjectName) -> PathBuf {
        self.0.join(format!("{name}.blinding"))
    }

    fn get_or_make<E: std::fmt::Display>(
        &self,
        path: &Path,
        fresh: impl FnOnce() -> Result<Zeroizing<[u8; SECRET_BYTES]>, E>,
    ) -> Result<Zeroizing<[u8; SECRET_BYTES]>, Failure> {
        if let Some(secret) = read(path)? {
            return Ok(secret);
        }
        make_directory(&self.0)?;
        let secret =
            fresh().map_err(|error| Failure::Absent(format!("no randomness from the system: {error}")))?;
        write_once(path, &secret)?;
        // Another process may have been first; its secret is the one that counts.
        read(path)?.ok_or_else(|| Failure::file("read", path, ErrorKind::NotFound.into()))
    }
}

fn make_directory(path: &Path) -> Result<(), Failure> {
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(Failure::file("create", path, error)),
        _ => Ok(()),
    }
}

/// Writes a secret under its name, durably, unless there is one.
fn write_once(path: &Path, secret: &[u8; SECRET_BYTES]) -> Result<(), Failure> {
    let new = path.with_extension(format!("{}.new", std::process::id()));
    let written = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&new)
        .and_then(|mut file| file.write_all(secret).and_then(|()| file.sync_all()))
        .and_then(|()| match std::fs::hard_link(&new, path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
            linked => linked,
        })
        .and_then(|()| File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all());
    let _ = std::fs::remove_file(&new);
    written.map_err(|error| Failure::file("write", path, error))
}

fn read(path: &Path) -> Result<Option<Zeroizing<[u8; SECRET_BYTES]>>, Failure> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Failure::file("read", path, error)),
    };
    let mut secret = Zeroizing::new([0; SECRET_BYTES]);
    let length = file.metadata().map_err(|error| Failure::file("read", path, error))?.len();
    if length != SECRET_BYTES as u64 {
        let reason = format!("it has {length} bytes instead of {SECRET_BYTES}");
        return Err(Failure::Foreign { path: path.to_owned(), expected: "a secret of holdfast", reason });
    }
    file.read_exact(&mut *secret).map_err(|error| Failure::file("read", path, error))?;
    Ok(Some(secret))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// A secret that changed would make every answer wrong; one that others can read is none.
    #[test]
    fn secrets_are_made_once_and_for_nobody_else() {
        let folder = tempfile::tempdir().expect("a directory");
        let secrets = Secrets::of(folder.path());
        let name = ObjectName([7; 32]);
        assert_eq!(secrets.blinding(name).expect_err("is missing").kind(), "state");
        let key = secrets.blinding_or_make(name).expect("makes one");
        assert!(secrets.blinding_or_make(name).expect("reads it") == key);
        assert!(secrets.blinding(name).expect("reads it") == key);
        assert!(secrets.blinding_or_make(ObjectName([8; 32])).expect("another") != key);
        assert_eq!(
            secrets.device().expect("makes one").as_bytes(),
            secrets.device().expect("reads").as_bytes()
        );
        for entry in std::fs::read_dir(&secrets.0).expect("reads") {
            let mode = entry.expect("reads").metadata().expect("is there").permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        let mode = std::fs::metadata(&secrets.0).expect("is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        secrets.forget(name).expect("deletes");
        assert_eq!(secrets.blinding(name).expect_err("is gone").kind(), "state");
        std::fs::write(secrets.blinding_path(name), b"short").expect("writes");
        assert_eq!(secrets.blinding(name).expect_err("is no key").kind(), "foreign-file");
    }
}
