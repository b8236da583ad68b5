//! What an examiner wants to see of a layer: blocks that come back from the device, opened by trees that the processor folds.

use super::device::Device;
use super::label::Layers;
use super::window::WindowSlot;
use crate::accelerator::{Fault, Interruption};
use crate::challenge::SealNode;
use crate::space::seal::{Examiner, answer_examiner};
use crate::tree::{BLOCK_BYTES, BLOCK_CHUNKS, Outboard, open_chunk};

/// A layer that lies on the device with its tree, beside the layer before.
pub(super) struct ExaminedLayer<'l> {
    pub(super) number: u32,
    pub(super) root: &'l [u8; 32],
    pub(super) buffers: Layers<'l>,
    /// The tree of the layer before; layer 1 has none.
    pub(super) before: Option<&'l Outboard>,
}

impl WindowSlot {
    /// Shows an examiner what it asks for of the layer that was computed last; returns the layer's tree.
    pub(super) fn examine(
        &self,
        device: &Device,
        window_key: &[u8; 32],
        examiner: &dyn Examiner,
        layer: &ExaminedLayer<'_>,
    ) -> Result<Outboard, Interruption> {
        let outboard = self.outboard(device, Some(layer.root))?;
        let most = self.piece_blocks();
        let mut open = |nodes: &[SealNode]| {
            let mut openings = Vec::new();
            for nodes in nodes.chunks(most) {
                self.open_into(device, nodes, layer, &outboard, &mut openings)?;
            }
            Ok(openings)
        };
        answer_examiner(examiner, (self.shape(), window_key), (layer.number, layer.root), &mut open)?;
        Ok(outboard)
    }

    /// Adds the openings of the chunks that hold these labels; their blocks come back in one piece.
    fn open_into(
        &self,
        device: &Device,
        nodes: &[SealNode],
        layer: &ExaminedLayer<'_>,
        outboard: &Outboard,
        openings: &mut Vec<u8>,
    ) -> Result<(), Fault> {
        let staging = self.piece();
        let mut list = device.begin();
        let mut trees = Vec::with_capacity(nodes.len());
        for (node, place) in nodes.iter().zip(0_u64..) {
            let is_current = u32::from(node.layer) == layer.number;
            let (buffer, tree) = match layer.before {
                Some(before) if !is_current => (layer.buffers.previous, before),
                _ => (layer.buffers.current, outboard),
            };
            let block = node.chunk() / BLOCK_CHUNKS as u64;
            let bytes = BLOCK_BYTES as u64;
            list.copy_buffer_to_buffer(buffer, block * bytes, staging, place * bytes, bytes);
            trees.push((node.chunk(), tree.path(block)));
        }
        let submission = device.submit(list)?;
        let length = nodes.len() as u64 * BLOCK_BYTES as u64;
        device.read(staging, length, &submission, |seen| {
            for (block, (chunk, path)) in seen.chunks(BLOCK_BYTES).zip(&trees) {
                openings.extend(open_chunk(*chunk, outboard.length(), block, path));
            }
        })
    }
}
