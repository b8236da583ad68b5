//! What goes wrong, as gRPC says it: a code, a sentence, and in the details the class and the advice.

use std::collections::HashMap;

use holdfast_engine::rejection::{Class, Rejection};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::local::failure::Failure;

/// The domain of the `ErrorInfo` in the details of our statuses.
pub const DOMAIN: &str = "holdfast.v1";
const ADVICE: &str = "advice";
const KIND: &str = "kind";
const REJECTION: &str = "rejection";
const FAILURE: &str = "failure";

/// Their bytes were refused: the class is the reason in the details.
pub fn of_rejection(rejection: &Rejection) -> Status {
    let code = match rejection.class {
        Class::BadSignature | Class::WrongReceiver | Class::Stale | Class::Replayed => Code::Unauthenticated,
        Class::Late => Code::DeadlineExceeded,
        Class::NotFinal => Code::FailedPrecondition,
        Class::Policy => Code::PermissionDenied,
        _ => Code::InvalidArgument,
    };
    with_info(code, rejection.to_string(), REJECTION, rejection.class.name(), None)
}

/// We could not do it.
pub fn of_failure(failure: &Failure) -> Status {
    let code = match failure {
        Failure::Usage(_) => Code::InvalidArgument,
        Failure::NotFound(_) | Failure::NotAllocated(_) => Code::NotFound,
        Failure::Locked(_) => Code::Unavailable,
        Failure::State { .. } => Code::FailedPrecondition,
        Failure::Cancelled(_) => Code::Cancelled,
        Failure::Rejected { rejection, .. } => return of_rejection(rejection),
        _ => Code::Internal,
    };
    with_info(code, failure.to_string(), FAILURE, failure.kind(), failure.advice().as_deref())
}

/// A status of our own with a reason that programs can match and an advice that people can follow.
pub fn refusal(code: Code, message: impl Into<String>, reason: &str, advice: &str) -> Status {
    with_info(code, message.into(), FAILURE, reason, Some(advice))
}

/// The class of a rejection that a peer sent, if its status is one of ours.
pub fn class_of(status: &Status) -> Option<Class> {
    let info = status.get_error_details().error_info().cloned()?;
    let ours = info.domain == DOMAIN && info.metadata.get(KIND).is_some_and(|kind| kind == REJECTION);
    Class::ALL.iter().copied().find(|class| ours && class.name() == info.reason)
}

/// The reason that a peer gave for not doing what was asked, if its status is one of ours.
pub fn reason_of(status: &Status) -> Option<String> {
    let info = status.get_error_details().error_info().cloned()?;
    (info.domain == DOMAIN).then_some(info.reason)
}

/// The advice that a peer sent.
pub fn advice_of(status: &Status) -> Option<String> {
    let details = status.get_error_details();
    let info = details.error_info()?;
    (info.domain == DOMAIN).then(|| info.metadata.get(ADVICE).cloned())?
}

fn with_info(code: Code, message: String, kind: &str, reason: &str, advice: Option<&str>) -> Status {
    let mut metadata = HashMap::from([(KIND.to_owned(), kind.to_owned())]);
    if let Some(advice) = advice {
        metadata.insert(ADVICE.to_owned(), advice.to_owned());
    }
    Status::with_error_details(code, message, ErrorDetails::with_error_info(reason, DOMAIN, metadata))
}
