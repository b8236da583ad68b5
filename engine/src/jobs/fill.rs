//! Filling a partition: make windows, write them, record them, with bounded memory and nothing acknowledged early.
//!
//! ```text
//! makers (processor; accelerators) ──tiles──► writer (BlockIo::pump) ──written──► sealer ──► journal
//!        ▲                                        │
//!        └───────── staging buffers ◄─────────────┘
//! ```
//!
//! Memory: two layers and the staging buffers, and what accelerators have of their own. The next window is made while earlier
//! ones are written and sealed; when the disk is slower the makers wait for a staging buffer. A crash costs at most the windows
//! not yet sealed.

mod making;

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender, unbounded};
use holdfast_partition::io::{
    AlignedBuffer, BufferPool, IoError, NextWrite, PAGE_BYTES, WriteRequest, WriteSource,
};
use holdfast_partition::partition_file::{PartitionFile, PartitionFileError, SealedWindow, WindowState};
use serde::Serialize;

use crate::accelerator::Devices;
use crate::backend::Backend;
use crate::jobs::control::{Cancelled, Control};
use crate::jobs::progress::{Meter, Watcher};
use crate::registration::{Registration, WindowShape};
use crate::rejection::Rejection;
use crate::space::window::{MadeWindow, TILE_BYTES, TileSink};

/// How a fill uses the machine.
#[derive(Clone, Debug)]
pub struct FillOptions {
    /// What progress reports call the partition: its path.
    pub place: String,
    /// Who makes the labels on the processor.
    pub backend: &'static dyn Backend,
    /// Who makes windows beside the processor; shared by fills of several disks.
    pub devices: Devices,
    /// The compute threads; shared by fills of several disks.
    pub pool: Arc<rayon::ThreadPool>,
    /// Writes in flight on the disk.
    pub queue_depth: usize,
    /// Memory for tiles that wait for the disk, in bytes (at least two tiles are used).
    pub staging_bytes: usize,
}

/// What a fill did.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FillReport {
    /// Windows made, written and recorded by this run.
    pub windows_filled: u64,
    /// Of these: made by accelerators.
    pub windows_accelerated: u64,
    /// Windows that an accelerator failed at and the processor made.
    pub windows_redone: u64,
    /// Windows that were there before.
    pub windows_kept: u64,
    /// Bytes written by this run, outboards included.
    pub bytes_written: u64,
    /// Wall time of this run.
    pub seconds: f64,
    /// Part of it that the maker spent waiting for staging buffers, that is, for the disk.
    pub disk_wait_seconds: f64,
}

/// Why a fill stopped early. Every window acknowledged before is durable.
#[derive(Debug, thiserror::Error)]
pub enum FillError {
    /// Stopped on request.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    /// The partition's registration is not what its header's type allows.
    #[error("the partition's registration is unusable: {0}")]
    Registration(#[from] Rejection),
    /// No memory for the layers.
    #[error("no memory for two layers of {window_bytes} bytes ({cause}); free some, or use smaller windows")]
    Memory {
        /// Bytes of one layer.
        window_bytes: u64,
        /// What the system said.
        cause: std::io::Error,
    },
    /// A window came out otherwise than recorded.
    #[error(
        "window {window} was made again and differs from its record: memory or processor of this machine are at fault; \
         test them, and fill with another --backend"
    )]
    NotReproduced {
        /// The window.
        window: u64,
    },
    /// The disk refused.
    #[error(transparent)]
    Io(#[from] IoError),
    /// The partition file refused.
    #[error(transparent)]
    Partition(#[from] PartitionFileError),
}

/// Fills every window of the partition that is empty or bad.
pub fn fill(
    file: &PartitionFile,
    options: &FillOptions,
    control: &Control,
    watcher: &dyn Watcher,
) -> Result<FillReport, FillError> {
    let todo = windows_in(file, |state| matches!(state, WindowState::Empty | WindowState::Bad))?;
    fill_windows(file, &todo, options, control, watcher)
}

/// Windows in a state, in order.
pub(crate) fn windows_in(
    file: &PartitionFile,
    is_wanted: impl Fn(WindowState) -> bool,
) -> Result<Vec<u64>, PartitionFileError> {
    let mut windows = Vec::new();
    for window in 0..file.windows()? {
        if is_wanted(file.window_state(window)?) {
            windows.push(window);
        }
    }
    Ok(windows)
}

/// Fills these windows, in this order.
pub(crate) fn fill_windows(
    file: &PartitionFile,
    todo: &[u64],
    options: &FillOptions,
    control: &Control,
    watcher: &dyn Watcher,
) -> Result<FillReport, FillError> {
    let started = Instant::now();
    let registration = Registration::decode(file.registration())?;
    let windows = file.windows()?;
    let kept = windows - todo.len() as u64;
    let window_bytes = registration.intent.shape.bytes();
    let place = options.place.clone();
    let meter = Meter::new(watcher, "fill", place, kept * window_bytes, windows * window_bytes);
    let line = Line::new(file, &registration, options, control, &meter)?;
    line.run(todo)?;
    let state = line.lock();
    Ok(FillReport {
        windows_filled: state.windows_sealed,
        windows_accelerated: state.windows_accelerated,
        windows_redone: state.windows_redone,
        windows_kept: kept,
        bytes_written: state.bytes_written,
        seconds: started.elapsed().as_secs_f64(),
        disk_wait_seconds: state.disk_wait_seconds,
    })
}

/// One fill in progress: what its three kinds of threads share.
struct Line<'a> {
    file: &'a PartitionFile,
    registration: &'a Registration,
    shape: WindowShape,
    options: &'a FillOptions,
    control: &'a Control,
    meter: &'a Meter<'a>,
    staging: BufferPool,
    state: Mutex<LineState>,
    /// Told when a window's last outstanding write is done, and when anything fails.
    written: Condvar,
}

#[derive(Default)]
struct LineState {
    /// Windows of which writes are outstanding or that are still being made.
    in_flight: HashMap<u64, InFlight>,
    /// The first thing that went wrong; everybody stops at it.
    failure: Option<FillError>,
    windows_sealed: u64,
    windows_accelerated: u64,
    windows_redone: u64,
    bytes_written: u64,
    disk_wait_seconds: f64,
}

#[derive(Default)]
struct InFlight {
    writes_left: usize,
    /// Set once all writes are queued.
    made: Option<SealedWindow>,
}

impl<'a> Line<'a> {
    fn new(
        file: &'a PartitionFile,
        registration: &'a Registration,
        options: &'a FillOptions,
        control: &'a Control,
        meter: &'a Meter<'a>,
    ) -> Result<Line<'a>, FillError> {
        let tiles = (options.staging_bytes / TILE_BYTES).max(2);
        let staging = BufferPool::new(tiles, TILE_BYTES)?;
        let (shape, state) = (registration.intent.shape, Mutex::default());
        let written = Condvar::new();
        Ok(Line { file, registration, shape, options, control, meter, staging, state, written })
    }

    fn run(&self, todo: &[u64]) -> Result<(), FillError> {
        let (writes, queue) = unbounded();
        let (written, to_seal) = unbounded();
        std::thread::scope(|threads| {
            let source = Queue { line: self, queue, written: written.clone() };
            threads.spawn(move || self.file.io().pump(&self.staging, &source, self.options.queue_depth));
            threads.spawn(move || self.seal_all(&to_seal));
            self.make_all(todo, &Outlets { writes: &writes, written: &written });
            // The writer ends when its queue does, the sealer when nobody can send it windows any more.
            drop((writes, written));
        });
        for window in std::mem::take(&mut self.lock().in_flight).into_keys() {
            // Fails only on a closed file, whose states no longer matter.
            let _ = self.file.abandon_filling(window);
        }
        let failure = self.lock().failure.take();
        let checkpoint = self.file.checkpoint();
        failure.map_or_else(|| Ok(checkpoint?), Err)
    }

    /// Changes what is outstanding of a window, and passes it on once nothing is.
    fn update_in_flight(
        &self,
        window: u64,
        written: &Sender<SealedWindow>,
        change: impl FnOnce(&mut InFlight),
    ) {
        let mut state = self.lock();
        let Some(in_flight) = state.in_flight.get_mut(&window) else { return };
        change(in_flight);
        if in_flight.writes_left == 0 {
            self.written.notify_all();
        }
        if in_flight.writes_left == 0 && in_flight.made.is_some() {
            let done = state.in_flight.remove(&window).and_then(|in_flight| in_flight.made);
            drop(state);
            if let Some(sealed) = done {
                // Fails only when the sealer has stopped after a failure, which is what will be reported.
                let _ = written.send(sealed);
            }
        }
    }

    /// Records written windows, several under one pair of syncs when they have piled up.
    fn seal_all(&self, to_seal: &Receiver<SealedWindow>) {
        while let Ok(first) = to_seal.recv() {
            let group: Vec<_> = std::iter::once(first).chain(to_seal.try_iter()).collect();
            if let Err(error) = self.file.seal(&group) {
                self.fail(error.into());
                return;
            }
            self.lock().windows_sealed += group.len() as u64;
            self.meter.add(group.len() as u64 * self.shape.bytes());
        }
    }

    fn proceed(&self) -> Result<(), FillError> {
        self.control.checkpoint()?;
        // Somebody else has failed: stop making; the cause is kept.
        if self.lock().failure.is_some() { Err(Cancelled.into()) } else { Ok(()) }
    }

    fn fail(&self, error: FillError) {
        self.lock().failure.get_or_insert(error);
        self.staging.close();
        self.written.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, LineState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where makers send what they made.
#[derive(Clone, Copy)]
struct Outlets<'o> {
    /// Tiles, to the writer.
    writes: &'o Sender<WriteRequest>,
    /// Windows without outstanding writes, to the sealer.
    written: &'o Sender<SealedWindow>,
}

/// Takes one window's tiles to the writer.
struct WindowSink<'l> {
    line: &'l Line<'l>,
    window: u64,
    /// Where the window's bytes begin in the file.
    offset: u64,
    writes: &'l Sender<WriteRequest>,
}

impl TileSink for WindowSink<'_> {
    type Error = FillError;

    fn take(&self, length: usize) -> Result<AlignedBuffer, FillError> {
        self.line.control.spend(length as u64)?;
        let waiting = Instant::now();
        let mut buffer = self.line.staging.take().ok_or(Cancelled)?;
        buffer.set_length(length)?;
        self.line.lock().disk_wait_seconds += waiting.elapsed().as_secs_f64();
        Ok(buffer)
    }

    fn put(&self, offset: u64, buffer: AlignedBuffer) {
        self.queue(self.offset + offset, buffer);
    }
}

impl WindowSink<'_> {
    fn put_outboard(&self, made: &MadeWindow) -> Result<(), FillError> {
        let start = self.offset + self.line.shape.bytes();
        let pages: Vec<_> = made.outboard.pages().collect();
        for (part, pages) in pages.chunks(TILE_BYTES / PAGE_BYTES).enumerate() {
            let bytes = pages.as_flattened();
            let mut buffer = self.line.staging.take().ok_or(Cancelled)?;
            buffer.set_length(bytes.len())?;
            buffer.copy_from_slice(bytes);
            self.queue(start + (part * TILE_BYTES) as u64, buffer);
        }
        Ok(())
    }

    fn queue(&self, offset: u64, buffer: AlignedBuffer) {
        if let Some(in_flight) = self.line.lock().in_flight.get_mut(&self.window) {
            in_flight.writes_left += 1;
        }
        let request = WriteRequest { offset, buffer, tag: self.window };
        // Fails only when the writer has stopped after a failure, which is what will be reported.
        let _ = self.writes.send(request);
    }
}

/// What the writer takes its work from.
struct Queue<'l> {
    line: &'l Line<'l>,
    queue: Receiver<WriteRequest>,
    written: Sender<SealedWindow>,
}

impl WriteSource for Queue<'_> {
    fn next(&self, wait: bool) -> NextWrite {
        use crossbeam_channel::TryRecvError;
        let next = if wait { self.queue.recv().map_err(TryRecvError::from) } else { self.queue.try_recv() };
        match next {
            Ok(request) => NextWrite::Ready(request),
            Err(TryRecvError::Empty) => NextWrite::Empty,
            Err(TryRecvError::Disconnected) => NextWrite::Closed,
        }
    }

    fn done(&self, request: WriteRequest, result: Result<(), IoError>) {
        let (window, length) = (request.tag, request.buffer.len());
        self.line.staging.give(request.buffer);
        match result {
            Ok(()) => {
                self.line.lock().bytes_written += length as u64;
                self.line.update_in_flight(window, &self.written, |in_flight| in_flight.writes_left -= 1);
            }
            Err(error) => self.line.fail(error.into()),
        }
    }
}
