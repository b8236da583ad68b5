//! Twin of `wgsl/label_first_layer.wgsl`: labels of layer 1 (space-v1 §5).

use super::{Invocation, blake3};
use crate::layout::{Digest, LabelFirstLayer};

/// One invocation. `labels` holds `parameters.count` labels.
pub fn label_first_layer(invocation: Invocation, parameters: &LabelFirstLayer, labels: &mut [Digest]) {
    let i = invocation.global[1] * (invocation.workgroups[0] * 64) + invocation.global[0];
    if i < parameters.count {
        let flags = blake3::KEYED_HASH | blake3::CHUNK_START | blake3::CHUNK_END;
        let counter = [parameters.first.wrapping_add(i), 0];
        labels[i as usize] = blake3::compress(parameters.key, [[0; 4]; 4], counter, 32, flags);
    }
}
