//! Why an index did not do what it was asked.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use thiserror::Error;

use super::Table;

/// A call to an index that failed. Places are paths, or URLs without their passwords.
#[derive(Clone, Debug, Error)]
pub enum IndexError {
    /// A check of a commit does not hold: somebody else changed the value since it was read.
    #[error(
        "table {table}, key {}: the value is not what it was read as; nothing was changed",
        printable(key)
    )]
    Conflict {
        /// Where.
        table: Table,
        /// Which key.
        key: Bytes,
    },
    /// Others changed the same keys again and again.
    #[error("gave up after {attempts} attempts: others keep changing table {table}, key {}", printable(key))]
    Contended {
        /// How often it was tried.
        attempts: u32,
        /// The key of the last conflict.
        table: Table,
        /// The key of the last conflict.
        key: Bytes,
    },
    /// Beyond a limit of the index.
    #[error("{found} {what} are more than an index takes ({limit})")]
    TooLarge {
        /// What is counted.
        what: &'static str,
        /// How many there are.
        found: usize,
        /// How many there may be.
        limit: usize,
    },
    /// Bytes in the index that are not what belongs there: written by another program or version.
    #[error("table {table}, key {}: {reason}", printable(key))]
    Damaged {
        /// Where.
        table: Table,
        /// Which key.
        key: Bytes,
        /// What is wrong with it.
        reason: String,
    },
    /// A value that cannot be written down, which is a mistake in the program.
    #[error("table {table}: a value cannot be encoded: {reason}")]
    Unencodable {
        /// Where.
        table: Table,
        /// What the encoder says.
        reason: String,
    },
    /// Another process has the file.
    #[error(
        "{place} is in use by another process: stop it, or give each process its own index or all a PostgreSQL server"
    )]
    Locked {
        /// Which file.
        place: String,
    },
    /// Not an index.
    #[error("{place} is not an index of holdfast: {reason}; it was left alone")]
    Foreign {
        /// Which file or database.
        place: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Written by another version of the program.
    #[error("{place} is an index of format {found}; this program knows format {known}, and left it alone")]
    UnknownFormat {
        /// Which file or database.
        place: String,
        /// Its format.
        found: u64,
        /// Ours.
        known: u64,
    },
    /// The settings cannot be used.
    #[error("the settings of the index cannot be used: {reason}")]
    Settings {
        /// What is wrong with them.
        reason: String,
    },
    /// The system's answer about the file of the index.
    #[error("cannot {doing} {place}: {source}")]
    File {
        /// What was being done: `open`, `read from`, …
        doing: &'static str,
        /// Which file.
        place: String,
        /// The system's answer.
        source: Arc<io::Error>,
    },
    /// The storage failed or is damaged. After a failed write the handle takes no more commits.
    #[error("cannot {doing} {place}: {reason}")]
    Failed {
        /// What was being done: `read from`, `commit to`, …
        doing: &'static str,
        /// Which file or database.
        place: String,
        /// What went wrong.
        reason: String,
    },
    /// The server says no, and will say so again.
    #[error("{place} refuses: {reason}")]
    Refused {
        /// Which database.
        place: String,
        /// The server's reason, and what to do where we know.
        reason: String,
    },
    /// The server cannot be reached, or does not answer; nothing was changed.
    #[error("{place} did not answer in {waited_ms} ms: {reason}")]
    Unavailable {
        /// Which database.
        place: String,
        /// How long it was tried.
        waited_ms: u64,
        /// The last reason.
        reason: String,
    },
    /// The connection was lost between a commit and its answer.
    #[error(
        "the connection to {place} was lost before it confirmed a commit, which was made or not: {reason}"
    )]
    OutcomeUnknown {
        /// Which database.
        place: String,
        /// How it was lost.
        reason: String,
    },
}

impl IndexError {
    /// Whether the same call may well succeed later, with nothing done about it.
    pub fn is_passing(&self) -> bool {
        matches!(
            self,
            IndexError::Conflict { .. } | IndexError::Contended { .. } | IndexError::Unavailable { .. }
        )
    }
}

/// A key for a message: hex, cut where it is long.
fn printable(key: &[u8]) -> String {
    const BYTES: usize = 48;
    match key.get(..BYTES) {
        Some(start) if key.len() > BYTES => format!("{}… ({} bytes)", hex::encode(start), key.len()),
        _ => hex::encode(key),
    }
}
