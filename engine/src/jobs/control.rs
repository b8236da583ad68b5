//! Pause, resume, cancel and rate limit of a job, shared by whoever steers it and the threads that do it.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The job was asked to stop. Everything acknowledged before is durable; running the job again continues.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cancelled; run the same command again to continue where it stopped")]
pub struct Cancelled;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    Run,
    Pause,
    Cancel,
}

/// The handle by which a job is steered. Threads of the job call [`Control::checkpoint`] and [`Control::spend`].
#[derive(Debug)]
pub struct Control {
    wish: Mutex<Wish>,
    changed: Condvar,
    limiter: Option<Mutex<TokenBucket>>,
}

impl Default for Control {
    fn default() -> Self {
        Control::with_rate_limit(None)
    }
}

impl Control {
    /// A control whose [`Control::spend`] lets at most this many bytes per second through on average.
    pub fn with_rate_limit(bytes_per_second: Option<u64>) -> Control {
        Control {
            wish: Mutex::new(Wish::Run),
            changed: Condvar::new(),
            limiter: bytes_per_second.map(|rate| Mutex::new(TokenBucket::new(rate, Instant::now()))),
        }
    }

    /// Makes the job wait at its next checkpoint.
    pub fn pause(&self) {
        self.set(Wish::Pause);
    }

    /// Lets a paused job go on.
    pub fn resume(&self) {
        self.set(Wish::Run);
    }

    /// Ends the job at its next checkpoint; cannot be taken back.
    pub fn cancel(&self) {
        self.set(Wish::Cancel);
    }

    /// Whether the job was cancelled.
    pub fn is_cancelled(&self) -> bool {
        *self.lock() == Wish::Cancel
    }

    /// Whether the job is paused.
    pub fn is_paused(&self) -> bool {
        *self.lock() == Wish::Pause
    }

    /// Called by the job between pieces of work: waits while paused, fails once cancelled.
    pub fn checkpoint(&self) -> Result<(), Cancelled> {
        let mut wish = self.lock();
        while *wish == Wish::Pause {
            wish = self.changed.wait(wish).unwrap_or_else(PoisonError::into_inner);
        }
        if *wish == Wish::Cancel { Err(Cancelled) } else { Ok(()) }
    }

    /// Accounts for bytes about to be read or written, waiting as long as the rate limit asks.
    pub fn spend(&self, bytes: u64) -> Result<(), Cancelled> {
        self.checkpoint()?;
        let Some(limiter) = &self.limiter else { return Ok(()) };
        let wait = limiter.lock().unwrap_or_else(PoisonError::into_inner).spend(bytes, Instant::now());
        self.sleep(wait)
    }

    /// Sleeps, but ends early (with an error) when cancelled.
    pub fn sleep(&self, duration: Duration) -> Result<(), Cancelled> {
        let deadline = Instant::now() + duration;
        let mut wish = self.lock();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if *wish == Wish::Cancel {
                return Err(Cancelled);
            }
            if left.is_zero() {
                return Ok(());
            }
            wish = self.changed.wait_timeout(wish, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn set(&self, to: Wish) {
        let mut wish = self.lock();
        if *wish != Wish::Cancel {
            *wish = to;
        }
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Wish> {
        // A panic elsewhere cannot leave this one-word state half written.
        self.wish.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Average rate with a burst of at most a quarter of a second.
#[derive(Debug)]
struct TokenBucket {
    bytes_per_second: f64,
    /// Bytes that may be spent at once; negative while in debt.
    balance: f64,
    updated: Instant,
}

impl TokenBucket {
    fn new(bytes_per_second: u64, now: Instant) -> TokenBucket {
        #[allow(clippy::cast_precision_loss)] // rates are far below 2^52
        TokenBucket { bytes_per_second: bytes_per_second.max(1) as f64, balance: 0.0, updated: now }
    }

    /// Takes `bytes` and says how long to wait until the debt is paid.
    #[allow(clippy::cast_precision_loss)]
    fn spend(&mut self, bytes: u64, now: Instant) -> Duration {
        let earned = now.saturating_duration_since(self.updated).as_secs_f64() * self.bytes_per_second;
        self.balance = (self.balance + earned).min(self.bytes_per_second / 4.0) - bytes as f64;
        self.updated = now;
        Duration::from_secs_f64((-self.balance).max(0.0) / self.bytes_per_second)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, mpsc};

    #[test]
    fn a_paused_job_waits_and_goes_on() {
        let control = Arc::new(Control::default());
        control.pause();
        let (sender, receiver) = mpsc::channel();
        let waiting = Arc::clone(&control);
        let thread = std::thread::spawn(move || {
            sender.send("started").expect("receiver lives");
            let outcome = waiting.checkpoint();
            sender.send("passed").expect("receiver lives");
            outcome
        });
        assert_eq!(receiver.recv(), Ok("started"));
        assert!(control.is_paused());
        assert_eq!(receiver.try_recv(), Err(mpsc::TryRecvError::Empty));
        control.resume();
        assert_eq!(receiver.recv(), Ok("passed"));
        assert_eq!(thread.join().expect("no panic"), Ok(()));
    }

    #[test]
    fn cancelling_wakes_a_paused_job_and_is_final() {
        let control = Arc::new(Control::default());
        control.pause();
        let waiting = Arc::clone(&control);
        let thread = std::thread::spawn(move || waiting.checkpoint());
        control.cancel();
        assert_eq!(thread.join().expect("no panic"), Err(Cancelled));
        control.resume();
        assert_eq!(control.checkpoint(), Err(Cancelled));
    }

    #[test]
    fn cancelling_ends_the_wait_of_a_rate_limit() {
        let control = Arc::new(Control::with_rate_limit(Some(1)));
        let waiting = Arc::clone(&control);
        // A megabyte at a byte per second: returns only because it is cancelled.
        let thread = std::thread::spawn(move || waiting.spend(1 << 20));
        control.cancel();
        assert_eq!(thread.join().expect("no panic"), Err(Cancelled));
    }

    #[test]
    fn the_bucket_keeps_the_average_and_caps_the_burst() {
        let start = Instant::now();
        let mut bucket = TokenBucket::new(1000, start);
        assert_eq!(bucket.spend(500, start), Duration::from_millis(500));
        let later = start + Duration::from_millis(500);
        assert_eq!(bucket.spend(1000, later), Duration::from_secs(1));
        // An hour of idling earns a quarter of a second, not an hour.
        let much_later = later + Duration::from_secs(3600);
        assert_eq!(bucket.spend(250, much_later), Duration::ZERO);
        assert_eq!(bucket.spend(1000, much_later), Duration::from_secs(1));
    }
}
