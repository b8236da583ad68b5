//! What happened, a JSON object a line, added to and never rewritten.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;

use holdfast_engine::shared_file::{SharedFileError, sync_folder_of};

use super::super::{ChainError, Happening};
use super::unusable;

/// The file, of which so many bytes count as another file says: that makes both change at once. Who writes or reads it has the
/// other file's turn.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
}

impl Journal {
    pub(super) fn new(path: PathBuf) -> Journal {
        Journal { path }
    }

    /// Adds what happened after the bytes that count (`None` for all that are there), and returns how many bytes are to count now.
    /// Durable when this returns.
    pub(super) fn append(
        &self,
        counted: Option<u64>,
        happened: &[Happening],
    ) -> Result<Option<u64>, ChainError> {
        let mut lines = Vec::new();
        for happening in happened {
            serde_json::to_writer(&mut lines, happening).map_err(|error| unusable(&self.path, error))?;
            lines.push(b'\n');
        }
        let open = OpenOptions::new().write(true).create(true).truncate(false).open(&self.path);
        let mut file = open.map_err(|error| self.failed("open", error))?;
        let counted = self.drop_uncounted(&file, counted)?;
        let written = file
            .seek(SeekFrom::Start(counted))
            .and_then(|_| file.write_all(&lines))
            .and_then(|()| file.sync_all())
            .and_then(|()| sync_folder_of(&self.path));
        written.map_err(|error| self.failed("write to", error))?;
        Ok(Some(counted.saturating_add(lines.len() as u64)))
    }

    /// All that happened within the bytes that count.
    pub(super) fn read(&self, counted: Option<u64>) -> Result<Vec<Happening>, ChainError> {
        let file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound && counted.unwrap_or(0) == 0 => {
                return Ok(vec![]);
            }
            Err(error) => return Err(self.failed("open", error)),
        };
        let counted = self.counted(&file, counted)?;
        let mut happened = Vec::new();
        for (number, line) in BufReader::new(file.take(counted)).lines().enumerate() {
            let line = line.map_err(|error| self.failed("read", error))?;
            let happening = serde_json::from_str(&line);
            happened.push(happening.map_err(|error| {
                unusable(&self.path, format!("line {} is nothing that happens: {error}", number + 1))
            })?);
        }
        Ok(happened)
    }

    /// Lines of a change that did not come to count.
    fn drop_uncounted(&self, file: &File, counted: Option<u64>) -> Result<u64, ChainError> {
        let length = file.metadata().map_err(|error| self.failed("read", error))?.len();
        let counted = self.counted(file, counted)?;
        if length > counted {
            let bytes = length - counted;
            tracing::warn!(path = %self.path.display(), bytes, "dropping what a change that never counted left behind");
            file.set_len(counted).map_err(|error| self.failed("shorten", error))?;
        }
        Ok(counted)
    }

    fn counted(&self, file: &File, counted: Option<u64>) -> Result<u64, ChainError> {
        let length = file.metadata().map_err(|error| self.failed("read", error))?.len();
        match counted {
            Some(counted) if counted > length => {
                let detail = format!(
                    "it has {length} bytes and {counted} are to count; if it was shortened on purpose, take history_bytes out of \
                     network.json"
                );
                Err(unusable(&self.path, detail))
            }
            counted => Ok(counted.unwrap_or(length)),
        }
    }

    fn failed(&self, doing: &'static str, error: io::Error) -> ChainError {
        SharedFileError::new(doing, &self.path, error).into()
    }
}
