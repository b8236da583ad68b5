//! Twin of `wgsl/label_first_layer.wgsl`: labels of layer 1 (space-v1 §5).

use super::{Invocation, blake3};
use crate::layout::{Digest, LabelFirstLayer};

/// One invocation. `labels` is the whole layer, by node.
pub fn label_first_layer(invocation: Invocation, parameters: &LabelFirstLayer, labels: &mut [Digest]) {
    let i = invocation.index();
    if i < parameters.count {
        let node = parameters.first.wrapping_add(i);
        let flags = blake3::KEYED_HASH | blake3::CHUNK_START | blake3::CHUNK_END;
        labels[node as usize] = blake3::compress(parameters.key, [[0; 4]; 4], [node, 0], 32, flags);
    }
}
