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
//! of 51 bits, none negative, and is below 2p. Differences of two coordinates are taken limb by limb. `times` wants products of limbs
//! below 2^102: two coordinates, a product and either a difference or a product. 27 bits of R are to spare, so nothing else has to be
//! watched.

use std::arch::x86_64::*;
use std::marker::PhantomData;

use ark_bls12_381::Fq;
use ark_ff::{BigInt, BigInteger, PrimeField};

/// Evidence that AVX2 and FMA exist.
#[derive(Clone, Copy, Debug)]
pub(super) struct FmaProof(());

impl FmaProof {
    pub(super) fn detect() -> Option<FmaProof> {
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
pub(super) const fn limbs_of(words: &[u64; 6]) -> [u64; 8] {
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

/// The element whose form has these limbs with their signs, above −p and below 2p.
pub(super) fn element(limbs: [u64; 8]) -> Fq {
    // p more, so that it is not negative.
    let (mut words, mut carry) = ([0; 6], 0i128);
    for (j, limb) in limbs.into_iter().enumerate() {
        carry += i128::from(limb.cast_signed()) + i128::from(P[j]);
        let limb = low_word((carry & i128::from(MASK)).cast_unsigned());
        carry >>= LIMB_BITS;
        let (word, shift) = (51 * j / 64, 51 * j % 64);
        words[word] |= limb << shift;
        if shift > 13 && word < 5 {
            words[word + 1] |= limb >> (64 - shift);
        }
    }
    let mut form = BigInt(words);
    while form >= Fq::MODULUS {
        form.sub_with_borrow(&Fq::MODULUS);
    }
    ark_ff::Fp(form, PhantomData)
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

/// All bits of the words of these lanes.
#[inline(always)]
pub(super) fn lanes(_: FmaProof, [a, b, c, d]: [bool; 4]) -> __m256i {
    fma!(_mm256_set_epi64x(-i64::from(d), -i64::from(c), -i64::from(b), -i64::from(a)))
}

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

    /// Arkworks' forms, which are below p, as coordinates.
    pub(super) fn from_elements(proof: FmaProof, elements: &[Fq; 4]) -> Fq4 {
        let mut limbs = Limbs::ZERO;
        for (lane, element) in elements.iter().enumerate() {
            for (words, limb) in limbs.0.iter_mut().zip(limbs_of(&element.0.0)) {
                words[lane] = limb;
            }
        }
        Fq4::load(proof, &limbs)
    }

    /// A product, or coordinates, as arkworks' forms.
    pub(super) fn elements(&self) -> [Fq; 4] {
        let mut limbs = Limbs::ZERO;
        self.store(&mut limbs);
        std::array::from_fn(|lane| element(limbs.0.map(|words| words[lane])))
    }

    /// 2^408 in every lane, the one of the product.
    pub(super) fn one(proof: FmaProof) -> Fq4 {
        Fq4::from_elements(proof, &[Fq::from(1u64 << 24); 4])
    }

    /// Puts the one into a lane.
    pub(super) fn replace_by_one(&mut self, lane: usize) {
        let mut limbs = Limbs::ZERO;
        self.store(&mut limbs);
        for (words, limb) in limbs.0.iter_mut().zip(limbs_of(&Fq::from(1u64 << 24).0.0)) {
            words[lane] = limb;
        }
        for (vector, words) in self.0.iter_mut().zip(&limbs.0) {
            *vector = fma!(_mm256_loadu_si256(words.as_ptr().cast()));
        }
    }

    /// self·other / 2^408, a product. One of them may be a difference of coordinates; of two coordinates or products it is one too.
    #[inline(always)]
    pub(super) fn times(&self, other: &Fq4) -> Fq4 {
        // SAFETY: an `Fq4` exists only where the instruction set does.
        unsafe { times(self, other) }
    }

    /// self − other, limb by limb: the difference of two coordinates.
    #[inline(always)]
    pub(super) fn minus(&self, other: &Fq4) -> Fq4 {
        let mut limbs = self.0;
        for (limb, other) in limbs.iter_mut().zip(other.0) {
            *limb = subtract(*limb, other);
        }
        Fq4(limbs)
    }

    /// 2p − self in the lanes whose word has all bits set; a coordinate.
    #[inline(always)]
    pub(super) fn negated(&self, lanes: __m256i) -> Fq4 {
        let mut limbs = self.0;
        let mut carry = splat(0);
        for (limb, of_p) in limbs.iter_mut().zip(TWICE_P) {
            let negative = subtract(fma!(_mm256_xor_si256(*limb, lanes)), lanes);
            let sum = add(add(negative, and(splat(of_p), lanes)), carry);
            // Arithmetic shift of what is between −2^51 and 2^52.
            carry = subtract(fma!(_mm256_srli_epi64::<51>(add(sum, splat(LIFT)))), splat(CARRIED_LIFT));
            *limb = and(sum, splat(MASK));
        }
        Fq4(limbs)
    }

    /// self − 2·x − difference mod p, a coordinate, of a product, a coordinate and a difference of coordinates.
    #[inline(always)]
    pub(super) fn minus_abscissas(&self, x: &Fq4, difference: &Fq4) -> Fq4 {
        let mut columns = self.0;
        for ((column, x), difference) in columns.iter_mut().zip(x.0).zip(difference.0) {
            *column = subtract(*column, add(add(x, x), difference));
        }
        reduced(columns)
    }

    /// self − 2·x mod p, a coordinate, of a product and a coordinate.
    #[inline(always)]
    pub(super) fn minus_twice(&self, x: &Fq4) -> Fq4 {
        let mut columns = self.0;
        for (column, x) in columns.iter_mut().zip(x.0) {
            *column = subtract(*column, add(x, x));
        }
        reduced(columns)
    }

    /// 2^12·self − other mod p, a coordinate, of a product and a coordinate.
    #[inline(always)]
    pub(super) fn shifted_12_minus(&self, other: &Fq4) -> Fq4 {
        let mut columns = [splat(0); 8];
        let mut above = splat(0);
        for (j, column) in columns.iter_mut().enumerate() {
            // Lifted by 2^51, limbs are not negative; the lift falls off at the top of one limb and is taken from the next.
            let lifted = add(self.0[j], splat(1 << LIMB_BITS));
            let low = fma!(_mm256_slli_epi64::<12>(and(lifted, splat((1 << 39) - 1))));
            *column = subtract(add(low, above), other.0[j]);
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
fn times(left: &Fq4, right: &Fq4) -> Fq4 {
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

#[cfg(test)]
mod tests;
