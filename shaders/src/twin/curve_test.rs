//! Twin of `wgsl/curve_test.wgsl`: the complete additions alone.

use super::Invocation;
use super::curve::{add_full, add_mixed};
use super::product::Product;
use crate::layout::{AffinePoint, CurveTest, Point};

/// The right point's Z is taken as one.
pub const ADD_MIXED: u32 = 0;
/// Any two points.
pub const ADD_FULL: u32 = 1;

/// One invocation: left + rounds · right.
pub fn curve_test<P: Product>(
    invocation: Invocation,
    parameters: &CurveTest,
    left: &[Point],
    right: &[Point],
    result: &mut [Point],
) {
    let i = invocation.index();
    if i < parameters.count {
        let n = parameters.first.wrapping_add(i) as usize;
        let Point { x, y, .. } = right[n];
        let mut sum = left[n];
        for _ in 0..parameters.rounds {
            sum = if parameters.operation == ADD_MIXED {
                add_mixed::<P>(sum, AffinePoint { x, y })
            } else {
                add_full::<P>(sum, right[n])
            };
        }
        result[n] = sum;
    }
}
