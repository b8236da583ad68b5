//! Answering challenges from the disk: the reads a challenge needs, sorted and coalesced, then its openings.

use std::ops::Range;

use holdfast_partition::io::{AlignedBuffer, IoError, ReadRequest};
use holdfast_partition::partition_file::{PartitionFile, PartitionFileError};

use crate::backend::Backend;
use crate::challenge::{Challenge, Kind, SpaceSample};
use crate::jobs::control::{Cancelled, Control};
use crate::registration::Registration;
use crate::rejection::Rejection;
use crate::space::record::{WindowRecord, layers_root};
use crate::space::response::encode_response;
use crate::space::seal::WindowProver;
use crate::space::window::WindowMaker;
use crate::tree::{
    BLOCK_BYTES, BLOCK_CHUNKS, Claim, Opening, PAGE_BYTES, Source, leads_to_root, open_chunks, page_over,
};

/// Reads in flight where nobody says otherwise: an answer's reads are few, and all of them may wait for the disk at once.
pub const QUEUE_DEPTH: usize = 128;

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
    backend: &'static dyn Backend,
    queue_depth: usize,
}

impl<'f> Answerer<'f> {
    /// For this partition, with so many reads in flight. The back end hashes what was read.
    pub fn new(
        file: &'f PartitionFile,
        backend: &'static dyn Backend,
        queue_depth: usize,
    ) -> Result<Answerer<'f>, AnswerError> {
        let registration = Registration::decode(file.registration())?;
        Ok(Answerer { file, registration, backend, queue_depth })
    }

    /// Answers a space challenge: the complete response, checked against the partition's own records.
    pub fn space(&self, challenge: &Challenge) -> Result<Vec<u8>, AnswerError> {
        self.check_place(challenge, Kind::Space)?;
        let samples = challenge.space_samples();
        let records = self.records(samples.iter().map(|sample| sample.window))?;
        let places: Result<Vec<_>, _> = samples.iter().map(|sample| self.place(sample)).collect();
        let places = places?;
        let pieces = places.iter().flat_map(|place| [place.block.clone(), place.page.clone()]).collect();
        let reads = Reads::perform(self.file, pieces, self.queue_depth)?;
        let openings = self.open(&samples, &places, &reads);
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
            if roots.last() != Some(&record.root) || layers_root(&roots) != record.layers_root {
                return Err(AnswerError::Damaged { window, chunk: 0 });
            }
            proofs.push(prover.finish());
        }
        Ok(encode_response(challenge, &proofs))
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

    fn place(&self, sample: &SpaceSample) -> Result<Place, AnswerError> {
        let block = sample.chunk / BLOCK_CHUNKS as u64;
        let block_at = self.file.window_offset(sample.window)? + block * BLOCK_BYTES as u64;
        let page_at = self.file.outboard_offset(sample.window)? + page_over(block) * PAGE_BYTES as u64;
        Ok(Place {
            block: block_at..block_at + BLOCK_BYTES as u64,
            page: page_at..page_at + PAGE_BYTES as u64,
        })
    }

    fn open(&self, samples: &[SpaceSample], places: &[Place], reads: &Reads) -> Vec<Vec<u8>> {
        let source = |(sample, place): (&SpaceSample, &Place)| Source {
            index: sample.chunk,
            block: reads.piece(&place.block),
            page: reads.piece(&place.page).first_chunk(),
        };
        let sources: Vec<_> = samples.iter().zip(places).map(source).collect();
        open_chunks(self.backend, self.registration.intent.shape.bytes(), &sources)
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

/// Where in the file what shows a sample lies.
struct Place {
    block: Range<u64>,
    /// The outboard page over the block: the smallest window has two blocks, so there always is one.
    page: Range<u64>,
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
