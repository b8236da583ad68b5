//! Twin of `wgsl/copy.wgsl`: a copy in order.

use super::Invocation;
use crate::layout::Copy;

/// One invocation: one row of 16 bytes.
pub fn copy(invocation: Invocation, parameters: &Copy, source: &[[u32; 4]], copied: &mut [[u32; 4]]) {
    let i = invocation.index();
    if i < parameters.count {
        let n = parameters.first.wrapping_add(i) as usize;
        copied[n] = source[n];
    }
}
