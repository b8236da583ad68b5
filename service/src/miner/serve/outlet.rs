//! What goes out in streams: to callers that take it, at the rate that is theirs, and not for ever to those that do not.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use holdfast_engine::account::Account;
use tokio::fs::File;
use tokio::io::AsyncReadExt;
use tokio::sync::mpsc;
use tokio_stream::Stream;
use tonic::Status;

use crate::miner::limits::StreamPlace;
use crate::miner::{Miner, MinerError};
use crate::proto::Part;
use crate::wire::parts::{PART_BYTES, parts};

/// Messages that wait for a caller to take them.
const WAITING: usize = 2;

/// The caller is gone or takes nothing: there is nobody to tell.
#[derive(Debug)]
pub(super) struct Gone;

/// The sending end of a stream to one caller.
#[derive(Debug)]
pub(super) struct Outlet<T> {
    miner: Arc<Miner>,
    caller: Account,
    sender: mpsc::Sender<Result<T, Status>>,
}

/// The other end. It has its place until the caller has all of it or is gone: what waits in it is in memory as long.
#[derive(Debug)]
pub(super) struct Outflow<T> {
    receiver: mpsc::Receiver<Result<T, Status>>,
    _place: StreamPlace,
}

impl<T> Stream for Outflow<T> {
    type Item = Result<T, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.receiver.poll_recv(context)
    }
}

impl<T> Outlet<T> {
    pub(super) fn new(miner: &Arc<Miner>, caller: Account, place: StreamPlace) -> (Outlet<T>, Outflow<T>) {
        let (sender, receiver) = mpsc::channel(WAITING);
        (Outlet { miner: Arc::clone(miner), caller, sender }, Outflow { receiver, _place: place })
    }

    /// Sends a message that carries so many bytes.
    pub(super) async fn send(&self, message: T, bytes: usize) -> Result<(), Gone> {
        tokio::time::sleep(self.miner.gate.bytes(&self.caller, bytes, tokio::time::Instant::now())).await;
        let sent = tokio::time::timeout(self.miner.limits.idle(), self.sender.send(Ok(message))).await;
        match sent {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Gone),
        }
    }

    /// Ends the stream with an error.
    pub(super) async fn fail(&self, error: MinerError) {
        // Whoever is gone need not be told.
        let _ = tokio::time::timeout(self.miner.limits.idle(), self.sender.send(Err(error.into()))).await;
    }

    /// Ready when the caller is gone.
    pub(super) async fn gone(&self) {
        self.sender.closed().await;
    }
}

impl Outlet<Part> {
    /// Sends a byte string in parts.
    pub(super) async fn send_all(&self, bytes: Bytes) -> Result<(), Gone> {
        for part in parts(bytes) {
            let length = part.bytes.len();
            self.send(part, length).await?;
        }
        Ok(())
    }

    /// Sends a header and a file behind it in parts, of which one is in memory. The inner error is that of reading the file.
    pub(super) async fn send_file(&self, header: &[u8], mut file: File) -> Result<io::Result<()>, Gone> {
        let (mut offset_bytes, mut part) = (0, Vec::with_capacity(PART_BYTES));
        part.extend_from_slice(header);
        loop {
            let room_bytes = PART_BYTES.saturating_sub(part.len()) as u64;
            if let Err(error) = (&mut file).take(room_bytes).read_to_end(&mut part).await {
                return Ok(Err(error));
            }
            if part.is_empty() {
                return Ok(Ok(()));
            }
            let bytes = std::mem::replace(&mut part, Vec::with_capacity(PART_BYTES));
            let length = bytes.len();
            self.send(Part { offset_bytes, bytes: bytes.into() }, length).await?;
            offset_bytes += length as u64;
        }
    }
}
