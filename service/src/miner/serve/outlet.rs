//! What goes out in streams: to callers that take it, at the rate that is theirs, and not for ever to those that do not.

use std::sync::Arc;

use bytes::Bytes;
use holdfast_engine::account::Account;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use crate::miner::{Miner, MinerError};
use crate::proto::Part;
use crate::wire::parts::parts;

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
