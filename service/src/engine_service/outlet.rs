//! Streams to callers that take what they get at their own rate, and not for ever.

use std::time::Duration;

use tokio::sync::mpsc::{self, OwnedPermit, Permit};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::Status;

use super::EngineError;

/// What goes to a caller.
pub(super) type Stream<T> = ReceiverStream<Result<T, Status>>;

/// The sending end of a stream to one caller.
#[derive(Debug)]
pub(super) struct Outlet<T> {
    sender: mpsc::Sender<Result<T, Status>>,
    /// The place of the last word, which is kept from the start: a caller that lets all others fill is not to take what it got
    /// for the whole, should it be there after all.
    last: OwnedPermit<Result<T, Status>>,
    idle: Duration,
    stop: CancellationToken,
}

impl<T: Send + 'static> Outlet<T> {
    /// A stream of which so many messages wait for the caller. It is ended once nothing was taken for `idle`, and at `stop`.
    pub(super) fn new(
        waiting: usize,
        idle: Duration,
        stop: CancellationToken,
    ) -> Result<(Outlet<T>, Stream<T>), EngineError> {
        let (sender, receiver) = mpsc::channel(waiting + 1);
        let last = sender.clone().try_reserve_owned();
        let last = last.map_err(|error| EngineError::Lost(error.to_string()))?;
        Ok((Outlet { sender, last, idle, stop }, ReceiverStream::new(receiver)))
    }

    /// Waits for room for a message.
    ///
    /// # Errors
    /// The stream is to end with this.
    pub(super) async fn room(&self) -> Result<Permit<'_, Result<T, Status>>, EngineError> {
        tokio::select! {
            room = tokio::time::timeout(self.idle, self.sender.reserve()) => match room {
                Ok(room) => room.map_err(|_| EngineError::Lost("the caller left".to_owned())),
                Err(_) => Err(EngineError::not_taken(self.idle)),
            },
            () = self.stop.cancelled() => Err(EngineError::stopping()),
        }
    }

    /// Ready when the stream is to end though there is room: the caller left, or the engine stops.
    pub(super) async fn ended(&self) -> EngineError {
        tokio::select! {
            () = self.sender.closed() => EngineError::Lost("the caller left".to_owned()),
            () = self.stop.cancelled() => EngineError::stopping(),
        }
    }

    /// Ends the stream with a word.
    pub(super) fn fail(self, error: EngineError) {
        // To a caller that left nothing is said, and nothing failed.
        if !self.sender.is_closed() {
            self.last.send(Err(error.into()));
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio_stream::StreamExt;
    use tonic::Code;

    use super::*;

    const IDLE: Duration = Duration::from_secs(30);

    #[tokio::test(start_paused = true)]
    async fn who_takes_nothing_gets_what_waits_and_is_told_that_it_is_not_all() {
        let (outlet, mut stream) = Outlet::new(2, IDLE, CancellationToken::new()).expect("has room");
        for number in 0..2 {
            outlet.room().await.expect("nothing waits").send(Ok(number));
        }
        let ended = outlet.room().await.map(drop).expect_err("is not taken");
        outlet.fail(ended);
        assert_eq!(stream.next().await.expect("waits").expect("a message"), 0);
        assert_eq!(stream.next().await.expect("waits").expect("a message"), 1);
        let told = stream.next().await.expect("a last word").expect_err("not all");
        assert_eq!(told.code(), Code::Aborted, "{told}");
        assert!(told.message().contains("30 s"), "{told}");
        assert!(stream.next().await.is_none());
    }

    /// It is the caller's pace that counts, not the length of the whole.
    #[tokio::test(start_paused = true)]
    async fn who_takes_slowly_gets_all() {
        let (outlet, mut stream) = Outlet::new(2, IDLE, CancellationToken::new()).expect("has room");
        let sending = tokio::spawn(async move {
            for number in 0..10 {
                outlet.room().await.map(|room| room.send(Ok(number)))?;
            }
            Ok::<(), EngineError>(())
        });
        for number in 0..10 {
            tokio::time::advance(IDLE.mul_f64(0.9)).await;
            assert_eq!(stream.next().await.expect("goes on").expect("a message"), number);
        }
        assert!(stream.next().await.is_none());
        sending.await.expect("no panic").expect("all was taken");
    }
}
