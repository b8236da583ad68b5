//! Answering challenges from the disk: the reads a challenge needs, sorted and coalesced, then its openings.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, PoisonError, RwLock};

use holdfast_partition::io::{AlignedBuffer, IoError, ReadRequest};
use holdfast_partition::partition_file::{PartitionFile, PartitionFileError};

use crate::backend::Backend;
use crate::challenge::{Challenge, Kind, SpaceSample};
use crate::jobs::control::{Cancelled, Control};
use crate::registration::Registration;
use crate::rejection::Rejection;
use crate::space::record::WindowRecord;
use crate::space::response::encode_response;
use crate::space::seal::WindowProver;
use crate::space::window::WindowMaker;
use crate::tree::{
    BLOCK_BYTES, BLOCK_CHUNKS, Claim, Opening, PAGE_BYTES, Page, PageLayout, leads_to_root, open_chunk,
};

/// Reads closer together than this become one: on a spinning disk a seek costs more than reading past the gap.
const COALESCE_GAP_BYTES: u64 = 64 * 1024;

/// Why a challenge was not answered.
#[derive(Debug, thiserror::Error)]
pub enum AnswerError {
    /// The challenge is not for this partition.
    #[error("the challenge asks for another partition than this one ({0}); look for the one with its id")]
    OtherPartition(&'static str),
    /// A window that is asked for is not sealed.
    #[error(
        "window {window} is asked for and is not filled; run `holdfast fill`, or answer the windows that are committed"
    )]
    NotSealed {
        /// The window.
        window: u64,
    },
    /// What the disk gave does not lead to the recorded root.
    #[error(
        "window {window}, chunk {chunk}: the disk gave other bytes than were recorded; run `holdfast scrub --repair`"
    )]
    Damaged {
        /// The window.
        window: u64,
        /// The chunk.
        chunk: u64,
    },
    /// The registration or a record on the disk cannot be read.
    #[error("the partition's own record cannot be used: {0}")]
    Record(#[from] Rejection),
    /// The disk refused.
    #[error(transparent)]
    Io(#[from] IoError),
    /// The partition file refused.
    #[error(transparent)]
    Partition(#[from] PartitionFileError),
    /// Stopped on request.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

/// Answers challenges of one partition; any number at once, also while it is being filled.
#[derive(Debug)]
pub struct Answerer<'f> {
    file: &'f PartitionFile,
    registration: Registration,
    layout: PageLayout,
    backend: &'static dyn Backend,
    queue_depth: usize,
    /// Outboard pages above the lowest layer, by window: 68 KiB for a window of 1 GiB.
    upper_pages: RwLock<HashMap<u64, Arc<[Page]>>>,
}

impl<'f> Answerer<'f> {
    /// For this partition, with so many reads in flight. The back end is for checking what was read.
    pub fn new(
        file: &'f PartitionFile,
        backend: &'static dyn Backend,
        queue_depth: usize,
    ) -> Result<Answerer<'f>, AnswerError> {
        let registration = Registration::decode(file.registration())?;
        let layout = PageLayout::new(registration.intent.shape.bytes());
        Ok(Answerer { file, registration, layout, backend, queue_depth, upper_pages: RwLock::default() })
    }

    /// Answers a space challenge: the complete response, checked against the partition's own records.
    pub fn space(&self, challenge: &Challenge) -> Result<Vec<u8>, AnswerError> {
        self.check_place(challenge, Kind::Space)?;
        let samples = challenge.space_samples();
        let records = self.records(samples.iter().map(|sample| sample.window))?;
        let places: Result<Vec<_>, _> = samples.iter().map(|sample| self.place(sample)).collect();
        let places = places?;
        let pieces =
            places.iter().flat_map(|place| place.pages.iter().chain([&place.block]).cloned()).collect();
        let reads = Reads::perform(self.file, pieces, self.queue_depth)?;
        let openings: Vec<_> =
            samples.iter().zip(&places).map(|(sample, place)| self.open(sample, place, &reads)).collect();
        self.check_openings(&samples, &records, &openings)?;
        Ok(encode_response(challenge, &openings))
    }

    /// Answers a seal challenge by making the challenged windows again. Takes as long as filling them.
    pub fn seal(
        &self,
        challenge: &Challenge,
        maker: &mut WindowMaker,
        control: &Control,
    ) -> Result<Vec<u8>, AnswerError> {
        self.check_place(challenge, Kind::Seal)?;
        let windows = challenge.windows();
        let records = self.records(windows.iter().copied())?;
        let mut proofs = Vec::with_capacity(windows.len());
        for (&window, record) in windows.iter().zip(&records) {
            let mut prover = WindowProver::new(challenge, window, &record.window_key);
            let roots = maker.replay(&record.window_key, &mut prover, &|| control.checkpoint())?;
            if roots.last() != Some(&record.root) {
                return Err(AnswerError::Damaged { window, chunk: 0 });
            }
            proofs.push(prover.finish());
        }
        Ok(encode_response(challenge, &proofs))
    }

    /// Loads the upper outboard pages of all sealed windows, so that an answer needs two reads a sample.
    pub fn warm(&self) -> Result<(), AnswerError> {
        let upper = self.layout.first_page(1)..self.layout.page_count();
        // Windows of at most 1 MiB have a single page, and nothing above it.
        if upper.is_empty() {
            return Ok(());
        }
        for window in 0..self.file.windows()? {
            if self.file.entry(window)?.seal.is_some() {
                let range = self.page_range(window, upper.clone())?;
                let reads = Reads::perform(self.file, vec![range.clone()], 1)?;
                let pages: Arc<[Page]> = reads.piece(&range).as_chunks().0.into();
                self.upper_pages.write().unwrap_or_else(PoisonError::into_inner).insert(window, pages);
            }
        }
        Ok(())
    }

    fn check_place(&self, challenge: &Challenge, kind: Kind) -> Result<(), AnswerError> {
        let intent = &self.registration.intent;
        let differing = [
            ("kind of challenge", challenge.kind == kind),
            ("partition id", challenge.partition_id == self.registration.partition_id),
            ("registration", challenge.registration_digest == self.registration.digest()),
            // Not only the digest: places are drawn by the challenge's own k and ℓ, and lie outside the file by others.
            ("k or ℓ", challenge.shape == intent.shape),
            ("network", challenge.network == intent.network),
            ("validator", challenge.validator == intent.validator),
            ("miner", challenge.miner == intent.miner),
        ];
        differing
            .iter()
            .find(|(_, same)| !same)
            .map_or(Ok(()), |(what, _)| Err(AnswerError::OtherPartition(what)))
    }

    fn records(&self, windows: impl Iterator<Item = u64>) -> Result<Vec<WindowRecord>, AnswerError> {
        let record = |window| {
            let seal = self.file.entry(window)?.seal.ok_or(AnswerError::NotSealed { window })?;
            Ok(WindowRecord::decode(&seal.record)?)
        };
        windows.map(record).collect()
    }

    /// What has to be read for a sample: its block, and its outboard pages that are not in memory.
    fn place(&self, sample: &SpaceSample) -> Result<Place, AnswerError> {
        let offset = self.file.window_offset(sample.window)? + block_of(sample) * BLOCK_BYTES as u64;
        let upper =
            self.upper_pages.read().unwrap_or_else(PoisonError::into_inner).get(&sample.window).cloned();
        let layers = if upper.is_some() { self.layout.layers().min(1) } else { self.layout.layers() };
        let page = |layer| {
            let page = self.layout.page_over(layer, block_of(sample));
            self.page_range(sample.window, page..page + 1)
        };
        let pages: Result<_, AnswerError> = (0..layers).map(page).collect();
        Ok(Place { block: offset..offset + BLOCK_BYTES as u64, pages: pages?, upper })
    }

    fn page_range(&self, window: u64, pages: Range<u64>) -> Result<Range<u64>, AnswerError> {
        let start = self.file.outboard_offset(window)?;
        Ok(start + pages.start * PAGE_BYTES as u64..start + pages.end * PAGE_BYTES as u64)
    }

    fn open(&self, sample: &SpaceSample, place: &Place, reads: &Reads) -> Vec<u8> {
        let mut read = place.pages.iter().flat_map(|page| reads.piece(page).as_chunks::<PAGE_BYTES>().0);
        let first_upper = self.layout.first_page(1);
        let path = self.layout.path(block_of(sample), |page| match &place.upper {
            Some(upper) if page >= first_upper => &upper[length(&(first_upper..page))],
            _ => read.next().expect("a page of each layer that is not in memory was read"),
        });
        open_chunk(sample.chunk, self.registration.intent.shape.bytes(), reads.piece(&place.block), &path)
    }

    /// An answer that would be refused must not leave: a validator counts it as a lie, a miner can repair it.
    fn check_openings(
        &self,
        samples: &[SpaceSample],
        records: &[WindowRecord],
        openings: &[Vec<u8>],
    ) -> Result<(), AnswerError> {
        let siblings = self.registration.intent.shape.chunks().ilog2();
        let claims = samples.iter().zip(records).zip(openings).map(|((sample, record), opening)| {
            let opening = Opening::take(&mut &opening[..], siblings).expect("made with this many siblings");
            Claim { index: sample.chunk, root: &record.root, opening }
        });
        let claims: Vec<_> = claims.collect();
        let verdicts = leads_to_root(self.backend, &claims);
        match samples.iter().zip(verdicts).find(|(_, right)| !right) {
            Some((&SpaceSample { window, chunk }, _)) => Err(AnswerError::Damaged { window, chunk }),
            None => Ok(()),
        }
    }
}

/// Where on the disk what shows a sample lies.
struct Place {
    block: Range<u64>,
    /// Its outboard pages that have to be read, lowest first.
    pages: Vec<Range<u64>>,
    /// The others, if they are in memory.
    upper: Option<Arc<[Page]>>,
}

/// The block of the window that holds the sample's chunk.
fn block_of(sample: &SpaceSample) -> u64 {
    sample.chunk / BLOCK_CHUNKS as u64
}

/// The pieces of a file that an answer needs, in one buffer, read in as few requests as make sense.
struct Reads {
    /// Disjoint ranges of the file, sorted, with the place of each in the buffer.
    runs: Vec<(Range<u64>, usize)>,
    buffer: AlignedBuffer,
}

impl Reads {
    /// Plans and performs the reads of `pieces`, page-aligned ranges in any order.
    fn perform(
        file: &PartitionFile,
        mut pieces: Vec<Range<u64>>,
        queue_depth: usize,
    ) -> Result<Reads, IoError> {
        pieces.sort_by_key(|piece| piece.start);
        let runs = coalesce(&pieces);
        let total = runs.last().map_or(0, |(range, place)| place + length(range));
        let mut buffer = AlignedBuffer::zeroed(total)?;
        let mut requests = Vec::with_capacity(runs.len());
        let mut rest: &mut [u8] = &mut buffer;
        for (range, _) in &runs {
            let (target, after) = rest.split_at_mut(length(range));
            requests.push(ReadRequest::new(range.start, target));
            rest = after;
        }
        file.io().read_batch(&mut requests, queue_depth);
        requests.into_iter().try_for_each(|request| request.result)?;
        Ok(Reads { runs, buffer })
    }

    /// The bytes of a piece that was asked for.
    fn piece(&self, piece: &Range<u64>) -> &[u8] {
        let run = self.runs.partition_point(|(range, _)| range.end <= piece.start);
        let (range, place) = &self.runs[run];
        let start = place + length(&(range.start..piece.start));
        &self.buffer[start..start + length(piece)]
    }
}

/// Length of a range of something that is in memory.
fn length(range: &Range<u64>) -> usize {
    usize::try_from(range.end - range.start).expect("what is in memory can be counted")
}

/// Joins sorted pieces that touch, overlap or nearly do.
fn coalesce(pieces: &[Range<u64>]) -> Vec<(Range<u64>, usize)> {
    let mut runs: Vec<(Range<u64>, usize)> = Vec::new();
    for piece in pieces {
        match runs.last_mut() {
            Some((run, _)) if piece.start <= run.end + COALESCE_GAP_BYTES => run.end = run.end.max(piece.end),
            last => {
                let place = last.map_or(0, |(run, place)| *place + length(run));
                runs.push((piece.clone(), place));
            }
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_joined_and_places_follow_each_other() {
        let far = 1 << 30;
        let pieces =
            [0..4096, 4096..8192, 8192 + COALESCE_GAP_BYTES..90_112, far..far + 4096, far..far + 16_384];
        let runs = coalesce(&pieces);
        assert_eq!(runs, vec![(0..90_112, 0), (far..far + 16_384, 90_112)]);
    }

    #[test]
    fn a_gap_larger_than_the_limit_is_not_read() {
        let pieces = [0..4096, 8192 + COALESCE_GAP_BYTES..80_000];
        assert_eq!(coalesce(&pieces).len(), 2);
    }
}
