//! What is compared with the processor before anything of a window is handed on.
//!
//! Places are drawn from the system's randomness, one in each of equal parts, so that the device cannot know them before and a
//! dispatch that was lost is hit for certain where its part is whole:
//!
//! | what | how many | a share f of wrong ones gets past with |
//! | --- | --- | --- |
//! | labels of each layer, computed again from their parents | one in 65,536, 32 at least: s | (1 − f)^s at most |
//! | blocks of each layer, hashed, and their paths folded to the layer's root | 8 | (1 − f)^8 |
//! | all block values of the last layer, folded to its root | all | never |
//! | blocks of the last layer, hashed again as they pass | 16 in 16 MiB, 1.6 % of all | (1 − f)^n of n looked at |
//!
//! A wrong label changes what follows from it in all later layers, so few stay few for one layer only.

use super::device::Device;
use super::kernels::Kernels;
use super::label::Layers;
use super::tree::{TreeBuffers, pick};
use super::window::blocks;
use crate::accelerator::Fault;
use crate::registration::WindowShape;
use crate::space::label::{EDGE_COUNT, LABEL_BYTES, Layer};
use crate::space::strata::one_in_each;
use crate::tree::{BLOCK_BYTES, ChainingValue, at, block_value, parent_value, root_value};

/// Labels that are computed again in each layer, at least.
pub const LABELS_PER_LAYER: u32 = 32;
/// One label is computed again in so many, which is the smallest dispatch.
const LABELS_PER_SAMPLE: u32 = 1 << 16;
/// Blocks of each layer that are hashed and opened up to the root.
const BLOCKS_PER_LAYER: u32 = 8;
/// Blocks of a piece of the last layer that are hashed as they pass.
const BLOCKS_PER_PIECE: u32 = 16;
const PARENTS: u32 = 8;
const _: () = assert!(PARENTS as usize == EDGE_COUNT + 1, "the node itself and its edges");
const DIGEST_BYTES: u64 = 32;

/// Which places of a window are looked at.
pub(super) struct Sampling {
    shape: WindowShape,
    seed: [u8; 32],
}

/// What is looked at in one layer.
pub(super) struct Samples<'l> {
    layer: &'l Layer,
    number: u32,
    nodes: Vec<u32>,
    blocks: Vec<u32>,
}

impl Sampling {
    pub(super) fn fresh(shape: WindowShape) -> Result<Sampling, Fault> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed)
            .map_err(|error| Fault::Refused { message: format!("no randomness from the system: {error}") })?;
        Ok(Sampling { shape, seed })
    }

    fn draw(&self, purpose: [u32; 2], bound: u32, count: u32) -> Vec<u32> {
        one_in_each(&self.seed, purpose, bound, count)
    }

    pub(super) fn of_layer<'l>(&self, layer: &'l Layer, number: u32) -> Samples<'l> {
        let nodes = self.draw([number, 0], layer.edges.mask() + 1, labels_per_layer(self.shape));
        let blocks = self.draw([number, 1], blocks(self.shape), BLOCKS_PER_LAYER);
        Samples { layer, number, nodes, blocks }
    }

    /// The blocks of a piece of the last layer that are hashed again; a piece has a power of two of blocks.
    pub(super) fn blocks_of_piece(&self, piece: u64, piece_blocks: u32) -> Vec<u32> {
        self.draw([u32::try_from(piece).unwrap_or(u32::MAX), 2], piece_blocks, BLOCKS_PER_PIECE)
    }
}

/// Labels that are looked at in each layer.
fn labels_per_layer(shape: WindowShape) -> u32 {
    let labels = u32::try_from(shape.labels()).unwrap_or(u32::MAX);
    (labels / LABELS_PER_SAMPLE).max(LABELS_PER_LAYER)
}

/// Where what comes back of a layer lies in the staging buffer: the root, labels, their parents, blocks, and siblings of each.
#[derive(Clone, Copy, Debug)]
struct Places {
    labels: u64,
    parents: u64,
    blocks: u64,
    siblings: u64,
    end: u64,
    /// Siblings of a block: levels below the root.
    depth: u64,
}

impl Places {
    fn new(shape: WindowShape) -> Places {
        let samples = u64::from(labels_per_layer(shape));
        let sampled_blocks = u64::from(BLOCKS_PER_LAYER.min(blocks(shape)));
        let depth = u64::from(blocks(shape).ilog2());
        let parents = DIGEST_BYTES + samples * DIGEST_BYTES;
        let blocks = parents + samples * DIGEST_BYTES * u64::from(PARENTS);
        let siblings = blocks + sampled_blocks * BLOCK_BYTES as u64;
        let end = siblings + sampled_blocks * depth * DIGEST_BYTES;
        Places { labels: DIGEST_BYTES, parents, blocks, siblings, end, depth }
    }
}

/// Buffers for what comes back of a layer.
#[derive(Debug)]
pub(super) struct Evidence {
    indices: [wgpu::Buffer; 2],
    picked: [wgpu::Buffer; 2],
    staging: wgpu::Buffer,
    values: wgpu::Buffer,
    places: Places,
    shape: WindowShape,
}

impl Evidence {
    pub(super) fn device_bytes(shape: WindowShape) -> u64 {
        Places::new(shape).blocks
    }

    pub(super) fn new(device: &Device, shape: WindowShape) -> Result<Evidence, Fault> {
        let places = Places::new(shape);
        let samples = u64::from(labels_per_layer(shape));
        let index_bytes = samples * 4;
        Ok(Evidence {
            indices: [device.storage(index_bytes)?, device.storage(index_bytes * u64::from(PARENTS))?],
            picked: [
                device.storage(places.parents - places.labels)?,
                device.storage(places.blocks - places.parents)?,
            ],
            staging: device.staging(places.end)?,
            values: device.staging(DIGEST_BYTES * shape.blocks())?,
            places,
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
        tree.fold(device, kernels, &mut list)?;
        self.pick_labels((device, kernels), &mut list, samples, layers)?;
        self.copy_blocks(&mut list, samples, layers, tree);
        let submission = device.submit(list)?;
        let judged =
            device.read(&self.staging, self.places.end, &submission, |seen| self.judge(samples, seen))?;
        judged.map_err(|what| device.taint(Fault::Wrong { what }))
    }

    fn pick_labels(
        &self,
        (device, kernels): (&Device, &Kernels),
        list: &mut wgpu::CommandEncoder,
        samples: &Samples<'_>,
        layers: Layers<'_>,
    ) -> Result<(), Fault> {
        let Places { labels, parents: parents_at, blocks, .. } = self.places;
        let [own, parents] = &self.indices;
        let [picked, picked_parents] = &self.picked;
        let count = labels_per_layer(self.shape);
        device.upload(own, 0, &[bytemuck::cast_slice(&samples.nodes)])?;
        pick(device, kernels, list, [own, layers.current, picked], count)?;
        list.copy_buffer_to_buffer(picked, 0, &self.staging, labels, parents_at - labels);
        if samples.number > 1 {
            let nodes: Vec<u32> =
                samples.nodes.iter().flat_map(|&node| samples.layer.edges.parents(node)).collect();
            device.upload(parents, 0, &[bytemuck::cast_slice(&nodes)])?;
            pick(device, kernels, list, [parents, layers.previous, picked_parents], count * PARENTS)?;
            list.copy_buffer_to_buffer(picked_parents, 0, &self.staging, parents_at, blocks - parents_at);
        }
        Ok(())
    }

    /// The root, the sampled blocks, and the sibling of each on every level below the root.
    fn copy_blocks(
        &self,
        list: &mut wgpu::CommandEncoder,
        samples: &Samples<'_>,
        layers: Layers<'_>,
        tree: &TreeBuffers,
    ) {
        let Some((root, levels)) = tree.levels.split_last() else { return };
        list.copy_buffer_to_buffer(root, 0, &self.staging, 0, DIGEST_BYTES);
        let bytes = BLOCK_BYTES as u64;
        for (place, &block) in (0_u64..).zip(&samples.blocks) {
            let to = self.places.blocks + place * bytes;
            list.copy_buffer_to_buffer(layers.current, u64::from(block) * bytes, &self.staging, to, bytes);
            let siblings = self.places.siblings + place * self.places.depth * DIGEST_BYTES;
            for (height, level) in levels.iter().enumerate() {
                let from = u64::from((block >> height) ^ 1) * DIGEST_BYTES;
                let to = siblings + height as u64 * DIGEST_BYTES;
                list.copy_buffer_to_buffer(level, from, &self.staging, to, DIGEST_BYTES);
            }
        }
    }

    /// The values of all blocks of the layer that was computed last.
    pub(super) fn all_values(
        &self,
        device: &Device,
        tree: &TreeBuffers,
    ) -> Result<Vec<ChainingValue>, Fault> {
        let mut list = device.begin();
        let bytes = DIGEST_BYTES * self.shape.blocks();
        list.copy_buffer_to_buffer(&tree.levels[0], 0, &self.values, 0, bytes);
        let submission = device.submit(list)?;
        device.read(&self.values, bytes, &submission, |seen| seen.as_chunks().0.to_vec())
    }

    /// The root, or what is wrong.
    fn judge(&self, samples: &Samples<'_>, seen: &[u8]) -> Result<[u8; 32], String> {
        let number = samples.number;
        let Places { labels, parents, blocks, siblings, end, depth } = self.places;
        let digests = |from: u64, to: u64| -> &[[u8; LABEL_BYTES]] { seen[at(from)..at(to)].as_chunks().0 };
        let root = digests(0, labels)[0];
        let parents = if number > 1 { digests(parents, blocks) } else { &[] };
        let mut parents = parents.chunks(PARENTS as usize);
        for (&node, label) in samples.nodes.iter().zip(digests(labels, self.places.parents)) {
            if samples.layer.label(node, parents.next().unwrap_or_default()) != *label {
                return Err(format!("label {node} of layer {number}"));
            }
        }
        let bytes = seen[at(blocks)..at(siblings)].chunks(BLOCK_BYTES);
        let paths = digests(siblings, end).chunks(at(depth));
        for ((&block, bytes), path) in samples.blocks.iter().zip(bytes).zip(paths) {
            if root_over(block, block_value(block.into(), bytes), path) != root {
                return Err(format!("a node over block {block} of layer {number}"));
            }
        }
        Ok(root)
    }
}

/// The root that follows from a block's value and its siblings, the lowest first, in a tree whose size is a power of two.
fn root_over(block: u32, value: ChainingValue, path: &[ChainingValue]) -> [u8; 32] {
    let Some((last, below)) = path.split_last() else { return value };
    let pair = |height: usize, node: ChainingValue, sibling: ChainingValue| {
        if (block >> height) & 1 == 0 { [node, sibling] } else { [sibling, node] }
    };
    let mut node = value;
    for (height, sibling) in below.iter().enumerate() {
        let [left, right] = pair(height, node, *sibling);
        node = parent_value(&left, &right);
    }
    let [left, right] = pair(below.len(), node, *last);
    root_value(&left, &right)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::Outboard;

    #[test]
    fn larger_layers_have_more_samples() {
        let of = |k| labels_per_layer(WindowShape::new(k, 3).expect("in range"));
        assert_eq!([of(10), of(22), of(25)], [LABELS_PER_LAYER, 64, 512]);
    }

    #[test]
    fn paths_lead_to_the_root_and_no_other_value_does() {
        for blocks in [2_u32, 8] {
            let bytes: Vec<u8> = (0..=250).cycle().take(blocks as usize * BLOCK_BYTES).collect();
            let outboard = Outboard::of(&bytes);
            for (block, bytes) in (0..blocks).zip(bytes.chunks(BLOCK_BYTES)) {
                let path = outboard.path(block.into());
                let mut value = block_value(block.into(), bytes);
                assert_eq!(root_over(block, value, &path), outboard.root());
                value[0] ^= 1;
                assert_ne!(root_over(block, value, &path), outboard.root());
            }
        }
    }
}
