//! How fast a disk takes windows and gives chunks, through the same block I/O that the jobs use.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use holdfast_partition::io::{
    AlignedBuffer, BlockIo, BufferPool, IoError, NextWrite, ReadRequest, WriteRequest, WriteSource,
};
use serde::Serialize;

use super::real;
use crate::transcript::{Context, Stream};
use crate::tree::BLOCK_BYTES;

/// Bytes of one write, as large as a tile of a fill.
const WRITE_BYTES: usize = 1 << 20;
/// Reads of one audit: as many as the default policy's samples.
const AUDIT_READS: usize = 64;

/// What a disk gives.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DiskRate {
    /// The block I/O back end.
    pub io: &'static str,
    /// Requests in flight.
    pub queue_depth: usize,
    /// Bytes written and made durable per second, sequentially.
    pub write_bytes_per_second: f64,
    /// Random reads of a block (16 KiB) per second, at this depth.
    pub reads_per_second: f64,
    /// Median time of one random read alone, in seconds.
    pub read_seconds_median: f64,
    /// The slowest of a hundred random reads alone, in seconds.
    pub read_seconds_p99: f64,
    /// Median time of the 64 random reads of one space answer, in seconds.
    pub audit_seconds_median: f64,
}

/// Measures a file that may be overwritten. It is made `file_bytes` long (rounded down to whole mebibytes, at least 64);
/// writing and each of the two readings take about `span`.
pub fn measure_disk(
    io: &dyn BlockIo,
    file_bytes: u64,
    queue_depth: usize,
    span: Duration,
) -> Result<DiskRate, IoError> {
    let file_bytes = (file_bytes / WRITE_BYTES as u64).max(64) * WRITE_BYTES as u64;
    let write_bytes_per_second = measure_writes(io, file_bytes, queue_depth, span)?;
    let mut places = Places::new(file_bytes);
    let mut alone = time_reads(io, &mut places, 1, 1, span)?;
    let mut audits = time_reads(io, &mut places, AUDIT_READS, queue_depth, span)?;
    let audit_seconds_median = quantile(&mut audits, 0.5);
    let audit_seconds: f64 = audits.iter().sum();
    Ok(DiskRate {
        io: io.name(),
        queue_depth,
        write_bytes_per_second,
        reads_per_second: real((audits.len() * AUDIT_READS) as u64) / audit_seconds,
        read_seconds_median: quantile(&mut alone, 0.5),
        read_seconds_p99: quantile(&mut alone, 0.99),
        audit_seconds_median,
    })
}

/// Sequential writes through [`BlockIo::pump`], sync included. The whole file is written at least once, since reads of
/// blocks that were never written would not touch the disk.
pub fn measure_writes(
    io: &dyn BlockIo,
    file_bytes: u64,
    queue_depth: usize,
    span: Duration,
) -> Result<f64, IoError> {
    io.preallocate(0, file_bytes, &mut |_| true)?;
    let pool = BufferPool::new(queue_depth.max(2), WRITE_BYTES)?;
    let started = Instant::now();
    let mut written = 0;
    while written == 0 || started.elapsed() < span {
        let source = Sequential { pool: &pool, file_bytes, state: Mutex::new((0, Ok(()))) };
        io.pump(&pool, &source, queue_depth);
        source.state.into_inner().unwrap_or_else(PoisonError::into_inner).1?;
        io.sync()?;
        written += file_bytes;
    }
    Ok(real(written) / started.elapsed().as_secs_f64())
}

/// Writes a file from its start to its end.
struct Sequential<'p> {
    pool: &'p BufferPool,
    file_bytes: u64,
    /// The next offset, and the first failure.
    state: Mutex<(u64, Result<(), IoError>)>,
}

impl WriteSource for Sequential<'_> {
    fn next(&self, _: bool) -> NextWrite {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let offset = state.0;
        if offset >= self.file_bytes || state.1.is_err() {
            return NextWrite::Closed;
        }
        // As many buffers as requests in flight: one is free whenever another write may start.
        let Some(mut buffer) = self.pool.take() else { return NextWrite::Closed };
        state.0 += WRITE_BYTES as u64;
        // Not zeros, which some disks do not store.
        buffer.iter_mut().step_by(512).for_each(|byte| *byte = byte.wrapping_add(0x5b));
        NextWrite::Ready(WriteRequest { offset, buffer, tag: offset })
    }

    fn done(&self, request: WriteRequest, result: Result<(), IoError>) {
        drop(request);
        if result.is_err() {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.1 = state.1.clone().and(result);
        }
    }
}

/// Random blocks of the file.
struct Places {
    stream: Stream,
    blocks: u64,
}

impl Places {
    fn new(file_bytes: u64) -> Places {
        let now = Instant::now();
        // Other places in every run, so that no cache knows them.
        let seed = format!("{now:?} {}", std::process::id());
        Places {
            stream: Context::SPACE_CHUNKS.stream(&[seed.as_bytes()]),
            blocks: file_bytes / BLOCK_BYTES as u64,
        }
    }

    fn next(&mut self) -> u64 {
        self.stream.below(self.blocks) * BLOCK_BYTES as u64
    }
}

/// Seconds of batches of `count` random reads, for about `span`.
fn time_reads(
    io: &dyn BlockIo,
    places: &mut Places,
    count: usize,
    queue_depth: usize,
    span: Duration,
) -> Result<Vec<f64>, IoError> {
    let mut buffer = AlignedBuffer::zeroed(count * BLOCK_BYTES)?;
    let mut seconds = Vec::new();
    let started = Instant::now();
    while seconds.len() < 3 || started.elapsed() < span {
        let mut requests: Vec<ReadRequest<'_>> =
            buffer.chunks_mut(BLOCK_BYTES).map(|block| ReadRequest::new(places.next(), block)).collect();
        requests.sort_by_key(|request| request.offset);
        let batch_started = Instant::now();
        io.read_batch(&mut requests, queue_depth);
        seconds.push(batch_started.elapsed().as_secs_f64());
        requests.into_iter().try_for_each(|request| request.result)?;
    }
    Ok(seconds)
}

/// The value below which this share of the values lies; infinite for none.
fn quantile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // an index into the values
    let index = (real(values.len() as u64) * share) as usize;
    values.get(index.min(values.len().saturating_sub(1))).copied().unwrap_or(f64::INFINITY)
}

#[cfg(test)]
mod tests {
    use super::*;
    use holdfast_partition::io::{Access, OpenOptions, open};

    #[test]
    fn quantiles_of_few_values() {
        assert_eq!(quantile(&mut [3.0, 1.0, 2.0], 0.5), 2.0);
        assert_eq!(quantile(&mut [3.0, 1.0, 2.0], 0.99), 3.0);
        assert_eq!(quantile(&mut [], 0.5), f64::INFINITY);
    }

    #[test]
    fn a_real_file_is_written_whole_and_read() {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let options = OpenOptions::new(Access::CreateNew);
        let opened = open(&folder.path().join("bench"), &options).expect("opens");
        let rate = measure_disk(opened.io.as_ref(), 1, 4, Duration::from_millis(1)).expect("measures");
        assert!(rate.write_bytes_per_second > 0.0 && rate.reads_per_second > 0.0);
        assert!(rate.read_seconds_p99 >= rate.read_seconds_median);
        assert_eq!(opened.io.len_bytes().expect("a length"), 64 << 20);
    }
}
