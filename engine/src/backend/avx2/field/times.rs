//! The product of the field: [`super`] says how it is made.

use std::arch::x86_64::*;

use super::constants::{
    CARRIED_LIFT, HALF, LIFT, LOWER, MASK, MINUS_INVERSE, N_NUMBERS, P_NUMBERS, UPPER, surplus,
};
use super::{Fq4, accumulate, add, and, fma, number, numbers, splat, subtract};

/// Lets the compiler neither begin early with what follows from `$value` nor put off what it follows from: without that it makes all
/// products of limbs first, for which there are not registers enough.
macro_rules! here {
    ($value:ident) => {
        // SAFETY: no instruction, and nothing is touched but a register that keeps its value.
        unsafe { std::arch::asm!("/* {0} */", inout(ymm_reg) $value, options(nomem, nostack, preserves_flags)) }
    };
}

/// Adds `$factor` times the limbs to the columns: the low half of each product to its column, the high half to the next one.
macro_rules! row {
    ($factor:ident, $limbs:ident; $($column:ident)+) => {
        here!($factor);
        row!(0, $factor, $limbs; $($column)+);
    };
    ($j:expr, $factor:ident, $limbs:ident; $low:ident $high:ident $($column:ident)*) => {
        accumulate($limbs[$j], $factor, &mut $low, &mut $high);
        here!($low);
        row!($j + 1, $factor, $limbs; $high $($column)*);
    };
    ($j:expr, $factor:ident, $limbs:ident; $last:ident) => {};
}

/// Adds a limb of b times a to the columns; then the lowest column goes: its low bits, times N, to the columns above it, and what it
/// carries. `$before` steps were made.
macro_rules! step {
    ($before:literal, $limb:expr, $a:ident, $n:ident; $c0:ident $c1:ident $($column:ident)+; $top:ident) => {
        let mut limb = numbers($limb);
        row!(limb, $a; $c0 $c1 $($column)+);
        let mut quotient = unsigned_numbers(and($c0, splat(MASK)));
        let upper = if $before == 0 { 0 } else { 2 * $before - 1 };
        $c1 = add($c1, carried($c0, surplus(2 * $before + 1, upper)));
        row!(quotient, $n; $c1 $($column)+ $top);
    };
}

/// What of a column belongs to the next one, and the lift with it.
#[inline(always)]
fn carried(column: __m256i, surplus: u64) -> __m256i {
    fma!(_mm256_srli_epi64::<51>(add(column, splat(LIFT.wrapping_sub(surplus)))))
}

/// Integers of 51 bits as numbers.
#[inline(always)]
fn unsigned_numbers(limbs: __m256i) -> __m256d {
    const MAGIC: f64 = (1u64 << 52) as f64;
    let lifted = fma!(_mm256_castsi256_pd(_mm256_or_si256(limbs, splat(MAGIC.to_bits()))));
    fma!(_mm256_sub_pd(lifted, number(MAGIC)))
}

/// lowest·k mod 2^51, between −2^50 and 2^50: the lower half of a product.
#[inline(always)]
fn montgomery_quotient(lowest: __m256d) -> __m256d {
    fma!({
        let inverse = number(MINUS_INVERSE as f64);
        let upper = _mm256_fmadd_pd(lowest, inverse, number(UPPER));
        let left_over = _mm256_sub_pd(number(UPPER + LOWER), upper);
        _mm256_sub_pd(_mm256_fmadd_pd(lowest, inverse, left_over), number(LOWER))
    })
}

/// left·right / 2^408, a product. A call, as six in place of each addition would not stay in the first cache of instructions.
#[inline(never)]
#[target_feature(enable = "avx2,fma")]
pub(super) fn times(left: &Fq4, right: &Fq4) -> Fq4 {
    let (mut a, mut n, mut p) = ([number(0.0); 8], [number(0.0); 8], [number(0.0); 8]);
    for j in 0..8 {
        (a[j], n[j], p[j]) = (numbers(left.0[j]), number(N_NUMBERS[j]), number(P_NUMBERS[j]));
    }
    let b = right.0;
    // Those that a carry goes into begin without the lift that comes with it.
    let (mut c0, unlifted) = (splat(0), splat(CARRIED_LIFT.wrapping_neg()));
    let [mut c1, mut c2, mut c3, mut c4, mut c5, mut c6, mut c7, mut c8] = [unlifted; 8];
    let [mut c9, mut c10, mut c11, mut c12, mut c13, mut c14, mut c15] = [splat(0); 7];
    step!(0, b[0], a, n; c0 c1 c2 c3 c4 c5 c6 c7 c8; c9);
    step!(1, b[1], a, n; c1 c2 c3 c4 c5 c6 c7 c8 c9; c10);
    step!(2, b[2], a, n; c2 c3 c4 c5 c6 c7 c8 c9 c10; c11);
    step!(3, b[3], a, n; c3 c4 c5 c6 c7 c8 c9 c10 c11; c12);
    step!(4, b[4], a, n; c4 c5 c6 c7 c8 c9 c10 c11 c12; c13);
    step!(5, b[5], a, n; c5 c6 c7 c8 c9 c10 c11 c12 c13; c14);
    step!(6, b[6], a, n; c6 c7 c8 c9 c10 c11 c12 c13 c14; c15);
    // The last one with Montgomery's own quotient.
    let mut limb = numbers(b[7]);
    row!(limb, a; c7 c8 c9 c10 c11 c12 c13 c14 c15);
    let mut quotient = montgomery_quotient(unsigned_numbers(and(c7, splat(MASK))));
    row!(quotient, p; c7 c8 c9 c10 c11 c12 c13 c14 c15);
    c8 = add(c8, carried(c7, surplus(16, 13)));
    product([c8, c9, c10, c11, c12, c13, c14, c15])
}

/// A product from its eight columns, with what halves have added to them.
#[inline(always)]
fn product(columns: [__m256i; 8]) -> Fq4 {
    let mut limbs = columns;
    let mut carry = splat(0);
    for j in 0..8 {
        let k = j as u64;
        // Column 8 + j: of b times a, of the seven quotients times N, and of the last one times p.
        let lower = if j < 7 { 2 * (7 - k) + 1 } else { 0 };
        let upper = if j > 0 { 2 * (8 - k) + 1 } else { 16 };
        let below = if j > 0 { CARRIED_LIFT } else { 0 };
        let lift = if j < 7 { LIFT + HALF } else { 0 };
        let constant = lift.wrapping_sub(surplus(lower, upper)).wrapping_sub(below);
        let sum = add(columns[j], splat(constant));
        // Every limb is carried from its own column alone, so none waits for another.
        let low = if j < 7 { subtract(and(sum, splat(MASK)), splat(HALF)) } else { sum };
        limbs[j] = add(low, carry);
        carry = fma!(_mm256_srli_epi64::<51>(sum));
    }
    Fq4(limbs)
}
