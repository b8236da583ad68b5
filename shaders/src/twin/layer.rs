//! Twin of `wgsl/shared/layer.wgsl`: the eight parents of a node (space-v1 §4).

use super::blake3::Message;
use crate::layout::{Digest, Label};

fn edge_round(parameters: &Label, x: u32, a: u32, c: u32) -> u32 {
    let y = a.wrapping_mul(x).wrapping_add(c) & parameters.mask;
    y ^ (y >> parameters.shift)
}

/// π of this edge, 0 … 6: six rounds, two in each row of constants.
pub fn parent(parameters: &Label, edge: usize, node: u32) -> u32 {
    parameters.edges[3 * edge..3 * edge + 3].iter().fold(node, |x, &[a0, c0, a1, c1]| {
        let x = edge_round(parameters, x, a0, c0);
        edge_round(parameters, x, a1, c1)
    })
}

/// Two labels side by side: one block of a node's message.
pub(super) fn label_pair(previous: &[Digest], left: u32, right: u32) -> Message {
    let [left, right] = [left, right].map(|node| previous[node as usize]);
    [left.low, left.high, right.low, right.high]
}

/// The four blocks of a node's message: the node itself and its seven parents.
pub(super) fn blocks(parameters: &Label, previous: &[Digest], node: u32) -> [Message; 4] {
    let at = |edge| parent(parameters, edge, node);
    [[node, at(0)], [at(1), at(2)], [at(3), at(4)], [at(5), at(6)]]
        .map(|[left, right]| label_pair(previous, left, right))
}
