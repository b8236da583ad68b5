//! How far a transfer is, on standard error.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use holdfast_engine::jobs::progress::{Snapshot, Watcher};
use holdfast_service::client::{Fault, Watch};

use crate::console::Console;
use crate::progress::{Board, DiskProgress};

/// Lines are drawn no more often.
const INTERVAL: Duration = Duration::from_millis(200);

/// Draws a line, and tells of miners that failed.
pub(super) struct Line {
    board: Arc<Board>,
    console: Console,
    job: &'static str,
    label: String,
    moved_bytes: AtomicU64,
    drawn: Mutex<Option<Drawn>>,
}

struct Drawn {
    progress: DiskProgress,
    total_bytes: u64,
    started: Instant,
    at: Instant,
}

impl Line {
    pub(super) fn new(console: &Console, job: &'static str, label: String) -> Arc<Line> {
        Arc::new(Line {
            board: Board::new(console),
            console: console.clone(),
            job,
            label,
            moved_bytes: AtomicU64::new(0),
            drawn: Mutex::new(None),
        })
    }
}

impl Watch for Line {
    fn expect(&self, total_bytes: u64) {
        self.moved_bytes.store(0, Ordering::Relaxed);
        let (progress, now) = (self.board.disk(self.label.clone(), total_bytes), Instant::now());
        *self.drawn.lock().unwrap_or_else(PoisonError::into_inner) =
            Some(Drawn { progress, total_bytes, started: now, at: now });
    }

    #[expect(clippy::cast_precision_loss, reason = "bytes of a transfer are far below 2^52")]
    fn moved(&self, bytes: u64) {
        let done_bytes = self.moved_bytes.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        let mut drawn = self.drawn.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(drawn) = drawn.as_mut() else { return };
        let now = Instant::now();
        if done_bytes < drawn.total_bytes && now.duration_since(drawn.at) < INTERVAL {
            return;
        }
        drawn.at = now;
        let seconds = now.duration_since(drawn.started).as_secs_f64();
        let bytes_per_second = if seconds > 0.0 { done_bytes as f64 / seconds } else { 0.0 };
        drawn.progress.report(&Snapshot {
            job: self.job,
            place: self.label.clone(),
            done_bytes,
            total_bytes: drawn.total_bytes,
            bytes_per_second,
            eta_seconds: None,
        });
    }

    fn fault(&self, fault: &Fault) {
        self.console.note(fault.to_string());
    }
}
