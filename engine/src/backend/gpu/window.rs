//! One window on a device: all layers there, the last one and the roots back.
//!
//! ```text
//! per layer   labels ─► block values ─► root        pieces of about 50 ms, two of them handed over at a time
//!                │ samples of labels and their parents, of blocks and their paths, the root
//!                ▼
//!             compared with the processor's            before the next layer begins
//! at the end  last layer ─► 16 MiB pieces ─► target    one piece is copied by the device while the one before is handed on
//! ```
//!
//! Memory on the device: two layers, two nodes for each of their blocks, and a few pages. Several windows under way at once
//! hide the waits of each.

use std::collections::VecDeque;
use std::time::Instant;

use super::device::{Device, Submission};
use super::evidence::{Evidence, Sampling};
use super::examine::ExaminedLayer;
use super::kernels::Kernels;
use super::label::{self, Layers};
use super::pace::Pace;
use super::tree::TreeBuffers;
use crate::accelerator::{Fault, Interruption, WindowTarget};
use crate::registration::WindowShape;
use crate::space::label::{LABEL_BYTES, Layer};
use crate::space::window::{MadeWindow, TILE_BYTES};
use crate::tree::{BLOCK_BYTES, Outboard};

/// Labels of a block.
pub(super) const BLOCK_LABELS: u32 = 512;
const _: () = assert!(BLOCK_LABELS as usize * LABEL_BYTES == BLOCK_BYTES, "a block's labels");
/// Bytes that come back at once.
const PIECE_BYTES: u64 = 16 << 20;
/// Submissions handed over before the oldest is waited for.
const SUBMISSIONS_AHEAD: usize = 2;

/// Buffers for one window under way.
#[derive(Debug)]
pub(super) struct WindowSlot {
    shape: WindowShape,
    layers: [wgpu::Buffer; 2],
    tree: TreeBuffers,
    evidence: Evidence,
    pieces: [wgpu::Buffer; 2],
}

impl WindowSlot {
    /// Memory that a slot for this shape takes on the device.
    pub(super) fn device_bytes(shape: WindowShape) -> u64 {
        let layer = shape.bytes();
        2 * layer + 2 * 32 * shape.blocks() + Evidence::device_bytes(shape)
    }

    pub(super) fn new(device: &Device, shape: WindowShape) -> Result<WindowSlot, Fault> {
        let layer = || device.storage(shape.bytes());
        let piece = || device.staging(PIECE_BYTES.min(shape.bytes()));
        Ok(WindowSlot {
            shape,
            layers: [layer()?, layer()?],
            tree: TreeBuffers::new(device, blocks(shape))?,
            evidence: Evidence::new(device, shape)?,
            pieces: [piece()?, piece()?],
        })
    }

    pub(super) fn shape(&self) -> WindowShape {
        self.shape
    }

    /// A buffer into which so many blocks come back at once, free until the last layer is handed over.
    pub(super) fn piece(&self) -> &wgpu::Buffer {
        &self.pieces[0]
    }

    pub(super) fn piece_blocks(&self) -> usize {
        crate::tree::at(PIECE_BYTES.min(self.shape.bytes())) / BLOCK_BYTES
    }

    /// Makes the window with this key.
    pub(super) fn make(
        &self,
        (device, kernels, pace): (&Device, &Kernels, &Pace),
        window_key: &[u8; 32],
        target: &dyn WindowTarget,
    ) -> Result<MadeWindow, Interruption> {
        let sampling = Sampling::fresh(self.shape)?;
        let mut layer_roots = Vec::with_capacity(self.shape.layers().into());
        let mut before = None;
        for number in 1..=u32::from(self.shape.layers()) {
            let layer = Layer::derive(window_key, number, self.shape.log2_labels());
            let buffers = self.layers_of(number);
            self.compute((device, kernels, pace), (&layer, number), buffers, target)?;
            let samples = sampling.of_layer(&layer, number);
            let root = self.evidence.check((device, kernels), &samples, buffers, &self.tree)?;
            if let Some(examiner) = target.examiner() {
                let examined = ExaminedLayer { number, root: &root, buffers, before: before.as_ref() };
                before = Some(self.examine(device, window_key, examiner, &examined)?);
            }
            layer_roots.push(root);
        }
        let outboard = self.outboard(device, layer_roots.last())?;
        self.hand_over(device, &outboard, &sampling, target)?;
        Ok(MadeWindow { layer_roots, outboard })
    }

    /// Layers alternate between two buffers.
    fn layers_of(&self, number: u32) -> Layers<'_> {
        let [odd, even] = &self.layers;
        if number % 2 == 1 {
            Layers { previous: even, current: odd }
        } else {
            Layers { previous: odd, current: even }
        }
    }

    /// Computes the labels of one layer and the values of its blocks.
    fn compute(
        &self,
        (device, kernels, pace): (&Device, &Kernels, &Pace),
        layer: (&Layer, u32),
        buffers: Layers<'_>,
        target: &dyn WindowTarget,
    ) -> Result<(), Interruption> {
        let labels = blocks(self.shape) * BLOCK_LABELS;
        let mut ahead: VecDeque<(Submission, u32)> = VecDeque::new();
        let mut first = 0;
        let mut clock = Instant::now();
        while first < labels || !ahead.is_empty() {
            if first < labels && ahead.len() < SUBMISSIONS_AHEAD {
                if !target.proceed() {
                    return Err(Interruption::Stopped);
                }
                let count = pace.items().min(labels - first);
                let mut list = device.begin();
                label::labels(device, kernels, &mut list, layer, buffers, (first, count))?;
                let piece = (first / BLOCK_LABELS, count / BLOCK_LABELS);
                self.tree.values(device, kernels, &mut list, buffers.current, piece)?;
                ahead.push_back((device.submit(list)?, count));
                first += count;
            } else if let Some((submission, count)) = ahead.pop_front() {
                device.wait(&submission)?;
                pace.took(count, clock.elapsed());
                clock = Instant::now();
            }
        }
        Ok(())
    }

    /// The tree of the layer that was computed last, from its block values; the processor folds them, and must come to the
    /// device's root.
    pub(super) fn outboard(&self, device: &Device, root: Option<&[u8; 32]>) -> Result<Outboard, Fault> {
        let values = self.evidence.all_values(device, &self.tree)?;
        let outboard = Outboard::from_block_values(self.shape.bytes(), values);
        if root == Some(&outboard.root()) {
            return Ok(outboard);
        }
        Err(device.taint(Fault::Wrong { what: "the root of a layer".to_owned() }))
    }

    /// Takes the last layer to the target.
    fn hand_over(
        &self,
        device: &Device,
        outboard: &Outboard,
        sampling: &Sampling,
        target: &dyn WindowTarget,
    ) -> Result<(), Interruption> {
        let layer = self.layers_of(self.shape.layers().into()).current;
        let bytes = self.shape.bytes();
        let length = PIECE_BYTES.min(bytes);
        let piece_blocks = u32::try_from(length / BLOCK_BYTES as u64).unwrap_or(1);
        let copy = |piece: u64| {
            let staging = &self.pieces[usize::from(piece % 2 == 1)];
            let mut list = device.begin();
            list.copy_buffer_to_buffer(layer, piece * length, staging, 0, length);
            device.submit(list)
        };
        let mut next = Some(copy(0)?);
        for piece in 0..bytes / length {
            let Some(submission) = next.take() else { break };
            if (piece + 1) * length < bytes {
                next = Some(copy(piece + 1)?);
            }
            let staging = &self.pieces[usize::from(piece % 2 == 1)];
            let offset = piece * length;
            let handed = device.read(staging, length, &submission, |seen| {
                let first = offset / BLOCK_BYTES as u64;
                for block in sampling.blocks_of_piece(piece, piece_blocks) {
                    let block = u64::from(block);
                    if !outboard.holds_block(first + block, at(seen, block)) {
                        let what = format!("block {} of the last layer", first + block);
                        return Err(Interruption::Fault(Fault::Wrong { what }));
                    }
                }
                put_tiles(seen, offset, target)
            })?;
            if let Err(Interruption::Fault(fault)) = &handed {
                device.taint(fault.clone());
            }
            handed?;
        }
        Ok(())
    }
}

fn put_tiles(bytes: &[u8], offset: u64, target: &dyn WindowTarget) -> Result<(), Interruption> {
    for (tile, bytes) in bytes.chunks(TILE_BYTES).enumerate() {
        let mut buffer = target.take(bytes.len()).ok_or(Interruption::Stopped)?;
        buffer.copy_from_slice(bytes);
        target.put(offset + (tile * TILE_BYTES) as u64, buffer);
    }
    Ok(())
}

/// A block of a piece.
fn at(piece: &[u8], block: u64) -> &[u8] {
    let start = crate::tree::at(block) * BLOCK_BYTES;
    &piece[start..start + BLOCK_BYTES]
}

/// Blocks of a layer; a device is only asked for windows whose layers fit one binding.
pub(super) fn blocks(shape: WindowShape) -> u32 {
    u32::try_from(shape.blocks()).unwrap_or(u32::MAX)
}
