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

/// One fault, once, at a call of the kind that it strikes: submissions, reads, buffers, or waits.
#[derive(Clone, Debug)]
pub struct Sabotage {
    trick: Trick,
    /// Calls that go well before it strikes; negative afterwards.
    calls_left: Arc<AtomicI64>,
}

impl PartialEq for Sabotage {
    fn eq(&self, other: &Sabotage) -> bool {
        self.trick == other.trick && Arc::ptr_eq(&self.calls_left, &other.calls_left)
    }
}

impl Eq for Sabotage {}

impl Sabotage {
    /// A fault that does not strike yet.
    pub fn new(trick: Trick) -> Sabotage {
        Sabotage { trick, calls_left: Arc::new(AtomicI64::new(i64::MAX)) }
    }

    /// Strikes after so many calls from now on that go well, counted over all devices that were opened with clones of it.
    pub fn strike_after(&self, calls: u32) {
        self.calls_left.store(calls.into(), Ordering::Relaxed);
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
