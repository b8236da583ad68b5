//! io_uring: batches and pumps at depth without a thread per operation, with the pool's slab registered so that the kernel
//! need not map the pages again for each write.
//!
//! A ring serves one call at a time; idle rings are kept, so concurrent calls (answers during a fill) each have their own.
//! Single transfers use plain system calls on the same file: a ring would add work and save none.
#![allow(unsafe_code)]

use std::fmt;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::{Mutex, PoisonError};

use io_uring::{IoUring, Probe, opcode, squeue, types};

use super::file::DataFile;
use super::progress::{Progress, Step};
use super::{BlockIo, BufferPool, IoError, NextWrite, ReadRequest, WriteRequest, WriteSource, pread};

/// Most operations in flight on one ring.
const DEPTH_MAX: usize = 4096;

/// Most bytes of one call; the kernel cuts larger ones to odd lengths.
const CALL_BYTES_MAX: u32 = 1 << 30;

/// Most bytes of one registration, a limit of the kernel.
const REGISTRATION_BYTES_MAX: usize = 1 << 30;

/// Rings of one size, made when needed and kept for the next call.
pub(super) struct Rings {
    entries: u32,
    idle: Mutex<Vec<IoUring>>,
}

impl fmt::Debug for Rings {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Rings").field("entries", &self.entries).finish_non_exhaustive()
    }
}

impl Rings {
    /// Makes the first ring, which is the probe whether the system allows any, knows the operations, and carries one out.
    pub(super) fn start(depth: usize) -> io::Result<Self> {
        let depth = depth.clamp(1, DEPTH_MAX).next_power_of_two();
        let entries = u32::try_from(depth).unwrap_or(1);
        let mut ring = IoUring::new(entries)?;
        let mut probe = Probe::new();
        ring.submitter().register_probe(&mut probe)?;
        let needed =
            [opcode::Read::CODE, opcode::Write::CODE, opcode::ReadFixed::CODE, opcode::WriteFixed::CODE];
        if !needed.into_iter().all(|code| probe.is_supported(code)) {
            return Err(io::ErrorKind::Unsupported.into());
        }
        // SAFETY: a no-operation points to nothing.
        unsafe { ring.submission().push(&opcode::Nop::new().build()) }.map_err(io::Error::other)?;
        ring.submit_and_wait(1)?;
        ring.completion().for_each(drop);
        Ok(Self { entries, idle: Mutex::new(vec![ring]) })
    }

    fn take(&self) -> io::Result<IoUring> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        idle.map_or_else(|| IoUring::new(self.entries), Ok)
    }

    /// Keeps a ring with nothing in flight and nothing registered.
    fn keep(&self, ring: IoUring) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(ring);
    }
}

/// The back end.
#[derive(Debug)]
pub(super) struct UringIo {
    file: DataFile,
    rings: Rings,
}

impl UringIo {
    pub(super) fn new(file: DataFile, rings: Rings) -> Self {
        Self { file, rings }
    }

    /// A ring for one call, or none with a note, after which the call goes on with threads: a late answer is worse than
    /// a slower one.
    fn ring(&self) -> Option<IoUring> {
        let none = |error| {
            self.file
                .note(format!("another io_uring ring could not be had ({error}); using threads meanwhile"));
        };
        self.rings.take().map_err(none).ok()
    }

    fn depth(&self, depth: usize) -> usize {
        depth.clamp(1, usize::try_from(self.rings.entries).unwrap_or(1))
    }

    fn flight<'r, T: Transfer>(&self, ring: &'r mut IoUring, depth: usize) -> Flight<'r, T> {
        let depth = self.depth(depth);
        Flight {
            ring,
            file: self.file.file.as_raw_fd(),
            slots: (0..depth).map(|_| None).collect(),
            free: (0..depth).rev().collect(),
            finished: Vec::with_capacity(depth),
        }
    }

    fn finish_read(&self, reading: Reading<'_, '_>, outcome: io::Result<()>) {
        let request = reading.request;
        let length = request.buffer.len() as u64;
        request.result = outcome.map_err(|error| self.file.error(&error, "read", request.offset, length));
    }

    fn finish_write(&self, source: &dyn WriteSource, writing: Writing, outcome: io::Result<()>) {
        let request = writing.request;
        let length = request.buffer.len() as u64;
        let result = outcome.map_err(|error| self.file.error(&error, "write", request.offset, length));
        source.done(request, result);
    }

    /// Registers the pool's slab for the length of a pump; none, with a note, where the system refuses.
    fn register<'p>(&self, ring: &IoUring, pool: &'p BufferPool) -> Option<Registered<'p>> {
        let (start, slab_bytes) = pool.slab();
        // A buffer must not straddle two registrations.
        let group = (REGISTRATION_BYTES_MAX / pool.buffer_bytes()).max(1);
        let group_bytes = group * pool.buffer_bytes();
        let vectors: Vec<_> = (0..slab_bytes)
            .step_by(group_bytes)
            .map(|offset| libc::iovec {
                iov_base: start.as_ptr().wrapping_add(offset).cast(),
                iov_len: group_bytes.min(slab_bytes - offset),
            })
            .collect();
        // SAFETY: the vectors cover the slab, which `pool` keeps mapped at one address, and the caller unregisters or
        // drops the ring before it lets go of the borrow of `pool`; the kernel holds the pages by itself in any case.
        match unsafe { ring.submitter().register_buffers(&vectors) } {
            Ok(()) => Some(Registered { pool, group }),
            Err(error) => {
                let megabytes = slab_bytes >> 20;
                self.file.note(match error.kind() {
                    io::ErrorKind::OutOfMemory => format!(
                        "the {megabytes} MiB of staging memory could not be registered with io_uring ({error}): \
                         raise the locked-memory limit (`ulimit -l`) for a little less CPU use"
                    ),
                    _ => format!("the staging memory could not be registered with io_uring ({error})"),
                });
                None
            }
        }
    }

    fn pump_ring(
        &self,
        ring: &mut IoUring,
        registered: Option<&Registered<'_>>,
        source: &dyn WriteSource,
        depth: usize,
    ) {
        let mut flight = self.flight(ring, depth);
        let mut open = true;
        loop {
            while open && flight.has_room() {
                match source.next(flight.is_empty()) {
                    NextWrite::Ready(request) => {
                        match self.file.check_write(request.offset, &request.buffer) {
                            Ok(()) => flight.start(Writing::new(request, registered)),
                            Err(error) => source.done(request, Err(error)),
                        }
                    }
                    NextWrite::Empty => break,
                    NextWrite::Closed => open = false,
                }
            }
            if flight.is_empty() && !open {
                return;
            }
            flight.wait();
            while let Some((writing, outcome)) = flight.finished.pop() {
                self.finish_write(source, writing, outcome);
            }
        }
    }
}

impl BlockIo for UringIo {
    fn name(&self) -> &'static str {
        "uring"
    }

    fn len_bytes(&self) -> Result<u64, IoError> {
        self.file.len_bytes()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), IoError> {
        self.file.read_at(offset, buffer)
    }

    fn write_at(&self, offset: u64, buffer: &[u8]) -> Result<(), IoError> {
        self.file.write_at(offset, buffer)
    }

    fn read_batch(&self, requests: &mut [ReadRequest<'_>], depth: usize) {
        let Some(mut ring) = self.ring() else {
            return pread::read_batch(requests, depth, |offset, buffer| self.file.read_at(offset, buffer));
        };
        let mut flight = self.flight(&mut ring, depth);
        let mut waiting = requests.iter_mut();
        loop {
            while flight.has_room() {
                let Some(request) = waiting.next() else { break };
                match self.file.check_read(request.offset, request.buffer) {
                    Ok(()) => flight.start(Reading::new(request)),
                    Err(error) => request.result = Err(error),
                }
            }
            if flight.is_empty() {
                break;
            }
            flight.wait();
            while let Some((reading, outcome)) = flight.finished.pop() {
                self.finish_read(reading, outcome);
            }
        }
        drop(flight);
        self.rings.keep(ring);
    }

    fn pump(&self, pool: &BufferPool, source: &dyn WriteSource, depth: usize) {
        let Some(mut ring) = self.ring() else { return pread::pump(&self.file, source, depth) };
        let registered = self.register(&ring, pool);
        self.pump_ring(&mut ring, registered.as_ref(), source, depth);
        if registered.is_none() || ring.submitter().unregister_buffers().is_ok() {
            self.rings.keep(ring);
        }
    }

    fn sync(&self) -> Result<(), IoError> {
        self.file.sync()
    }

    fn preallocate(
        &self,
        offset: u64,
        length: u64,
        progress: &mut dyn FnMut(u64) -> bool,
    ) -> Result<(), IoError> {
        self.file.preallocate(offset, length, progress)
    }

    fn set_len(&self, length: u64) -> Result<(), IoError> {
        self.file.set_len(length)
    }

    fn punch_hole(&self, offset: u64, length: u64) -> Result<(), IoError> {
        self.file.punch_hole(offset, length)
    }

    fn notes(&self) -> Vec<String> {
        self.file.notes()
    }
}

/// A pool whose slab is registered with the ring in use, in groups of buffers.
struct Registered<'p> {
    pool: &'p BufferPool,
    group: usize,
}

/// A read or write of which a part may be done.
trait Transfer {
    /// The system call for the part that is not done. What it points to stays valid and in place while `self` lives,
    /// wherever `self` is moved.
    fn entry(&mut self, file: types::Fd) -> squeue::Entry;
    fn progress(&mut self) -> &mut Progress;
}

struct Reading<'a, 'b> {
    request: &'a mut ReadRequest<'b>,
    progress: Progress,
}

impl<'a, 'b> Reading<'a, 'b> {
    fn new(request: &'a mut ReadRequest<'b>) -> Self {
        let progress = Progress::new(request.buffer.len());
        Self { request, progress }
    }
}

impl Transfer for Reading<'_, '_> {
    fn entry(&mut self, file: types::Fd) -> squeue::Entry {
        let done = self.progress.done();
        let rest = &mut self.request.buffer[done..];
        opcode::Read::new(file, rest.as_mut_ptr(), call_bytes(rest))
            .offset(self.request.offset + done as u64)
            .build()
    }

    fn progress(&mut self) -> &mut Progress {
        &mut self.progress
    }
}

struct Writing {
    request: WriteRequest,
    progress: Progress,
    /// Number of the registration its buffer lies in.
    registration: Option<u16>,
}

impl Writing {
    fn new(request: WriteRequest, registered: Option<&Registered<'_>>) -> Self {
        let progress = Progress::new(request.buffer.len());
        let registration = registered
            .filter(|registered| registered.pool.owns(&request.buffer))
            .and_then(|registered| Some(request.buffer.pool_index()? / registered.group))
            .and_then(|group| u16::try_from(group).ok());
        Self { request, progress, registration }
    }
}

impl Transfer for Writing {
    fn entry(&mut self, file: types::Fd) -> squeue::Entry {
        let done = self.progress.done();
        let rest = &self.request.buffer[done..];
        let offset = self.request.offset + done as u64;
        match self.registration {
            Some(registration) => {
                opcode::WriteFixed::new(file, rest.as_ptr(), call_bytes(rest), registration)
                    .offset(offset)
                    .build()
            }
            None => opcode::Write::new(file, rest.as_ptr(), call_bytes(rest)).offset(offset).build(),
        }
    }

    fn progress(&mut self) -> &mut Progress {
        &mut self.progress
    }
}

fn call_bytes(rest: &[u8]) -> u32 {
    u32::try_from(rest.len()).unwrap_or(CALL_BYTES_MAX).min(CALL_BYTES_MAX)
}

/// The transfers of one call on one ring. They stay in their slots until the kernel is through with their memory; dropping
/// the flight (also by a panic of a write source) waits for those still under way.
struct Flight<'r, T: Transfer> {
    ring: &'r mut IoUring,
    file: RawFd,
    slots: Vec<Option<T>>,
    free: Vec<usize>,
    finished: Vec<(T, io::Result<()>)>,
}

impl<T: Transfer> Flight<'_, T> {
    fn has_room(&self) -> bool {
        !self.free.is_empty()
    }

    fn is_empty(&self) -> bool {
        self.free.len() == self.slots.len() && self.finished.is_empty()
    }

    /// Puts a transfer in flight. Only with room.
    fn start(&mut self, transfer: T) {
        match self.free.pop() {
            Some(slot) => self.issue(slot, transfer),
            None => self.finished.push((transfer, Err(io::ErrorKind::ResourceBusy.into()))),
        }
    }

    fn issue(&mut self, slot: usize, mut transfer: T) {
        let entry = transfer.entry(types::Fd(self.file)).user_data(slot as u64);
        // SAFETY: the entry points into memory that `transfer` owns or borrows exclusively and that does not move with it
        // (see `Transfer::entry`); `transfer` goes into its slot right below and leaves it only when the kernel has
        // answered. The file stays open as long as the `UringIo` that made this flight.
        let pushed = unsafe { self.ring.submission().push(&entry) };
        match pushed {
            Ok(()) => self.slots[slot] = Some(transfer),
            // Not reachable while depth ≤ entries, for each transfer has at most one entry in the queue.
            Err(_) => {
                self.free.push(slot);
                self.finished.push((transfer, Err(io::ErrorKind::ResourceBusy.into())));
            }
        }
    }

    /// Submits what was started, waits until at least one call is answered, and moves what is complete to `finished`.
    fn wait(&mut self) {
        if self.free.len() == self.slots.len() {
            return;
        }
        match self.ring.submit_and_wait(1) {
            Ok(_) => {}
            // Interrupted, or the completion queue wants emptying first: go on with what has been answered.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock | io::ErrorKind::ResourceBusy
                ) => {}
            // The kernel still holds pointers into memory whose owners expect it back, and will not say when it is done.
            Err(_) => std::process::abort(),
        }
        let answers: Vec<_> =
            self.ring.completion().map(|entry| (entry.user_data(), entry.result())).collect();
        for (slot, result) in answers {
            self.take_answer(slot, result);
        }
    }

    fn take_answer(&mut self, slot: u64, result: i32) {
        let Ok(slot) = usize::try_from(slot) else { return };
        let Some(mut transfer) = self.slots.get_mut(slot).and_then(Option::take) else { return };
        let outcome = usize::try_from(result).map_err(|_| io::Error::from_raw_os_error(-result));
        match transfer.progress().step(outcome) {
            Step::Again => self.issue(slot, transfer),
            Step::Finished => self.end(slot, transfer, Ok(())),
            Step::Failed(error) => self.end(slot, transfer, Err(error)),
        }
    }

    fn end(&mut self, slot: usize, transfer: T, outcome: io::Result<()>) {
        self.free.push(slot);
        self.finished.push((transfer, outcome));
    }
}

impl<T: Transfer> Drop for Flight<'_, T> {
    fn drop(&mut self) {
        while self.free.len() < self.slots.len() {
            self.wait();
        }
    }
}
