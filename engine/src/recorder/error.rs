//! Why a recorder did not do what it was asked.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::rejection::Rejection;

/// A call to a recorder that failed.
#[derive(Debug, Error)]
pub enum RecorderError {
    /// The recorder works, and says no.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The recorder's file could not be read or written.
    #[error("cannot {doing} {}: {source}", path.display())]
    File {
        /// What was being done: "read", "lock", "replace", …
        doing: &'static str,
        /// Which file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The recorder's file is not one of this version, or was changed by hand.
    #[error("{} is not a recorder's file that can be used: {detail}", path.display())]
    Unusable {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
}

/// Why a recorder refuses to record something.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    /// Intents are recorded once.
    #[error(
        "this intent is recorded already, as partition {partition_id}; another ordinal makes another partition"
    )]
    RepeatedIntent {
        /// The partition it was recorded as.
        partition_id: u64,
    },
    /// What is asked is a copy of what was recorded.
    #[error("this is a copy of what was recorded: nothing can be recorded in it")]
    ReadOnly,
    /// The intent is for another chain.
    #[error("the intent names network {found}, not this one, {expected}")]
    WrongNetwork {
        /// In hex.
        found: String,
        /// In hex.
        expected: String,
    },
    /// A signature that is given must be right.
    #[error(transparent)]
    Signature(Rejection),
    /// This network takes signed calls only.
    #[error("this network takes no unsigned {what}")]
    Unsigned {
        /// What was to be recorded.
        what: &'static str,
    },
    /// No such partition.
    #[error("no partition {partition_id} is recorded")]
    UnknownPartition {
        /// The number.
        partition_id: u64,
    },
    /// The registration is not there yet.
    #[error(
        "partition {partition_id} has no registration before block {beacon_height}, and the newest is {height}: \
         nothing can be committed yet"
    )]
    NotRegistered {
        /// The partition.
        partition_id: u64,
        /// Intent height + F.
        beacon_height: u64,
        /// The newest block.
        height: u64,
    },
    /// The batch is for another registration.
    #[error("the commitment names another registration than partition {partition_id} has: fill it anew")]
    WrongRegistration {
        /// The partition.
        partition_id: u64,
    },
    /// Outside 1 … cap.
    #[error("partition {partition_id} cannot have {end} windows; its intent allows 1 to {window_cap}")]
    OutsideCap {
        /// The partition.
        partition_id: u64,
        /// Windows claimed.
        end: u64,
        /// The most that the intent allows.
        window_cap: u64,
    },
    /// One commitment per intent: what exists can be added to or trimmed, not replaced.
    #[error("partition {partition_id} has {end} windows already; batches add or trim, they do not replace")]
    Replaced {
        /// The partition.
        partition_id: u64,
        /// Windows claimed, and recorded.
        end: u64,
    },
    /// Heights of batches increase strictly.
    #[error(
        "partition {partition_id} had a batch recorded at height {height} already; wait for the next block"
    )]
    SameHeight {
        /// The partition.
        partition_id: u64,
        /// The newest block.
        height: u64,
    },
    /// The format has room for so many.
    #[error("partition {partition_id} has {batches} batches, the most there may be")]
    TooManyBatches {
        /// The partition.
        partition_id: u64,
        /// How many.
        batches: usize,
    },
    /// Withdrawn is for good.
    #[error("partition {partition_id} was withdrawn at height {height}")]
    Withdrawn {
        /// The partition.
        partition_id: u64,
        /// Since when.
        height: u64,
    },
    /// A round is anchored once.
    #[error("the round at height {height} is anchored by this validator already")]
    RepeatedAnchor {
        /// The round's height.
        height: u64,
    },
    /// A round that has not begun.
    #[error("block {height} does not exist; the newest is {newest}")]
    NoSuchBlock {
        /// Asked for.
        height: u64,
        /// The newest.
        newest: u64,
    },
    /// Final blocks stay.
    #[error("block {height} is final and cannot be reorganised; the newest is {newest}")]
    Final {
        /// Asked for.
        height: u64,
        /// The newest.
        newest: u64,
    },
}
