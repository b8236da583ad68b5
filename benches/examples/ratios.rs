//! The figures that are ratios of times in one run on one machine, so that they mean something on a noisy one:
//!
//! - fill against max(compute alone, disk alone), and fill to a disk slowed down to a fixed rate;
//! - answers of 64 samples, each from a process of its own and nothing from any cache, for comparison with the same
//!   reads by `fio`.
//!
//! `cargo run --release -p holdfast-benches --example ratios -- DIR fill|answer|slow RATE WINDOWS` on the disk to
//! measure. Rounds of a fill are interleaved; medians are printed. `answer` leaves its file for `fio` (see
//! `benches/results/README.md`).

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use holdfast_benches::{backends, commitment, create, fill_options, registration};
use holdfast_engine::challenge::Challenge;
use holdfast_engine::jobs::answer::{Answerer, QUEUE_DEPTH};
use holdfast_engine::jobs::control::Control;
use holdfast_engine::jobs::fill::fill;
use holdfast_engine::registration::Registration;
use holdfast_engine::space::window::{TILE_BYTES, TileSink, WindowMaker};
use holdfast_partition::io::{
    AlignedBuffer, BlockIo, BufferPool, IoChoice, IoError, NextWrite, ReadRequest, WriteRequest, WriteSource,
};
use holdfast_partition::partition_file::PartitionFile;

const ROUNDS: usize = 3;
const SAMPLES: u32 = 64;
const ANSWERS: u64 = 100;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [directory, "fill"] => fill_ratio(Path::new(directory)),
        [directory, "slow", rate, windows] => {
            let number = |text: &str| text.parse().expect("a whole number");
            slow_disk(Path::new(directory), number(rate), number(windows));
        }
        [directory, "answer"] => answers(Path::new(directory)),
        [directory, "answer-once"] => answer_once(Path::new(directory)),
        _ => eprintln!("usage: ratios DIR fill|answer|slow BYTES_PER_SECOND WINDOWS"),
    }
}

fn median(mut seconds: Vec<f64>) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}

fn time<T>(work: impl FnOnce() -> T) -> f64 {
    let started = Instant::now();
    std::hint::black_box(work());
    started.elapsed().as_secs_f64()
}

fn new_file(directory: &Path, registration: &Registration, windows: u64) -> PartitionFile {
    let _ = std::fs::remove_file(directory.join("partition.holdfast"));
    create(directory, IoChoice::Auto, registration, windows).expect("creates")
}

fn fill_ratio(directory: &Path) {
    // Windows of 64 MiB, swift: the least compute that the default policy takes.
    let registration = registration(21, 12);
    let windows = 8;
    let bytes = windows * registration.intent.shape.bytes();
    let backend = *backends().last().expect("portable exists");
    let options = fill_options(backend);
    let (mut filled, mut computed, mut written) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let file = new_file(directory, &registration, windows);
        filled.push(time(|| fill(&file, &options, &Control::default(), &()).expect("fills")));
        drop(file);
        let mut maker =
            WindowMaker::new(registration.intent.shape, backend, Arc::clone(&options.pool)).expect("memory");
        computed.push(time(|| {
            for window in 0..windows {
                let _ = maker.make(&registration.window_key(window), &Nowhere::new(), &|| Ok(()));
            }
        }));
        let file = new_file(directory, &registration, windows);
        written.push(time(|| write_alone(file.io().as_ref(), file.geometry().data_offset(), bytes)));
    }
    let (fill_s, compute_s, disk_s) = (median(filled), median(computed), median(written));
    let bound_s = compute_s.max(disk_s);
    eprintln!("fill {bytes} bytes, {}: {fill_s:.3} s", backend.name());
    eprintln!("compute alone {compute_s:.3} s, disk alone {disk_s:.3} s");
    eprintln!("fill / max(compute alone, disk alone) = {:.3} (at most 1.10 wanted)", fill_s / bound_s);
    let _ = std::fs::remove_file(directory.join("partition.holdfast"));
}

/// A disk slower than windows are made must stay busy. Nothing can be written before the first window is nearly made, so its
/// time is told apart.
fn slow_disk(directory: &Path, bytes_per_second: u64, windows: u64) {
    let registration = registration(21, 12);
    let options = fill_options(*backends().last().expect("portable exists"));
    let file = new_file(directory, &registration, windows);
    let slow = Arc::new(SlowIo::new(file.io(), bytes_per_second));
    let io: Arc<dyn BlockIo> = Arc::clone(&slow) as Arc<dyn BlockIo>;
    let file = reopen(io);
    let seconds = time(|| fill(&file, &options, &Control::default(), &()).expect("fills"));
    let SlowLine { bytes, first_s, last_s, busy_s } = slow.line();
    let share = bytes as f64 / seconds / bytes_per_second as f64;
    eprintln!(
        "fill of {windows} windows to a disk of {bytes_per_second} bytes/s: {share:.3} of its rate in {seconds:.2} s (at \
         least 0.90 wanted)"
    );
    eprintln!(
        "first write after {first_s:.2} s; disk idle for {:.2} s between writes; {:.2} s after the last",
        last_s - first_s - busy_s,
        seconds - last_s
    );
    let _ = std::fs::remove_file(directory.join("partition.holdfast"));
}

fn reopen(io: Arc<dyn BlockIo>) -> PartitionFile {
    use holdfast_partition::partition_file::OpenMode;
    PartitionFile::open(io, OpenMode::ReadWrite).expect("opens").0
}

fn answers(directory: &Path) {
    // 64 windows of 64 MiB: a sample in each. Two layers are enough, since only reading is measured.
    let registration = registration(21, 2);
    let backend = *backends().last().expect("portable exists");
    let file = new_file(directory, &registration, SAMPLES.into());
    fill(&file, &fill_options(backend), &Control::default(), &()).expect("fills");
    let commitment = commitment(&file, &registration);
    drop(file);
    let (mut opened, mut answered) = (Vec::new(), Vec::new());
    for height in 0..ANSWERS {
        let challenge = Challenge::space(&commitment, [7; 32], 1000 + height, SAMPLES, 5000);
        std::fs::write(directory.join(CHALLENGE), challenge.encode()).expect("writes");
        let program = std::env::current_exe().expect("runs");
        let child = std::process::Command::new(program).arg(directory).arg("answer-once").output();
        let report = String::from_utf8(child.expect("starts").stderr).expect("text");
        let seconds: Vec<f64> = report.split_whitespace().map(|s| s.parse().expect(&report)).collect();
        opened.push(seconds[0]);
        answered.push(seconds[1]);
    }
    let _ = std::fs::remove_file(directory.join(CHALLENGE));
    eprintln!(
        "answer of {SAMPLES} samples by a fresh process: {:.3} ms (fastest {:.3} ms); opening the file before it {:.3} ms",
        1e3 * median(answered.clone()),
        1e3 * answered.iter().copied().fold(f64::INFINITY, f64::min),
        1e3 * median(opened)
    );
}

/// What `answers` leaves for [`answer_once`].
const CHALLENGE: &str = "challenge";

/// A single answer, and nothing before it: seconds of opening the file and of answering.
fn answer_once(directory: &Path) {
    use holdfast_partition::io::{Access, OpenOptions, open};
    use holdfast_partition::partition_file::OpenMode;
    let challenge = std::fs::read(directory.join(CHALLENGE)).expect("reads");
    let challenge = Challenge::decode(&challenge).expect("ours");
    let started = Instant::now();
    let io =
        open(&directory.join("partition.holdfast"), &OpenOptions::new(Access::ReadOnly)).expect("opens").io;
    let (file, _) = PartitionFile::open(io, OpenMode::ReadOnly).expect("opens");
    let open_seconds = started.elapsed().as_secs_f64();
    let backend = *backends().last().expect("portable exists");
    let answer =
        || Answerer::new(&file, backend, QUEUE_DEPTH).expect("usable").space(&challenge).expect("answers");
    let seconds = time(answer);
    eprintln!("{open_seconds} {seconds}");
}

/// Takes tiles and forgets them.
struct Nowhere(BufferPool);

impl Nowhere {
    fn new() -> Nowhere {
        Nowhere(BufferPool::new(8, TILE_BYTES).expect("memory"))
    }
}

impl TileSink for Nowhere {
    type Error = ();

    fn take(&self, length: usize) -> Result<AlignedBuffer, ()> {
        let mut buffer = self.0.take().ok_or(())?;
        buffer.set_length(length).map_err(|_| ())?;
        Ok(buffer)
    }

    fn put(&self, _: u64, buffer: AlignedBuffer) {
        self.0.give(buffer);
    }
}

/// Writes and syncs so many bytes in tiles, as a fill does, and nothing else.
fn write_alone(io: &dyn BlockIo, start: u64, bytes: u64) {
    let pool = BufferPool::new(8, TILE_BYTES).expect("memory");
    let source = Tiles { pool: &pool, next: AtomicU64::new(start), end: start + bytes };
    io.pump(&pool, &source, 4);
    io.sync().expect("syncs");
}

struct Tiles<'p> {
    pool: &'p BufferPool,
    next: AtomicU64,
    end: u64,
}

impl WriteSource for Tiles<'_> {
    fn next(&self, _: bool) -> NextWrite {
        let offset = self.next.fetch_add(TILE_BYTES as u64, Ordering::Relaxed);
        if offset >= self.end {
            return NextWrite::Closed;
        }
        let mut buffer = self.pool.take().expect("open");
        buffer.fill(1);
        NextWrite::Ready(WriteRequest { offset, buffer, tag: 0 })
    }

    fn done(&self, request: WriteRequest, result: Result<(), IoError>) {
        result.expect("writes");
        self.pool.give(request.buffer);
    }
}

/// A disk that writes one thing after another, each at its rate. What the disk below takes is part of that time.
#[derive(Debug)]
struct SlowIo {
    inner: Arc<dyn BlockIo>,
    bytes_per_second: u64,
    started: Instant,
    line: Mutex<SlowLine>,
}

/// What was written, and when, in seconds since the start.
#[derive(Clone, Copy, Debug, Default)]
struct SlowLine {
    bytes: u64,
    first_s: f64,
    last_s: f64,
    busy_s: f64,
}

impl SlowIo {
    fn new(inner: &Arc<dyn BlockIo>, bytes_per_second: u64) -> SlowIo {
        SlowIo { inner: Arc::clone(inner), bytes_per_second, started: Instant::now(), line: Mutex::default() }
    }

    fn line(&self) -> SlowLine {
        *self.line.lock().expect("no panic")
    }

    fn write_slowly(&self, request: &WriteRequest) -> Result<(), IoError> {
        let started = self.started.elapsed().as_secs_f64();
        let result = self.inner.write_at(request.offset, &request.buffer);
        let bytes = request.buffer.len() as u64;
        let mut line = self.line();
        // A disk that was not idle since its last write is not held to the moments it was asked late.
        let begins = if started - line.last_s < 1e-3 { line.last_s } else { started };
        let ends = begins + bytes as f64 / self.bytes_per_second as f64;
        let rest = ends - self.started.elapsed().as_secs_f64();
        std::thread::sleep(Duration::from_secs_f64(rest.max(0.0)));
        if line.bytes == 0 {
            line.first_s = started;
        }
        line.bytes += bytes;
        line.busy_s += ends - begins;
        line.last_s = ends;
        *self.line.lock().expect("no panic") = line;
        result
    }
}

impl BlockIo for SlowIo {
    fn name(&self) -> &'static str {
        "slow"
    }
    fn len_bytes(&self) -> Result<u64, IoError> {
        self.inner.len_bytes()
    }
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), IoError> {
        self.inner.read_at(offset, buffer)
    }
    fn write_at(&self, offset: u64, buffer: &[u8]) -> Result<(), IoError> {
        self.inner.write_at(offset, buffer)
    }
    fn read_batch(&self, requests: &mut [ReadRequest<'_>], depth: usize) {
        self.inner.read_batch(requests, depth);
    }
    fn pump(&self, _: &BufferPool, source: &dyn WriteSource, _: usize) {
        while let NextWrite::Ready(request) = source.next(true) {
            let result = self.write_slowly(&request);
            source.done(request, result);
        }
    }
    fn sync(&self) -> Result<(), IoError> {
        self.inner.sync()
    }
    fn preallocate(
        &self,
        offset: u64,
        length: u64,
        progress: &mut dyn FnMut(u64) -> bool,
    ) -> Result<(), IoError> {
        self.inner.preallocate(offset, length, progress)
    }
    fn set_len(&self, length: u64) -> Result<(), IoError> {
        self.inner.set_len(length)
    }
    fn punch_hole(&self, offset: u64, length: u64) -> Result<(), IoError> {
        self.inner.punch_hole(offset, length)
    }
}
