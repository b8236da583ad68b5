//! Twin of `wgsl/field_test.wgsl`: the field alone.

use super::Invocation;
use super::field::ResidueForm;
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
/// Element n takes operation n mod 5.
pub const IN_TURN: u32 = 5;

/// One invocation: x begins as the left element. Every element is below p.
pub fn field_test<F: ResidueForm>(
    invocation: Invocation,
    parameters: &FieldTest,
    left: &[FieldElement],
    right: &[FieldElement],
    result: &mut [FieldElement],
) {
    let i = invocation.index();
    if i < parameters.count {
        let n = parameters.first.wrapping_add(i) as usize;
        let (start, y) = (F::load(left[n]), F::load(right[n]));
        let operation = match parameters.operation {
            IN_TURN => (parameters.first + i) % IN_TURN,
            operation => operation,
        };
        let mut x = start;
        for _ in 0..parameters.rounds {
            x = match operation {
                ADD => F::load(F::store(F::add_unreduced(x, y))),
                SUBTRACT => F::load(F::store(F::subtract_unreduced(x, y))),
                SUM_OF_PRODUCTS => F::sum_of_products(x, y, start, x),
                TIMES_TWELVE => F::load(F::store(F::times_twelve(x))),
                _ => F::multiply(x, y),
            };
        }
        result[n] = F::store(x);
    }
}
