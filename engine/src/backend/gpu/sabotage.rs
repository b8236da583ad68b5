//! Faults on purpose, for tests: at the same seams where real ones come in.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trick {
    /// The device is destroyed before a submission, as by a crashing driver.
    Destroy,
    /// A bit of every 32 bytes that come back is wrong.
    Corrupt,
    /// A buffer cannot be had.
    Exhaust,
    /// A submission counts as not done in time.
    Hang,
}

/// One fault, once, at a given call of the kind that it strikes: submissions, reads, buffers, or waits.
#[derive(Clone, Debug)]
pub struct Sabotage {
    trick: Trick,
    calls_left: Arc<AtomicI64>,
}

impl PartialEq for Sabotage {
    fn eq(&self, other: &Sabotage) -> bool {
        self.trick == other.trick && Arc::ptr_eq(&self.calls_left, &other.calls_left)
    }
}

impl Eq for Sabotage {}

impl Sabotage {
    /// After so many calls that go well. Counted over all devices that are opened with clones of it.
    pub fn after(calls: u32, trick: Trick) -> Sabotage {
        Sabotage { trick, calls_left: Arc::new(AtomicI64::new(calls.into())) }
    }

    /// Whether it has struck.
    pub fn has_struck(&self) -> bool {
        self.calls_left.load(Ordering::Relaxed) < 0
    }

    /// Whether it strikes at this call.
    pub(super) fn strikes(&self, trick: Trick) -> bool {
        trick == self.trick && self.calls_left.fetch_sub(1, Ordering::Relaxed) == 0
    }
}
