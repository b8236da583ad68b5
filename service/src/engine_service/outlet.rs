//! Streams to callers, which end when the engine does.

use std::time::Duration;

use tokio::sync::mpsc::Permit;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::Status;

use super::EngineError;
use crate::wire::outlet::{self, NoRoom};

/// What goes to a caller.
pub(super) type Stream<T> = ReceiverStream<Result<T, Status>>;

/// The sending end of a stream to one caller.
#[derive(Debug)]
pub(super) struct Outlet<T> {
    outlet: outlet::Outlet<T>,
    stop: CancellationToken,
}

impl<T: Send + 'static> Outlet<T> {
    /// A stream of which so many messages wait for the caller. It is ended once nothing was taken for `idle`, and at `stop`.
    pub(super) fn new(waiting: usize, idle: Duration, stop: CancellationToken) -> (Outlet<T>, Stream<T>) {
        let (outlet, receiver) = outlet::Outlet::new(waiting, idle);
        (Outlet { outlet, stop }, ReceiverStream::new(receiver))
    }

    /// Waits for room for a message.
    ///
    /// # Errors
    /// The stream is to end with this.
    pub(super) async fn room(&self) -> Result<Permit<'_, Result<T, Status>>, EngineError> {
        tokio::select! {
            room = self.outlet.room() => Ok(room?),
            () = self.stop.cancelled() => Err(EngineError::stopping()),
        }
    }

    /// Ready when the stream is to end though there is room: the caller left, or the engine stops.
    pub(super) async fn ended(&self) -> EngineError {
        tokio::select! {
            () = self.outlet.left() => NoRoom::Left.into(),
            () = self.stop.cancelled() => EngineError::stopping(),
        }
    }

    /// Ends the stream with a word.
    pub(super) fn fail(self, error: EngineError) {
        self.outlet.fail(error);
    }
}
