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
//! of 51 bits, none negative, and is below 2p. *Differences* of two coordinates are taken limb by limb. `times` takes any two of these:
//! all limbs are below 2^51 in magnitude, and their products below 2^102, so that 1.5·2^103 with one of them stays between 2^103
//! and 2^104, where numbers are multiples of 2^51. 27 bits of R are to spare, so nothing else has to be watched.

mod constants;
mod times;

use std::arch::x86_64::*;
use std::marker::PhantomData;

use ark_bls12_381::Fq;
use ark_ff::{BigInt, BigInteger, PrimeField};

use constants::{
    CARRIED_LIFT, HALF, LIFT, LIMB_BITS, LOWER, P, P_NUMBERS, PER_TOP_LIMB, UPPER, low_word, surplus,
};
pub(super) use constants::{MASK, TWICE_P, limbs_of};
use times::times;

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

    /// self·other / 2^408, a product.
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

#[cfg(test)]
mod tests;
