//! Windows of a file, several at a time, as one stream in order.

use std::collections::VecDeque;
use std::io::{self, BufRead, Read, Write};
use std::ops::Range;
use std::sync::Arc;
use std::sync::mpsc as blocking_mpsc;

use holdfast_engine::tree::{ChainingValue, GroupHasher};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::client::fetch::Sources;
use crate::client::{Client, ClientError, blocking};
use crate::encryption::DecryptionError;

/// Windows that are fetched at the same time.
const WINDOWS_AHEAD: usize = 4;

/// Bytes that were fetched and verified, in order. If they end early, the fetching says why.
pub(super) struct Pieces {
    windows: mpsc::Receiver<Vec<u8>>,
    current: io::Cursor<Vec<u8>>,
    left_bytes: u64,
}

impl Pieces {
    /// Leaves out so many bytes.
    pub(super) fn skip(&mut self, bytes: u64) -> io::Result<()> {
        io::copy(&mut self.take(bytes), &mut io::sink()).map(drop)
    }

    /// Hands on all that is left, window by window; returns the bytes.
    pub(super) fn copy(&mut self, sink: &mut impl Write) -> io::Result<u64> {
        let mut bytes = 0;
        loop {
            let window = self.fill_buf()?;
            if window.is_empty() {
                sink.flush()?;
                return Ok(bytes);
            }
            sink.write_all(window)?;
            let length = window.len();
            bytes += length as u64;
            self.consume(length);
        }
    }
}

impl BufRead for Pieces {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.current.fill_buf()?.is_empty() && self.left_bytes > 0 {
            // An early end must not be taken for the end of the file.
            let ended = || io::Error::new(io::ErrorKind::UnexpectedEof, "fetching the file ended");
            self.current = io::Cursor::new(self.windows.blocking_recv().ok_or_else(ended)?);
        }
        self.current.fill_buf()
    }

    fn consume(&mut self, bytes: usize) {
        self.current.consume(bytes);
        self.left_bytes = self.left_bytes.saturating_sub(bytes as u64);
    }
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let window = self.fill_buf()?;
        let read = window.len().min(buffer.len());
        buffer[..read].copy_from_slice(&window[..read]);
        self.consume(read);
        Ok(read)
    }
}

/// What is known of a stream's root.
pub(super) struct Hashing {
    hasher: GroupHasher,
    /// Bytes of the stream that the hasher has already.
    skip_bytes: u64,
    /// The root of the whole.
    expected: [u8; 32],
}

impl Hashing {
    /// Of a whole stream.
    pub(super) fn of(expected: [u8; 32]) -> Hashing {
        Hashing { hasher: GroupHasher::default(), skip_bytes: 0, expected }
    }

    /// Of a stream that begins `skip_bytes` before the end of groups that have these values.
    pub(super) fn behind(values: Vec<ChainingValue>, skip_bytes: u64, expected: [u8; 32]) -> Hashing {
        Hashing { hasher: GroupHasher::behind(values), skip_bytes, expected }
    }

    /// Takes the next bytes; tells the values of the groups that end in them.
    fn update(&mut self, bytes: &[u8], values: &blocking_mpsc::Sender<ChainingValue>) {
        let skipped = usize::try_from(self.skip_bytes).unwrap_or(usize::MAX).min(bytes.len());
        self.skip_bytes -= skipped as u64;
        let known = self.hasher.values().len();
        self.hasher.update(&bytes[skipped..]);
        for value in &self.hasher.values()[known..] {
            // Not everybody wants to know.
            let _ = values.send(*value);
        }
    }

    fn check(&self) -> Result<(), ClientError> {
        let (found, expected) = (self.hasher.root(), self.expected);
        if found == expected { Ok(()) } else { Err(ClientError::WrongFile { found, expected }) }
    }
}

impl Client {
    /// Fetches a range, and hands it to `consume`, which runs on a thread that may block, with the values of groups: each when the byte
    /// behind the group is there. If the stream is hashed, another root than the expected one is the error, whatever `consume` says.
    pub(super) async fn stream<T: Send + 'static>(
        &self,
        sources: Arc<Sources>,
        range: Range<u64>,
        hashing: Option<Hashing>,
        consume: impl FnOnce(&mut Pieces, blocking_mpsc::Receiver<ChainingValue>) -> Result<T, ClientError>
        + Send
        + 'static,
    ) -> Result<T, ClientError> {
        let (sender, windows) = mpsc::channel(1);
        let (values, values_of_groups) = blocking_mpsc::channel();
        let left_bytes = range.end - range.start;
        let mut pieces = Pieces { windows, current: io::Cursor::default(), left_bytes };
        let consuming = tokio::task::spawn_blocking(move || {
            let consumed = consume(&mut pieces, values_of_groups);
            if let Err(ClientError::Decryption(DecryptionError::Damaged)) = consumed {
                // Whether what miners have is another file, or its owner encrypted something broken, the root tells, once all is there.
                let _ = io::copy(&mut pieces, &mut io::sink());
            }
            consumed
        });
        let fetched = fetch_all(&sources, &range, sender, hashing, values).await;
        let ended = |error: tokio::task::JoinError| ClientError::Ended {
            doing: "writing what came",
            detail: error.to_string(),
        };
        let consumed = consuming.await.map_err(ended)?;
        // Whoever consumes fails, too, if there is nothing more; why there is not, tells more.
        if let Some(hashing) = fetched? {
            hashing.check()?;
        }
        consumed
    }
}

/// Fetches windows ahead, hashes them, and sends them in order. Ends without error if nobody takes them any more, and then there is no root.
async fn fetch_all(
    sources: &Arc<Sources>,
    range: &Range<u64>,
    sender: mpsc::Sender<Vec<u8>>,
    mut hashing: Option<Hashing>,
    values: blocking_mpsc::Sender<ChainingValue>,
) -> Result<Option<Hashing>, ClientError> {
    let mut fetching = Fetching::default();
    let mut windows = sources.windows(range).into_iter();
    loop {
        while fetching.0.len() < WINDOWS_AHEAD
            && let Some(window) = windows.next()
        {
            let sources = Arc::clone(sources);
            fetching.0.push_back(tokio::spawn(async move { sources.fetch(window).await }));
        }
        let Some(next) = fetching.0.front_mut() else { return Ok(hashing) };
        let ended = |error: tokio::task::JoinError| ClientError::Ended {
            doing: "fetching a part of the file",
            detail: error.to_string(),
        };
        let mut bytes = next.await.map_err(ended)??;
        fetching.0.pop_front();
        if let Some(mut hashed) = hashing.take() {
            let values = values.clone();
            let hash = move || {
                hashed.update(&bytes, &values);
                Ok((hashed, bytes))
            };
            let (hashed, same) = blocking("hashing what came", hash).await?;
            (hashing, bytes) = (Some(hashed), same);
        }
        sources.note_moved(bytes.len() as u64);
        if sender.send(bytes).await.is_err() {
            return Ok(None);
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
