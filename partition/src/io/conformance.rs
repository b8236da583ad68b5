//! The laws of [`BlockIo`], run over every back end, and flawed back ends that the laws must catch.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Condvar, Mutex};

use super::*;

mod flaws;

/// Deterministic bytes, different for each seed.
pub(super) fn noise(seed: u64, length: usize) -> AlignedBuffer {
    let mut buffer = AlignedBuffer::zeroed(length).unwrap();
    blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(&mut buffer);
    buffer
}

fn read(io: &dyn BlockIo, offset: u64, length: usize) -> AlignedBuffer {
    let mut buffer = noise(u64::MAX, length);
    io.read_at(offset, &mut buffer).unwrap();
    buffer
}

fn same(found: &[u8], expected: &[u8], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}: length");
    let wrong = found.iter().zip(expected).position(|(found, expected)| found != expected);
    assert_eq!(wrong, None, "{what}: first wrong byte");
}

const PAGE: u64 = PAGE_BYTES as u64;

/// All laws, on an empty file.
pub(super) fn conform(io: &dyn BlockIo) {
    single_transfers(io);
    refusals(io);
    batches(io);
    pumps(io);
    a_source_that_waits_for_its_own_writes(io);
    reads_during_a_pump(io);
    lengths(io);
    space(io);
}

fn single_transfers(io: &dyn BlockIo) {
    assert_eq!(io.len_bytes().unwrap(), 0);
    // One page, two, an odd number, and more than any system call takes at once in one piece of a pipe or bio (1 MiB).
    for (seed, (offset, pages)) in [(0, 1), (1, 2), (3, 13), (16, 300), (2, 1)].into_iter().enumerate() {
        let bytes = noise(seed as u64, pages * PAGE_BYTES);
        io.write_at(offset * PAGE, &bytes).unwrap();
        same(&read(io, offset * PAGE, bytes.len()), &bytes, "what was written");
    }
    assert_eq!(io.len_bytes().unwrap(), 316 * PAGE);
    // Page 2 was written over, its neighbours were not.
    same(&read(io, 0, PAGE_BYTES), &noise(0, PAGE_BYTES), "page 0");
    same(&read(io, PAGE, PAGE_BYTES), &noise(1, PAGE_BYTES), "page 1");
    same(&read(io, 3 * PAGE, PAGE_BYTES), &noise(2, PAGE_BYTES), "page 3");
    io.sync().unwrap();
    // A gap reads as zeros.
    io.write_at(400 * PAGE, &noise(5, PAGE_BYTES)).unwrap();
    same(&read(io, 316 * PAGE, 84 * PAGE_BYTES), &vec![0; 84 * PAGE_BYTES], "the gap");
}

fn refusals(io: &dyn BlockIo) {
    let length = io.len_bytes().unwrap();
    let mut two = noise(1, 2 * PAGE_BYTES);
    let unaligned = |result: Result<(), IoError>| {
        assert!(matches!(result, Err(IoError::Unaligned { .. })), "{result:?}");
    };
    for offset in [1, 512, PAGE - 1, PAGE + 512, u64::MAX - PAGE + 1] {
        unaligned(io.read_at(offset, &mut two));
        unaligned(io.write_at(offset, &two));
    }
    unaligned(io.read_at(0, &mut two[..512]));
    unaligned(io.write_at(0, &two[..512]));
    unaligned(io.read_at(0, &mut []));
    unaligned(io.write_at(0, &two[..0]));
    // Aligned offset and length at an address that direct I/O refuses.
    unaligned(io.read_at(0, &mut two[512..512 + PAGE_BYTES]));
    unaligned(io.write_at(0, &two[512..512 + PAGE_BYTES]));
    unaligned(io.set_len(PAGE + 1));
    unaligned(io.punch_hole(512, PAGE));
    unaligned(io.preallocate(0, 0, &mut |_| true));
    for offset in [length, length - PAGE, length + 100 * PAGE, 1 << 40] {
        let result = io.read_at(offset, &mut two);
        assert!(matches!(result, Err(IoError::PastEnd { .. })), "{result:?}");
    }
    assert_eq!(io.len_bytes().unwrap(), length, "a refused call changed the length");
}

fn batches(io: &dyn BlockIo) {
    let pages = 97;
    let bytes = noise(7, pages * PAGE_BYTES);
    io.write_at(0, &bytes).unwrap();
    let end = io.len_bytes().unwrap();
    for depth in [0, 1, 3, 32, 100_000] {
        let mut buffers: Vec<_> = (0..pages).map(|_| AlignedBuffer::zeroed(PAGE_BYTES).unwrap()).collect();
        let mut requests: Vec<_> = buffers
            .iter_mut()
            .enumerate()
            .map(|(place, buffer)| ReadRequest::new((place * 31 % pages) as u64 * PAGE, buffer))
            .collect();
        // Bad requests in the middle must not spoil the others.
        requests[10].offset = end;
        requests[50].offset = 100;
        io.read_batch(&mut requests, depth);
        for (place, request) in requests.into_iter().enumerate() {
            match place {
                10 => assert!(matches!(request.result, Err(IoError::PastEnd { .. })), "{:?}", request.result),
                50 => {
                    assert!(matches!(request.result, Err(IoError::Unaligned { .. })), "{:?}", request.result);
                }
                _ => {
                    request.result.unwrap();
                    let start = place * 31 % pages * PAGE_BYTES;
                    same(request.buffer, &bytes[start..start + PAGE_BYTES], "a batch read");
                }
            }
        }
    }
    io.read_batch(&mut [], 4);
}

/// Hands out a list of writes and notes how each ended.
struct Listed {
    state: Mutex<ListedState>,
    ended: Condvar,
    /// Wait for the write before each write, so that a pump that waits with one in flight hangs.
    one_by_one: bool,
}

#[derive(Default)]
struct ListedState {
    waiting: Vec<WriteRequest>,
    in_flight: usize,
    most_in_flight: usize,
    results: Vec<(u64, Result<(), IoError>)>,
}

impl Listed {
    fn new(mut waiting: Vec<WriteRequest>, one_by_one: bool) -> Self {
        waiting.reverse();
        let state = ListedState { waiting, ..ListedState::default() };
        Self { state: Mutex::new(state), ended: Condvar::new(), one_by_one }
    }
}

impl WriteSource for Listed {
    fn next(&self, wait: bool) -> NextWrite {
        let mut state = self.state.lock().unwrap();
        if self.one_by_one && state.in_flight > 0 {
            if !wait {
                return NextWrite::Empty;
            }
            state = self.ended.wait_while(state, |state| state.in_flight > 0).unwrap();
        }
        let Some(request) = state.waiting.pop() else { return NextWrite::Closed };
        state.in_flight += 1;
        state.most_in_flight = state.most_in_flight.max(state.in_flight);
        NextWrite::Ready(request)
    }

    fn done(&self, request: WriteRequest, result: Result<(), IoError>) {
        let mut state = self.state.lock().unwrap();
        state.in_flight -= 1;
        state.results.push((request.tag, result));
        self.ended.notify_all();
    }
}

fn write_bytes(tag: u64) -> usize {
    [1, 2, 3, 4].into_iter().cycle().nth(usize::try_from(tag).unwrap()).unwrap() * PAGE_BYTES
}

/// Forty writes of one to four pages from the pool, one by a buffer of its own, and one that is refused.
fn writes(pool: &BufferPool) -> Vec<WriteRequest> {
    (0..42u64)
        .map(|tag| {
            let length = write_bytes(tag);
            let mut buffer =
                if tag == 20 { AlignedBuffer::zeroed(length).unwrap() } else { pool.take().unwrap() };
            buffer.set_length(length).unwrap();
            buffer.copy_from_slice(&noise(1000 + tag, length));
            let offset = tag * 4 * PAGE + if tag == 30 { 512 } else { 0 };
            WriteRequest { offset, buffer, tag }
        })
        .collect()
}

fn pumps(io: &dyn BlockIo) {
    for depth in [0, 1, 2, 16, 100_000] {
        io.set_len(0).unwrap();
        let pool = BufferPool::new(42, 4 * PAGE_BYTES).unwrap();
        let source = Listed::new(writes(&pool), false);
        io.pump(&pool, &source, depth);
        assert_eq!(pool.free(), 42, "buffers did not come back");
        let mut state = source.state.into_inner().unwrap();
        assert_eq!((state.waiting.len(), state.in_flight), (0, 0));
        assert!(state.most_in_flight <= depth.max(1), "{} in flight", state.most_in_flight);
        state.results.sort_by_key(|&(tag, _)| tag);
        assert!(state.results.iter().map(|&(tag, _)| tag).eq(0..42), "each write ends once");
        for (tag, result) in state.results {
            if tag == 30 {
                assert!(matches!(result, Err(IoError::Unaligned { .. })), "{result:?}");
                continue;
            }
            result.unwrap();
            let bytes = noise(1000 + tag, write_bytes(tag));
            same(&read(io, tag * 4 * PAGE, bytes.len()), &bytes, "a pumped write");
        }
    }
}

fn a_source_that_waits_for_its_own_writes(io: &dyn BlockIo) {
    let pool = BufferPool::new(42, 4 * PAGE_BYTES).unwrap();
    let source = Listed::new(writes(&pool), true);
    io.pump(&pool, &source, 8);
    assert_eq!(source.state.into_inner().unwrap().results.len(), 42);
}

fn reads_during_a_pump(io: &dyn BlockIo) {
    let quiet = noise(77, 8 * PAGE_BYTES);
    io.write_at(1000 * PAGE, &quiet).unwrap();
    let pool = BufferPool::new(42, 4 * PAGE_BYTES).unwrap();
    let source = Listed::new(writes(&pool), false);
    std::thread::scope(|scope| {
        scope.spawn(|| io.pump(&pool, &source, 4));
        for _ in 0..20 {
            let mut buffers: Vec<_> = (0..8).map(|_| AlignedBuffer::zeroed(PAGE_BYTES).unwrap()).collect();
            let mut requests: Vec<_> = (1000..)
                .zip(&mut buffers)
                .map(|(page, buffer)| ReadRequest::new(page * PAGE, buffer))
                .collect();
            io.read_batch(&mut requests, 4);
            for (request, expected) in requests.into_iter().zip(quiet.chunks(PAGE_BYTES)) {
                request.result.unwrap();
                same(request.buffer, expected, "a read during a pump");
            }
        }
    });
}

fn lengths(io: &dyn BlockIo) {
    io.set_len(8 * PAGE).unwrap();
    io.write_at(0, &noise(3, 8 * PAGE_BYTES)).unwrap();
    io.set_len(2 * PAGE).unwrap();
    assert_eq!(io.len_bytes().unwrap(), 2 * PAGE);
    assert!(matches!(io.read_at(2 * PAGE, &mut noise(0, PAGE_BYTES)), Err(IoError::PastEnd { .. })));
    io.set_len(8 * PAGE).unwrap();
    same(&read(io, 0, 2 * PAGE_BYTES), &noise(3, 8 * PAGE_BYTES)[..2 * PAGE_BYTES], "the kept part");
    same(&read(io, 2 * PAGE, 6 * PAGE_BYTES), &vec![0; 6 * PAGE_BYTES], "what was cut off and came back");
}

fn space(io: &dyn BlockIo) {
    let bytes = noise(4, 8 * PAGE_BYTES);
    io.set_len(8 * PAGE).unwrap();
    io.write_at(0, &bytes).unwrap();
    let mut told = Vec::new();
    io.preallocate(4 * PAGE, 60 * PAGE, &mut |reserved| {
        told.push(reserved);
        true
    })
    .unwrap();
    assert!(told.is_sorted() && told.first() == Some(&0) && told.last() == Some(&(60 * PAGE)), "{told:?}");
    assert_eq!(io.len_bytes().unwrap(), 64 * PAGE);
    io.preallocate(0, PAGE, &mut |_| true).unwrap();
    assert_eq!(io.len_bytes().unwrap(), 64 * PAGE, "reserving inside the file cut it");
    same(&read(io, 0, bytes.len()), &bytes, "bytes in reserved space");
    same(&read(io, 8 * PAGE, 56 * PAGE_BYTES), &vec![0; 56 * PAGE_BYTES], "reserved space");
    assert!(matches!(io.preallocate(0, PAGE, &mut |_| false), Err(IoError::Cancelled)));

    io.punch_hole(2 * PAGE, 3 * PAGE).unwrap();
    same(&read(io, 0, 2 * PAGE_BYTES), &bytes[..2 * PAGE_BYTES], "before the hole");
    same(&read(io, 2 * PAGE, 3 * PAGE_BYTES), &vec![0; 3 * PAGE_BYTES], "the hole");
    same(&read(io, 5 * PAGE, 3 * PAGE_BYTES), &bytes[5 * PAGE_BYTES..], "after the hole");
    assert!(matches!(io.punch_hole(63 * PAGE, 2 * PAGE), Err(IoError::PastEnd { .. })));
    assert_eq!(io.len_bytes().unwrap(), 64 * PAGE);
    io.sync().unwrap();
}

/// Says that something could not be tested here; a failure when `HOLDFAST_REQUIRE` names it.
pub(super) fn absent(name: &str, why: &str) {
    let required = std::env::var("HOLDFAST_REQUIRE").unwrap_or_default();
    assert!(
        !required.split(',').any(|required| required.trim() == name),
        "{name} is required and ABSENT({why})"
    );
    eprintln!("{name}: ABSENT({why})");
}

/// A real file through `choice`, then what another handle and the plain file system see of it.
fn conform_file(choice: IoChoice) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file");
    let options = OpenOptions { depth: 16, ..OpenOptions::new(Access::CreateNew) }.with_choice(choice);
    let opened = match open(&path, &options) {
        Err(IoError::Unsupported { backend, reason }) => return absent(backend, &reason),
        opened => opened.unwrap(),
    };
    if !opened.direct && matches!(choice, IoChoice::Uring | IoChoice::Pread) {
        absent("direct", &opened.notes.join("; "));
    }
    conform(&*opened.io);
    let length = usize::try_from(opened.io.len_bytes().unwrap()).unwrap();
    let bytes = fs::read(&path).unwrap();
    same(&bytes, &read(&*opened.io, 0, length), "the plain file");
    let reader = open(&path, &OpenOptions::new(Access::ReadOnly).with_choice(choice)).unwrap();
    same(&bytes, &read(&*reader.io, 0, length), "a second handle");
    assert!(matches!(reader.io.write_at(0, &noise(0, PAGE_BYTES)), Err(IoError::ReadOnly { .. })));
    assert!(matches!(reader.io.set_len(0), Err(IoError::ReadOnly { .. })));
    assert_eq!(fs::read(&path).unwrap(), bytes);
}

#[test]
fn memory_conforms() {
    conform(&MemoryIo::new());
}

#[test]
fn faulty_without_faults_conforms() {
    conform(&FaultyIo::new(faulty::Faults::default()));
}

#[test]
fn pread_conforms() {
    conform_file(IoChoice::Pread);
}

#[test]
fn buffered_conforms() {
    conform_file(IoChoice::Buffered);
}

#[test]
fn mmap_conforms() {
    conform_file(IoChoice::Mmap);
}

#[test]
fn uring_conforms() {
    conform_file(IoChoice::Uring);
}

#[test]
fn uring_through_the_page_cache_conforms() {
    // tmpfs takes other paths in the kernel than a disk, and may refuse direct I/O.
    let Ok(directory) = tempfile::tempdir_in(Path::new("/dev/shm")) else {
        return absent("tmpfs", "no /dev/shm to write to");
    };
    let options = OpenOptions::new(Access::CreateNew).with_choice(IoChoice::Uring);
    match open(&directory.path().join("file"), &options) {
        Err(IoError::Unsupported { backend, reason }) => absent(backend, &reason),
        opened => conform(&*opened.unwrap().io),
    }
}

/// Panics when the first write has ended, with others still in flight.
struct Panicking(Listed);

impl WriteSource for Panicking {
    fn next(&self, wait: bool) -> NextWrite {
        self.0.next(wait)
    }

    fn done(&self, request: WriteRequest, result: Result<(), IoError>) {
        self.0.done(request, result);
        panic!("as planned");
    }
}

#[test]
fn a_panicking_source_leaves_no_write_under_way() {
    // If the ring let go of buffers that the kernel still reads, their next owner would scribble into the file.
    let directory = tempfile::tempdir().unwrap();
    for choice in [IoChoice::Uring, IoChoice::Pread] {
        let options = OpenOptions::new(Access::CreateNew).with_choice(choice);
        let io = match open(&directory.path().join(choice.name()), &options) {
            Err(IoError::Unsupported { backend, reason }) => {
                absent(backend, &reason);
                continue;
            }
            opened => opened.unwrap().io,
        };
        let pool = BufferPool::new(42, 4 * PAGE_BYTES).unwrap();
        let source = Panicking(Listed::new(writes(&pool), false));
        let outcome = catch_unwind(AssertUnwindSafe(|| io.pump(&pool, &source, 16)));
        assert!(outcome.is_err(), "{choice}: the panic was swallowed");
        drop(source);
        assert_eq!(pool.free(), 42, "{choice}: buffers did not come back");
        // The handle still works.
        pumps(&*io);
    }
}
