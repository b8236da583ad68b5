//! Twin of `wgsl/shared/tree.wgsl`: inner nodes of BLAKE3's tree (tree-v1 §2).

use super::blake3;
use crate::layout::Digest;

/// The parent of two chaining values. `flags` is 0 or ROOT.
pub fn parent_value(left: Digest, right: Digest, flags: u32) -> Digest {
    let children = [left.low, left.high, right.low, right.high];
    blake3::compress(blake3::IV, children, [0, 0], 64, blake3::PARENT | flags)
}
