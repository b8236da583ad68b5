//! Twin of `wgsl/tree_fold.wgsl`: one level of BLAKE3's tree.

use super::{Invocation, tree::parent_value};
use crate::layout::{Digest, TreeFold};

/// One invocation. Parent n is that of values 2n and 2n + 1.
pub fn tree_fold(invocation: Invocation, parameters: &TreeFold, values: &[Digest], parents: &mut [Digest]) {
    let i = invocation.index();
    if i < parameters.count {
        let n = parameters.first.wrapping_add(i) as usize;
        parents[n] = parent_value(values[2 * n], values[2 * n + 1], parameters.flags);
    }
}
