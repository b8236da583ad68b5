//! Twin of `wgsl/gather.wgsl`: the exclusive or of a node's own label and those of its seven parents.

use super::{Invocation, layer};
use crate::layout::{Digest, Label};

/// One invocation. `previous` and `labels` are whole layers, by node.
pub fn gather(invocation: Invocation, parameters: &Label, previous: &[Digest], labels: &mut [Digest]) {
    let i = invocation.index();
    if i < parameters.count {
        let node = parameters.first.wrapping_add(i);
        let mut sum = Digest::default();
        for [a, b, c, d] in layer::blocks(parameters, previous, node) {
            for lane in 0..4 {
                sum.low[lane] ^= a[lane] ^ c[lane];
                sum.high[lane] ^= b[lane] ^ d[lane];
            }
        }
        labels[node as usize] = sum;
    }
}
