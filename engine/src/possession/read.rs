//! Reading blocks of an object: sorted, near ones at once, a bounded number in memory.

use std::fs::File;
use std::io;
use std::num::NonZeroU64;
use std::ops::Range;
use std::os::unix::fs::FileExt;

use rustix::fs::{Advice, fadvise};

use super::Replica;
use crate::tree::BLOCK_BYTES;

/// Blocks closer together than this are read at once: on a spinning disk a seek costs more than reading past the gap.
const COALESCE_GAP_BYTES: u64 = 64 * 1024;
/// Blocks in memory at once: 4 MiB.
const GROUP_BLOCKS: usize = 256;

/// Bytes of an object to read.
#[derive(Debug)]
pub struct Run<'b> {
    /// Where they begin in the object.
    pub offset: u64,
    /// Where they go; its length is how many.
    pub buffer: &'b mut [u8],
}

/// The bytes of an object, wherever they are.
pub trait ObjectBytes {
    /// Reads all runs, which are ascending and disjoint.
    ///
    /// # Errors
    /// A run could not be read, or the object ends before it.
    fn read(&self, runs: &mut [Run<'_>]) -> io::Result<()>;
}

impl ObjectBytes for &[u8] {
    fn read(&self, runs: &mut [Run<'_>]) -> io::Result<()> {
        for run in runs {
            let from = usize::try_from(run.offset).ok().and_then(|offset| self.get(offset..));
            let bytes = from.and_then(|rest| rest.get(..run.buffer.len()));
            run.buffer.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        }
        Ok(())
    }
}

impl ObjectBytes for File {
    fn read(&self, runs: &mut [Run<'_>]) -> io::Result<()> {
        // The kernel begins to read all of them before the first is waited for. It is a wish: what comes of it shows when
        // reading.
        for run in runs.iter() {
            let _ = fadvise(self, run.offset, NonZeroU64::new(run.buffer.len() as u64), Advice::WillNeed);
        }
        runs.iter_mut().try_for_each(|run| self.read_exact_at(run.buffer, run.offset))
    }
}

/// Calls `visit` with the position in `blocks` and the bytes of each of these distinct blocks, by ascending block.
///
/// # Errors
/// As [`ObjectBytes::read`].
pub(super) fn visit_blocks(
    object: &dyn ObjectBytes,
    replica: &Replica,
    blocks: &[u64],
    mut visit: impl FnMut(usize, &[u8]),
) -> io::Result<()> {
    let mut sorted: Vec<(u64, usize)> = blocks.iter().copied().zip(0..).collect();
    sorted.sort_unstable();
    for group in sorted.chunks(GROUP_BLOCKS) {
        let ranges: Vec<Range<u64>> = group.iter().map(|(block, _)| byte_range(replica, *block)).collect();
        let runs = coalesce(&ranges);
        let mut buffers: Vec<Vec<u8>> = runs.iter().map(|run| vec![0; length(run)]).collect();
        let mut requests: Vec<Run<'_>> =
            runs.iter().zip(&mut buffers).map(|(run, buffer)| Run { offset: run.start, buffer }).collect();
        object.read(&mut requests)?;
        for ((_, position), range) in group.iter().zip(&ranges) {
            let run = runs.partition_point(|run| run.end < range.end);
            let start = length(&(runs[run].start..range.start));
            visit(*position, &buffers[run][start..start + length(range)]);
        }
    }
    Ok(())
}

fn byte_range(replica: &Replica, block: u64) -> Range<u64> {
    let start = block * BLOCK_BYTES as u64;
    start..start + replica.block_bytes(block) as u64
}

/// Joins ascending ranges that nearly touch.
fn coalesce(ranges: &[Range<u64>]) -> Vec<Range<u64>> {
    let mut runs: Vec<Range<u64>> = Vec::new();
    for range in ranges {
        match runs.last_mut() {
            Some(run) if range.start <= run.end + COALESCE_GAP_BYTES => run.end = range.end,
            _ => runs.push(range.clone()),
        }
    }
    runs
}

/// Length of a range of what is in memory.
fn length(range: &Range<u64>) -> usize {
    usize::try_from(range.end - range.start).expect("what is in memory can be counted")
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    const LENGTH: usize = 1000 * BLOCK_BYTES + 5;

    fn bytes() -> Vec<u8> {
        (0..=250).cycle().take(LENGTH).collect()
    }

    fn replica() -> Replica {
        Replica::new([1; 32], LENGTH as u64, 0).unwrap()
    }

    /// Every block comes once, under its position and with its own bytes: also the short last one, neighbours that share a
    /// run, and more blocks than a group. From memory and from a file.
    #[test]
    fn every_block_is_visited_with_its_bytes() {
        let bytes = bytes();
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(&bytes, 0).unwrap();
        let all: Vec<u64> = (0..1001).rev().collect();
        for blocks in [&[1000, 3, 4, 999, 0][..], &[1000], &all] {
            for object in [&&*bytes as &dyn ObjectBytes, &file] {
                let mut seen = vec![0; blocks.len()];
                let visit = |position: usize, block: &[u8]| {
                    seen[position] += 1;
                    let start = usize::try_from(blocks[position]).unwrap() * BLOCK_BYTES;
                    assert_eq!(block, &bytes[start..LENGTH.min(start + BLOCK_BYTES)]);
                };
                visit_blocks(object, &replica(), blocks, visit).unwrap();
                assert_eq!(seen, vec![1; blocks.len()]);
            }
        }
    }

    /// Notes how it is read.
    struct Noting(RefCell<Vec<Range<u64>>>);

    impl ObjectBytes for Noting {
        fn read(&self, runs: &mut [Run<'_>]) -> io::Result<()> {
            self.0
                .borrow_mut()
                .extend(runs.iter().map(|run| run.offset..run.offset + run.buffer.len() as u64));
            Ok(())
        }
    }

    /// A gap of 64 KiB is read over, a larger one is not; runs ascend.
    #[test]
    fn near_blocks_are_read_at_once() {
        let object = Noting(RefCell::default());
        visit_blocks(&object, &replica(), &[500, 10, 15, 21, 1000], |_, _| ()).unwrap();
        let blocks = |range: Range<u64>| range.start * BLOCK_BYTES as u64..range.end * BLOCK_BYTES as u64;
        let last = 1000 * BLOCK_BYTES as u64..LENGTH as u64;
        assert_eq!(object.0.into_inner(), [blocks(10..16), blocks(21..22), blocks(500..501), last]);
    }

    #[test]
    fn an_object_that_ends_early_is_an_error() {
        let bytes = bytes();
        for object in [&&bytes[..LENGTH - 1] as &dyn ObjectBytes, &tempfile::tempfile().unwrap()] {
            let error = visit_blocks(object, &replica(), &[1000], |_, _| panic!("not read")).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        }
    }

    /// An empty object has a block of no bytes, and nothing is read for it beyond its end.
    #[test]
    fn the_block_of_an_empty_object_is_empty() {
        let mut lengths = Vec::new();
        let empty = Replica::new([1; 32], 0, 0).unwrap();
        visit_blocks(&&[][..], &empty, &[0], |_, block| lengths.push(block.len())).unwrap();
        assert_eq!(lengths, [0]);
    }
}
