//! Commitments shared between the processor and accelerators.
//!
//! Blocks are cut in batches of the size that the accelerators want. A batch of an accelerator counts only once it has passed the
//! store-time check, as a whole ([`gate`]); otherwise the accelerator is tainted and the processor commits to the batch.

use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use ark_bls12_381::{Fr, G1Affine, G1Projective};
use ark_ec::CurveGroup;

use crate::accelerator::shared_work::{AcceleratorShare, SharedWork};
use crate::accelerator::{Accelerator, CommitSlots, Devices, Fault, ProcessorRole};
use crate::possession::check::gate;

/// The accelerators of a committer.
#[derive(Debug)]
pub(super) struct Sharing {
    /// Every accelerator as often as it wants batches at once.
    slots: Vec<Arc<dyn Accelerator>>,
    batch_blocks: usize,
    processor: ProcessorRole,
    shares: Mutex<Shares>,
}

/// Who committed to how many blocks, and what went wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shares {
    /// Blocks by accelerators.
    pub accelerated_blocks: u64,
    /// Blocks that an accelerator failed at and the processor committed to.
    pub redone_blocks: u64,
    /// What to tell the job's owner.
    pub notices: Vec<String>,
}

/// What is to be done with some blocks of a call.
enum Piece {
    /// Their commitments.
    Commit(Range<usize>),
    /// The store-time check of those that an accelerator computed.
    Check(Range<usize>, Computed),
}

/// What an accelerator computed, by its number, and in which of its sessions.
struct Computed {
    number: usize,
    session: u64,
    points: Vec<G1Projective>,
}

impl Sharing {
    /// `None` without accelerators. Each that cannot commit is named in the notices of the first call.
    pub(super) fn new(devices: Devices) -> Option<Sharing> {
        let (mut slots, mut batch_blocks, mut shares) = (Vec::new(), usize::MAX, Shares::default());
        for accelerator in &devices.accelerators {
            match accelerator.commit_slots() {
                Ok(CommitSlots { batches, batch_blocks: blocks }) => {
                    slots.extend((0..batches).map(|_| Arc::clone(accelerator)));
                    batch_blocks = batch_blocks.min(blocks.max(1));
                }
                Err(why) => {
                    shares.notices.push(format!("{}: not used for commitments: {why}", accelerator.id()));
                }
            }
        }
        let sharing =
            Sharing { slots, batch_blocks, processor: devices.processor, shares: Mutex::new(shares) };
        (!devices.accelerators.is_empty()).then_some(sharing)
    }

    /// Two batches for every slot: one that it is at and one to come.
    pub(super) fn blocks_wanted(&self) -> usize {
        if self.slots.is_empty() { 0 } else { 2 * self.slots.len() * self.batch_blocks }
    }

    pub(super) fn take_shares(&self) -> Shares {
        std::mem::take(&mut *self.shares())
    }

    /// The commitments, in order; `on_processor` computes those that accelerators do not.
    pub(super) fn commit(
        &self,
        blocks: &[&[u8]],
        blindings: &[Fr],
        on_processor: impl Fn(&[&[u8]], &[Fr]) -> Vec<G1Projective>,
    ) -> Vec<G1Affine> {
        let mut results = vec![G1Affine::identity(); blocks.len()];
        let starts = (0..blocks.len()).step_by(self.batch_blocks);
        let ranges = starts.map(|start| start..start.saturating_add(self.batch_blocks).min(blocks.len()));
        let work = SharedWork::new(ranges.map(Piece::Commit), self.slots.len());
        std::thread::scope(|threads| {
            for number in 0..self.slots.len() {
                let share = work.accelerator(number);
                threads.spawn(move || self.commit_on(number, &share, blocks, blindings));
            }
            while let Some(piece) = work.next_for_processor(self.processor == ProcessorRole::Shares) {
                let (range, computed) = match piece {
                    Piece::Commit(range) => (range, None),
                    Piece::Check(range, computed) => {
                        let points =
                            self.checked(&computed, &blocks[range.clone()], &blindings[range.clone()]);
                        (range, points)
                    }
                };
                let points = computed.unwrap_or_else(|| {
                    let began = Instant::now();
                    let points = on_processor(&blocks[range.clone()], &blindings[range.clone()]);
                    work.processor_took(began.elapsed());
                    G1Projective::normalize_batch(&points)
                });
                results[range].copy_from_slice(&points);
            }
        });
        results
    }

    fn commit_on(
        &self,
        number: usize,
        share: &AcceleratorShare<'_, Piece>,
        blocks: &[&[u8]],
        blindings: &[Fr],
    ) {
        let accelerator = &self.slots[number];
        while accelerator.recover(&|| share.is_work_left()) {
            let Some(piece) = share.next() else { return };
            // Checks go to the processor alone.
            let Piece::Commit(range) = piece else { return share.give_back(piece) };
            let session = accelerator.session();
            match accelerator.commit(&blocks[range.clone()], &blindings[range.clone()]) {
                Ok(points) => share.hand_over(Piece::Check(range, Computed { number, session, points })),
                Err(fault) => {
                    self.note_fault(number, &fault, range.len());
                    share.give_back(Piece::Commit(range));
                }
            }
        }
    }

    /// The commitments of an accelerator if they pass the check; otherwise it is tainted. With all threads of the caller's pool.
    fn checked(&self, computed: &Computed, blocks: &[&[u8]], blindings: &[Fr]) -> Option<Vec<G1Affine>> {
        let Computed { number, session, points } = computed;
        let points = G1Projective::normalize_batch(points);
        let fault = if points.len() != blocks.len() {
            Fault::Wrong { what: "the number of commitments".to_owned() }
        } else if !points.iter().all(G1Affine::is_on_curve) {
            // Such points would make the check meaningless.
            Fault::Wrong { what: "a point of the curve".to_owned() }
        } else {
            match gate(blocks, blindings, &points) {
                Ok(true) => {
                    self.shares().accelerated_blocks += blocks.len() as u64;
                    return Some(points);
                }
                Ok(false) => Fault::Wrong { what: "a commitment of a batch".to_owned() },
                Err(error) => Fault::Refused { message: format!("no randomness to check it by: {error}") },
            }
        };
        self.note_fault(*number, &fault, blocks.len());
        self.slots[*number].taint(*session, fault);
        None
    }

    fn note_fault(&self, number: usize, fault: &Fault, blocks: usize) {
        let id = self.slots[number].id();
        let mut shares = self.shares();
        shares.redone_blocks += blocks as u64;
        shares.notices.push(format!("{id}: {fault}; the processor commits to {blocks} blocks instead"));
    }

    fn shares(&self) -> MutexGuard<'_, Shares> {
        self.shares.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
