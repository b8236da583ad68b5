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
    /// A value for each block.
    pub(super) values: wgpu::Buffer,
    /// Odd and even levels above.
    folds: [wgpu::Buffer; 2],
    blocks: u32,
}

impl TreeBuffers {
    /// For a layer of so many blocks, a power of two, two at least.
    pub(super) fn new(device: &Device, blocks: u32) -> Result<TreeBuffers, Fault> {
        let bytes = u64::from(blocks) * 32;
        let folds = [device.storage(bytes / 2)?, device.storage(bytes / 2)?];
        Ok(TreeBuffers { values: device.storage(bytes)?, folds, blocks })
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
        run(device, &kernels.subtree, list, bytes, &[layer, &self.values], count)
    }

    /// Adds all levels above the values to a list; returns the buffer that the root will be at the start of.
    pub(super) fn root(
        &self,
        device: &Device,
        kernels: &Kernels,
        list: &mut wgpu::CommandEncoder,
    ) -> Result<&wgpu::Buffer, Fault> {
        let mut from = &self.values;
        let mut count = self.blocks;
        for to in self.folds.iter().cycle() {
            count /= 2;
            let flags = if count == 1 { ROOT } else { 0 };
            let parameters = TreeFold { first: 0, count, flags, reserved: 0 };
            run(device, &kernels.tree_fold, list, bytemuck::bytes_of(&parameters), &[from, to], count)?;
            from = to;
            if count == 1 {
                break;
            }
        }
        Ok(from)
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
