//! Twin of `wgsl/commit_fold.wgsl`: Horner's rule over the sums of a block.

use super::Invocation;
use super::curve::{add_full, infinity, load_point, store_point};
use super::field::{ONE, ResidueForm};
use crate::layout::{CommitFold, Point};

/// One invocation: one block.
pub fn commit_fold<F: ResidueForm>(
    invocation: Invocation,
    parameters: &CommitFold,
    sums: &[Point],
    points: &mut [Point],
) {
    let i = invocation.index();
    if i >= parameters.count {
        return;
    }
    let block = parameters.first.wrapping_add(i);
    let mut window = parameters.windows - 1;
    // Doublings of the window are its phases 0 … w − 1, then come the segments. The top window needs no doublings.
    let mut phase = parameters.width_bits;
    let mut sum = infinity::<F>();
    for step in 0..parameters.steps {
        let addend = if step + 1 == parameters.steps {
            load_point::<F>(Point { x: parameters.correction.x, y: parameters.correction.y, z: ONE })
        } else if phase >= parameters.width_bits {
            let segment = phase - parameters.width_bits;
            let place = (block * parameters.segments + segment) * parameters.windows + window;
            load_point::<F>(sums[place as usize])
        } else {
            sum
        };
        sum = add_full::<F>(sum, addend);
        phase += 1;
        if phase == parameters.width_bits + parameters.segments {
            phase = 0;
            window = window.wrapping_sub(1);
        }
    }
    points[block as usize] = store_point::<F>(sum);
}
