//! Bytes of pieces between threads that may block and connections that may not.

use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes};
use tokio::sync::mpsc;

use crate::pieces::{Content, PieceId, PieceSource};
use crate::validator::peers::{Peer, PeerError, Peers, UPLOAD_PART_BYTES, transfer_limit};

/// Parts of a piece that wait to be read.
const PARTS_WAITING: usize = 2;

/// Reads a file to its end, in parts for an upload. Ends early if nobody takes them.
/// A miner that takes them more slowly than a repair can wait for gets no more.
pub(super) fn send(mut source: File, sender: &mpsc::Sender<Bytes>) -> io::Result<()> {
    let (mut waited, mut sent_bytes) = (Duration::ZERO, 0);
    loop {
        let mut part = Vec::with_capacity(UPLOAD_PART_BYTES);
        source.by_ref().take(UPLOAD_PART_BYTES as u64).read_to_end(&mut part)?;
        if part.is_empty() {
            return Ok(());
        }
        sent_bytes += part.len() as u64;
        let begun = Instant::now();
        if sender.blocking_send(part.into()).is_err() {
            return Ok(());
        }
        waited += begun.elapsed();
        if waited > transfer_limit(sent_bytes) {
            return Ok(());
        }
    }
}

/// Starts to fetch a whole piece.
pub(super) fn fetching(
    peers: &Arc<Peers>,
    piece: PieceId,
    peer: Peer,
    content: Content,
) -> PieceSource<Fetched> {
    let (sender, parts) = mpsc::channel(PARTS_WAITING);
    let peers = Arc::clone(peers);
    tokio::spawn(async move {
        let take = |part: Bytes| {
            let sender = sender.clone();
            async move { sender.send(Ok(part)).await.is_ok() }
        };
        if let Err(error) = peers.retrieve_into(peer, content, 0..content.length_bytes, take).await {
            // Whoever no longer reads needs no error.
            let _ = sender.send(Err(error)).await;
        }
    });
    PieceSource { piece, reader: Fetched { parts, current: Bytes::new() } }
}

/// A piece that is being fetched, for a thread that may block.
pub(super) struct Fetched {
    parts: mpsc::Receiver<Result<Bytes, PeerError>>,
    current: Bytes,
}

impl Read for Fetched {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() && !buffer.is_empty() {
            match self.parts.blocking_recv() {
                None => return Ok(0),
                Some(Ok(part)) => self.current = part,
                Some(Err(error)) => return Err(io::Error::other(error)),
            }
        }
        let bytes = buffer.len().min(self.current.len());
        self.current.copy_to_slice(&mut buffer[..bytes]);
        Ok(bytes)
    }
}
