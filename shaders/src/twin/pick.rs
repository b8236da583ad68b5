//! Twin of `wgsl/pick.wgsl`: digests by a list of places.

use super::Invocation;
use crate::layout::{Digest, Pick};

/// One invocation. Every place of `indices` in the range lies within `source`.
pub fn pick(
    invocation: Invocation,
    parameters: &Pick,
    indices: &[u32],
    source: &[Digest],
    picked: &mut [Digest],
) {
    let i = invocation.index();
    if i < parameters.count {
        let n = parameters.first.wrapping_add(i) as usize;
        picked[n] = source[indices[n] as usize];
    }
}
