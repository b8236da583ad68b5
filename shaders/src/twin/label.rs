//! Twin of `wgsl/label.wgsl`: labels of layers 2 … ℓ (space-v1 §5).

use super::{Invocation, blake3, layer};
use crate::layout::{Digest, Label};

/// One invocation. `previous` and `labels` are whole layers, by node.
pub fn label(invocation: Invocation, parameters: &Label, previous: &[Digest], labels: &mut [Digest]) {
    let i = invocation.index();
    if i < parameters.count {
        let node = parameters.first.wrapping_add(i);
        let flags = [blake3::CHUNK_START, 0, 0, blake3::CHUNK_END];
        let blocks = layer::blocks(parameters, previous, node).into_iter().zip(flags);
        labels[node as usize] = blocks.fold(parameters.key, |value, (block, flags)| {
            blake3::compress(value, block, [node, 0], 64, blake3::KEYED_HASH | flags)
        });
    }
}
