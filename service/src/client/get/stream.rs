//! Windows of a file, several at a time, as one stream in order.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::ops::Range;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::client::fetch::Sources;
use crate::client::{Client, ClientError};

/// Windows that are fetched at the same time.
const WINDOWS_AHEAD: usize = 4;

/// Bytes that were fetched and verified, in order. If they end early, the fetching says why.
pub(super) struct Pieces {
    windows: mpsc::Receiver<Vec<u8>>,
    current: io::Cursor<Vec<u8>>,
    left_bytes: u64,
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.current.read(buffer)?;
            if read > 0 || buffer.is_empty() || self.left_bytes == 0 {
                self.left_bytes = self.left_bytes.saturating_sub(read as u64);
                return Ok(read);
            }
            // An early end must not be taken for the end of the file.
            let ended = || io::Error::new(io::ErrorKind::UnexpectedEof, "fetching the file ended");
            self.current = io::Cursor::new(self.windows.blocking_recv().ok_or_else(ended)?);
        }
    }
}

impl Client {
    /// Fetches a range, and hands it to `consume`, which runs on a thread that may block.
    pub(super) async fn stream<T: Send + 'static>(
        &self,
        sources: Arc<Sources>,
        range: Range<u64>,
        consume: impl FnOnce(Pieces) -> Result<T, ClientError> + Send + 'static,
    ) -> Result<T, ClientError> {
        let (sender, windows) = mpsc::channel(1);
        let left_bytes = range.end - range.start;
        let pieces = Pieces { windows, current: io::Cursor::default(), left_bytes };
        let consuming = tokio::task::spawn_blocking(move || consume(pieces));
        let fetched = fetch_all(&sources, &range, sender).await;
        let ended = |error: tokio::task::JoinError| ClientError::Ended {
            doing: "writing what came",
            detail: error.to_string(),
        };
        let consumed = consuming.await.map_err(ended)?;
        // Whoever consumes fails, too, if there is nothing more; why there is not, tells more.
        fetched.and(consumed)
    }
}

/// Fetches windows ahead, and sends them in order. Ends without error if nobody takes them any more.
async fn fetch_all(
    sources: &Arc<Sources>,
    range: &Range<u64>,
    sender: mpsc::Sender<Vec<u8>>,
) -> Result<(), ClientError> {
    let mut fetching = Fetching::default();
    let mut windows = sources.windows(range).into_iter();
    loop {
        while fetching.0.len() < WINDOWS_AHEAD
            && let Some(window) = windows.next()
        {
            let sources = Arc::clone(sources);
            fetching.0.push_back(tokio::spawn(async move { sources.fetch(window).await }));
        }
        let Some(next) = fetching.0.front_mut() else { return Ok(()) };
        let ended = |error: tokio::task::JoinError| ClientError::Ended {
            doing: "fetching a part of the file",
            detail: error.to_string(),
        };
        let bytes = next.await.map_err(ended)??;
        fetching.0.pop_front();
        sources.note_moved(bytes.len() as u64);
        if sender.send(bytes).await.is_err() {
            return Ok(());
        }
    }
}

/// Tasks that end with whoever waits for them.
#[derive(Default)]
struct Fetching(VecDeque<JoinHandle<Result<Vec<u8>, ClientError>>>);

impl Drop for Fetching {
    fn drop(&mut self) {
        self.0.iter().for_each(JoinHandle::abort);
    }
}
