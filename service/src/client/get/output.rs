//! The file that a file is got into: bytes go into a part file as they come, decrypted if that is asked for, which takes the output's name
//! when all of it is right. An interrupted run leaves it to the next one, with a journal of what is in it.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::Receiver;

use holdfast_engine::object::Address;
use holdfast_engine::tree::ChainingValue;

use super::journal::{Keeping, Kept};
use super::stream::Pieces;
use crate::client::ClientError;
use crate::client::library::{lock, sync_directory};
use crate::encryption::Identities;

/// A file that is being got.
pub(super) struct Output {
    out: PathBuf,
    part_path: PathBuf,
    /// What came so far; locked.
    part: File,
    journal_path: PathBuf,
    journal: File,
}

impl Output {
    /// Opens what an earlier run has left of a file of so many stored bytes, or begins. Returns what of it is of use, too.
    pub(super) fn open(
        out: &Path,
        root: &[u8; 32],
        length_bytes: u64,
        decrypts: bool,
    ) -> Result<(Output, Kept), ClientError> {
        let beside = |suffix: &str| {
            let mut name = std::ffi::OsString::from(".");
            name.push(out.file_name().unwrap_or_default());
            name.push(format!(".{}.{suffix}", Address::Blake3(*root)));
            out.with_file_name(name)
        };
        let open = |path: &Path| {
            let mut options = OpenOptions::new();
            let file = options.read(true).write(true).create(true).truncate(false).mode(0o600).open(path);
            file.map_err(ClientError::file("open", path))
        };
        let (part_path, journal_path) = (beside("part"), beside("journal"));
        let part = open(&part_path)?;
        lock(&part, &part_path)?;
        let journal = open(&journal_path)?;
        let kept = Kept::read(&journal, &part, decrypts).map_err(ClientError::file("read", &part_path))?;
        // Of a file there is always something left: the last group is not known to be whole.
        let is_longer = kept.hashed_bytes().max(kept.used_bytes()) > length_bytes;
        let kept = if is_longer { Kept::default() } else { kept };
        Ok((Output { out: out.to_owned(), part_path, part, journal_path, journal }, kept))
    }

    /// Takes the stored bytes from [`Kept::needed_from`] on, and makes durable what it made of them. Returns the file's bytes.
    pub(super) fn fill(
        &self,
        mut kept: Kept,
        pieces: &mut Pieces,
        values: Receiver<ChainingValue>,
        identities: Option<&Identities>,
    ) -> Result<u64, ClientError> {
        let failed = || ClientError::file("write", &self.part_path);
        pieces.skip(kept.used_bytes() - kept.needed_from()).map_err(failed())?;
        let (files, kept_bytes) = ((&self.part, &self.journal), kept.written_bytes);
        let written_bytes = match identities {
            None => {
                let mut keeping = Keeping::new(files, kept, values).map_err(failed())?;
                pieces.copy(&mut keeping).map_err(failed())?
            }
            Some(identities) => {
                let plaintext = match &kept.header {
                    Some(header) => identities.decrypting_behind(header, kept_bytes, &mut *pieces)?,
                    None => {
                        let (header, plaintext) = identities.decrypting(&mut *pieces)?;
                        kept.header = Some(header);
                        plaintext
                    }
                };
                plaintext.copy(&mut Keeping::new(files, kept, values).map_err(failed())?)?
            }
        };
        self.part.sync_all().map_err(failed())?;
        Ok(kept_bytes + written_bytes)
    }

    /// Gives the file its name.
    pub(super) fn publish(&self) -> Result<(), ClientError> {
        fs::rename(&self.part_path, &self.out).map_err(ClientError::file("write", &self.out))?;
        fs::remove_file(&self.journal_path).map_err(ClientError::file("delete", &self.journal_path))?;
        let directory = self.out.parent().filter(|parent| !parent.as_os_str().is_empty());
        sync_directory(directory.unwrap_or(Path::new(".")))
    }

    /// Whether there is nothing for another run to go on with.
    pub(super) fn is_empty(&self) -> bool {
        self.part.metadata().is_ok_and(|found| found.len() == 0)
    }

    /// Deletes what is no use to anybody.
    pub(super) fn discard(&self) {
        // Why it is of no use is what to tell; what is left of it is found out by the next run.
        let _ = fs::remove_file(&self.part_path);
        let _ = fs::remove_file(&self.journal_path);
    }
}
