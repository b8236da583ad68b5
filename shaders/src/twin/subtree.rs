//! Twin of `wgsl/subtree.wgsl`: chaining values of whole blocks, without ROOT (tree-v1 §2).

use super::{Workgroup, blake3, tree::parent_value};
use crate::layout::{Digest, Subtree};

/// One workgroup, all lanes between two barriers one after the other. Blocks have 2^`levels` chunks; `blocks` is the whole
/// buffer in rows of 16 bytes, `values` has one value a block.
pub fn subtree(
    workgroup: Workgroup,
    levels: u32,
    parameters: &Subtree,
    blocks: &[[u32; 4]],
    values: &mut [Digest],
) {
    let chunks = 1 << levels;
    let mut nodes = vec![Digest::default(); 2 * workgroup.size as usize];
    let first = workgroup.number() * workgroup.size;
    for lane in 0..workgroup.size {
        let chunk = parameters.first * chunks + first + lane;
        if (first + lane) / chunks < parameters.count {
            nodes[lane as usize] = chunk_value(blocks, chunk, counter_of(parameters, chunk));
        }
    }
    for level in 0..levels {
        let children = (2 * workgroup.size - ((2 * workgroup.size) >> level)) as usize;
        let width = (workgroup.size >> level) as usize;
        for lane in 0..width / 2 {
            let [left, right] = [nodes[children + 2 * lane], nodes[children + 2 * lane + 1]];
            nodes[children + width + lane] = parent_value(left, right, 0);
        }
    }
    let roots = 2 * workgroup.size - ((2 * workgroup.size) >> levels);
    for lane in 0..workgroup.size / chunks {
        let block = first / chunks + lane;
        if block < parameters.count {
            values[(parameters.first + block) as usize] = nodes[(roots + lane) as usize];
        }
    }
}

/// The 64-bit counter of a chunk of the buffer.
fn counter_of(parameters: &Subtree, chunk: u32) -> [u32; 2] {
    let [low, high] = parameters.counter;
    let (low, carry) = low.overflowing_add(chunk);
    [low, high.wrapping_add(u32::from(carry))]
}

fn chunk_value(blocks: &[[u32; 4]], chunk: u32, counter: [u32; 2]) -> Digest {
    (0..16).fold(blake3::IV, |value, block| {
        let at = (64 * chunk + 4 * block) as usize;
        let message = std::array::from_fn(|row| blocks[at + row]);
        let start = if block == 0 { blake3::CHUNK_START } else { 0 };
        let end = if block == 15 { blake3::CHUNK_END } else { 0 };
        blake3::compress(value, message, counter, 64, start | end)
    })
}
