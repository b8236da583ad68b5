//! Commitments on a device: `commit` sums table entries for every window of every block, `commit_fold` joins them.
//!
//! The table of the standard generators is computed by the processor, kept in a file, and placed on the device once. A batch of
//! blocks goes up, one point a block comes back; the caller checks them all.

use std::collections::VecDeque;
use std::marker::PhantomData;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use ark_bls12_381::Fq;
use ark_ff::{BigInt, Field, PrimeField};
use holdfast_shaders::commitment::CommitShape;
use holdfast_shaders::layout::{AffinePoint, Point};
use holdfast_shaders::registry;
use zeroize::Zeroizing;

use super::device::{Device, Pipeline, Submission};
use super::kernels::default;
use super::label::run;
use super::pace::Pace;
use crate::accelerator::Fault;
use crate::backend::{Choice, select};
use crate::curve::{Fr, G1Projective, Table};
use crate::possession::generators::{GENERATORS, Generators};
use crate::tree::BLOCK_BYTES;

/// Widths of windows that are tried, the best first: each step down halves the table, or quarters it.
const WIDTHS_BITS: [u32; 6] = [14, 13, 12, 10, 8, 6];
/// Bytes of a table entry.
const ENTRY_BYTES: u64 = size_of::<AffinePoint>() as u64;
const SCALAR_BYTES: usize = 32;
const BLOCK_WORDS: u32 = 4096;
const _: () = assert!(BLOCK_WORDS as usize * 4 == BLOCK_BYTES, "a block's words");
const BASES: u32 = 530;
const _: () = assert!(BASES as usize == GENERATORS, "a base for every limb and one for the blinding");
/// Blocks of a smallest dispatch.
const DISPATCH_BLOCKS: u32 = 16;
/// Segments that give a device enough invocations for a batch.
const SEGMENTS: u32 = 4;
/// Submissions handed over before the oldest is waited for.
const SUBMISSIONS_AHEAD: usize = 2;

/// The widest table that takes at most so many bytes.
pub(super) fn width_bits(table_bytes_maximum: u64) -> Option<u32> {
    WIDTHS_BITS.into_iter().find(|&width| table_bytes(width) <= table_bytes_maximum)
}

fn table_bytes(width_bits: u32) -> u64 {
    (GENERATORS as u64 * ENTRY_BYTES) << (width_bits - 1)
}

/// What a session needs for commitments: kernels, table, buffers that nobody uses.
#[derive(Debug)]
pub(super) struct Committing {
    commit: Pipeline,
    fold: Pipeline,
    table: wgpu::Buffer,
    shape: CommitShape,
    correction: AffinePoint,
    batch_blocks: usize,
    pace: Pace,
    idle: Mutex<Vec<CommitSlot>>,
}

/// Buffers of one batch under way.
#[derive(Debug)]
struct CommitSlot {
    blocks: wgpu::Buffer,
    blindings: wgpu::Buffer,
    sums: wgpu::Buffer,
    points: wgpu::Buffer,
    staging: wgpu::Buffer,
}

impl Committing {
    /// Compiles, places the table, and has the device give known answers.
    pub(super) fn prepare(
        device: &Device,
        (width_bits, batch_blocks): (u32, usize),
        cache_directory: Option<&Path>,
    ) -> Result<Committing, Fault> {
        let refused = |message: String| Fault::Refused { message };
        let bases = BASES;
        let shape = CommitShape { width_bits, bases, segments: SEGMENTS, block_words: BLOCK_WORDS };
        let shape = shape
            .with_segments_near(SEGMENTS)
            .ok_or_else(|| refused(format!("no number of segments suits windows of {width_bits} bits")))?;
        let table = load_table(width_bits, cache_directory).map_err(refused)?;
        let on_device = device.storage(table_bytes(width_bits))?;
        for (part, bytes) in table.entries().chunks(UPLOAD_BYTES).enumerate() {
            device.upload(&on_device, (part * UPLOAD_BYTES) as u64, &[bytes])?;
            // Each submission lets the driver give its copy of the bytes back.
            device.wait(&device.submit(device.begin())?)?;
        }
        let committing = Committing {
            commit: default(device, &registry::COMMIT)?,
            fold: default(device, &registry::COMMIT_FOLD)?,
            table: on_device,
            shape,
            correction: affine_point(&table),
            batch_blocks,
            pace: Pace::new(DISPATCH_BLOCKS * shape.sums_per_block(), 1 << 24),
            idle: Mutex::default(),
        };
        committing.give_known_answers(device, &table)?;
        Ok(committing)
    }

    /// Whole blocks and a short one, of bytes that make every digit the largest, the smallest, and any.
    fn give_known_answers(&self, device: &Device, table: &Table) -> Result<(), Fault> {
        let mut mixed = vec![0; BLOCK_BYTES];
        blake3::Hasher::new().update(b"known answers of a device").finalize_xof().fill(&mut mixed);
        let blocks: [&[u8]; 4] = [&mixed, &[0; BLOCK_BYTES], &[0xFF; BLOCK_BYTES], &mixed[..5000]];
        let blindings = [Fr::from(1_u64), Fr::from(0_u64), -Fr::from(1_u64), Fr::from(u64::MAX)];
        let backend = select(Choice::Auto).expect("the portable back end is always there");
        let expected = backend.commit(table, &blocks, &blindings);
        let given = self.commit(device, &blocks, &blindings)?;
        if given == expected {
            return Ok(());
        }
        Err(device.taint(Fault::Wrong { what: "known commitments".to_owned() }))
    }

    /// Commitments to blocks of 16 KiB or less; batches larger than a slot are cut.
    pub(super) fn commit(
        &self,
        device: &Device,
        blocks: &[&[u8]],
        blindings: &[Fr],
    ) -> Result<Vec<G1Projective>, Fault> {
        let mut points = Vec::with_capacity(blocks.len());
        let slot = self.idle().pop();
        let slot = slot.map_or_else(|| self.new_slot(device), Ok)?;
        for (blocks, blindings) in blocks.chunks(self.batch_blocks).zip(blindings.chunks(self.batch_blocks)) {
            points.extend(self.commit_batch(device, &slot, blocks, blindings)?);
        }
        self.idle().push(slot);
        Ok(points)
    }

    fn commit_batch(
        &self,
        device: &Device,
        slot: &CommitSlot,
        blocks: &[&[u8]],
        blindings: &[Fr],
    ) -> Result<Vec<G1Projective>, Fault> {
        let count = u32::try_from(blocks.len()).unwrap_or(u32::MAX);
        upload(device, slot, blocks, blindings)?;
        self.sum(device, slot, count)?;
        let mut list = device.begin();
        let parameters = self.shape.commit_fold(0, count, self.correction);
        let bytes = bytemuck::bytes_of(&parameters);
        run(device, &self.fold, &mut list, bytes, &[&slot.sums, &slot.points], count)?;
        let length = (blocks.len() * size_of::<Point>()) as u64;
        list.copy_buffer_to_buffer(&slot.points, 0, &slot.staging, 0, length);
        // What blinds the commitments does not stay on the device.
        list.clear_buffer(&slot.blindings, 0, None);
        let submission = device.submit(list)?;
        let points = device.read(&slot.staging, length, &submission, |seen| {
            let points = seen.chunks_exact(size_of::<Point>());
            points.map(|point| projective(&bytemuck::pod_read_unaligned(point))).collect::<Option<Vec<_>>>()
        })?;
        points.ok_or_else(|| device.taint(Fault::Wrong { what: "an element of the field".to_owned() }))
    }

    /// All sums of a batch, in pieces that take about as long as a dispatch should.
    fn sum(&self, device: &Device, slot: &CommitSlot, blocks: u32) -> Result<(), Fault> {
        let invocations = blocks * self.shape.sums_per_block();
        let mut ahead: VecDeque<(Submission, u32)> = VecDeque::new();
        let (mut first, mut clock) = (0, Instant::now());
        while first < invocations || !ahead.is_empty() {
            if first < invocations && ahead.len() < SUBMISSIONS_AHEAD {
                let count = self.pace.items().min(invocations - first);
                let mut list = device.begin();
                let parameters = self.shape.commit(first, count);
                let buffers = [&self.table, &slot.blocks, &slot.blindings, &slot.sums];
                run(device, &self.commit, &mut list, bytemuck::bytes_of(&parameters), &buffers, count)?;
                ahead.push_back((device.submit(list)?, count));
                first += count;
            } else if let Some((submission, count)) = ahead.pop_front() {
                device.wait(&submission)?;
                self.pace.took(count, clock.elapsed());
                clock = Instant::now();
            }
        }
        Ok(())
    }

    fn new_slot(&self, device: &Device) -> Result<CommitSlot, Fault> {
        let blocks = self.batch_blocks as u64;
        let point = size_of::<Point>() as u64;
        Ok(CommitSlot {
            blocks: device.storage(blocks * BLOCK_BYTES as u64)?,
            blindings: device.storage(blocks * SCALAR_BYTES as u64)?,
            sums: device.storage(blocks * u64::from(self.shape.sums_per_block()) * point)?,
            points: device.storage(blocks * point)?,
            staging: device.staging(blocks * point)?,
        })
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<CommitSlot>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Blocks one after another, each padded with zeros to 16 KiB, and their blindings.
fn upload(device: &Device, slot: &CommitSlot, blocks: &[&[u8]], blindings: &[Fr]) -> Result<(), Fault> {
    static ZEROS: [u8; BLOCK_BYTES] = [0; BLOCK_BYTES];
    let parts: Vec<&[u8]> = blocks.iter().flat_map(|block| [*block, &ZEROS[block.len()..]]).collect();
    device.upload(&slot.blocks, 0, &parts)?;
    // Of the right size from the start: a buffer that grows leaves copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(blindings.len() * SCALAR_BYTES));
    for blinding in blindings {
        let words = Zeroizing::new(blinding.into_bigint().0);
        words.iter().for_each(|word| bytes.extend_from_slice(&word.to_le_bytes()));
    }
    device.upload(&slot.blindings, 0, &[&bytes])
}

/// Bytes of the table that are handed over at once.
const UPLOAD_BYTES: usize = 64 << 20;

fn load_table(width_bits: u32, cache_directory: Option<&Path>) -> Result<Table, String> {
    let bases = Generators::standard().all();
    if let Some(directory) = cache_directory
        && std::fs::create_dir_all(directory).is_ok()
    {
        let path = directory.join(format!("multiples-{width_bits}.table"));
        // A cache that cannot be written costs the time to compute the table again.
        if let Ok(table) = Table::open_or_build(&path, bases, width_bits) {
            return Ok(table);
        }
    }
    Table::build(bases, width_bits).map_err(|error| error.to_string())
}

/// The correction of blocks, as the kernel takes it.
fn affine_point(table: &Table) -> AffinePoint {
    let stored = crate::curve::affine::Point::from(&table.corrections().block).store();
    bytemuck::pod_read_unaligned(&stored)
}

/// From homogeneous to Jacobian coordinates: (X : Y : Z) = (XZ : YZ² : Z). None if a coordinate is not below p.
fn projective(point: &Point) -> Option<G1Projective> {
    let element = |limbs: [u32; 12]| {
        let words = std::array::from_fn(|i| u64::from(limbs[2 * i]) | u64::from(limbs[2 * i + 1]) << 32);
        let words = BigInt::<6>(words);
        (words < Fq::MODULUS).then_some(ark_ff::Fp(words, PhantomData))
    };
    let limbs = |at: usize| {
        let (words, _) = bytemuck::bytes_of(point).as_chunks::<4>();
        std::array::from_fn(|i| u32::from_le_bytes(words[12 * at + i]))
    };
    let (x, y, z): (Fq, Fq, Fq) = (element(limbs(0))?, element(limbs(1))?, element(limbs(2))?);
    Some(G1Projective { x: x * z, y: y * z.square(), z })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_as_wide_as_the_memory_allows() {
        assert_eq!(width_bits(u64::MAX), Some(14));
        assert_eq!(width_bits(table_bytes(13)), Some(13));
        assert_eq!(width_bits(table_bytes(12) - 1), Some(10));
        assert_eq!(width_bits(1 << 20), None);
        assert_eq!(table_bytes(12), 104_202_240);
    }
}
