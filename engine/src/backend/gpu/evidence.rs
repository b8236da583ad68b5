//! What is compared with the processor before anything of a window is handed on.
//!
//! In every layer [`LABELS_PER_LAYER`] labels, at places the device cannot know before, are computed again from their parents: a
//! device that computes a share f of the labels of a layer wrongly gets past with probability (1 − f)^32. Of one inner layer a
//! window, and of the last, all block values come back: the processor folds them to the root and hashes a block of them. Of the
//! last layer, one block in 16 MiB is hashed again as it passes.

use super::device::Device;
use super::kernels::Kernels;
use super::label::Layers;
use super::tree::{TreeBuffers, pick};
use super::window::blocks;
use crate::accelerator::Fault;
use crate::registration::WindowShape;
use crate::space::label::{EDGE_COUNT, LABEL_BYTES, Layer};
use crate::tree::{BLOCK_BYTES, ChainingValue, Outboard, block_value};

/// Labels that are computed again in each layer.
pub const LABELS_PER_LAYER: u32 = 32;
const PARENTS: u32 = 8;
const _: () = assert!(PARENTS as usize == EDGE_COUNT + 1, "the node itself and its edges");
/// Bytes of the labels that come back of each layer.
const LABELS_BYTES: u64 = LABELS_PER_LAYER as u64 * LABEL_BYTES as u64;
const PARENTS_BYTES: u64 = LABELS_BYTES * PARENTS as u64;
/// Root, labels, parents; then one block.
const ROOT_END: u64 = 32;
const LABELS_END: u64 = ROOT_END + LABELS_BYTES;
const PARENTS_END: u64 = LABELS_END + PARENTS_BYTES;
const EVIDENCE_BYTES: u64 = PARENTS_END + BLOCK_BYTES as u64;

/// Which places of a window are looked at: drawn from the system's randomness when the window begins.
pub(super) struct Sampling {
    shape: WindowShape,
    seed: [u8; 32],
}

/// What is looked at in one layer.
pub(super) struct Samples<'l> {
    layer: &'l Layer,
    number: u32,
    nodes: Vec<u32>,
    /// The block that is hashed, if this is the layer of which all block values come back.
    block: Option<u32>,
}

impl Sampling {
    pub(super) fn fresh(shape: WindowShape) -> Result<Sampling, Fault> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed)
            .map_err(|error| Fault::Refused { message: format!("no randomness from the system: {error}") })?;
        Ok(Sampling { shape, seed })
    }

    /// `count` numbers below `bound`, a power of two.
    fn draw(&self, purpose: u32, bound: u32, count: u32) -> Vec<u32> {
        let mut stream = blake3::Hasher::new_keyed(&self.seed).update(&purpose.to_le_bytes()).finalize_xof();
        let mut next = || {
            let mut bytes = [0; 4];
            stream.fill(&mut bytes);
            u32::from_le_bytes(bytes) & (bound - 1)
        };
        (0..count).map(|_| next()).collect()
    }

    pub(super) fn of_layer<'l>(&self, layer: &'l Layer, number: u32) -> Samples<'l> {
        let labels = layer.edges.mask() + 1;
        let layers = u32::from(self.shape.layers());
        let whole_layer = self.draw(0, 1 << 31, 1)[0] % layers + 1;
        let block = (number == whole_layer).then(|| self.draw(1, blocks(self.shape), 1)[0]);
        Samples { layer, number, nodes: self.draw(1 + number, labels, LABELS_PER_LAYER), block }
    }

    /// The block of a piece of the last layer that is hashed again; a piece has a power of two of bytes.
    pub(super) fn block_of_piece(&self, piece: u64, piece_bytes: u64) -> u64 {
        let blocks = u32::try_from(piece_bytes / BLOCK_BYTES as u64).unwrap_or(1);
        let purpose = u32::try_from(piece).unwrap_or(u32::MAX) | 1 << 31;
        self.draw(purpose, blocks, 1)[0].into()
    }
}

/// Buffers for what comes back of a layer.
#[derive(Debug)]
pub(super) struct Evidence {
    indices: [wgpu::Buffer; 2],
    picked: [wgpu::Buffer; 2],
    staging: wgpu::Buffer,
    values: wgpu::Buffer,
    shape: WindowShape,
}

impl Evidence {
    pub(super) fn device_bytes() -> u64 {
        2 * (LABELS_BYTES + PARENTS_BYTES)
    }

    pub(super) fn new(device: &Device, shape: WindowShape) -> Result<Evidence, Fault> {
        let index_bytes = u64::from(LABELS_PER_LAYER) * 4;
        Ok(Evidence {
            indices: [device.storage(index_bytes)?, device.storage(index_bytes * u64::from(PARENTS))?],
            picked: [device.storage(LABELS_BYTES)?, device.storage(PARENTS_BYTES)?],
            staging: device.staging(EVIDENCE_BYTES)?,
            values: device.staging(32 * shape.blocks())?,
            shape,
        })
    }

    /// Looks at a layer that the device has just computed; returns its root.
    pub(super) fn check(
        &self,
        (device, kernels): (&Device, &Kernels),
        samples: &Samples<'_>,
        layers: Layers<'_>,
        tree: &TreeBuffers,
    ) -> Result<[u8; 32], Fault> {
        let mut list = device.begin();
        let root = tree.root(device, kernels, &mut list)?;
        list.copy_buffer_to_buffer(root, 0, &self.staging, 0, 32);
        self.pick_labels((device, kernels), &mut list, samples, layers)?;
        if let Some(block) = samples.block {
            let start = u64::from(block) * BLOCK_BYTES as u64;
            list.copy_buffer_to_buffer(layers.current, start, &self.staging, PARENTS_END, BLOCK_BYTES as u64);
        }
        let submission = device.submit(list)?;
        let seen = device.read(&self.staging, EVIDENCE_BYTES, &submission, <[u8]>::to_vec)?;
        let values = samples.block.map(|_| self.all_values(device, tree)).transpose()?;
        self.judge(samples, &seen, values).map_err(|fault| device.taint(fault))
    }

    fn pick_labels(
        &self,
        (device, kernels): (&Device, &Kernels),
        list: &mut wgpu::CommandEncoder,
        samples: &Samples<'_>,
        layers: Layers<'_>,
    ) -> Result<(), Fault> {
        let [own, parents] = &self.indices;
        let [picked, picked_parents] = &self.picked;
        device.upload(own, 0, &[bytemuck::cast_slice(&samples.nodes)])?;
        pick(device, kernels, list, [own, layers.current, picked], LABELS_PER_LAYER)?;
        list.copy_buffer_to_buffer(picked, 0, &self.staging, ROOT_END, LABELS_BYTES);
        if samples.number > 1 {
            let nodes: Vec<u32> =
                samples.nodes.iter().flat_map(|&node| samples.layer.edges.parents(node)).collect();
            device.upload(parents, 0, &[bytemuck::cast_slice(&nodes)])?;
            let buffers = [parents, layers.previous, picked_parents];
            pick(device, kernels, list, buffers, LABELS_PER_LAYER * PARENTS)?;
            list.copy_buffer_to_buffer(picked_parents, 0, &self.staging, LABELS_END, PARENTS_BYTES);
        }
        Ok(())
    }

    /// The values of all blocks of the layer that was computed last.
    pub(super) fn all_values(
        &self,
        device: &Device,
        tree: &TreeBuffers,
    ) -> Result<Vec<ChainingValue>, Fault> {
        let mut list = device.begin();
        let bytes = 32 * self.shape.blocks();
        list.copy_buffer_to_buffer(&tree.values, 0, &self.values, 0, bytes);
        let submission = device.submit(list)?;
        device.read(&self.values, bytes, &submission, |seen| seen.as_chunks().0.to_vec())
    }

    fn judge(
        &self,
        samples: &Samples<'_>,
        seen: &[u8],
        values: Option<Vec<ChainingValue>>,
    ) -> Result<[u8; 32], Fault> {
        let number = samples.number;
        let wrong = |what: String| Fault::Wrong { what };
        let (head, rest) = seen.split_at(crate::tree::at(LABELS_END));
        let (parents, block_bytes) = rest.split_at(crate::tree::at(PARENTS_END - LABELS_END));
        let (digests, _) = head.as_chunks::<LABEL_BYTES>();
        let root = digests[0];
        let parents: &[[u8; LABEL_BYTES]] = if number > 1 { parents.as_chunks().0 } else { &[] };
        let mut parents = parents.chunks(PARENTS as usize);
        for (&node, label) in samples.nodes.iter().zip(&digests[1..]) {
            if samples.layer.label(node, parents.next().unwrap_or_default()) != *label {
                return Err(wrong(format!("label {node} of layer {number}")));
            }
        }
        if let (Some(block), Some(values)) = (samples.block, values) {
            if values.get(block as usize) != Some(&block_value(block.into(), block_bytes)) {
                return Err(wrong(format!("the value of block {block} of layer {number}")));
            }
            if Outboard::from_block_values(self.shape.bytes(), values).root() != root {
                return Err(wrong(format!("the root of layer {number}")));
            }
        }
        Ok(root)
    }
}
