//! What goes out in streams: to callers that take it, at the rate that is theirs, and not for ever to those that do not.

use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use holdfast_engine::account::Account;
use tokio::fs::File;
use tokio::io::AsyncReadExt;
use tokio::sync::mpsc::Receiver;
use tokio_stream::Stream;
use tonic::Status;

use crate::local::failure::Failure;
use crate::miner::limits::StreamPlace;
use crate::miner::{Miner, MinerError};
use crate::proto::Part;
use crate::wire::outlet;
use crate::wire::parts::{PART_BYTES, parts};

/// Messages that wait for a caller to take them.
const WAITING: usize = 2;

/// The sending end of a stream to one caller.
#[derive(Debug)]
pub(super) struct Outlet<T> {
    miner: Arc<Miner>,
    caller: Account,
    outlet: outlet::Outlet<T>,
}

/// The other end. It has its place until the caller has all of it or is gone: what waits in it is in memory as long.
#[derive(Debug)]
pub(super) struct Outflow<T> {
    receiver: Receiver<Result<T, Status>>,
    _place: StreamPlace,
}

impl<T> Stream for Outflow<T> {
    type Item = Result<T, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.receiver.poll_recv(context)
    }
}

impl<T: Send + 'static> Outlet<T> {
    pub(super) fn new(miner: &Arc<Miner>, caller: Account, place: StreamPlace) -> (Outlet<T>, Outflow<T>) {
        let (outlet, receiver) = outlet::Outlet::new(WAITING, miner.limits.idle());
        (Outlet { miner: Arc::clone(miner), caller, outlet }, Outflow { receiver, _place: place })
    }

    /// Sends a message that carries so many bytes.
    ///
    /// # Errors
    /// The stream is to end with this.
    pub(super) async fn send(&self, message: T, bytes: usize) -> Result<(), MinerError> {
        self.miner.gate.pace(&self.caller, bytes).await;
        self.outlet.room().await?.send(Ok(message));
        Ok(())
    }

    /// Ends the stream: with a word, unless all was sent.
    pub(super) fn end(self, sent: Result<(), MinerError>) {
        if let Err(error) = sent {
            self.outlet.fail(error);
        }
    }

    /// Ready when the caller is gone.
    pub(super) async fn left(&self) {
        self.outlet.left().await;
    }
}

impl Outlet<Part> {
    /// Sends a byte string in parts.
    pub(super) async fn send_all(&self, bytes: Bytes) -> Result<(), MinerError> {
        for part in parts(bytes) {
            let length = part.bytes.len();
            self.send(part, length).await?;
        }
        Ok(())
    }

    /// Sends a header and a file behind it in parts, of which one is in memory.
    pub(super) async fn send_file(
        &self,
        header: &[u8],
        (path, mut file): (PathBuf, File),
    ) -> Result<(), MinerError> {
        let (mut offset_bytes, mut part) = (0, Vec::with_capacity(PART_BYTES));
        part.extend_from_slice(header);
        loop {
            let room_bytes = PART_BYTES.saturating_sub(part.len()) as u64;
            let read = (&mut file).take(room_bytes).read_to_end(&mut part).await;
            read.map_err(|error| Failure::file("read", &path, error))?;
            if part.is_empty() {
                return Ok(());
            }
            let bytes = std::mem::replace(&mut part, Vec::with_capacity(PART_BYTES));
            let length = bytes.len();
            self.send(Part { offset_bytes, bytes: bytes.into() }, length).await?;
            offset_bytes += length as u64;
        }
    }
}
