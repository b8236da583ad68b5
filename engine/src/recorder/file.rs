//! A simulated chain in a JSON file, shared by the processes of one machine.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::{Ledger, RecorderError, Refusal, Simulation, SimulationSettings};
use crate::shared_file::{SharedFile, SharedFileError, Turn};

pub use crate::shared_file::LOCK_SUFFIX;

const FORMAT: &str = "holdfast-recorder";
const VERSION: u32 = 1;
/// Larger files are refused; one block a second with three anchors each makes 100 MB a day.
const BYTES_MAXIMUM: u64 = 4 << 30;

/// A [`Ledger`] in a file. Every call reads the file as it is then; a change is written to another file, synced and
/// renamed over it, so that readers and crashes see the old state or the new one.
#[derive(Debug)]
pub struct FileRecorder {
    file: SharedFile,
    /// What was read last: equal bytes are not decoded again.
    last: Mutex<Option<(Vec<u8>, Arc<Ledger>)>>,
}

/// What is read before anything else, whatever else a later version may hold.
#[derive(Deserialize)]
struct Head {
    format: String,
    version: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    format: String,
    version: u32,
    chain: Ledger,
}

impl FileRecorder {
    /// Opens the recorder's file, which must exist.
    pub fn open(path: impl Into<PathBuf>) -> Result<FileRecorder, RecorderError> {
        let recorder = FileRecorder::of(path);
        recorder.load()?;
        Ok(recorder)
    }

    /// Opens the recorder's file; where there is none, makes one of a chain of one block with these settings.
    pub fn open_or_create(
        path: impl Into<PathBuf>,
        settings: SimulationSettings,
    ) -> Result<FileRecorder, RecorderError> {
        let recorder = FileRecorder::of(path);
        let turn = recorder.file.lock()?;
        match recorder.load() {
            Err(RecorderError::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                recorder.store(&turn, &Ledger::new(settings))?;
            }
            loaded => drop(loaded?),
        }
        Ok(recorder)
    }

    fn of(path: impl Into<PathBuf>) -> FileRecorder {
        FileRecorder { file: SharedFile::new(path), last: Mutex::default() }
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    fn load(&self) -> Result<Arc<Ledger>, RecorderError> {
        let bytes = self.file.read(BYTES_MAXIMUM)?;
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, ledger)) = last.as_ref().filter(|(known, _)| *known == bytes) {
            return Ok(Arc::clone(ledger));
        }
        let ledger = Arc::new(parse(&bytes).map_err(|detail| self.unusable(detail))?);
        *last = Some((bytes, Arc::clone(&ledger)));
        Ok(ledger)
    }

    fn store(&self, turn: &Turn, ledger: &Ledger) -> Result<(), RecorderError> {
        let chain = ledger.clone();
        let document = Document { format: FORMAT.to_owned(), version: VERSION, chain };
        let bytes = serde_json::to_vec_pretty(&document);
        let mut bytes = bytes.map_err(|error| self.unusable(error.to_string()))?;
        bytes.push(b'\n');
        Ok(self.file.replace(turn, &bytes)?)
    }

    fn unusable(&self, detail: String) -> RecorderError {
        RecorderError::Unusable { path: self.path().to_owned(), detail }
    }
}

impl Simulation for FileRecorder {
    fn read<T>(&self, look: impl FnOnce(&Ledger) -> T) -> Result<T, RecorderError> {
        let ledger = self.load()?;
        Ok(look(&ledger))
    }

    fn change<T>(&self, change: impl FnOnce(&mut Ledger) -> Result<T, Refusal>) -> Result<T, RecorderError> {
        let turn = self.file.lock()?;
        let mut ledger = Ledger::clone(&*self.load()?);
        let result = change(&mut ledger)?;
        self.store(&turn, &ledger)?;
        Ok(result)
    }
}

impl From<SharedFileError> for RecorderError {
    fn from(SharedFileError { doing, path, source }: SharedFileError) -> RecorderError {
        RecorderError::File { doing, path, source }
    }
}

fn parse(bytes: &[u8]) -> Result<Ledger, String> {
    let head: Head = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    if head.format != FORMAT {
        return Err(format!("its format is \"{}\", not \"{FORMAT}\"", head.format.escape_default()));
    }
    if head.version != VERSION {
        return Err(format!("its version is {}; this program knows {VERSION}", head.version));
    }
    let document: Document = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    document.chain.check_consistency()?;
    Ok(document.chain)
}
