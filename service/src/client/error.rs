//! Why a file could not be stored or got back.

use std::io;
use std::path::{Path, PathBuf};

use holdfast_engine::possession::token::TokenFileError;
use holdfast_engine::rejection::Rejection;
use thiserror::Error;

use super::Fault;
use crate::encryption::{DecryptionError, EncryptionError};
use crate::pieces::{ManifestError, PieceError, PieceId};
use crate::validator::peers::PeerError;

/// What went wrong on an owner's side.
#[derive(Debug, Error)]
pub enum ClientError {
    /// The validator cannot be reached, says no, or says something wrong.
    #[error(transparent)]
    Peer(#[from] PeerError),
    /// What the validator said is no use.
    #[error("the validator's answer: {0}")]
    Rejected(#[from] Rejection),
    /// A file of this machine.
    #[error("cannot {doing} {}: {source}", path.display())]
    File {
        /// The verb with its preposition.
        doing: &'static str,
        /// Which file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// A file of the state directory that holds what this program never writes.
    #[error("{} cannot be used: {reason}; move it away", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// No randomness.
    #[error("the system has no randomness: {0}")]
    Random(#[from] getrandom::Error),
    /// Cutting into pieces, or putting together.
    #[error(transparent)]
    Pieces(#[from] PieceError),
    /// A manifest.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// Encryption.
    #[error(transparent)]
    Encryption(#[from] EncryptionError),
    /// Decryption.
    #[error(transparent)]
    Decryption(#[from] DecryptionError),
    /// Miners did not take a piece, one after the other. What is stored so far stays; the put can be resumed.
    #[error("no miner took the piece of {piece}, after {} tries: {}", faults.len(), list(faults))]
    NotTaken {
        /// Which piece.
        piece: PieceId,
        /// Who failed, and how.
        faults: Vec<Fault>,
    },
    /// Too few pieces of a segment could be had.
    #[error(
        "segment {segment} needs {needed} pieces, and {found} could be had; {}: try again later, repair may be under way",
        list(faults)
    )]
    Unreadable {
        /// Which segment.
        segment: u32,
        /// k.
        needed: u8,
        /// Pieces that came.
        found: usize,
        /// Who failed, and how.
        faults: Vec<Fault>,
    },
    /// All pieces were right by the manifest, and the whole is another file: the manifest is wrong.
    #[error(
        "what came has root {}, not {}: the validator's manifest is not that of this file",
        hex::encode(found),
        hex::encode(expected)
    )]
    WrongFile {
        /// Root of what came.
        found: [u8; 32],
        /// The file's address.
        expected: [u8; 32],
    },
    /// Sealed tokens.
    #[error(transparent)]
    Tokens(#[from] TokenFileError),
    /// A file has no sealed tokens here.
    #[error("no tokens of {} are kept here: they are made by `holdfast put --tokens N`, and stay in its --state", hex::encode(.0))]
    NoTokens([u8; 32]),
    /// There is no interrupted put of this file.
    #[error("no interrupted put of {} is kept here", hex::encode(.0))]
    NoSuchPut([u8; 32]),
    /// Another process has it.
    #[error("{} is in use by another process", .0.display())]
    Busy(PathBuf),
    /// The time that an interrupted put was for is over.
    #[error("the file was to be kept until {expires_at} (seconds since 1970), which is past: put it anew")]
    Expired {
        /// Until when.
        expires_at: u64,
    },
    /// A range that the file does not have.
    #[error("bytes {start} to {end} of a file of {length_bytes} stored bytes")]
    OutOfRange {
        /// First byte asked for.
        start: u64,
        /// The one behind the last.
        end: u64,
        /// What there is.
        length_bytes: u64,
    },
    /// A thread that worked for us ended without a result.
    #[error("{doing} ended without a result: {detail}; please report it")]
    Ended {
        /// What it did.
        doing: &'static str,
        /// What is known of the reason.
        detail: String,
    },
}

impl ClientError {
    pub(super) fn file(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> ClientError {
        let path = path.to_owned();
        move |source| ClientError::File { doing, path, source }
    }
}

fn list(faults: &[Fault]) -> String {
    let texts: Vec<String> = faults.iter().map(ToString::to_string).collect();
    if texts.is_empty() { "no miner is known to have one".to_owned() } else { texts.join("; ") }
}
