//! How far a job is, how fast it goes and when it will be done.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;

/// One report of a running job.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Snapshot {
    /// `fill`, `scrub`, …
    pub job: &'static str,
    /// What it works on: the partition's path.
    pub place: String,
    /// Bytes done, including what an earlier run had done.
    pub done_bytes: u64,
    /// Bytes to do in all.
    pub total_bytes: u64,
    /// Recent rate of this run.
    pub bytes_per_second: f64,
    /// Time left at that rate; absent before there is a rate.
    pub eta_seconds: Option<f64>,
}

/// Who wants to know. Called from the job's threads; reports come a few times a second at most.
pub trait Watcher: Sync {
    /// A new report.
    fn report(&self, snapshot: &Snapshot);

    /// So many bytes more are done by this run. Nothing is swallowed.
    fn added(&self, _bytes: u64) {}

    /// Something happened that does not stop the job, but that its owner should see. Called at any time.
    fn notice(&self, _message: &str) {}
}

/// For callers that do not watch.
impl Watcher for () {
    fn report(&self, _: &Snapshot) {}
}

/// Rates are averaged over this span.
const WINDOW: Duration = Duration::from_secs(10);
/// Reports closer together than this are swallowed (the last one never is).
const INTERVAL: Duration = Duration::from_millis(200);

/// Counts a job's bytes and tells a watcher.
pub struct Meter<'w> {
    watcher: &'w dyn Watcher,
    state: Mutex<State>,
}

struct State {
    snapshot: Snapshot,
    samples: VecDeque<(Instant, u64)>,
    reported: Option<Instant>,
}

impl<'w> Meter<'w> {
    /// A meter of a job that begins with `done_bytes` of `total_bytes` done.
    pub fn new(
        watcher: &'w dyn Watcher,
        job: &'static str,
        place: String,
        done_bytes: u64,
        total_bytes: u64,
    ) -> Self {
        let snapshot =
            Snapshot { job, place, done_bytes, total_bytes, bytes_per_second: 0.0, eta_seconds: None };
        let samples = VecDeque::from([(Instant::now(), done_bytes)]);
        Meter { watcher, state: Mutex::new(State { snapshot, samples, reported: None }) }
    }

    /// More bytes are done.
    pub fn add(&self, bytes: u64) {
        self.watcher.added(bytes);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        state.advance(bytes, now);
        let finished = state.snapshot.done_bytes >= state.snapshot.total_bytes;
        let due = state.reported.is_none_or(|at| now.duration_since(at) >= INTERVAL);
        if due || finished {
            state.reported = Some(now);
            let snapshot = state.snapshot.clone();
            drop(state);
            self.watcher.report(&snapshot);
        }
    }

    /// Tells the watcher of something that does not stop the job.
    pub fn notice(&self, message: &str) {
        self.watcher.notice(message);
    }

    /// The figures as they stand.
    pub fn snapshot(&self) -> Snapshot {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).snapshot.clone()
    }
}

impl State {
    #[allow(clippy::cast_precision_loss)] // bytes of a disk are far below 2^52
    fn advance(&mut self, bytes: u64, now: Instant) {
        self.snapshot.done_bytes += bytes;
        self.samples.push_back((now, self.snapshot.done_bytes));
        while self.samples.len() > 2 && now.duration_since(self.samples[0].0) > WINDOW {
            self.samples.pop_front();
        }
        let (then, before) = self.samples[0];
        let seconds = now.duration_since(then).as_secs_f64();
        if seconds > 0.0 {
            let rate = (self.snapshot.done_bytes - before) as f64 / seconds;
            let left = self.snapshot.total_bytes.saturating_sub(self.snapshot.done_bytes) as f64;
            self.snapshot.bytes_per_second = rate;
            self.snapshot.eta_seconds = (rate > 0.0).then(|| left / rate);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Keep(Mutex<Vec<Snapshot>>);
    impl Watcher for Keep {
        fn report(&self, snapshot: &Snapshot) {
            self.0.lock().expect("no panic").push(snapshot.clone());
        }
    }

    #[test]
    fn rate_and_eta_follow_the_recent_past_and_not_an_earlier_run() {
        let meter = Meter::new(&(), "fill", "p".into(), 600, 1000);
        let mut state = meter.state.lock().expect("no panic");
        let start = state.samples[0].0;
        state.advance(100, start + Duration::from_secs(1));
        assert!((state.snapshot.bytes_per_second - 100.0).abs() < 1e-6);
        assert!((state.snapshot.eta_seconds.expect("rate known") - 3.0).abs() < 1e-6);
        // A long stall: the old, fast second drops out of the average.
        state.advance(100, start + Duration::from_secs(101));
        assert!((state.snapshot.bytes_per_second - 1.0).abs() < 1e-6, "{:?}", state.snapshot);
    }

    #[test]
    fn the_last_report_is_never_swallowed() {
        let keep = Keep(Mutex::new(Vec::new()));
        let meter = Meter::new(&keep, "fill", "p".into(), 0, 100);
        for _ in 0..100 {
            meter.add(1);
        }
        let reports = keep.0.lock().expect("no panic");
        assert!(reports.len() < 100, "reports are thinned out");
        assert_eq!(reports.last().map(|s| s.done_bytes), Some(100));
    }
}
