//! Bodies of requests as they come. A message is in memory until it is whole, so whoever sends most of many and never the end would
//! have all memory: messages have a time to come in, and large ones that are on their way share a budget.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::extract::Request;
use axum::middleware::map_request;
use bytes::Bytes;
use tokio::time::Sleep;
use tokio_stream::Stream;
use tonic::service::Routes;

/// From its first byte to its last one, a message takes no longer.
const MESSAGE_TIMEOUT: Duration = Duration::from_secs(60);
/// So much of a message counts for nothing, so that small ones come through whatever large ones do.
const FREE_BYTES: usize = 16 << 10;
/// What unfinished messages of all callers may have beyond that.
const BUDGET_BYTES: usize = 256 << 20;

/// The same services, behind these limits.
pub(super) fn limited(routes: Routes) -> Routes {
    let held = Arc::new(Held { bytes: AtomicUsize::new(0), most: BUDGET_BYTES });
    let limit = move |request: Request| {
        let held = Arc::clone(&held);
        async move { request.map(|body| Body::from_stream(Messages::new(body, held, MESSAGE_TIMEOUT))) }
    };
    Routes::from(routes.into_axum_router().layer(map_request(limit)))
}

/// Bytes of unfinished messages.
#[derive(Debug)]
struct Held {
    bytes: AtomicUsize,
    most: usize,
}

/// The messages of a body.
struct Messages {
    body: BodyDataStream,
    held: Arc<Held>,
    limit: Duration,
    /// What has come of what stands before each message: a byte, and its length in four.
    prefix: Vec<u8>,
    /// Bytes of the message that are still to come, and of those that came, how many count.
    left: usize,
    came: usize,
    counted: usize,
    /// By when the message that has begun is to be whole.
    by: Option<Pin<Box<Sleep>>>,
}

impl Messages {
    fn new(body: Body, held: Arc<Held>, limit: Duration) -> Messages {
        let body = body.into_data_stream();
        Messages { body, held, limit, prefix: Vec::new(), left: 0, came: 0, counted: 0, by: None }
    }

    /// Notes bytes that came; false if they are too many.
    fn note(&mut self, mut bytes: &[u8]) -> bool {
        while let Some((first, rest)) = bytes.split_first() {
            if self.left > 0 {
                let taken = self.left.min(bytes.len());
                bytes = &bytes[taken..];
                self.left -= taken;
                self.came += taken;
                if self.left > 0 && !self.count() {
                    return false;
                }
            } else {
                self.prefix.push(*first);
                bytes = rest;
                if let [_, a, b, c, d] = self.prefix[..] {
                    self.prefix.clear();
                    self.left = u32::from_be_bytes([a, b, c, d]) as usize;
                }
            }
            if self.left == 0 && self.prefix.is_empty() {
                self.release();
            } else if self.by.is_none() {
                self.by = Some(Box::pin(tokio::time::sleep(self.limit)));
            }
        }
        true
    }

    fn count(&mut self) -> bool {
        let more = self.came.saturating_sub(FREE_BYTES + self.counted);
        self.counted += more;
        let before = self.held.bytes.fetch_add(more, Ordering::Relaxed);
        more == 0 || before + more <= self.held.most
    }

    /// The message is whole, or nobody waits for it any more.
    fn release(&mut self) {
        self.held.bytes.fetch_sub(self.counted, Ordering::Relaxed);
        (self.came, self.counted, self.by) = (0, 0, None);
    }
}

impl Drop for Messages {
    fn drop(&mut self) {
        self.release();
    }
}

impl Stream for Messages {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match Pin::new(&mut self.body).poll_next(context) {
            Poll::Ready(Some(Ok(bytes))) => {
                let refused = || {
                    io::Error::new(io::ErrorKind::QuotaExceeded, "too many large messages are on their way")
                };
                Poll::Ready(Some(if self.note(&bytes) { Ok(bytes) } else { Err(refused()) }))
            }
            Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(io::Error::other(error)))),
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => {
                let is_late = |by: &mut Pin<Box<Sleep>>| by.as_mut().poll(context).is_ready();
                if !self.by.as_mut().is_some_and(is_late) {
                    return Poll::Pending;
                }
                let late = io::Error::new(io::ErrorKind::TimedOut, "a message did not come to its end");
                Poll::Ready(Some(Err(late)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;
    use tokio_stream::StreamExt;
    use tokio_stream::wrappers::ReceiverStream;

    use super::*;

    type Sender = mpsc::Sender<io::Result<Bytes>>;

    fn messages(held: &Arc<Held>, limit: Duration) -> (Sender, Messages) {
        let (sender, receiver) = mpsc::channel(8);
        let body = Body::from_stream(ReceiverStream::new(receiver));
        (sender, Messages::new(body, Arc::clone(held), limit))
    }

    fn held(most: usize) -> Arc<Held> {
        Arc::new(Held { bytes: AtomicUsize::new(0), most })
    }

    /// A message's prefix and the first of its bytes.
    fn begun(length: u32, bytes: usize) -> Bytes {
        [&[0][..], &length.to_be_bytes(), &vec![7; bytes]].concat().into()
    }

    #[tokio::test]
    async fn unfinished_messages_share_a_budget_and_whole_ones_count_for_nothing() {
        let (held, forever) = (held(100_000), Duration::from_secs(3600));
        let (sender, mut first) = messages(&held, forever);
        // Whole ones, cut anywhere.
        let whole = [begun(70_000, 70_000), begun(0, 0), begun(70_000, 70_000)].concat();
        for part in whole.chunks(33_333) {
            sender.send(Ok(Bytes::copy_from_slice(part))).await.expect("is read");
            first.next().await.expect("a part").expect("is let in");
        }
        assert_eq!(held.bytes.load(Ordering::Relaxed), 0);
        sender.send(Ok(begun(200_000, 90_000))).await.expect("is read");
        first.next().await.expect("a part").expect("is let in");
        assert_eq!(held.bytes.load(Ordering::Relaxed), 90_000 - FREE_BYTES);
        let (sender, mut second) = messages(&held, forever);
        sender.send(Ok(begun(200_000, 90_000))).await.expect("is read");
        let refused = second.next().await.expect("an end").expect_err("is too much");
        assert_eq!(refused.kind(), io::ErrorKind::QuotaExceeded);
        // Small ones come through, and what is given up is free again.
        let (sender, mut small) = messages(&held, forever);
        sender.send(Ok(begun(9_000, 8_999))).await.expect("is read");
        small.next().await.expect("a part").expect("is let in");
        drop((first, second, small));
        assert_eq!(held.bytes.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn a_message_that_does_not_end_is_given_up_and_silence_between_messages_is_not() {
        let held = held(100_000);
        let (sender, mut endless) = messages(&held, Duration::from_millis(50));
        sender.send(Ok(begun(10, 9))).await.expect("is read");
        endless.next().await.expect("a part").expect("is let in");
        let ended = endless.next().await.expect("an end").expect_err("is not whole");
        assert_eq!(ended.kind(), io::ErrorKind::TimedOut);
        let (sender, mut whole) = messages(&held, Duration::from_millis(50));
        sender.send(Ok(begun(10, 10))).await.expect("is read");
        whole.next().await.expect("a part").expect("is let in");
        assert!(whole.by.is_none(), "nothing is waited for");
    }
}
