//! Labels on a device.

use holdfast_shaders::layout::{Digest, Label, LabelFirstLayer};

use super::device::{Device, Pipeline};
use super::kernels::Kernels;
use crate::accelerator::Fault;
use crate::space::label::{EDGE_COUNT, EDGE_ROUNDS, Layer};

/// The two layers that a window needs at a time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layers<'b> {
    pub(super) previous: &'b wgpu::Buffer,
    pub(super) current: &'b wgpu::Buffer,
}

/// Adds the labels of nodes `first …` of layer `number` to a list.
pub(super) fn labels(
    device: &Device,
    kernels: &Kernels,
    list: &mut wgpu::CommandEncoder,
    (layer, number): (&Layer, u32),
    layers: Layers<'_>,
    (first, count): (u32, u32),
) -> Result<(), Fault> {
    if number == 1 {
        let parameters =
            LabelFirstLayer { key: Digest::from_bytes(&layer.key), first, count, reserved: [0; 2] };
        let bytes = bytemuck::bytes_of(&parameters);
        run(device, &kernels.label_first_layer, list, bytes, &[layers.current], count)
    } else {
        let parameters = parameters(layer, first, count);
        let buffers = [layers.previous, layers.current];
        run(device, &kernels.label, list, bytemuck::bytes_of(&parameters), &buffers, count)
    }
}

/// The uniform of kernels `label` and `gather`.
pub fn parameters(layer: &Layer, first: u32, count: u32) -> Label {
    let mut edges = [[0; 4]; (2 * EDGE_COUNT * EDGE_ROUNDS).div_ceil(4)];
    let words = layer.edges.constants.iter().flatten().flat_map(|&(a, c)| [a, c]);
    for (to, word) in edges.as_flattened_mut().iter_mut().zip(words) {
        *to = word;
    }
    let key = Digest::from_bytes(&layer.key);
    Label { key, edges, first, count, mask: layer.edges.mask(), shift: layer.edges.shift() }
}

/// Adds a dispatch over `items` items.
pub(super) fn run(
    device: &Device,
    pipeline: &Pipeline,
    list: &mut wgpu::CommandEncoder,
    parameters: &[u8],
    buffers: &[&wgpu::Buffer],
    items: u32,
) -> Result<(), Fault> {
    device.dispatch(list, pipeline, parameters, buffers, items * pipeline.variant.lanes)
}
