//! Committing to an object that is stored: every block is read back and checked, committed to, and the whole table passes the
//! store-time check before anybody sees it.
//!
//! Points that are done are kept in a file beside, so a job that was broken off goes on where it was. That file is not
//! trusted: the store-time check covers what was read from it, and if it fails, all is computed anew.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::Serialize;
use thiserror::Error;

use super::control::{Cancelled, Control};
use super::progress::{Meter, Watcher};
use crate::object::{ObjectError, ObjectReader};
use crate::possession::Replica;
use crate::possession::blinding::BlindingKey;
use crate::possession::check::{Accumulator, CheckFailure};
use crate::possession::commit::Committer;
use crate::possession::commitment_table::{CHUNK_POINTS, CommitmentTable};
use crate::rejection::Rejection;
use crate::tree::{BLOCK_BYTES, CHUNK_BYTES};

/// Blocks that a thread commits to between two looks at the control: about a second of work on a slow core.
const BLOCKS_PER_THREAD: usize = 160;
const _: () = assert!(BLOCKS_PER_THREAD.is_multiple_of(CHUNK_POINTS), "whole chunks of the table");

/// What to commit to, and with what.
#[derive(Clone, Copy, Debug)]
pub struct CommitOptions<'a> {
    /// The object.
    pub object: &'a ObjectReader,
    /// Which copy of it.
    pub replica: &'a Replica,
    /// What blinds the commitments.
    pub key: &'a BlindingKey,
    /// Who computes them.
    pub committer: &'a Committer<'a>,
    /// Where points are kept that are done; the caller deletes it once the table is durable.
    pub partial: &'a Path,
    /// For progress.
    pub place: &'a str,
}

/// What a job did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct CommitReport {
    /// Bytes of the object.
    pub bytes: u64,
    /// Blocks that were committed to in this run.
    pub blocks_committed: u64,
    /// Of these: by accelerators.
    pub blocks_accelerated: u64,
    /// Blocks that an accelerator failed at and the processor committed to.
    pub blocks_redone: u64,
    /// Blocks whose commitments an earlier run had kept.
    pub blocks_kept: u64,
    /// Time of the whole.
    pub seconds: f64,
    /// Of which: computing commitments.
    pub commit_seconds: f64,
    /// Of which: the store-time check, its pass over the bytes and its equation.
    pub check_seconds: f64,
}

/// Why an object was not committed to.
#[derive(Debug, Error)]
pub enum CommitError {
    /// The object cannot be read, or is damaged.
    #[error(transparent)]
    Object(#[from] ObjectError),
    /// The points that are done cannot be kept.
    #[error("{path}: {source}")]
    Partial {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// Points that were computed here and now do not pass the store-time check.
    #[error(
        "the commitments that this machine computed are wrong ({0}): do not trust its memory or processor"
    )]
    Miscomputed(Rejection),
    /// The operating system gives no randomness.
    #[error("no randomness from the operating system: {0}")]
    Randomness(#[from] getrandom::Error),
    /// Stopped on request; what is done is kept.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

/// The table of an object's commitments, which has passed the store-time check. With all threads of the pool that the
/// caller is in.
///
/// # Errors
/// [`CommitError`].
pub fn commit(
    options: &CommitOptions<'_>,
    control: &Control,
    watcher: &dyn Watcher,
) -> Result<(CommitmentTable, CommitReport), CommitError> {
    let started = Instant::now();
    let mut kept = options.read_partial();
    loop {
        let mut report = CommitReport { bytes: options.object.length(), ..CommitReport::default() };
        let resumed = !kept.is_empty();
        match options.run(kept, control, watcher, &mut report)? {
            Ok(table) => {
                report.seconds = started.elapsed().as_secs_f64();
                return Ok((table, report));
            }
            Err(rejection) if !resumed => return Err(CommitError::Miscomputed(rejection)),
            // What was kept was not what this job would have computed.
            Err(_) => kept = Vec::new(),
        }
    }
}

impl CommitOptions<'_> {
    /// Chunks of the table that an earlier run kept, all of them full.
    fn read_partial(&self) -> Vec<u8> {
        let full_chunks = self.replica.blocks() / CHUNK_POINTS as u64;
        let mut bytes = Vec::new();
        // No file, or one that cannot be read: then nothing is done yet.
        if let Ok(file) = File::open(self.partial) {
            let _ = file.take(full_chunks * CHUNK_BYTES as u64).read_to_end(&mut bytes);
        }
        bytes.truncate(bytes.len() / CHUNK_BYTES * CHUNK_BYTES);
        bytes
    }

    /// One pass over the object; the inner error is that of the store-time check.
    fn run(
        &self,
        mut table: Vec<u8>,
        control: &Control,
        watcher: &dyn Watcher,
        report: &mut CommitReport,
    ) -> Result<Result<CommitmentTable, Rejection>, CommitError> {
        let mut partial = self.begin_partial(&table)?;
        let kept = (table.len() / CHUNK_BYTES * CHUNK_POINTS) as u64;
        let blocks = self.replica.blocks();
        report.blocks_kept = kept;
        let kept_bytes = (kept * BLOCK_BYTES as u64).min(report.bytes);
        let meter = Meter::new(watcher, "commit", self.place.to_owned(), kept_bytes, report.bytes);
        let mut accumulator = Accumulator::new()?;
        let tile = BLOCKS_PER_THREAD * rayon::current_num_threads() + self.committer.blocks_wanted();
        let tile = tile.next_multiple_of(CHUNK_POINTS) as u64;
        let mut first = 0;
        let mut bytes = Vec::new();
        while first < blocks {
            let last = (first + tile).min(blocks);
            // Tiles end where the kept blocks do.
            let last = if first < kept { last.min(kept) } else { last };
            self.read(first..last, &mut bytes)?;
            control.spend(bytes.len() as u64)?;
            let clock = Instant::now();
            accumulator.update(&bytes);
            report.check_seconds += clock.elapsed().as_secs_f64();
            if first >= kept {
                let clock = Instant::now();
                let start = table.len();
                self.append_points(first, &bytes, &mut table);
                report.commit_seconds += clock.elapsed().as_secs_f64();
                report.blocks_committed += last - first;
                let shares = self.committer.take_shares();
                report.blocks_accelerated += shares.accelerated_blocks;
                report.blocks_redone += shares.redone_blocks;
                shares.notices.iter().for_each(|notice| meter.notice(notice));
                partial.write_all(&table[start..]).map_err(|source| self.partial_failed(source))?;
                meter.add(bytes.len() as u64);
            }
            first = last;
        }
        let clock = Instant::now();
        let checked = accumulator.finish().check(self.replica, self.key, table.as_slice());
        report.check_seconds += clock.elapsed().as_secs_f64();
        match checked {
            Ok(_) => Ok(CommitmentTable::from_bytes(blocks, table)),
            Err(CheckFailure::Refused(rejection)) => Ok(Err(rejection)),
            Err(CheckFailure::Read(source)) => Err(self.partial_failed(source)),
            Err(CheckFailure::Used) => Err(self.partial_failed(io::Error::other(CheckFailure::Used))),
        }
    }

    fn read(&self, blocks: std::ops::Range<u64>, bytes: &mut Vec<u8>) -> Result<(), CommitError> {
        let end = (blocks.end * BLOCK_BYTES as u64).min(self.object.length());
        bytes.clear();
        self.object.copy((blocks.start * BLOCK_BYTES as u64).min(end)..end, bytes)?;
        Ok(())
    }

    /// Appends the points of blocks that begin at a chunk of the table.
    fn append_points(&self, first: u64, bytes: &[u8], table: &mut Vec<u8>) {
        for chunk in self.committer.points(self.key, self.replica, first, bytes).chunks(CHUNK_POINTS) {
            table.extend_from_slice(chunk.as_flattened());
            table.resize(table.len().next_multiple_of(CHUNK_BYTES), 0);
        }
    }

    /// The file of the points that are done, cut to those that are used.
    fn begin_partial(&self, kept: &[u8]) -> Result<File, CommitError> {
        let file = OpenOptions::new().append(true).create(true).open(self.partial);
        let file = file.and_then(|file| file.set_len(kept.len() as u64).map(|()| file));
        file.map_err(|source| self.partial_failed(source))
    }

    fn partial_failed(&self, source: io::Error) -> CommitError {
        CommitError::Partial { path: self.partial.to_owned(), source }
    }
}
