//! Streams to callers that take what they get at their own rate, and not for ever.

use std::time::Duration;

use thiserror::Error;
use tokio::sync::mpsc::{self, OwnedPermit, Permit, Receiver};
use tonic::Status;

/// Why there is no room for more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum NoRoom {
    /// There is nobody to tell.
    #[error("the caller left")]
    Left,
    /// The caller took nothing for so long.
    #[error("nothing was taken for {} s, and the rest was let go", .0.as_secs_f64())]
    NotTaken(Duration),
}

/// The sending end of a stream to one caller.
#[derive(Debug)]
pub(crate) struct Outlet<T> {
    sender: mpsc::Sender<Result<T, Status>>,
    /// The place of the last word, which is kept from the start: a caller that lets all others fill is not to take what it got
    /// for the whole, should it be there after all.
    last: OwnedPermit<Result<T, Status>>,
    idle: Duration,
}

impl<T: Send + 'static> Outlet<T> {
    /// A stream of which so many messages wait for the caller. There is no more room once nothing was taken for `idle`.
    pub(crate) fn new(waiting: usize, idle: Duration) -> (Outlet<T>, Receiver<Result<T, Status>>) {
        let (sender, receiver) = mpsc::channel(waiting + 1);
        let last = sender.clone().try_reserve_owned().expect("nothing has been sent yet");
        (Outlet { sender, last, idle }, receiver)
    }

    /// Waits for room for a message.
    ///
    /// # Errors
    /// The stream is to end with this.
    pub(crate) async fn room(&self) -> Result<Permit<'_, Result<T, Status>>, NoRoom> {
        match tokio::time::timeout(self.idle, self.sender.reserve()).await {
            Ok(room) => room.map_err(|_| NoRoom::Left),
            Err(_) => Err(NoRoom::NotTaken(self.idle)),
        }
    }

    /// Ready when the caller is gone.
    pub(crate) async fn left(&self) {
        self.sender.closed().await;
    }

    /// Ends the stream with a word.
    pub(crate) fn fail(self, error: impl Into<Status>) {
        // To a caller that left nothing is said, and nothing failed.
        if !self.sender.is_closed() {
            self.last.send(Err(error.into()));
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio_stream::StreamExt;
    use tokio_stream::wrappers::ReceiverStream;

    use super::*;

    const IDLE: Duration = Duration::from_secs(30);

    #[tokio::test(start_paused = true)]
    async fn who_takes_nothing_gets_what_waits_and_is_told_that_it_is_not_all() {
        let (outlet, receiver) = Outlet::new(2, IDLE);
        for number in 0..2 {
            outlet.room().await.expect("nothing waits").send(Ok(number));
        }
        let ended = outlet.room().await.map(drop).expect_err("is not taken");
        assert_eq!(ended, NoRoom::NotTaken(IDLE));
        outlet.fail(Status::aborted(ended.to_string()));
        let mut stream = ReceiverStream::new(receiver);
        assert_eq!(stream.next().await.expect("waits").expect("a message"), 0);
        assert_eq!(stream.next().await.expect("waits").expect("a message"), 1);
        let told = stream.next().await.expect("a last word").expect_err("not all");
        assert!(told.message().contains("30 s"), "{told}");
        assert!(stream.next().await.is_none());
    }

    /// It is the caller's pace that counts, not the length of the whole.
    #[tokio::test(start_paused = true)]
    async fn who_takes_slowly_gets_all() {
        let (outlet, receiver) = Outlet::new(2, IDLE);
        let sending = tokio::spawn(async move {
            for number in 0..10 {
                outlet.room().await?.send(Ok(number));
            }
            Ok::<(), NoRoom>(())
        });
        let mut stream = ReceiverStream::new(receiver);
        for number in 0..10 {
            tokio::time::advance(IDLE.mul_f64(0.9)).await;
            assert_eq!(stream.next().await.expect("goes on").expect("a message"), number);
        }
        assert!(stream.next().await.is_none());
        sending.await.expect("no panic").expect("all was taken");
    }

    #[tokio::test(start_paused = true)]
    async fn who_left_is_noticed() {
        let (outlet, receiver) = Outlet::<u32>::new(1, IDLE);
        drop(receiver);
        outlet.left().await;
        assert_eq!(outlet.room().await.map(drop), Err(NoRoom::Left));
    }
}
