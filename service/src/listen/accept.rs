//! Accepting. The system refuses it when there are too many open files, and refuses at once, so whoever asks again at once does
//! nothing else, and its log fills.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep};
use tokio_stream::Stream;

/// From an accept that failed to the next one.
const REST: Duration = Duration::from_millis(100);
/// From a line of the log to the next one.
const LOG_PAUSE: Duration = Duration::from_secs(60);

/// What is accepted of what comes. It ends when no more can come, and not because of failures.
pub(crate) struct Accepted<I> {
    incoming: I,
    rest: Option<Pin<Box<Sleep>>>,
    logged_at: Option<Instant>,
}

impl<I> Accepted<I> {
    pub(crate) fn of(incoming: I) -> Accepted<I> {
        Accepted { incoming, rest: None, logged_at: None }
    }

    fn failed(&mut self, error: &io::Error) {
        let now = Instant::now();
        if self.logged_at.is_none_or(|before| now - before >= LOG_PAUSE) {
            self.logged_at = Some(now);
            tracing::warn!(
                %error,
                "connections cannot be accepted, and it is tried again ten times a second; if too many files are open, allow more \
                 (ulimit -n), or lower `connections`"
            );
        }
        self.rest = Some(Box::pin(tokio::time::sleep(REST)));
    }
}

/// Whether it is about one connection, which broke before it was accepted. The next one may be accepted at once: others could keep
/// everybody waiting otherwise.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

impl<T, I: Stream<Item = io::Result<T>> + Unpin> Stream for Accepted<I> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        loop {
            if let Some(rest) = &mut self.rest {
                ready!(rest.as_mut().poll(context));
                self.rest = None;
            }
            match ready!(Pin::new(&mut self.incoming).poll_next(context)) {
                Some(Ok(accepted)) => return Poll::Ready(Some(accepted)),
                Some(Err(error)) if is_of_one_connection(&error) => {}
                Some(Err(error)) => self.failed(&error),
                None => return Poll::Ready(None),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use rustix::io::Errno;
    use tokio_stream::StreamExt;
    use tracing::{Event, Subscriber};
    use tracing_subscriber::layer::{self, Layer, SubscriberExt};
    use tracing_subscriber::registry::Registry;

    use super::*;

    /// Counts lines of the log.
    #[derive(Clone, Default)]
    struct Lines(Arc<AtomicUsize>);

    impl<S: Subscriber> Layer<S> for Lines {
        fn on_event(&self, _: &Event<'_>, _: layer::Context<'_, S>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn failing(error: Errno, times: usize) -> Vec<io::Result<u32>> {
        (0..times).map(|_| Err(error.into())).collect()
    }

    /// Time stands still here but for rests.
    #[tokio::test(start_paused = true)]
    async fn a_run_of_failures_is_rested_through_and_logged_once() {
        let lines = Lines::default();
        let _logging = tracing::subscriber::set_default(Registry::default().with(lines.clone()));
        let mut incoming = failing(Errno::MFILE, 30);
        incoming.push(Ok(1));
        incoming.extend(failing(Errno::NFILE, 20));
        incoming.push(Ok(2));
        incoming.extend(failing(Errno::CONNABORTED, 10));
        incoming.push(Ok(3));
        incoming.extend(failing(Errno::MFILE, 1));
        incoming.push(Ok(4));
        let mut accepted = Accepted::of(tokio_stream::iter(incoming));
        let began = Instant::now();
        for (number, rests) in [(1, 30), (2, 50), (3, 50)] {
            assert_eq!(accepted.next().await, Some(number));
            let rested = began.elapsed();
            assert!((REST * rests..REST * (rests + 1)).contains(&rested), "{rested:?} before {number}");
        }
        assert_eq!(lines.0.load(Ordering::Relaxed), 1, "lines of fifty failures in five seconds");
        tokio::time::advance(LOG_PAUSE).await;
        assert_eq!(accepted.next().await, Some(4));
        assert_eq!(lines.0.load(Ordering::Relaxed), 2, "a minute later");
        assert_eq!(accepted.next().await, None);
    }
}
