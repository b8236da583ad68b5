//! What goes out in streams: to callers that take it, at the rate that is theirs, and not for ever to those that do not.

use std::sync::Arc;

use bytes::Bytes;
use holdfast_engine::account::Account;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use crate::miner::{Miner, MinerError};
use crate::proto::Part;

/// Messages that wait for a caller to take them.
const WAITING: usize = 2;
/// Bytes of one part.
pub(super) const PART_BYTES: usize = 256 << 10;

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

impl<T> Outlet<T> {
    pub(super) fn new(miner: &Arc<Miner>, caller: Account) -> (Outlet<T>, ReceiverStream<Result<T, Status>>) {
        let (sender, receiver) = mpsc::channel(WAITING);
        (Outlet { miner: Arc::clone(miner), caller, sender }, ReceiverStream::new(receiver))
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
}

/// The parts of a byte string; one of none for an empty one.
pub(super) fn parts(mut bytes: Bytes) -> impl Iterator<Item = Part> {
    let mut next = Some(0);
    std::iter::from_fn(move || {
        let offset_bytes = next?;
        let part = bytes.split_to(bytes.len().min(PART_BYTES));
        next = (!bytes.is_empty()).then_some(offset_bytes + part.len() as u64);
        Some(Part { offset_bytes, bytes: part })
    })
}
