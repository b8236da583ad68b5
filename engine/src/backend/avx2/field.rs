//! The field of BLS12-381's coordinates, four elements at a time, on the multipliers of floating point (AVX2 and FMA).
//!
//! An element is eight limbs of 51 bits, and vector j holds limb j of four elements. A product of two limbs has up to 102 bits.
//! One fused multiplication and addition of 1.5·2^103 rounds it to a multiple of 2^51, which then stands as an integer in the low
//! bits of the sum; a second one, of what the first left over, gives the exact rest between −2^50 and 2^50, above 1.5·2^52 so that
//! it too stands in the low bits. So two multiplications and a subtraction make a product of limbs, and two integer additions
//! put its halves in their columns. The constants that come along are known, and are subtracted once for each column. This is the
//! method of Emmart, Zheng and Weems ("Faster modular exponentiation using double precision floating point arithmetic on the GPU",
//! ARITH 2018), for rounding to the nearest.
//!
//! `times` is Montgomery's product with R = 2^408. Coordinates carry the factor 2^384, as elsewhere; see
//! [`super::additions`]. Seven of its eight steps take the low limb itself for the quotient: with k = −1/p mod 2^51 and
//! N = (k·p + 1) / 2^51, a sum s = s₁·2^51 + s₀ is s·2^−51 = s₁ + s₀·N mod p. That leaves 51 bits too many, which the last step, with
//! Montgomery's own quotient s₀·k, takes away. So no step but the last waits for a product to know its quotient.
//!
//! Two forms. A *product* has limbs between −2^50 and 2^50 + 2^10, and is between −p/2 and p, and a little. A *coordinate* has limbs
//! of 51 bits, none negative, and is below 2p. The difference of two coordinates, limb by limb, and a product are what `times` takes:
//! its products of limbs stay below 2^102. 27 bits of R are to spare, so nothing else has to be watched.

use std::arch::x86_64::*;

/// Evidence that AVX2 and FMA exist.
#[derive(Clone, Copy, Debug)]
pub(in crate::backend) struct FmaProof(());

impl FmaProof {
    pub(in crate::backend) fn detect() -> Option<FmaProof> {
        (is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")).then_some(FmaProof(()))
    }
}

/// Calls intrinsics.
macro_rules! fma {
    ($call:expr) => {
        // SAFETY: the operands are of type `Fq4` or come with a proof, so the instruction set exists. The intrinsics that take
        // addresses are given references to as many bytes as they touch, and do not ask for alignment.
        unsafe {
            $call
        }
    };
}
pub(super) use fma;

/// Bits of a limb.
const LIMB_BITS: u32 = 51;
pub(super) const MASK: u64 = (1 << LIMB_BITS) - 1;
/// Half of what a limb counts.
const HALF: u64 = 1 << (LIMB_BITS - 1);

/// 64-bit words of p.
const P_WORDS: [u64; 6] = [
    0xb9fe_ffff_ffff_aaab,
    0x1eab_fffe_b153_ffff,
    0x6730_d2a0_f6b0_f624,
    0x6477_4b84_f385_12bf,
    0x4b1b_a7b6_434b_acd7,
    0x1a01_11ea_397f_e69a,
];
/// Limbs of p.
pub(super) const P: [u64; 8] = limbs_of(&P_WORDS);
/// Limbs of 2p.
pub(super) const TWICE_P: [u64; 8] = {
    let mut limbs = [0; 8];
    let (mut j, mut carry) = (0, 0);
    while j < 8 {
        let value = 2 * P[j] + carry;
        limbs[j] = value & MASK;
        carry = value >> LIMB_BITS;
        j += 1;
    }
    limbs
};
/// k = −1/p mod 2^51.
const MINUS_INVERSE: u64 = {
    let (mut inverse, mut step) = (P_WORDS[0], 0);
    while step < 6 {
        // Newton's iteration: each step doubles the bits that are right.
        inverse = inverse.wrapping_mul(2u64.wrapping_sub(P_WORDS[0].wrapping_mul(inverse)));
        step += 1;
    }
    inverse.wrapping_neg() & MASK
};
/// Limbs of N = (k·p + 1) / 2^51.
const N: [u64; 8] = {
    let mut limbs = [0; 9];
    let (mut j, mut carry) = (0, 1);
    while j < 8 {
        let value = MINUS_INVERSE as u128 * P[j] as u128 + carry;
        limbs[j] = low_word(value) & MASK;
        carry = value >> LIMB_BITS;
        j += 1;
    }
    limbs[8] = low_word(carry);
    let [_, a, b, c, d, e, f, g, h] = limbs;
    [a, b, c, d, e, f, g, h]
};
const P_NUMBERS: [f64; 8] = balanced(&P);
const N_NUMBERS: [f64; 8] = balanced(&N);
/// 1 / (p / 2^357): what a top limb is a multiple of, nearly.
const PER_TOP_LIMB: f64 = 1.0 / (P[7] as f64 + P[6] as f64 / (1u64 << LIMB_BITS) as f64);

/// What makes the upper half of a product an integer in the low bits of a number.
const UPPER: f64 = 3.0 * (1u128 << 102) as f64;
/// The same for the lower half, and for any integer below 2^51.
const LOWER: f64 = 3.0 * (1u64 << LIMB_BITS) as f64;
/// What keeps columns, which are within ±2^56, from being negative while they are carried.
const LIFT: u64 = 1 << 60;
const CARRIED_LIFT: u64 = LIFT >> LIMB_BITS;

#[expect(clippy::cast_possible_truncation, reason = "the low word")]
const fn low_word(value: u128) -> u64 {
    value as u64
}

/// Limb j is the 51 bits from bit 51·j on.
const fn limbs_of(words: &[u64; 6]) -> [u64; 8] {
    let mut limbs = [0; 8];
    let mut j = 0;
    while j < 8 {
        let (word, shift) = (51 * j / 64, 51 * j % 64);
        limbs[j] = words[word] >> shift;
        if shift > 13 && word < 5 {
            limbs[j] |= words[word + 1] << (64 - shift);
        }
        limbs[j] &= MASK;
        j += 1;
    }
    limbs
}

/// The same number in limbs from −2^50 to 2^50.
const fn balanced(limbs: &[u64; 8]) -> [f64; 8] {
    let mut numbers = [0.0; 8];
    let (mut j, mut carry) = (0, 0);
    while j < 8 {
        let limb = limbs[j] + carry;
        carry = (limb >= HALF) as u64;
        // Exact: below 2^51.
        numbers[j] = limb as f64 - carry as f64 * (1u64 << LIMB_BITS) as f64;
        j += 1;
    }
    numbers
}

/// What so many lower and upper halves have added to a column beside themselves.
const fn surplus(lower: u64, upper: u64) -> u64 {
    lower.wrapping_mul(LOWER.to_bits()).wrapping_add(upper.wrapping_mul(UPPER.to_bits()))
}

/// Limbs of four elements in memory: `[j][lane]`.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(32))]
pub(super) struct Limbs(pub(super) [[u64; 4]; 8]);

impl Limbs {
    pub(super) const ZERO: Limbs = Limbs([[0; 4]; 8]);
}

/// Four elements.
#[derive(Clone, Copy)]
pub(super) struct Fq4(pub(super) [__m256i; 8]);

#[inline(always)]
pub(super) fn splat(word: u64) -> __m256i {
    fma!(_mm256_set1_epi64x(word.cast_signed()))
}

#[inline(always)]
fn number(number: f64) -> __m256d {
    fma!(_mm256_set1_pd(number))
}

#[inline(always)]
pub(super) fn add(a: __m256i, b: __m256i) -> __m256i {
    fma!(_mm256_add_epi64(a, b))
}

#[inline(always)]
pub(super) fn subtract(a: __m256i, b: __m256i) -> __m256i {
    fma!(_mm256_sub_epi64(a, b))
}

#[inline(always)]
pub(super) fn and(a: __m256i, b: __m256i) -> __m256i {
    fma!(_mm256_and_si256(a, b))
}

/// Integers between −2^51 and 2^51 as numbers.
#[inline(always)]
fn numbers(limbs: __m256i) -> __m256d {
    let lifted = fma!(_mm256_castsi256_pd(add(limbs, splat(LOWER.to_bits()))));
    fma!(_mm256_sub_pd(lifted, number(LOWER)))
}

/// Adds the halves of a·b to their columns.
#[inline(always)]
fn accumulate(a: __m256d, b: __m256d, low: &mut __m256i, high: &mut __m256i) {
    fma!({
        let upper = _mm256_fmadd_pd(a, b, number(UPPER));
        let left_over = _mm256_sub_pd(number(UPPER + LOWER), upper);
        let lower = _mm256_fmadd_pd(a, b, left_over);
        *low = add(*low, _mm256_castpd_si256(lower));
        *high = add(*high, _mm256_castpd_si256(upper));
    });
}

/// Lets the compiler neither begin early with what follows from `$value` nor put off what it follows from: without that it makes all
/// products of limbs first, for which there are not registers enough.
macro_rules! here {
    ($value:ident) => {
        // SAFETY: no instruction, and nothing is touched but a register that keeps its value.
        unsafe { std::arch::asm!("/* {0} */", inout(ymm_reg) $value, options(nomem, nostack, preserves_flags)) }
    };
}

/// Adds `$factor` times the limbs to the columns: the low half of each product to the column, its high half to the next one.
macro_rules! row {
    ($factor:ident, $limbs:expr, $first:ident $($column:ident)+) => {
        here!($factor);
        row!(@ 0, $factor, $limbs, $first $($column)+);
    };
    (@ $j:expr, $factor:ident, $limbs:expr, $low:ident $high:ident $($column:ident)*) => {
        accumulate($limbs[$j], $factor, &mut $low, &mut $high);
        here!($low);
        row!(@ $j + 1, $factor, $limbs, $high $($column)*);
    };
    (@ $j:expr, $factor:ident, $limbs:expr, $last:ident) => {};
}

/// A step of `times`: adds a limb's products, and takes the lowest column away by adding its low bits times N one column higher.
macro_rules! step {
    ($i:literal, $a:ident, $b:expr, $lowest:ident $($column:ident)+; $top:ident) => {
        let mut limb = numbers($b);
        row!(limb, $a, $lowest $($column)+);
        let mut quotient = unsigned_numbers(and($lowest, splat(MASK)));
        step!(@ carry $lowest, surplus(2 * $i + 1, if $i > 0 { 2 * $i - 1 } else { 0 }), $($column)+);
        step!(@ reduce quotient, $($column)+ $top);
    };
    (@ carry $lowest:ident, $surplus:expr, $next:ident $($column:ident)*) => {
        $next = add($next, carried($lowest, $surplus));
    };
    (@ reduce $quotient:ident, $($column:ident)+) => {
        row!($quotient, N_COLUMNS, $($column)+);
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

impl Fq4 {
    #[inline(always)]
    pub(super) fn load(_: FmaProof, limbs: &Limbs) -> Fq4 {
        let mut vectors = [splat(0); 8];
        for (vector, words) in vectors.iter_mut().zip(&limbs.0) {
            *vector = fma!(_mm256_loadu_si256(words.as_ptr().cast()));
        }
        Fq4(vectors)
    }

    #[inline(always)]
    pub(super) fn store(&self, limbs: &mut Limbs) {
        for (vector, words) in self.0.into_iter().zip(&mut limbs.0) {
            fma!(_mm256_storeu_si256(words.as_mut_ptr().cast(), vector));
        }
    }

    /// self·other / 2^408, a product, of a difference of coordinates or a product, and a product.
    #[inline(always)]
    pub(super) fn times(&self, other: &Fq4) -> Fq4 {
        // SAFETY: an `Fq4` exists only where the instruction set does.
        unsafe { times(self, other) }
    }

    /// self − other, limb by limb: the difference of two coordinates.
    #[inline(always)]
    pub(super) fn minus(&self, other: &Fq4) -> Fq4 {
        let mut limbs = self.0;
        for j in 0..8 {
            limbs[j] = subtract(limbs[j], other.0[j]);
        }
        Fq4(limbs)
    }

    /// 2p − self in the lanes whose word has all bits set; a coordinate.
    #[inline(always)]
    pub(super) fn negated(&self, lanes: __m256i) -> Fq4 {
        let mut limbs = self.0;
        let mut carry = splat(0);
        for j in 0..8 {
            let negative = subtract(fma!(_mm256_xor_si256(limbs[j], lanes)), lanes);
            let sum = add(add(negative, and(splat(TWICE_P[j]), lanes)), carry);
            // Arithmetic shift of what is between −2^51 and 2^52.
            carry = subtract(fma!(_mm256_srli_epi64::<51>(add(sum, splat(LIFT)))), splat(CARRIED_LIFT));
            limbs[j] = and(sum, splat(MASK));
        }
        Fq4(limbs)
    }

    /// self − 2·x − difference mod p, a coordinate, of a product, a coordinate and a difference of coordinates.
    #[inline(always)]
    pub(super) fn minus_abscissas(&self, x: &Fq4, difference: &Fq4) -> Fq4 {
        let mut columns = self.0;
        for j in 0..8 {
            columns[j] = subtract(columns[j], add(add(x.0[j], x.0[j]), difference.0[j]));
        }
        reduced(columns)
    }

    /// 2^12·self − other mod p, a coordinate, of a product and a coordinate.
    #[inline(always)]
    pub(super) fn shifted_12_minus(&self, other: &Fq4) -> Fq4 {
        let mut columns = [splat(0); 8];
        let mut above = splat(0);
        for j in 0..8 {
            // Lifted by 2^51, limbs are not negative; the lift falls off at the top of one limb and is taken from the next.
            let lifted = add(self.0[j], splat(1 << LIMB_BITS));
            let low = fma!(_mm256_slli_epi64::<12>(and(lifted, splat((1 << 39) - 1))));
            columns[j] = subtract(add(low, above), other.0[j]);
            above = subtract(fma!(_mm256_srli_epi64::<39>(lifted)), splat(1 << 12));
        }
        columns[7] = add(columns[7], fma!(_mm256_slli_epi64::<51>(above)));
        reduced(columns)
    }

    /// Lanes, as bits, of a product that may be zero mod p: whose low limb is that of 0 or p.
    #[inline(always)]
    pub(super) fn suspects(&self) -> i32 {
        const LOW_OF_P: u64 = P[0].wrapping_sub(if P[0] >= HALF { 1 << LIMB_BITS } else { 0 });
        fma!({
            let zero = _mm256_cmpeq_epi64(self.0[0], splat(0));
            let of_p = _mm256_cmpeq_epi64(self.0[0], splat(LOW_OF_P));
            _mm256_movemask_pd(_mm256_castsi256_pd(_mm256_or_si256(zero, of_p)))
        })
    }

    /// Lanes, as bits, whose two lowest limbs are zero: of an ordinate, nearly always that of the point at infinity.
    #[inline(always)]
    pub(super) fn infinity_suspects(&self) -> i32 {
        fma!({
            let both = _mm256_or_si256(self.0[0], self.0[1]);
            _mm256_movemask_pd(_mm256_castsi256_pd(_mm256_cmpeq_epi64(both, splat(0))))
        })
    }
}

/// A coordinate from columns between −2^54 and 2^54 of a number between −2^20·p and 2^20·p.
#[inline(always)]
fn reduced(mut columns: [__m256i; 8]) -> Fq4 {
    // The other columns are less than eight of the top one's units, and p more than 2^24, so this is the nearest multiple or next to it.
    let quotient = fma!({
        let lifted = _mm256_fmadd_pd(numbers(columns[7]), number(-PER_TOP_LIMB), number(LOWER));
        _mm256_sub_pd(lifted, number(LOWER))
    });
    let mut spare = splat(0);
    for j in 0..8 {
        let (low, high) = columns.split_at_mut(j + 1);
        accumulate(quotient, number(P_NUMBERS[j]), &mut low[j], high.first_mut().unwrap_or(&mut spare));
    }
    // And p more, so that nothing is negative.
    let mut carry = splat(0);
    for j in 0..8 {
        let surplus = surplus(1, if j > 0 { 1 } else { 0 });
        let below = if j > 0 { CARRIED_LIFT } else { 0 };
        let lift = if j < 7 { LIFT } else { 0 };
        let constant = P[j].wrapping_add(lift).wrapping_sub(surplus).wrapping_sub(below);
        let sum = add(add(columns[j], splat(constant)), carry);
        carry = fma!(_mm256_srli_epi64::<51>(sum));
        columns[j] = if j < 7 { and(sum, splat(MASK)) } else { sum };
    }
    Fq4(columns)
}

#[inline(never)]
#[target_feature(enable = "avx2,fma")]
fn times(a: &Fq4, b: &Fq4) -> Fq4 {
    let mut limbs = [number(0.0); 8];
    for j in 0..8 {
        limbs[j] = numbers(a.0[j]);
    }
    let mut n_columns = [number(0.0); 8];
    for j in 0..8 {
        n_columns[j] = number(N_NUMBERS[j]);
    }
    let b = b.0;
    let (mut c0, unlifted) = (splat(0), splat(CARRIED_LIFT.wrapping_neg()));
    let [mut c1, mut c2, mut c3, mut c4, mut c5, mut c6, mut c7, mut c8] = [unlifted; 8];
    let [mut c9, mut c10, mut c11, mut c12, mut c13, mut c14, mut c15] = [splat(0); 7];
    todo!()
}

#[cfg(test)]
mod tests;
