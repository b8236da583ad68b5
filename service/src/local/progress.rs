//! Progress on standard error: one line a disk, redrawn in place on a terminal, plain lines elsewhere; or told to a listener.

use std::fmt::{self, Write as _};
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use holdfast_engine::jobs::progress::{Snapshot, Watcher};

use crate::local::console::{Console, Listener};
use crate::local::table;

/// Plain lines (not on a terminal) come no closer together than this.
const PLAIN_INTERVAL: Duration = Duration::from_secs(5);

/// All progress lines of a command.
pub struct Board {
    /// Who hears of it in place of standard error.
    listener: Option<Listener>,
    /// `None`: silent. `Some(true)`: a terminal.
    mode: Option<bool>,
    lines: Mutex<Lines>,
}

impl fmt::Debug for Board {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Board({:?}, {:?})", self.mode, self.lines)
    }
}

#[derive(Debug, Default)]
struct Lines {
    texts: Vec<String>,
    plain_at: Vec<Option<Instant>>,
    drawn: usize,
}

impl Board {
    /// A board of this console: it obeys the output flags, or tells the console's listener.
    pub fn new(console: &Console) -> Arc<Board> {
        let listener = console.listener().cloned();
        Arc::new(Board { listener, mode: console.progress(), lines: Mutex::default() })
    }

    /// A new line for one disk with this many bytes to do in all.
    pub fn disk(self: &Arc<Board>, label: String, total_bytes: u64) -> DiskProgress {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.texts.push(String::new());
        lines.plain_at.push(None);
        DiskProgress {
            board: Arc::clone(self),
            line: lines.texts.len() - 1,
            label,
            total_bytes,
            finished_bytes: Mutex::new(0),
        }
    }

    /// A message among the lines: above them on a terminal.
    fn note(&self, message: &str) {
        if let Some(listener) = &self.listener {
            return listener.notice(message);
        }
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let mut out = String::new();
        if lines.drawn > 0 {
            let _ = write!(out, "\x1b[{}A\r\x1b[J", lines.drawn);
            lines.drawn = 0;
        }
        let _ = writeln!(out, "{message}");
        if self.mode == Some(true) {
            out.push_str(&lines.redraw());
        }
        // Nobody can be told that standard error is gone.
        let _ = std::io::stderr().write_all(out.as_bytes());
    }

    fn show(&self, line: usize, snapshot: &Snapshot) {
        if let Some(listener) = &self.listener {
            return listener.report(snapshot);
        }
        let Some(terminal) = self.mode else { return };
        let (text, done) = (line_of(snapshot), snapshot.done_bytes >= snapshot.total_bytes);
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(place) = lines.texts.get_mut(line) else { return };
        *place = text;
        let out = if terminal { lines.redraw() } else { lines.plain(line, done) };
        // Nobody can be told that standard error is gone.
        let _ = std::io::stderr().write_all(out.as_bytes());
    }
}

impl Lines {
    fn redraw(&mut self) -> String {
        let mut out = String::new();
        if self.drawn > 0 {
            let _ = write!(out, "\x1b[{}A", self.drawn);
        }
        for text in &self.texts {
            let _ = writeln!(out, "\r\x1b[2K{text}");
        }
        self.drawn = self.texts.len();
        out
    }

    fn plain(&mut self, line: usize, done: bool) -> String {
        let now = Instant::now();
        let Some(last) = self.plain_at.get_mut(line) else { return String::new() };
        if !done && last.is_some_and(|at| now.duration_since(at) < PLAIN_INTERVAL) {
            return String::new();
        }
        *last = Some(now);
        self.texts.get(line).map(|text| format!("{text}\n")).unwrap_or_default()
    }
}

/// The line of one disk. Its partitions are worked on one after another; each reports for itself.
#[derive(Debug)]
pub struct DiskProgress {
    board: Arc<Board>,
    line: usize,
    label: String,
    total_bytes: u64,
    finished_bytes: Mutex<u64>,
}

impl DiskProgress {
    /// A partition of this many bytes is finished; the next one's reports add to it.
    pub fn finish_partition(&self, bytes: u64) {
        *self.finished_bytes.lock().unwrap_or_else(PoisonError::into_inner) += bytes;
    }
}

impl Watcher for DiskProgress {
    #[allow(clippy::cast_precision_loss)] // bytes of a disk are far below 2^52
    fn report(&self, snapshot: &Snapshot) {
        let finished = *self.finished_bytes.lock().unwrap_or_else(PoisonError::into_inner);
        let (done_bytes, rate) = (finished + snapshot.done_bytes, snapshot.bytes_per_second);
        let left = self.total_bytes.saturating_sub(done_bytes) as f64;
        let of_disk = Snapshot {
            job: snapshot.job,
            place: self.label.clone(),
            done_bytes,
            total_bytes: self.total_bytes,
            bytes_per_second: rate,
            eta_seconds: (rate > 0.0).then(|| left / rate),
        };
        self.board.show(self.line, &of_disk);
    }

    fn added(&self, bytes: u64) {
        if let Some(listener) = &self.board.listener {
            listener.added(bytes);
        }
    }

    fn notice(&self, message: &str) {
        self.board.note(message);
    }
}

/// One report in words.
#[allow(clippy::cast_precision_loss)] // bytes of a disk are far below 2^52
fn line_of(snapshot: &Snapshot) -> String {
    let Snapshot { job, place, done_bytes, total_bytes, bytes_per_second, eta_seconds } = snapshot;
    let share = if *total_bytes == 0 { 1.0 } else { *done_bytes as f64 / *total_bytes as f64 };
    let eta = eta_seconds.map_or_else(|| "unknown".to_owned(), table::duration);
    format!(
        "{job} {place}  {:5.1} %  {} of {}  {}  {eta} left",
        share * 100.0,
        table::bytes(*done_bytes),
        table::bytes(*total_bytes),
        table::rate(*bytes_per_second),
    )
}
