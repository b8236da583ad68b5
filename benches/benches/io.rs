//! Sequential writes by pump and scattered reads by batch, over every way of doing I/O and over memory.
//!
//! Bound: the disk (memory shows what the calls themselves cost). Temporary files lie where `TMPDIR` says; through the page
//! cache (`buffered`, `mmap`) the reads never reach the disk. Each read batch is checked against the bytes written.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Mutex};

use criterion::{
    BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main, measurement::WallTime,
};
use holdfast_partition::io::{
    Access, AlignedBuffer, BlockIo, BufferPool, IoChoice, IoError, MemoryIo, NextWrite, OpenOptions,
    ReadRequest, WriteRequest, WriteSource, open,
};

const BUFFER_BYTES: usize = 1 << 20;
const BUFFERS: usize = 32;
const FILE_BYTES: usize = BUFFERS * BUFFER_BYTES;
const WRITE_DEPTH: usize = 8;
const READS: usize = 64;
const READ_BYTES: usize = 16 << 10;
const READ_DEPTH: usize = 32;

/// Writes that hand their buffers out again: no bytes are made while the clock runs.
struct Sequential {
    waiting: Mutex<VecDeque<WriteRequest>>,
    ended: Mutex<Vec<WriteRequest>>,
}

impl Sequential {
    fn new(pool: &BufferPool) -> Self {
        let request = |index: usize| {
            let mut buffer = pool.take().expect("as many as are taken");
            fill(index, &mut buffer);
            WriteRequest { offset: (index * BUFFER_BYTES) as u64, buffer, tag: index as u64 }
        };
        Self { waiting: Mutex::new((0..BUFFERS).map(request).collect()), ended: Mutex::default() }
    }

    /// Makes all writes wait again.
    fn again(&self) {
        let mut ended = std::mem::take(&mut *self.ended.lock().expect("no panic"));
        assert_eq!(ended.len(), BUFFERS);
        ended.sort_by_key(|request| request.tag);
        self.waiting.lock().expect("no panic").extend(ended);
    }
}

impl WriteSource for Sequential {
    fn next(&self, _: bool) -> NextWrite {
        self.waiting.lock().expect("no panic").pop_front().map_or(NextWrite::Closed, NextWrite::Ready)
    }

    fn done(&self, request: WriteRequest, result: Result<(), IoError>) {
        result.expect("written");
        self.ended.lock().expect("no panic").push(request);
    }
}

/// The bytes of one buffer of the file.
fn fill(index: usize, buffer: &mut [u8]) {
    blake3::Hasher::new().update(&index.to_le_bytes()).finalize_xof().fill(buffer);
}

/// Offsets of a batch: one in each of 64 equal parts of the file, in no order, different for each round.
fn offsets(round: usize) -> impl Iterator<Item = usize> {
    let part = FILE_BYTES / READS;
    (0..READS).map(move |place| {
        let within = (round * 7 + place * 13) % (part / READ_BYTES) * READ_BYTES;
        place * 37 % READS * part + within
    })
}

fn read_batch(io: &dyn BlockIo, buffer: &mut AlignedBuffer, round: usize) {
    let mut requests: Vec<_> = offsets(round)
        .zip(buffer.chunks_mut(READ_BYTES))
        .map(|(offset, bytes)| ReadRequest::new(offset as u64, bytes))
        .collect();
    io.read_batch(&mut requests, READ_DEPTH);
    assert!(requests.iter().all(|request| request.result.is_ok()));
}

fn check(io: &dyn BlockIo, buffer: &mut AlignedBuffer) {
    read_batch(io, buffer, 0);
    let mut expected = vec![0; BUFFER_BYTES];
    for (offset, found) in offsets(0).zip(buffer.chunks(READ_BYTES)) {
        fill(offset / BUFFER_BYTES, &mut expected);
        let start = offset % BUFFER_BYTES;
        assert!(*found == expected[start..start + READ_BYTES], "wrong bytes at {offset}");
    }
}

/// Every back end present over a new file in `directory`, with its name.
fn backends(directory: &Path) -> Vec<(&'static str, Arc<dyn BlockIo>)> {
    let mut found: Vec<(_, Arc<dyn BlockIo>)> = vec![("memory", Arc::new(MemoryIo::new()))];
    for choice in IoChoice::ALL.into_iter().filter(|&choice| choice != IoChoice::Auto) {
        let options = OpenOptions::new(Access::CreateNew).with_choice(choice);
        match open(&directory.join(choice.name()), &options) {
            Ok(opened) => {
                opened.notes.iter().for_each(|note| eprintln!("{choice}: {note}"));
                found.push((choice.name(), opened.io));
            }
            Err(why) => eprintln!("{choice}: ABSENT({why})"),
        }
    }
    found
}

fn bench(criterion: &mut Criterion) {
    let directory = tempfile::tempdir().expect("a directory");
    let backends = backends(directory.path());
    let pool = BufferPool::new(BUFFERS, BUFFER_BYTES).expect("memory");
    let source = Sequential::new(&pool);
    let mut writes = start_group(criterion, "io/sequential write and sync", FILE_BYTES);
    for (name, io) in &backends {
        io.preallocate(0, FILE_BYTES as u64, &mut |_| true).expect("space");
        writes.bench_function(*name, |bencher| {
            bencher.iter(|| {
                io.pump(&pool, &source, WRITE_DEPTH);
                io.sync().expect("synced");
                source.again();
            });
        });
    }
    writes.finish();
    let mut buffer = AlignedBuffer::zeroed(READS * READ_BYTES).expect("memory");
    let mut reads = start_group(criterion, "io/64 scattered reads of 16 KiB", READS * READ_BYTES);
    for (name, io) in &backends {
        check(&**io, &mut buffer);
        let mut round = 0;
        reads.bench_function(*name, |bencher| {
            bencher.iter(|| {
                round += 1;
                read_batch(&**io, &mut buffer, round);
            });
        });
    }
    reads.finish();
}

fn start_group<'c>(criterion: &'c mut Criterion, name: &str, bytes: usize) -> BenchmarkGroup<'c, WallTime> {
    let mut group = criterion.benchmark_group(name);
    group.sample_size(10).throughput(Throughput::Bytes(bytes as u64));
    group
}

criterion_group!(benches, bench);
criterion_main!(benches);
