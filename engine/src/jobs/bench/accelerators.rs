//! How fast accelerators are, asked as jobs ask them, their checks included.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use ark_bls12_381::Fr;
use holdfast_partition::io::AlignedBuffer;
use serde::Serialize;

use super::labels::repeat;
use super::real;
use crate::accelerator::{Accelerator, Fault, Interruption, WindowTarget};
use crate::backend::Backend;
use crate::possession::Replica;
use crate::possession::blinding::BlindingKey;
use crate::possession::commit::Committer;
use crate::registration::WindowShape;
use crate::tree::BLOCK_BYTES;

/// Blocks of a thread in one call: as jobs give it.
const BLOCKS_PER_THREAD: usize = 160;

/// What an accelerator does in a second.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AcceleratorRate {
    /// Its id.
    pub id: String,
    /// Bytes of finished windows a second, handed over in memory; `None` if it cannot make this shape.
    pub window_bytes_per_second: Option<f64>,
    /// Bytes of blocks a second, without the check by the processor; `None` if it cannot commit.
    pub commit_bytes_per_second: Option<f64>,
}

/// Measures both for about `span` each, after one piece that warms up.
///
/// # Errors
/// The accelerator fails.
pub fn measure_accelerator(
    accelerator: &dyn Accelerator,
    shape: WindowShape,
    span: Duration,
) -> Result<AcceleratorRate, Fault> {
    Ok(AcceleratorRate {
        id: accelerator.id().to_owned(),
        window_bytes_per_second: measure_accelerator_windows(accelerator, shape, span)?,
        commit_bytes_per_second: measure_accelerator_commits(accelerator, span)?,
    })
}

/// Bytes of finished windows a second, handed over in memory; `None` if it cannot make this shape.
///
/// # Errors
/// The accelerator fails.
pub fn measure_accelerator_windows(
    accelerator: &dyn Accelerator,
    shape: WindowShape,
    span: Duration,
) -> Result<Option<f64>, Fault> {
    let Ok(slots) = accelerator.window_slots(shape) else { return Ok(None) };
    let windows = measure_slots(slots, span, || make_window(accelerator, shape))?;
    Ok(Some(windows * real(shape.bytes())))
}

/// Bytes of blocks a second, without the check by the processor; `None` if it cannot commit.
///
/// # Errors
/// The accelerator fails.
pub fn measure_accelerator_commits(
    accelerator: &dyn Accelerator,
    span: Duration,
) -> Result<Option<f64>, Fault> {
    let Ok(slots) = accelerator.commit_slots() else { return Ok(None) };
    let bytes = test_bytes(slots.batch_blocks);
    let blocks: Vec<&[u8]> = bytes.chunks(BLOCK_BYTES).collect();
    let blindings: Vec<Fr> = (0..blocks.len() as u64).map(|i| Fr::from(i + 1)).collect();
    let batches = measure_slots(slots.batches, span, || accelerator.commit(&blocks, &blindings).map(|_| ()))?;
    Ok(Some(batches * real(bytes.len() as u64)))
}

/// Bytes of blocks a second that the processor commits to on so many threads, with the table for large objects.
///
/// # Errors
/// No memory for the table, or no threads.
pub fn measure_processor_commits(
    backend: &dyn Backend,
    threads: usize,
    span: Duration,
) -> Result<f64, std::io::Error> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    let pool = pool.map_err(std::io::Error::other)?;
    pool.install(|| {
        let committer = Committer::for_blocks(backend, u64::MAX).map_err(std::io::Error::other)?;
        let bytes = test_bytes(BLOCKS_PER_THREAD * threads);
        let replica = Replica::new([0; 32], bytes.len() as u64, 0).map_err(std::io::Error::other)?;
        let key = BlindingKey::from_bytes([0; 32]);
        let rounds = repeat(span, || {
            std::hint::black_box(committer.points(&key, &replica, 0, &bytes));
        });
        Ok(rounds * real(bytes.len() as u64))
    })
}

fn test_bytes(blocks: usize) -> Vec<u8> {
    (0..=250).cycle().take(blocks * BLOCK_BYTES).collect()
}

/// Pieces a second with so many under way at once.
fn measure_slots(
    slots: usize,
    span: Duration,
    piece: impl Fn() -> Result<(), Fault> + Sync,
) -> Result<f64, Fault> {
    piece()?;
    let done = Mutex::new((0_u64, None));
    let began = Instant::now();
    std::thread::scope(|threads| {
        for _ in 0..slots {
            threads.spawn(|| {
                loop {
                    let outcome = piece();
                    let Ok(mut done) = done.lock() else { return };
                    match outcome {
                        Ok(()) => done.0 += 1,
                        Err(fault) => done.1 = Some(fault),
                    }
                    if done.1.is_some() || began.elapsed() >= span {
                        return;
                    }
                }
            });
        }
    });
    let seconds = began.elapsed().as_secs_f64();
    match done.into_inner().unwrap_or_default() {
        (_, Some(fault)) => Err(fault),
        (pieces, None) => Ok(real(pieces) / seconds),
    }
}

/// Has one window made and forgets it.
///
/// # Errors
/// The accelerator fails, or the host has no memory for a part of the window.
pub fn make_window(accelerator: &dyn Accelerator, shape: WindowShape) -> Result<(), Fault> {
    match accelerator.make_window(shape, &[0x48; 32], &Discard(Mutex::default())) {
        Ok(_) => Ok(()),
        Err(Interruption::Fault(fault)) => Err(fault),
        Err(Interruption::Stopped) => {
            Err(Fault::Refused { message: "no memory on the host for a part of a window".to_owned() })
        }
    }
}

/// Takes windows and forgets them.
struct Discard(Mutex<Option<AlignedBuffer>>);

impl WindowTarget for Discard {
    fn proceed(&self) -> bool {
        true
    }

    fn take(&self, length: usize) -> Option<AlignedBuffer> {
        let kept = self.0.lock().ok()?.take().filter(|buffer| buffer.len() == length);
        kept.or_else(|| AlignedBuffer::zeroed(length).ok())
    }

    fn put(&self, _: u64, buffer: AlignedBuffer) {
        if let Ok(mut kept) = self.0.lock() {
            *kept = Some(buffer);
        }
    }
}
