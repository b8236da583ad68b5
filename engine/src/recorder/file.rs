//! A simulated chain in a JSON file, shared by the processes of one machine.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Ledger, RecorderError, Refusal, Simulation, SimulationSettings};

/// Added to the file's name: the empty file whose lock serialises writers.
pub const LOCK_SUFFIX: &str = ".lock";
const NEW_SUFFIX: &str = ".new";
const FORMAT: &str = "holdfast-recorder";
const VERSION: u32 = 1;

/// A [`Ledger`] in a file. Every call reads the file as it is then; a change is written to another file, synced and
/// renamed over it, so that readers and crashes see the old state or the new one.
#[derive(Debug)]
pub struct FileRecorder {
    path: PathBuf,
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
        let recorder = FileRecorder { path: path.into() };
        recorder.load()?;
        Ok(recorder)
    }

    /// Opens the recorder's file; where there is none, makes one of a chain of one block with these settings.
    pub fn open_or_create(
        path: impl Into<PathBuf>,
        settings: SimulationSettings,
    ) -> Result<FileRecorder, RecorderError> {
        let recorder = FileRecorder { path: path.into() };
        let _lock = recorder.lock()?;
        match recorder.load() {
            Err(RecorderError::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                recorder.store(&Ledger::new(settings))?;
            }
            loaded => drop(loaded?),
        }
        Ok(recorder)
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn load(&self) -> Result<Ledger, RecorderError> {
        let bytes = fs::read(&self.path).map_err(|source| self.failed("read", &self.path, source))?;
        parse(&bytes).map_err(|detail| RecorderError::Unusable { path: self.path.clone(), detail })
    }

    fn store(&self, ledger: &Ledger) -> Result<(), RecorderError> {
        let chain = ledger.clone();
        let document = Document { format: FORMAT.to_owned(), version: VERSION, chain };
        let unusable = |error: serde_json::Error| RecorderError::Unusable {
            path: self.path.clone(),
            detail: error.to_string(),
        };
        let mut bytes = serde_json::to_vec_pretty(&document).map_err(unusable)?;
        bytes.push(b'\n');
        replace(&self.path, &self.beside(NEW_SUFFIX), &bytes)
            .map_err(|source| self.failed("replace", &self.path, source))
    }

    /// Holds other writers off until it is dropped.
    fn lock(&self) -> Result<File, RecorderError> {
        let path = self.beside(LOCK_SUFFIX);
        let open = OpenOptions::new().write(true).create(true).truncate(false).open(&path);
        let file = open.map_err(|source| self.failed("open", &path, source))?;
        file.lock().map_err(|source| self.failed("lock", &path, source))?;
        Ok(file)
    }

    fn beside(&self, suffix: &str) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(suffix);
        name.into()
    }

    fn failed(&self, doing: &'static str, path: &Path, source: io::Error) -> RecorderError {
        RecorderError::File { doing, path: path.to_owned(), source }
    }
}

impl Simulation for FileRecorder {
    fn read<T>(&self, look: impl FnOnce(&Ledger) -> T) -> Result<T, RecorderError> {
        Ok(look(&self.load()?))
    }

    fn change<T>(&self, change: impl FnOnce(&mut Ledger) -> Result<T, Refusal>) -> Result<T, RecorderError> {
        let _lock = self.lock()?;
        let mut ledger = self.load()?;
        let result = change(&mut ledger)?;
        self.store(&ledger)?;
        Ok(result)
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

/// The rename is durable only once the directory is synced.
fn replace(path: &Path, new: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(new, path)?;
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
}
