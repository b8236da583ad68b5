//! Why an owner did not get what was asked for, and what owners are told of it.

use holdfast_engine::account::Account;
use holdfast_engine::recorder::RecorderError;
use holdfast_engine::rejection::Rejection;
use thiserror::Error;
use tonic::{Code, Status};

use crate::chain::ChainError;
use crate::index::IndexError;
use crate::pieces::{ManifestError, PieceError};
use crate::placement::PlacementError;
use crate::validator::ValidatorError;
use crate::validator::peers::PeerError;
use crate::wire::status::{of_rejection, refusal};

/// A request of an owner, or an errand about files, that was not done.
#[derive(Debug, Error)]
pub enum CareError {
    /// Their bytes are wrong.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// We failed.
    #[error(transparent)]
    Failed(#[from] ValidatorError),
    /// There is not enough room, or there are too few operators.
    #[error(transparent)]
    Placement(#[from] PlacementError),
    /// A manifest could not be changed.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// A piece could not be made anew.
    #[error(transparent)]
    Piece(#[from] PieceError),
    /// A miner gave no answer that can be used.
    #[error(transparent)]
    Peer(#[from] PeerError),
    /// The caller has no such file here.
    #[error("{owner} has no file {} in care here", hex::encode(file))]
    NoSuchFile {
        /// Who asks.
        owner: Account,
        /// Root of the ciphertext.
        file: [u8; 32],
    },
    /// Their bytes are right, and we do not do it all the same.
    #[error("{message}")]
    Refused {
        /// The code of gRPC.
        code: Code,
        /// For programs.
        reason: &'static str,
        /// For people.
        message: String,
        /// What to do.
        advice: &'static str,
    },
}

impl From<IndexError> for CareError {
    fn from(error: IndexError) -> CareError {
        ValidatorError::from(error).into()
    }
}

impl From<ChainError> for CareError {
    fn from(error: ChainError) -> CareError {
        ValidatorError::from(error).into()
    }
}

impl From<RecorderError> for CareError {
    fn from(error: RecorderError) -> CareError {
        ValidatorError::from(error).into()
    }
}

impl From<CareError> for Status {
    fn from(error: CareError) -> Status {
        match error {
            CareError::Rejected(rejection) | CareError::Manifest(ManifestError::Rejected(rejection)) => {
                of_rejection(&rejection)
            }
            CareError::Placement(error @ PlacementError::TooFewOperators { .. }) => {
                let advice = "take a coding with fewer pieces, or smaller segments, or come again later";
                refusal(Code::ResourceExhausted, error.to_string(), "no-room", advice)
            }
            error @ CareError::NoSuchFile { .. } => {
                let advice = "see holdfast ls, or ask the validator that the file was given to";
                refusal(Code::NotFound, error.to_string(), "no-such-file", advice)
            }
            CareError::Refused { code, reason, message, advice } => refusal(code, message, reason, advice),
            CareError::Failed(_)
            | CareError::Placement(_)
            | CareError::Manifest(_)
            | CareError::Piece(_)
            | CareError::Peer(_) => {
                tracing::error!(%error, "a request of an owner failed");
                let message = "this validator could not do it";
                refusal(Code::Internal, message, "care", "try again; the validator's operator was told")
            }
        }
    }
}
