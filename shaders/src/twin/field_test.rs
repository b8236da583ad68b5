//! Twin of `wgsl/field_test.wgsl`: the field alone.

use super::Invocation;
use super::field::{add_unreduced, multiply, reduce_once, subtract_unreduced, sum_of_products, times_twelve};
use super::product::Product;
use crate::layout::{FieldElement, FieldTest};

/// x ← x·right.
pub const MULTIPLY: u32 = 0;
/// x ← x + right.
pub const ADD: u32 = 1;
/// x ← x − right.
pub const SUBTRACT: u32 = 2;
/// x ← x·right + left·x.
pub const SUM_OF_PRODUCTS: u32 = 3;
/// x ← 12·x.
pub const TIMES_TWELVE: u32 = 4;

/// One invocation: x begins as the left element. Every element is below p.
pub fn field_test<P: Product>(
    invocation: Invocation,
    parameters: &FieldTest,
    left: &[FieldElement],
    right: &[FieldElement],
    result: &mut [FieldElement],
) {
    let i = invocation.index();
    if i < parameters.count {
        let n = parameters.first.wrapping_add(i) as usize;
        let mut x = left[n];
        for _ in 0..parameters.rounds {
            x = match parameters.operation {
                ADD => reduce_once::<P>(add_unreduced::<P>(x, right[n])),
                SUBTRACT => reduce_once::<P>(reduce_once::<P>(subtract_unreduced::<P>(x, right[n]))),
                SUM_OF_PRODUCTS => sum_of_products::<P>(x, right[n], left[n], x),
                TIMES_TWELVE => times_twelve::<P>(x),
                _ => multiply::<P>(x, right[n]),
            };
        }
        result[n] = x;
    }
}
