//! The tree over a layer on a device: blocks to chaining values, values to the root.

use holdfast_shaders::layout::{Pick, Subtree, TreeFold};

use super::device::Device;
use super::kernels::Kernels;
use super::label::run;
use crate::accelerator::Fault;

/// BLAKE3's flag for the topmost node.
const ROOT: u32 = 8;

/// Buffers of the nodes over a layer.
#[derive(Debug)]
pub(super) struct TreeBuffers {
    /// Every level from the values of the blocks up to the root.
    pub(super) levels: Vec<wgpu::Buffer>,
    blocks: u32,
}

impl TreeBuffers {
    /// For a layer of so many blocks, a power of two, two at least.
    pub(super) fn new(device: &Device, blocks: u32) -> Result<TreeBuffers, Fault> {
        let level = |height: u32| device.storage(u64::from(blocks >> height) * 32);
        Ok(TreeBuffers { levels: (0..=blocks.ilog2()).map(level).collect::<Result<_, _>>()?, blocks })
    }

    /// Adds the values of blocks `first …` of a layer to a list.
    pub(super) fn values(
        &self,
        device: &Device,
        kernels: &Kernels,
        list: &mut wgpu::CommandEncoder,
        layer: &wgpu::Buffer,
        (first, count): (u32, u32),
    ) -> Result<(), Fault> {
        let parameters = Subtree { first, count, counter: [0; 2] };
        let bytes = bytemuck::bytes_of(&parameters);
        run(device, &kernels.subtree, list, bytes, &[layer, &self.levels[0]], count)
    }

    /// Adds all levels above the values to a list.
    pub(super) fn fold(
        &self,
        device: &Device,
        kernels: &Kernels,
        list: &mut wgpu::CommandEncoder,
    ) -> Result<(), Fault> {
        let mut count = self.blocks;
        for levels in self.levels.windows(2) {
            count /= 2;
            let flags = if count == 1 { ROOT } else { 0 };
            let parameters = TreeFold { first: 0, count, flags, reserved: 0 };
            let bytes = bytemuck::bytes_of(&parameters);
            run(device, &kernels.tree_fold, list, bytes, &[&levels[0], &levels[1]], count)?;
        }
        Ok(())
    }
}

/// Adds to a list that the labels at `count` indices are picked from a layer.
pub(super) fn pick(
    device: &Device,
    kernels: &Kernels,
    list: &mut wgpu::CommandEncoder,
    [indices, layer, picked]: [&wgpu::Buffer; 3],
    count: u32,
) -> Result<(), Fault> {
    let parameters = Pick { first: 0, count, reserved: [0; 2] };
    run(device, &kernels.pick, list, bytemuck::bytes_of(&parameters), &[indices, layer, picked], count)
}
