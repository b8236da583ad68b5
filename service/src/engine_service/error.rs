//! Why the engine did not do what it was asked. Its callers are the machine's own people: they are told everything.

use holdfast_engine::policy::PolicyError;
use holdfast_engine::rejection::Rejection;
use thiserror::Error;
use tonic::{Code, Status};

use crate::index::IndexError;
use crate::local::failure::Failure;
use crate::wire::outlet::NoRoom;
use crate::wire::status::{of_failure, of_rejection, refusal};

/// A call that was not done.
#[derive(Debug, Error)]
pub enum EngineError {
    /// Their bytes are wrong.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// We failed, or what was asked for is not here.
    #[error(transparent)]
    Failed(#[from] Failure),
    /// What must not be forgotten could not be written or read.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// It was understood, and is not done.
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

impl EngineError {
    /// The terms contradict themselves or name what is not served.
    pub(super) fn usage(message: impl Into<String>) -> EngineError {
        Failure::Usage(message.into()).into()
    }

    /// There is no such job.
    pub(super) fn no_such_job(id: &str) -> EngineError {
        Failure::NotFound(format!("there is no job {id:?} here, or it ended long ago")).into()
    }

    /// Too much at once, or in one call.
    pub(super) fn busy(message: impl Into<String>) -> EngineError {
        EngineError::Refused {
            code: Code::ResourceExhausted,
            reason: "limit",
            message: message.into(),
            advice: "ask for less at once, or raise the limit in the engine's configuration",
        }
    }

    /// The request id is taken.
    pub(super) fn other_terms(id: &str) -> EngineError {
        EngineError::Refused {
            code: Code::AlreadyExists,
            reason: "already-exists",
            message: format!("job {id:?} was submitted before with other terms"),
            advice: "submit it under another request id",
        }
    }

    /// Workers are not taken.
    pub(super) fn no_workers() -> EngineError {
        EngineError::Refused {
            code: Code::Unimplemented,
            reason: "no-workers",
            message: "this engine takes no workers".to_owned(),
            advice: "run it with --workers, or with a table [workers] in its configuration",
        }
    }

    /// The engine ends.
    pub(super) fn stopping() -> EngineError {
        EngineError::Refused {
            code: Code::Unavailable,
            reason: "stopping",
            message: "the engine is stopping; its jobs go on when it runs again".to_owned(),
            advice: "come again when it runs",
        }
    }
}

impl From<NoRoom> for EngineError {
    fn from(no_room: NoRoom) -> EngineError {
        match no_room {
            NoRoom::Left => EngineError::Lost(no_room.to_string()),
            NoRoom::NotTaken(_) => EngineError::Refused {
                code: Code::Aborted,
                reason: "not-taken",
                message: no_room.to_string(),
                advice: "ask again and take messages as they come, or raise limits.idle_ms in the engine's configuration",
            },
        }
    }
}

impl From<PolicyError> for EngineError {
    fn from(error: PolicyError) -> EngineError {
        EngineError::usage(error.to_string())
    }
}

impl From<EngineError> for Status {
    fn from(error: EngineError) -> Status {
        match error {
            EngineError::Rejected(rejection) => of_rejection(&rejection),
            EngineError::Failed(failure) => of_failure(&failure),
            EngineError::Index(_) | EngineError::Lost(_) => {
                tracing::error!(%error, "a call failed");
                refusal(Code::Internal, error.to_string(), "index", "see the engine's log")
            }
            EngineError::Refused { code, reason, message, advice } => refusal(code, message, reason, advice),
        }
    }
}
