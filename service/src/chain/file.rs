//! A chain in a directory, shared by the processes of one machine: `recorder.json`, `network.json` (docs/guide/network-json.md)
//! and `history.jsonl`.

mod journal;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use holdfast_engine::recorder::{FileRecorder, Recorder, SimulationSettings};
use holdfast_engine::shared_file::{SharedFile, SharedFileError, Turn};
use serde::{Deserialize, Serialize};

use super::{ChainError, Happening, LocalChain, Network, NetworkSettings, NetworkStore, NewNeuron};
use journal::Journal;

/// The blocks, intents, batches and anchors ([`FileRecorder`]).
pub const RECORDER_FILE: &str = "recorder.json";
/// Who takes part, and the weights.
pub const NETWORK_FILE: &str = "network.json";
/// What happened, a JSON object a line.
pub const HISTORY_FILE: &str = "history.jsonl";

const FORMAT: &str = "holdfast-network";
const VERSION: u32 = 1;
/// Larger files are refused. 256 neurons with weights for each other take 5 MB, 1,024 take 80 MB.
const BYTES_MAXIMUM: u64 = 256 << 20;
const POLL_INTERVAL: Duration = Duration::from_millis(200);

/// A chain in a directory. Each process opens it for itself; one of them, or none, drives it.
pub type FileChain = LocalChain<FileRecorder, NetworkFile>;

impl FileChain {
    /// Opens the chain in a directory.
    ///
    /// # Errors
    /// Files that are missing or cannot be used.
    pub fn open(directory: &Path) -> Result<FileChain, ChainError> {
        let recorder = FileRecorder::open(directory.join(RECORDER_FILE))?;
        LocalChain::new(recorder, NetworkFile::open(directory)?)
    }

    /// Opens the chain in a directory, and makes what is not there yet: the directory, a chain of one block with these settings, a
    /// network in which these neurons were registered.
    ///
    /// # Errors
    /// Files that cannot be made or used, and neurons that cannot all be registered.
    pub fn open_or_create(
        directory: &Path,
        simulation: SimulationSettings,
        settings: NetworkSettings,
        neurons: &[NewNeuron],
    ) -> Result<FileChain, ChainError> {
        fs::create_dir_all(directory).map_err(|error| SharedFileError::new("create", directory, error))?;
        let recorder = FileRecorder::open_or_create(directory.join(RECORDER_FILE), simulation)?;
        let height = recorder.height()?;
        let network = NetworkFile::open_or_create(directory, || Network::new(settings, neurons, height))?;
        LocalChain::new(recorder, network)
    }

    /// Why the network's file cannot be used just now, if it cannot: questions are answered from what it said last, and
    /// calls fail.
    pub fn trouble(&self) -> Option<String> {
        self.store().trouble()
    }
}

/// A network in the file of a directory. Reading takes the bytes as they are and compares them with those read last.
#[derive(Debug)]
pub struct NetworkFile {
    file: SharedFile,
    journal: Journal,
    last: Mutex<Last>,
}

/// What was read last.
#[derive(Debug)]
struct Last {
    /// Of the file that could be used last.
    bytes: Vec<u8>,
    network: Arc<Network>,
    /// Why it cannot be used since.
    trouble: Option<String>,
}

/// What is read before anything else, whatever else a later version may hold.
#[derive(Deserialize)]
struct FileHead {
    format: String,
    version: u32,
}

#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct Document {
    /// `holdfast-network`.
    format: String,
    /// 1.
    version: u32,
    /// How much of the history counts; absent for all that is there.
    #[serde(default)]
    history_bytes: Option<u64>,
    /// Who takes part.
    network: Network,
}

impl NetworkFile {
    fn open(directory: &Path) -> Result<NetworkFile, ChainError> {
        let file = SharedFile::new(directory.join(NETWORK_FILE));
        let (bytes, document) = load(&file)?;
        let last = Last { bytes, network: Arc::new(document.network), trouble: None };
        let journal = Journal::new(directory.join(HISTORY_FILE));
        Ok(NetworkFile { file, journal, last: Mutex::new(last) })
    }

    fn open_or_create<E>(
        directory: &Path,
        make: impl FnOnce() -> Result<Network, E>,
    ) -> Result<NetworkFile, ChainError>
    where
        ChainError: From<E>,
    {
        let file = SharedFile::new(directory.join(NETWORK_FILE));
        let turn = file.lock()?;
        match file.read(BYTES_MAXIMUM) {
            Err(error) if error.is_missing() => {
                let (journal, mut network) = (Journal::new(directory.join(HISTORY_FILE)), make()?);
                // Without a network nothing counts: what is there is of one that did not come to be.
                let history_bytes = journal.append(Some(0), &network.take_happened())?;
                store(&file, &turn, &Document::new(network, history_bytes))?;
            }
            read => drop(read?),
        }
        NetworkFile::open(directory)
    }

    fn trouble(&self) -> Option<String> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).trouble.clone()
    }
}

impl NetworkStore for NetworkFile {
    fn read(&self) -> Result<Arc<Network>, ChainError> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let usable = match self.file.read(BYTES_MAXIMUM) {
            Ok(bytes) if bytes == last.bytes => Ok(None),
            Ok(bytes) => parse(&bytes, self.file.path()).map(|document| Some((bytes, document))),
            Err(error) => Err(error.into()),
        };
        match usable {
            Ok(None) => last.trouble = None,
            Ok(Some((bytes, document))) => {
                *last = Last { bytes, network: Arc::new(document.network), trouble: None };
            }
            Err(error) => {
                let trouble = Some(error.to_string());
                if last.trouble != trouble {
                    tracing::warn!(%error, "the network stays as it was read last");
                }
                last.trouble = trouble;
            }
        }
        Ok(Arc::clone(&last.network))
    }

    fn change<T>(&self, change: impl FnOnce(&mut Network) -> Result<T, ChainError>) -> Result<T, ChainError> {
        let turn = self.file.lock()?;
        let (_, Document { history_bytes, mut network, .. }) = load(&self.file)?;
        let result = change(&mut network)?;
        let happened = network.take_happened();
        // What happened is durable before the network that it led to, and counts with it.
        let history_bytes = match happened.is_empty() {
            true => history_bytes,
            false => self.journal.append(history_bytes, &happened)?,
        };
        store(&self.file, &turn, &Document::new(network, history_bytes))?;
        Ok(result)
    }

    fn history(&self) -> Result<Vec<Happening>, ChainError> {
        // Writers wait, or the count could be of before a change and the lines of after it.
        let _turn = self.file.lock()?;
        let (_, document) = load(&self.file)?;
        self.journal.read(document.history_bytes)
    }

    fn poll_interval(&self) -> Option<Duration> {
        Some(POLL_INTERVAL)
    }
}

impl Document {
    fn new(network: Network, history_bytes: Option<u64>) -> Document {
        Document { format: FORMAT.to_owned(), version: VERSION, history_bytes, network }
    }
}

fn load(file: &SharedFile) -> Result<(Vec<u8>, Document), ChainError> {
    let bytes = file.read(BYTES_MAXIMUM)?;
    let document = parse(&bytes, file.path())?;
    Ok((bytes, document))
}

fn store(file: &SharedFile, turn: &Turn, document: &Document) -> Result<(), ChainError> {
    let mut bytes = serde_json::to_vec_pretty(document).map_err(|error| unusable(file.path(), error))?;
    bytes.push(b'\n');
    Ok(file.replace(turn, &bytes)?)
}

fn parse(bytes: &[u8], path: &Path) -> Result<Document, ChainError> {
    let head: FileHead = serde_json::from_slice(bytes).map_err(|error| unusable(path, error))?;
    if head.format != FORMAT {
        let found = head.format.escape_default();
        return Err(unusable(path, format!("its format is \"{found}\", not \"{FORMAT}\"")));
    }
    if head.version != VERSION {
        return Err(unusable(path, format!("its version is {}; this program knows {VERSION}", head.version)));
    }
    let mut document: Document = serde_json::from_slice(bytes).map_err(|error| unusable(path, error))?;
    document.network.check_consistency().map_err(|detail| unusable(path, detail))?;
    Ok(document)
}

fn unusable(path: &Path, detail: impl ToString) -> ChainError {
    ChainError::Unusable { path: PathBuf::from(path), detail: detail.to_string() }
}

#[cfg(test)]
mod tests;
