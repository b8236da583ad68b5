//! Token buckets: so much a second on average, and one second's worth at once.

use std::time::Duration;

use tokio::time::Instant;

/// A bucket of tokens. It may go into debt: who takes much waits afterwards.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bucket {
    per_second: f64,
    level: f64,
    filled_at: Instant,
}

impl Bucket {
    /// A full bucket.
    #[expect(
        clippy::cast_precision_loss,
        reason = "limits are far below 2^53, and nothing hangs on the last token"
    )]
    pub(super) fn new(per_second: u64, now: Instant) -> Bucket {
        let per_second = (per_second as f64).max(1.0);
        Bucket { per_second, level: per_second, filled_at: now }
    }

    fn fill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.filled_at).as_secs_f64();
        self.level = (self.level + passed * self.per_second).min(self.per_second);
        self.filled_at = now;
    }

    /// Takes one token if there is one.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        self.fill(now);
        let there = self.level >= 1.0;
        if there {
            self.level -= 1.0;
        }
        there
    }

    /// Whether a token is there.
    pub(super) fn has(&mut self, now: Instant) -> bool {
        self.fill(now);
        self.level >= 1.0
    }

    /// Takes tokens that may not be there yet, and says how long to wait for them.
    #[expect(clippy::cast_precision_loss, reason = "as above")]
    pub(super) fn charge(&mut self, tokens: u64, now: Instant) -> Duration {
        self.fill(now);
        self.level -= tokens as f64;
        Duration::from_secs_f64((-self.level / self.per_second).max(0.0))
    }

    /// Whether it is as full as a new one, so that it need not be remembered.
    pub(super) fn is_full(&mut self, now: Instant) -> bool {
        self.fill(now);
        self.level >= self.per_second
    }
}
