//! The file that a file is got into: what is stored comes into a part file, which an interrupted run leaves to the next one, and is decrypted
//! on the way into a new file, which takes the output's name when all of it is right.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use holdfast_engine::object::Address;
use holdfast_engine::tree::RootHasher;
use holdfast_partition::io::WriteBehind;

use super::stream::Pieces;
use super::{Hashed, copy};
use crate::client::ClientError;
use crate::client::ahead::read_ahead;
use crate::client::library::{lock, sync_directory};
use crate::encryption::{DecryptionError, Identities};

/// Bytes that are written at once.
const BUFFER_BYTES: usize = 1 << 20;

/// A file that is being got.
pub(super) struct Output {
    out: PathBuf,
    part_path: PathBuf,
    /// What came of the stored bytes, from the first on; locked.
    part: File,
    kept_bytes: u64,
    /// Where decrypted bytes go.
    new_path: PathBuf,
    decrypts: bool,
}

impl Output {
    /// Opens the part file of an earlier run, or makes one.
    pub(super) fn open(
        out: &Path,
        root: &[u8; 32],
        length_bytes: u64,
        decrypts: bool,
    ) -> Result<Output, ClientError> {
        let beside = |suffix: &str| {
            let mut name = std::ffi::OsString::from(".");
            name.push(out.file_name().unwrap_or_default());
            name.push(format!(".{}.{suffix}", Address::Blake3(*root)));
            out.with_file_name(name)
        };
        let part_path = beside("part");
        let mut options = OpenOptions::new();
        let part = options.read(true).write(true).create(true).truncate(false).mode(0o600).open(&part_path);
        let part = part.map_err(ClientError::file("open", &part_path))?;
        lock(&part, &part_path)?;
        let kept = || {
            let kept_bytes = part.metadata()?.len();
            if kept_bytes > length_bytes {
                part.set_len(0)?;
            }
            Ok(if kept_bytes > length_bytes { 0 } else { kept_bytes })
        };
        let kept_bytes = kept().map_err(ClientError::file("read", &part_path))?;
        let new_path = beside("new");
        Ok(Output { out: out.to_owned(), part_path, part, kept_bytes, new_path, decrypts })
    }

    /// Stored bytes that an earlier run has left.
    pub(super) fn kept_bytes(&self) -> u64 {
        self.kept_bytes
    }

    /// Takes the rest, and gives the file its name. Returns its bytes. What is wrong as a whole is deleted.
    pub(super) fn fill(
        self,
        rest: Pieces,
        identities: Option<&Identities>,
        root: &[u8; 32],
    ) -> Result<u64, ClientError> {
        let filled = self.write(rest, identities, root);
        if filled.is_err() && self.decrypts {
            // The first error is the one to tell.
            let _ = fs::remove_file(&self.new_path);
        }
        if let Err(ClientError::WrongFile { .. }) = &filled {
            let _ = fs::remove_file(&self.part_path);
        }
        filled
    }

    fn write(
        &self,
        rest: Pieces,
        identities: Option<&Identities>,
        root: &[u8; 32],
    ) -> Result<u64, ClientError> {
        let failed = || ClientError::file("write", &self.out);
        let mut kept = File::open(&self.part_path).map_err(ClientError::file("read", &self.part_path))?;
        kept.seek(SeekFrom::Start(0)).map_err(failed())?;
        (&self.part).seek(SeekFrom::Start(self.kept_bytes)).map_err(failed())?;
        let mut sink: Box<dyn Write + Send + '_> = match self.decrypts {
            // It goes when the output is there: no reason to hurry the disk.
            true => Box::new(BufWriter::with_capacity(BUFFER_BYTES, &self.part)),
            false => {
                let behind = WriteBehind::new(&self.part, self.kept_bytes);
                Box::new(BufWriter::with_capacity(BUFFER_BYTES, behind))
            }
        };
        let kept = kept.take(self.kept_bytes);
        let stored = kept.chain(Tee { source: rest, sink: &mut sink });
        let mut hashed = Hashed { source: stored, hasher: RootHasher::default() };
        let bytes = match identities {
            None => copy(&mut hashed, None, &mut io::sink())?,
            Some(_) => {
                let mut options = OpenOptions::new();
                let new = options.write(true).create(true).truncate(true).mode(0o600).open(&self.new_path);
                let new = new.map_err(failed())?;
                let mut writer = BufWriter::with_capacity(BUFFER_BYTES, WriteBehind::new(&new, 0));
                // One thread keeps and hashes what came, this one decrypts.
                let (source, bytes) = read_ahead(hashed, |stored| copy(stored, identities, &mut writer));
                hashed = source;
                if let Err(ClientError::Decryption(DecryptionError::Damaged)) = &bytes {
                    // A part that was changed, as the root tells, is deleted; other bytes of the right root are the owner's own.
                    hashed.finish(root)?;
                    return bytes;
                }
                let bytes = bytes?;
                writer.flush().and_then(|()| new.sync_all()).map_err(failed())?;
                bytes
            }
        };
        hashed.finish(root)?;
        sink.flush().map_err(failed())?;
        drop(sink);
        if self.decrypts {
            fs::rename(&self.new_path, &self.out).map_err(failed())?;
            fs::remove_file(&self.part_path).map_err(ClientError::file("delete", &self.part_path))?;
        } else {
            self.part.sync_all().and_then(|()| fs::rename(&self.part_path, &self.out)).map_err(failed())?;
        }
        let directory = self.out.parent().filter(|parent| !parent.as_os_str().is_empty());
        sync_directory(directory.unwrap_or(Path::new(".")))?;
        Ok(bytes)
    }
}

/// Keeps what is read.
struct Tee<R, W> {
    source: R,
    sink: W,
}

impl<R: Read, W: Write> Read for Tee<R, W> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.source.read(buffer) {
            Ok(read) => {
                self.sink.write_all(&buffer[..read])?;
                Ok(read)
            }
            Err(error) => {
                // What came is of use to the next run.
                self.sink.flush()?;
                Err(error)
            }
        }
    }
}
