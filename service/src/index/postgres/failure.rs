//! What an error of the server or of the connection means for the call that met it.

use std::error::Error as _;
use std::io;

use tokio_postgres::Error;
use tokio_postgres::error::{DbError, SqlState};

use crate::index::IndexError;

/// Why a call failed.
pub(super) enum Failure {
    /// In the terms of the index.
    Index(IndexError),
    /// Nothing was changed, and trying again may help.
    Passing(String),
    /// Nothing was changed, and another session may do better.
    Misplaced(String),
    /// The connection is lost or not to be relied on. What had been sent may have been carried out.
    Lost(String),
    /// Time is over. What had been sent may have been carried out.
    Late(String),
    /// The server says no, and will say so again.
    Refused(String),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        match error.as_db_error() {
            Some(answer) => of_answer(answer),
            None => of_connection(&error),
        }
    }
}

/// Classes of <https://www.postgresql.org/docs/15/errcodes-appendix.html>.
fn of_answer(answer: &DbError) -> Failure {
    let code = answer.code();
    let reason = format!("{} ({})", answer.message(), code.code());
    match code {
        // Some other transaction was first. The server rolled ours back.
        &SqlState::T_R_SERIALIZATION_FAILURE
        | &SqlState::T_R_DEADLOCK_DETECTED
        | &SqlState::LOCK_NOT_AVAILABLE
        | &SqlState::QUERY_CANCELED => Failure::Passing(reason),
        // A stand-by, or a primary that became one: another session may find the primary.
        &SqlState::READ_ONLY_SQL_TRANSACTION => Failure::Misplaced(reason),
        _ => match code.code().get(..2) {
            // Out of connections, memory or disk.
            Some("53") => Failure::Passing(reason),
            // Connection lost; the outcome of a statement unknown; shutting down or starting.
            Some("08" | "40" | "57") => Failure::Lost(reason),
            _ => Failure::Refused(reason),
        },
    }
}

fn of_connection(error: &Error) -> Failure {
    let mut reason = error.to_string();
    let mut source = error.source();
    let mut by_system = error.is_closed();
    while let Some(inner) = source {
        // A certificate that is refused comes as invalid data, and will be refused again.
        by_system |=
            inner.downcast_ref().is_some_and(|error: &io::Error| error.kind() != io::ErrorKind::InvalidData);
        reason = format!("{reason}: {inner}");
        source = inner.source();
    }
    if by_system { Failure::Lost(reason) } else { Failure::Refused(reason) }
}
