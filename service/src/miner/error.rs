//! Why a miner did not do what it was asked, and what of it callers are told.

use thiserror::Error;
use tonic::{Code, Status};

use crate::index::IndexError;
use crate::local::failure::Failure;
use crate::wire::outlet::NoRoom;
use crate::wire::status::{of_failure, of_rejection, refusal};
use holdfast_engine::rejection::Rejection;

/// A request that was not done.
#[derive(Debug, Error)]
pub enum MinerError {
    /// Their bytes are wrong.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// We failed, or what was asked for is not here.
    #[error(transparent)]
    Failed(#[from] Failure),
    /// The index failed.
    #[error(transparent)]
    Index(#[from] IndexError),
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
    /// A piece of work ended before it was done.
    #[error("a piece of work was lost: {0}")]
    Lost(String),
}

impl MinerError {
    /// No right to it.
    pub(super) fn forbidden(message: impl Into<String>) -> MinerError {
        MinerError::Refused {
            code: Code::PermissionDenied,
            reason: "forbidden",
            message: message.into(),
            advice: "ask as the validator of the object's ticket or as its owner",
        }
    }

    /// Not here.
    pub(super) fn not_found(message: impl Into<String>) -> MinerError {
        Failure::NotFound(message.into()).into()
    }

    /// Too much at once.
    pub(super) fn busy(message: impl Into<String>) -> MinerError {
        MinerError::Refused {
            code: Code::ResourceExhausted,
            reason: "busy",
            message: message.into(),
            advice: "come again later, and slower",
        }
    }

    /// Whether it is our failure: then callers are not told our paths, and the operator is told everything.
    fn is_ours(&self) -> bool {
        match self {
            MinerError::Failed(failure) => {
                !matches!(failure, Failure::NotFound(_) | Failure::Rejected { .. } | Failure::Usage(_))
            }
            MinerError::Index(_) | MinerError::Lost(_) => true,
            MinerError::Rejected(_) | MinerError::Refused { .. } => false,
        }
    }
}

impl From<NoRoom> for MinerError {
    fn from(no_room: NoRoom) -> MinerError {
        match no_room {
            NoRoom::Left => MinerError::Lost(no_room.to_string()),
            NoRoom::NotTaken(_) => MinerError::Refused {
                code: Code::Aborted,
                reason: "not-taken",
                message: no_room.to_string(),
                advice: "ask again, and take messages as they come",
            },
        }
    }
}

impl From<MinerError> for Status {
    fn from(error: MinerError) -> Status {
        if error.is_ours() {
            tracing::error!(%error, "a request failed");
        }
        match error {
            MinerError::Rejected(rejection) => of_rejection(&rejection),
            MinerError::Failed(failure)
                if matches!(failure, Failure::NotFound(_) | Failure::Rejected { .. }) =>
            {
                of_failure(&failure)
            }
            MinerError::Failed(failure) => {
                let message = format!("this miner could not do it ({})", failure.kind());
                refusal(Code::Internal, message, failure.kind(), "ask another miner; the operator was told")
            }
            MinerError::Index(_) | MinerError::Lost(_) => {
                let message = "this miner could not do it (index)";
                refusal(Code::Internal, message, "index", "ask another miner; the operator was told")
            }
            MinerError::Refused { code, reason, message, advice } => refusal(code, message, reason, advice),
        }
    }
}
