//! Turns at something that takes memory and time: so many at once, so many that wait, and no more.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::EngineError;

/// A number of turns that may be had at once.
#[derive(Debug)]
pub(super) struct Turns {
    what: &'static str,
    free: Arc<Semaphore>,
    waiting: AtomicUsize,
    waiting_max: usize,
}

/// A turn; over when all its copies are dropped.
pub(super) type Turn = Arc<OwnedSemaphorePermit>;

/// Counts who waits, until it is dropped.
struct Waiter<'t>(&'t AtomicUsize);

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Turns {
    pub(super) fn new(what: &'static str, at_once: usize, waiting_max: usize) -> Turns {
        Turns { what, free: Arc::new(Semaphore::new(at_once)), waiting: AtomicUsize::new(0), waiting_max }
    }

    /// Waits for a turn.
    ///
    /// # Errors
    /// Too many wait already.
    pub(super) async fn turn(&self) -> Result<Turn, EngineError> {
        if let Ok(turn) = Arc::clone(&self.free).try_acquire_owned() {
            return Ok(Arc::new(turn));
        }
        let before = self.waiting.fetch_add(1, Ordering::Relaxed);
        let _waiter = Waiter(&self.waiting);
        if before >= self.waiting_max {
            let (what, waiting) = (self.what, self.waiting_max);
            return Err(EngineError::busy(format!("{waiting} calls wait to {what} already")));
        }
        let turn = Arc::clone(&self.free).acquire_owned().await;
        turn.map(Arc::new).map_err(|error| EngineError::Lost(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::status::class_of;
    use tonic::{Code, Status};

    #[tokio::test]
    async fn as_many_as_allowed_have_turns_and_wait_and_the_rest_is_refused() {
        let turns = Arc::new(Turns::new("answer", 1, 1));
        let first = turns.turn().await.expect("free");
        let second = tokio::spawn({
            let turns = Arc::clone(&turns);
            async move { turns.turn().await.map(drop) }
        });
        while turns.waiting.load(Ordering::Relaxed) == 0 {
            tokio::task::yield_now().await;
        }
        let refused = Status::from(turns.turn().await.expect_err("one waits already"));
        assert_eq!((refused.code(), class_of(&refused)), (Code::ResourceExhausted, None));
        drop(first);
        second.await.expect("no panic").expect("its turn came");
        turns.turn().await.expect("free again");
    }
}
