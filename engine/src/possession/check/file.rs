//! A store-time check that waits in a file for its table (commitment-v1 §5): accelerators take their time, and the holder of
//! the bytes need not keep a process, or the bytes, until then.

use std::io::Read;
use std::path::PathBuf;

use thiserror::Error;

use super::{CheckFailure, StoreCheck};
use crate::possession::Replica;
use crate::possession::blinding::BlindingKey;
use crate::possession::secret_file::{SecretFile, SecretFileError, unseal};
use crate::rejection::Rejection;

/// A [`StoreCheck`] in a file. It holds the secret coefficients.
#[derive(Debug)]
pub struct CheckFile(SecretFile);

/// A check out of a file that did not pass.
#[derive(Debug, Error)]
pub enum CheckFileError {
    /// The file could not be used.
    #[error(transparent)]
    File(#[from] SecretFileError),
    /// The table did not pass.
    #[error(transparent)]
    Check(#[from] CheckFailure),
}

impl CheckFile {
    /// Puts a check into a file, which must not be there yet.
    ///
    /// # Errors
    /// The file is there, or cannot be written; the check has been used.
    pub fn create(path: impl Into<PathBuf>, check: &StoreCheck) -> Result<CheckFile, CheckFileError> {
        let file = SecretFile::new(path.into());
        file.create(&check.encode().ok_or(CheckFailure::Used)?)?;
        Ok(CheckFile(file))
    }

    /// Opens the file of a check.
    ///
    /// # Errors
    /// It cannot be read, or is none.
    pub fn open(path: impl Into<PathBuf>) -> Result<CheckFile, CheckFileError> {
        let file = SecretFile::new(path.into());
        file.read(decode)?;
        Ok(CheckFile(file))
    }

    /// As [`StoreCheck::check`]. The try is counted, durably, before the table is looked at; after the last one, or when a
    /// table has passed, the file is removed.
    ///
    /// # Errors
    /// Those of [`StoreCheck::check`], or the file cannot be read or written.
    pub fn check(
        &self,
        replica: &Replica,
        key: &BlindingKey,
        table: impl Read,
    ) -> Result<[u8; 32], CheckFileError> {
        let _lock = self.0.lock()?;
        let mut check = self.0.read(decode)?;
        let tried = check.encode_tried();
        match &tried {
            Some(bytes) => self.0.replace(bytes)?,
            // A crash during the last try must not leave coefficients that nobody erases any more.
            None => self.0.remove()?,
        }
        let result = check.check(replica, key, table);
        if tried.is_some() && check.is_used() {
            self.0.remove()?;
        }
        Ok(result?)
    }
}

/// Reads all bytes of a check file.
fn decode(bytes: &[u8]) -> Result<StoreCheck, Rejection> {
    StoreCheck::decode(unseal(bytes)?)
}
