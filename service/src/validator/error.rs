//! What goes wrong in a validator, apart from what is wrong with others' bytes.

use holdfast_engine::account::Account;
use holdfast_engine::recorder::RecorderError;
use thiserror::Error;

use crate::chain::ChainError;
use crate::export::ExportError;
use crate::index::IndexError;
use crate::scoring::ScoringError;

/// A validator could not do its part. Nothing of it is held against a miner.
#[derive(Debug, Error)]
pub enum ValidatorError {
    /// The index failed.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// The chain failed.
    #[error(transparent)]
    Recorder(#[from] RecorderError),
    /// The chain failed, or says no.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// Scoring refuses what is kept.
    #[error(transparent)]
    Scoring(#[from] ScoringError),
    /// A row of the index holds what this program never writes.
    #[error("the index holds {what} that cannot be used: {detail}; restore the index from a backup")]
    Damaged {
        /// What it should be.
        what: &'static str,
        /// What is wrong with it.
        detail: String,
    },
    /// A thread that worked for us ended without a result.
    #[error("{doing} ended without a result: {detail}; please report it")]
    Ended {
        /// What it did.
        doing: &'static str,
        /// What is known of the reason.
        detail: String,
    },
    /// The export failed, or is another.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// Another process that shares the index has taken over.
    #[error("another process has taken over the rounds of {validator}; this one only looks on")]
    NotInCharge {
        /// Whose rounds.
        validator: Account,
    },
}
