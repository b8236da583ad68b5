//! Why a command did not do what it was asked: one type, with its exit code, its name in JSON, and advice.

use std::io;
use std::path::{Path, PathBuf};

use crate::encryption::{DecryptionError, EncryptionError};
use holdfast_engine::jobs::commit::CommitError;
use holdfast_engine::jobs::control::Cancelled;
use holdfast_engine::jobs::fill::FillError;
use holdfast_engine::object::ObjectError;
use holdfast_engine::possession::secret_file::SecretFileError;
use holdfast_engine::possession::token::TokenFileError;
use holdfast_engine::recorder::RecorderError;
use holdfast_engine::rejection::Rejection;
use holdfast_engine::shared_file::SharedFileError;
use holdfast_partition::format::FormatError;
use holdfast_partition::io::IoError;
use holdfast_partition::objects::ObjectStoreError;
use holdfast_partition::partition_file::PartitionFileError;
use serde_json::json;
use thiserror::Error;

use crate::chain::ChainError;
use crate::export::ExportError;
use crate::local::console::Exit;
use crate::scoring::simulation::SimulationError;

/// The kind of a failure that is our own disk's: what lies there is not what was kept.
pub const DAMAGED: &str = "damaged";

/// A command's failure. Messages say what happened and where; [`Failure::advice`] says what to do.
#[derive(Debug, Error)]
pub enum Failure {
    /// The command line contradicts itself in a way that the argument parser cannot see.
    #[error("{0}")]
    Usage(String),
    /// The operating system refused something about a file.
    #[error("cannot {doing} {place}: {source}")]
    File {
        /// The verb with its preposition: `read`, `write to`.
        doing: &'static str,
        /// The path.
        place: String,
        /// The system's answer.
        source: io::Error,
    },
    /// A file that is not what it should be, and not made by us.
    #[error("{path} is not {expected}: {reason}")]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What was expected there.
        expected: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// A directory without a manifest.
    #[error("{dir} has no {name}: nothing was allocated there", dir = .0.display(), name = "partition.json")]
    NotAllocated(PathBuf),
    /// Somebody else's bytes were refused.
    #[error("{place}: {rejection}")]
    Rejected {
        /// Which file.
        place: String,
        /// Why.
        rejection: Rejection,
    },
    /// A question was not answered because nobody is there to answer it.
    #[error("{question} Not done: nobody was asked")]
    Unconfirmed {
        /// What would have been asked.
        question: String,
    },
    /// A question was answered with no.
    #[error("not done: it was not confirmed")]
    Declined,
    /// What was named does not exist here.
    #[error("{0}")]
    NotFound(String),
    /// Another process works on the same files.
    #[error("another holdfast process is changing {}", .0.display())]
    Locked(PathBuf),
    /// Not possible in this state.
    #[error("{message}")]
    State {
        /// What is the case.
        message: String,
        /// What to do about it.
        advice: String,
    },
    /// This machine lacks something that was asked for.
    #[error("{0}")]
    Absent(String),
    /// A lower layer failed; its message says where.
    #[error("{place}: {source}")]
    Work {
        /// Kind of the failure in JSON.
        kind: &'static str,
        /// Where: a partition or a directory.
        place: String,
        /// The lower layer's error.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Block I/O failed; the message says where.
    #[error(transparent)]
    Io(IoError),
    /// Stopped on request.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

impl Failure {
    /// A file error with its place.
    pub fn file(doing: &'static str, place: impl AsRef<Path>, source: io::Error) -> Failure {
        Failure::File { doing, place: place.as_ref().display().to_string(), source }
    }

    /// A report that would not become JSON.
    pub fn json(error: serde_json::Error) -> Failure {
        Failure::file("write the report as", "JSON", error.into())
    }

    /// A rejection with the file that it is about.
    pub fn rejected(place: impl AsRef<Path>, rejection: Rejection) -> Failure {
        Failure::Rejected { place: place.as_ref().display().to_string(), rejection }
    }

    /// A lower layer's error with its place.
    pub fn work(
        kind: &'static str,
        place: impl AsRef<Path>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Failure {
        Failure::Work { kind, place: place.as_ref().display().to_string(), source: source.into() }
    }

    /// What a partition file answered.
    pub fn partition(path: impl AsRef<Path>, error: PartitionFileError) -> Failure {
        match error {
            PartitionFileError::Format(FormatError::Foreign { .. } | FormatError::TooShort { .. }) => {
                Failure::Foreign {
                    path: path.as_ref().to_owned(),
                    expected: "a partition file",
                    reason: error.to_string(),
                }
            }
            PartitionFileError::Format(_) => Failure::work(DAMAGED, path, error),
            PartitionFileError::Io(error) => Failure::io(error),
            PartitionFileError::AboveCap { .. } => Failure::work("state", path, error),
            other => Failure::work("io", path, other),
        }
    }

    /// What a store of objects answered.
    pub fn store(path: impl AsRef<Path>, error: ObjectStoreError) -> Failure {
        match error {
            ObjectStoreError::Io(error) => Failure::io(error),
            ObjectStoreError::Foreign { path, reason } => {
                Failure::Foreign { path, expected: "a store of objects", reason }
            }
            ObjectStoreError::Locked { path } => Failure::Locked(path),
            ObjectStoreError::NoSuchObject { .. } => Failure::NotFound(error.to_string()),
            ObjectStoreError::Damaged { .. } => Failure::work(DAMAGED, path, error),
            ObjectStoreError::Full { .. } => Failure::work("quota-full", path, error),
            ObjectStoreError::ReadOnly | ObjectStoreError::Closed => Failure::work("io", path, error),
        }
    }

    /// What a store was asked and could not do with an object.
    pub fn object(path: impl AsRef<Path>, error: ObjectError) -> Failure {
        match error {
            ObjectError::Store(error) => Failure::store(path, error),
            ObjectError::Rejected(rejection) => Failure::rejected(path, rejection),
            ObjectError::Source(source) => Failure::file("read", "what is to be stored", source),
            ObjectError::Sink(source) => Failure::file("write", "what was read", source),
            ObjectError::NoSuchObject { .. } => Failure::NotFound(error.to_string()),
            ObjectError::Expired { .. } => Failure::work("state", path, error),
            ObjectError::NoSuchRange { .. } => Failure::Usage(error.to_string()),
            ObjectError::DamagedBlock { .. } | ObjectError::DamagedOutboard { .. } => {
                Failure::work(DAMAGED, path, error)
            }
        }
    }

    /// What committing to an object answered.
    pub fn commit(path: impl AsRef<Path>, error: CommitError) -> Failure {
        match error {
            CommitError::Object(error) => Failure::object(path, error),
            CommitError::Partial { path, source } => Failure::file("write", path, source),
            CommitError::Miscomputed(_) => Failure::work(DAMAGED, path, error),
            CommitError::Randomness(_) => Failure::Absent(error.to_string()),
            CommitError::Cancelled(cancelled) => Failure::Cancelled(cancelled),
        }
    }

    /// What a fill answered.
    pub fn fill(path: impl AsRef<Path>, error: FillError) -> Failure {
        match error {
            FillError::Cancelled(cancelled) => Failure::Cancelled(cancelled),
            FillError::Io(error) => Failure::io(error),
            FillError::Partition(error) => Failure::partition(path, error),
            other => Failure::work("io", path, other),
        }
    }

    /// What encryption answered.
    pub fn encryption(path: impl AsRef<Path>, error: EncryptionError) -> Failure {
        match error {
            EncryptionError::NoRecipients | EncryptionError::NotARecipient { .. } => {
                Failure::Usage(error.to_string())
            }
            EncryptionError::Source(source) => Failure::file("read", path, source),
            EncryptionError::Sink(source) => Failure::file("write", path, source),
            EncryptionError::Encryptor(_) => Failure::work("io", path, error),
        }
    }

    /// What decryption answered.
    pub fn decryption(path: impl AsRef<Path>, error: DecryptionError) -> Failure {
        match error {
            DecryptionError::Source(source) => Failure::file("read", path, source),
            DecryptionError::Sink(source) => Failure::file("write", path, source),
            DecryptionError::Damaged => Failure::work(DAMAGED, path, error),
            other => Failure::work("decryption", path, other),
        }
    }

    /// What block I/O answered.
    pub fn io(error: IoError) -> Failure {
        match error {
            IoError::Cancelled => Failure::Cancelled(Cancelled),
            other => Failure::Io(other),
        }
    }

    /// The exit code's meaning.
    pub fn exit(&self) -> Exit {
        match self {
            Failure::Usage(_) => Exit::Usage,
            Failure::Rejected { .. } => Exit::Rejected,
            _ => Exit::Failed,
        }
    }

    /// The name in JSON, stable for scripts (docs/guide/exit-codes.md).
    pub fn kind(&self) -> &'static str {
        match self {
            Failure::Usage(_) => "usage",
            Failure::File { source, .. } => file_kind(source),
            Failure::Foreign { .. } => "foreign-file",
            Failure::NotAllocated(_) => "not-allocated",
            Failure::Rejected { .. } => "rejected",
            Failure::Unconfirmed { .. } | Failure::Declined => "not-confirmed",
            Failure::NotFound(_) => "not-found",
            Failure::Locked(_) => "locked",
            Failure::State { .. } => "state",
            Failure::Absent(_) => "absent",
            Failure::Work { kind, .. } => kind,
            Failure::Io(IoError::DiskFull { .. }) => "disk-full",
            Failure::Io(IoError::Locked { .. }) => "locked",
            Failure::Io(IoError::Unsupported { .. }) => "absent",
            Failure::Io(IoError::PastEnd { .. }) => DAMAGED,
            Failure::Io(IoError::Os { kind, .. }) => kind_name(*kind),
            Failure::Io(_) => "io",
            Failure::Cancelled(_) => "cancelled",
        }
    }

    /// What to do about it, where there is more to say than the message does.
    pub fn advice(&self) -> Option<String> {
        let advice = match self {
            Failure::File { source, .. } => match file_kind(source) {
                "missing-file" => "check the path",
                "permission" => "check who owns it and its mode, or run as the user that does",
                "disk-full" => {
                    "free some space, then run the same command again; it continues where it stopped"
                }
                _ => return None,
            },
            Failure::Foreign { .. } => "holdfast leaves files alone that it did not make; check the path",
            Failure::NotAllocated(_) => "run `holdfast allocate --dir … --stakes … --miner …` first",
            Failure::Unconfirmed { .. } => "repeat with --yes to do it, or with --dry-run to only see it",
            Failure::Locked(_) => "wait for it, or stop it; what it has done so far is kept",
            Failure::State { advice, .. } => advice,
            Failure::Usage(_) => "see --help",
            _ => return None,
        };
        Some(advice.to_owned())
    }

    /// Message and advice in one line.
    pub fn full_message(&self) -> String {
        match self.advice() {
            Some(advice) => format!("{self} ({advice})"),
            None => self.to_string(),
        }
    }

    /// The failure as a JSON value, for reports that list several.
    pub fn json_value(&self) -> serde_json::Value {
        let mut value = json!({ "kind": self.kind(), "message": self.full_message() });
        if let Failure::Rejected { rejection, .. } = self {
            value["class"] = rejection.class.name().into();
        }
        value
    }

    /// The failure as the one JSON document on standard output.
    pub fn json_text(&self) -> String {
        let mut document = json!({ "error": self.json_value() });
        if let Failure::Rejected { rejection, .. } = self {
            document["verdict"] = "rejected".into();
            document["class"] = rejection.class.name().into();
        }
        format!("{document:#}\n")
    }
}

impl From<SimulationError> for Failure {
    /// Files are told apart where they are read; what is left is a population of nobody.
    fn from(error: SimulationError) -> Failure {
        Failure::Usage(error.to_string())
    }
}

impl From<TokenFileError> for Failure {
    fn from(error: TokenFileError) -> Failure {
        match error {
            TokenFileError::File(SecretFileError::File { doing, path, source }) => {
                Failure::file(doing, path, source)
            }
            TokenFileError::File(SecretFileError::Unusable { path, rejection }) => {
                Failure::Foreign { path, expected: "a token file", reason: rejection.to_string() }
            }
            TokenFileError::Count(rejection) => Failure::Usage(rejection.detail),
            TokenFileError::Exhausted { ref path, .. } => Failure::work("state", path.clone(), error),
        }
    }
}

impl From<RecorderError> for Failure {
    fn from(error: RecorderError) -> Failure {
        match error {
            RecorderError::File { doing, path, source } => Failure::file(doing, path, source),
            RecorderError::Unusable { path, detail } => {
                Failure::Foreign { path, expected: "a recorder's file", reason: detail }
            }
            RecorderError::Refused(refusal) => Failure::work("state", "the recorder", refusal),
        }
    }
}

impl From<ChainError> for Failure {
    fn from(error: ChainError) -> Failure {
        match error {
            ChainError::Recorder(error) => error.into(),
            ChainError::File(SharedFileError { doing, path, source }) => Failure::file(doing, path, source),
            ChainError::Unusable { path, detail } => {
                Failure::Foreign { path, expected: "a chain's file or script", reason: detail }
            }
            ChainError::Driven { directory } => Failure::Locked(directory),
            ChainError::Refused(_) => Failure::work("state", "the chain", error),
            ChainError::BrokenOff(_) => Failure::work("io", "the chain", error),
        }
    }
}

fn file_kind(error: &io::Error) -> &'static str {
    kind_name(error.kind())
}

impl From<ExportError> for Failure {
    fn from(error: ExportError) -> Failure {
        match error {
            ExportError::Rejected { place, rejection } => Failure::rejected(place, rejection),
            ExportError::File { doing, path, source } => Failure::file(doing, path, source),
            ExportError::Locked { path } => Failure::Locked(path),
            ExportError::Recorder(error) => error.into(),
            ExportError::OtherExport { ref path, .. }
            | ExportError::Stopped { ref path }
            | ExportError::Encode { ref path, .. } => Failure::work("state", path.clone(), error),
            ExportError::Gap { table, .. } | ExportError::Row { table, .. } => {
                Failure::work("state", table.name(), error)
            }
        }
    }
}

fn kind_name(kind: io::ErrorKind) -> &'static str {
    match kind {
        io::ErrorKind::NotFound => "missing-file",
        io::ErrorKind::PermissionDenied => "permission",
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "disk-full",
        _ => "io",
    }
}
