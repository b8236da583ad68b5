//! Recording on a chain that makes its own blocks, from threads that may wait for them.

use std::fmt;
use std::sync::Arc;

use holdfast_engine::jobs::control::Cancelled;
use holdfast_engine::recorder::{BatchClaim, Recorder, RecorderError, Refusal};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::chain::Head;
use crate::local::failure::Failure;
use crate::local::recording::Recording;

/// A chain and its heads. Waiting ends when the node does.
pub(super) struct ChainRecording {
    recorder: Arc<dyn Recorder>,
    heads: watch::Receiver<Head>,
    stop: CancellationToken,
    runtime: Handle,
}

impl ChainRecording {
    /// In a runtime, whose blocking threads will use it.
    pub(super) fn new(
        recorder: Arc<dyn Recorder>,
        heads: watch::Receiver<Head>,
        stop: CancellationToken,
    ) -> ChainRecording {
        ChainRecording { recorder, heads, stop, runtime: Handle::current() }
    }

    /// Tries until it is done, once a head.
    fn until<T>(&self, attempt: impl Fn() -> Result<Option<T>, Failure>) -> Result<T, Failure> {
        let mut heads = self.heads.clone();
        loop {
            // Seen before the attempt, so that a head that comes meanwhile is not waited for.
            heads.borrow_and_update();
            if let Some(done) = attempt()? {
                return Ok(done);
            }
            self.runtime.block_on(async {
                tokio::select! {
                    () = self.stop.cancelled() => Err(Failure::Cancelled(Cancelled)),
                    changed = heads.changed() => changed.map_err(|_| Failure::Cancelled(Cancelled)),
                }
            })?;
        }
    }
}

impl fmt::Debug for ChainRecording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ChainRecording(head {})", self.heads.borrow().height)
    }
}

impl Recording for ChainRecording {
    fn recorder(&self) -> &dyn Recorder {
        &*self.recorder
    }

    fn record_batch(&self, claim: &BatchClaim) -> Result<u64, Failure> {
        self.until(|| match self.recorder.record_batch(claim) {
            Err(RecorderError::Refused(Refusal::SameHeight { .. } | Refusal::NotRegistered { .. })) => {
                Ok(None)
            }
            recorded => Ok(Some(recorded?)),
        })
    }

    fn wait_until_final(&self, height: u64) -> Result<(), Failure> {
        self.until(|| Ok(self.recorder.is_final(height)?.then_some(())))
    }
}
