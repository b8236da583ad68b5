//! Reading everything back: does the disk still give what was recorded, and making again what it does not.

use std::sync::Arc;
use std::time::Instant;

use holdfast_partition::io::{BufferPool, IoError, ReadRequest};
use holdfast_partition::partition_file::{Mark, PartitionFile, PartitionFileError, WindowState};
use rayon::prelude::*;
use serde::Serialize;

use crate::jobs::control::{Cancelled, Control};
use crate::jobs::fill::{FillError, FillOptions, FillReport, fill_windows, windows_in};
use crate::jobs::progress::{Meter, Watcher};
use crate::registration::{Registration, WindowShape};
use crate::space::record::WindowRecord;
use crate::space::window::{TILE_BLOCKS, TILE_BYTES};
use crate::tree::{BLOCK_BYTES, Outboard, PAGE_BLOCKS, PAGE_BYTES, block_value};

/// What was found wrong with one window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Damage {
    /// The window.
    pub window: u64,
    /// Blocks (16 KiB, numbered in the window) whose bytes are not the recorded ones, as far as the outboard tells.
    pub blocks: Vec<u64>,
    /// Whether the outboard, rather than or besides the data, is damaged.
    pub outboard: bool,
    /// What the disk said, if it refused to read.
    pub read_error: Option<String>,
}

/// What a scrub did.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ScrubReport {
    /// First window of this run (a scrub goes on where an interrupted one stopped).
    pub first_window: u64,
    /// Windows read and compared.
    pub windows_checked: u64,
    /// Bytes read.
    pub bytes_read: u64,
    /// Wall time of reading, in seconds.
    pub seconds: f64,
    /// What was wrong.
    pub damaged: Vec<Damage>,
    /// The repair, if one was asked for and needed.
    pub repair: Option<FillReport>,
}

/// Why a scrub stopped. What it found until then is in the partition's table.
#[derive(Debug, thiserror::Error)]
pub enum ScrubError {
    /// Stopped, or the repair failed.
    #[error(transparent)]
    Fill(#[from] FillError),
    /// The partition file refused.
    #[error(transparent)]
    Partition(#[from] PartitionFileError),
}

/// Tiles read at once.
const TILES_IN_FLIGHT: usize = 8;
/// The position is made durable once for so many windows: more is read again after a crash, fewer means more syncs.
const WINDOWS_PER_POSITION: u64 = 16;

/// Reads every sealed window and compares it with its record. Damaged windows are marked bad, so that audits do not
/// meet them unawares and the next fill makes them again; with `repair` that happens at once.
pub fn scrub(
    file: &PartitionFile,
    options: &FillOptions,
    repair: bool,
    control: &Control,
    watcher: &dyn Watcher,
) -> Result<ScrubReport, ScrubError> {
    let started = Instant::now();
    let registration = Registration::decode(file.registration()).map_err(FillError::from)?;
    let shape = registration.intent.shape;
    let scrubber = Scrubber::new(file, shape, options)?;
    let windows = file.windows()?;
    let first_window = if file.scrub_position()? < windows { file.scrub_position()? } else { 0 };
    let mut report = ScrubReport::starting_at(first_window);
    let bytes = shape.bytes();
    let meter = Meter::new(watcher, "scrub", options.place.clone(), first_window * bytes, windows * bytes);
    for window in first_window..windows {
        if file.window_state(window)? == WindowState::Sealed {
            control.spend(bytes).map_err(FillError::from)?;
            report.windows_checked += 1;
            report.bytes_read += file.geometry().slot_bytes();
            if let Some(damage) = scrubber.check(window)? {
                file.mark(window, Mark::Bad)?;
                report.damaged.push(damage);
            }
        }
        meter.add(bytes);
        if (window + 1).is_multiple_of(WINDOWS_PER_POSITION) {
            file.set_scrub_position(window + 1)?;
        }
    }
    file.set_scrub_position(0)?;
    report.seconds = started.elapsed().as_secs_f64();
    let bad = if repair { windows_in(file, |state| state == WindowState::Bad)? } else { Vec::new() };
    if !bad.is_empty() {
        report.repair = Some(fill_windows(file, &bad, options, control, watcher)?);
    }
    Ok(report)
}

impl ScrubReport {
    fn starting_at(first_window: u64) -> ScrubReport {
        let (windows_checked, bytes_read, seconds) = (0, 0, 0.0);
        ScrubReport { first_window, windows_checked, bytes_read, seconds, damaged: Vec::new(), repair: None }
    }
}

struct Scrubber<'a> {
    file: &'a PartitionFile,
    shape: WindowShape,
    pool: &'a Arc<rayon::ThreadPool>,
    buffers: BufferPool,
}

impl<'a> Scrubber<'a> {
    fn new(file: &'a PartitionFile, shape: WindowShape, options: &'a FillOptions) -> Result<Self, FillError> {
        let buffers = BufferPool::new(TILES_IN_FLIGHT, TILE_BYTES)?;
        Ok(Scrubber { file, shape, pool: &options.pool, buffers })
    }

    fn check(&self, window: u64) -> Result<Option<Damage>, ScrubError> {
        let seal = self.file.entry(window)?.seal;
        let recorded_root =
            seal.and_then(|seal| WindowRecord::decode(&seal.record).ok()).map(|record| record.root);
        let (values, mut read_error) = self.read_blocks(window)?;
        let found = Outboard::from_block_values(self.shape.bytes(), values);
        let pages: Vec<_> = found.pages().collect();
        let stored = self.read_outboard(window, pages.len() * PAGE_BYTES)?;
        let data_right = Some(found.root()) == recorded_root && read_error.is_none();
        let outboard_right = stored.as_ref().is_ok_and(|stored| stored == pages.as_flattened());
        if data_right && outboard_right {
            return Ok(None);
        }
        let stored = stored.unwrap_or_else(|error| {
            read_error.get_or_insert(error.to_string());
            Vec::new()
        });
        let blocks =
            if data_right { Vec::new() } else { differing_blocks(pages.as_flattened(), &stored, &found) };
        Ok(Some(Damage { window, blocks, outboard: data_right, read_error }))
    }

    /// Chaining values of the window's blocks as they are on the disk; zeros where it could not be read.
    fn read_blocks(&self, window: u64) -> Result<(Vec<[u8; 32]>, Option<String>), ScrubError> {
        let start = self.file.window_offset(window)?;
        let blocks = usize::try_from(self.shape.blocks()).expect("a window that was made in memory");
        let mut values = vec![[0; 32]; blocks];
        let mut read_error = None;
        for (group, values) in values.chunks_mut(TILES_IN_FLIGHT * TILE_BLOCKS).enumerate() {
            let offset = group * TILES_IN_FLIGHT * TILE_BYTES;
            let error = self.read_group(start, offset, values)?;
            read_error = read_error.or(error);
        }
        Ok((values, read_error))
    }

    fn read_group(
        &self,
        start: u64,
        offset: usize,
        values: &mut [[u8; 32]],
    ) -> Result<Option<String>, ScrubError> {
        let mut buffers = Vec::new();
        for _ in 0..values.len().div_ceil(TILE_BLOCKS) {
            buffers.push(self.buffers.take().ok_or(FillError::Cancelled(Cancelled))?);
        }
        let mut requests: Vec<ReadRequest<'_>> = Vec::new();
        for (tile, (buffer, values)) in buffers.iter_mut().zip(values.chunks(TILE_BLOCKS)).enumerate() {
            let at = start + (offset + tile * TILE_BYTES) as u64;
            requests.push(ReadRequest::new(at, &mut buffer[..values.len() * BLOCK_BYTES]));
        }
        self.file.io().read_batch(&mut requests, TILES_IN_FLIGHT);
        let hash_tile = |(tile, (request, values)): (usize, (&ReadRequest<'_>, &mut [[u8; 32]]))| {
            if request.result.is_err() {
                return;
            }
            for (block, (bytes, value)) in request.buffer.chunks(BLOCK_BYTES).zip(values).enumerate() {
                *value = block_value(((offset + tile * TILE_BYTES) / BLOCK_BYTES + block) as u64, bytes);
            }
        };
        self.pool.install(|| {
            requests.par_iter().zip(values.par_chunks_mut(TILE_BLOCKS)).enumerate().for_each(hash_tile);
        });
        let error = requests.iter().find_map(|request| request.result.as_ref().err().map(IoError::to_string));
        drop(requests);
        buffers.into_iter().for_each(|buffer| self.buffers.give(buffer));
        Ok(error)
    }

    fn read_outboard(&self, window: u64, length: usize) -> Result<Result<Vec<u8>, IoError>, ScrubError> {
        let start = self.file.outboard_offset(window)?;
        let mut stored = Vec::with_capacity(length);
        let mut buffer = self.buffers.take().ok_or(FillError::Cancelled(Cancelled))?;
        let mut outcome = Ok(());
        while stored.len() < length && outcome.is_ok() {
            let part = (length - stored.len()).min(TILE_BYTES);
            let at = start + stored.len() as u64;
            outcome = self.file.io().read_at(at, &mut buffer[..part]);
            stored.extend_from_slice(&buffer[..part]);
        }
        self.buffers.give(buffer);
        Ok(outcome.map(|()| stored))
    }
}

/// Blocks whose value is not the one the stored outboard has for them.
fn differing_blocks(found: &[u8], stored: &[u8], outboard: &Outboard) -> Vec<u64> {
    let blocks = outboard.length() / BLOCK_BYTES as u64;
    let entries = |pages| block_values(pages).zip(0..blocks);
    entries(found)
        .zip(entries(stored))
        .filter(|((a, _), (b, _))| a != b)
        .map(|((_, block), _)| block)
        .collect()
}

/// What the pages begin with.
fn block_values(pages: &[u8]) -> impl Iterator<Item = &[u8; 32]> {
    pages.chunks(PAGE_BYTES).flat_map(|page| page.as_chunks().0.iter().take(PAGE_BLOCKS))
}
