//! The field of BLS12-381's coordinates, eight elements at a time, on the 52-bit multipliers of AVX-512 IFMA.
//!
//! An element is eight limbs of 52 bits, and vector j holds limb j of eight elements. `p` has 381 bits, so there are 35 bits
//! to spare, and elements are kept below 2p, sums of a few of them below 2^390, without any conditional subtraction.
//!
//! The product is Montgomery's with R = 2^416: `a.times(b)` = a·b / 2^416, below 1.001·p for factors below 2^390. Elsewhere (in
//! tables, in arkworks) coordinates carry the factor 2^384. They keep it here, since the two forms go together in the
//! addition law when powers of two are counted (see [`super::curve`]); nothing is ever converted.
//!
//! A product takes 256 multiplications (64 limb products twice for their halves, as many for the reduction), a
//! square 200. Both vector ports multiply, so a product takes at least 128 cycles, and 150 with its additions and carries.

use std::arch::x86_64::*;

/// Evidence that AVX-512 F, IFMA and VBMI exist.
#[derive(Clone, Copy, Debug)]
pub(super) struct IfmaProof(());

impl IfmaProof {
    pub(super) fn detect() -> Option<IfmaProof> {
        (is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512ifma")
            && is_x86_feature_detected!("avx512vbmi")
            && is_x86_feature_detected!("avx512dq"))
        .then_some(IfmaProof(()))
    }
}

/// Calls intrinsics.
macro_rules! ifma {
    ($call:expr) => {
        // SAFETY: the operands are of type `Fq8` or come with a proof, so the instruction set exists. The intrinsics that take
        // addresses are given references to as many bytes as they touch, and do not ask for alignment.
        unsafe {
            $call
        }
    };
}
pub(super) use ifma;

/// Limbs of p.
const P: [u64; 8] = [
    0xe_ffff_ffff_aaab,
    0xf_eb15_3fff_fb9f,
    0x6_b0f6_241e_abff,
    0x1_2bf6_730d_2a0f,
    0x7_6477_4b84_f385,
    0x1_ba7b_6434_bacd,
    0x1_ea39_7fe6_9a4b,
    0x0_0000_0001_a011,
];
/// −1/p mod 2^52.
const MINUS_INVERSE: u64 = inverse_of_p().wrapping_neg() & MASK;
/// ⌊2^416 / p⌋, that is 2^52 divided by the top limb of p with its fraction.
const RECIPROCAL: u64 = 42_282_111_731;
/// The bits of a limb.
pub(super) const MASK: u64 = (1 << 52) - 1;

/// 1/p mod 2^64, by Newton's iteration: each step doubles the bits that are right.
const fn inverse_of_p() -> u64 {
    let low = P[0] | P[1] << 52;
    let mut inverse = low;
    let mut step = 0;
    while step < 6 {
        inverse = inverse.wrapping_mul(2u64.wrapping_sub(low.wrapping_mul(inverse)));
        step += 1;
    }
    inverse
}

/// Limbs of `factor`·p, normalised.
const fn multiple_of_p(factor: u64) -> [u64; 8] {
    let mut limbs = [0; 8];
    let mut carry = 0;
    let mut j = 0;
    while j < 8 {
        let value = P[j] * factor + carry;
        limbs[j] = value & MASK;
        carry = value >> 52;
        j += 1;
    }
    limbs
}

/// Limbs of 2^416 − p.
const fn complement_of_p() -> [u64; 8] {
    let mut limbs = [0; 8];
    let mut j = 0;
    while j < 8 {
        limbs[j] = MASK - P[j];
        j += 1;
    }
    limbs[0] += 1;
    limbs
}

/// Limbs of 2p.
pub(super) const TWICE_P: [u64; 8] = multiple_of_p(2);
const COMPLEMENT: [u64; 8] = complement_of_p();

/// Limbs of eight elements: `[j][lane]`.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub(super) struct Limbs(pub(super) [[u64; 8]; 8]);

impl Limbs {
    pub(super) const ZERO: Limbs = Limbs([[0; 8]; 8]);
}

/// Eight elements.
#[derive(Clone, Copy)]
pub(super) struct Fq8(pub(super) [__m512i; 8]);

#[inline(always)]
fn splat(word: u64) -> __m512i {
    ifma!(_mm512_set1_epi64(word.cast_signed()))
}

#[inline(always)]
fn add(a: __m512i, b: __m512i) -> __m512i {
    ifma!(_mm512_add_epi64(a, b))
}

#[inline(always)]
fn subtract(a: __m512i, b: __m512i) -> __m512i {
    ifma!(_mm512_sub_epi64(a, b))
}

/// sum + the low 52 bits of a·b.
#[inline(always)]
fn low(sum: __m512i, a: __m512i, b: __m512i) -> __m512i {
    ifma!(_mm512_madd52lo_epu64(sum, a, b))
}

/// sum + the high 52 bits of a·b.
#[inline(always)]
fn high(sum: __m512i, a: __m512i, b: __m512i) -> __m512i {
    ifma!(_mm512_madd52hi_epu64(sum, a, b))
}

impl Fq8 {
    /// The same small number in every lane.
    #[inline(always)]
    pub(super) fn small(_: IfmaProof, number: u64) -> Fq8 {
        let zero = splat(0);
        Fq8([splat(number), zero, zero, zero, zero, zero, zero, zero])
    }

    /// 2p in every lane.
    #[inline(always)]
    pub(super) fn twice_p(_: IfmaProof) -> Fq8 {
        let mut limbs = [splat(0); 8];
        for (limb, word) in limbs.iter_mut().zip(TWICE_P) {
            *limb = splat(word);
        }
        Fq8(limbs)
    }

    /// 2^416 mod p in every lane, the one of the product.
    #[inline(always)]
    pub(super) fn one(_: IfmaProof) -> Fq8 {
        // 2^416 − RECIPROCAL·p.
        let quotient = splat(RECIPROCAL);
        let mut limbs = [splat(0); 8];
        for j in 0..8 {
            limbs[j] = low(limbs[j], quotient, splat(COMPLEMENT[j]));
            if j < 7 {
                limbs[j + 1] = high(limbs[j + 1], quotient, splat(COMPLEMENT[j]));
            }
        }
        Fq8(carried_wrapping(limbs))
    }

    #[inline(always)]
    pub(super) fn load(_: IfmaProof, limbs: &Limbs) -> Fq8 {
        let mut vectors = [splat(0); 8];
        for (vector, words) in vectors.iter_mut().zip(&limbs.0) {
            *vector = ifma!(_mm512_loadu_si512(words.as_ptr().cast()));
        }
        Fq8(vectors)
    }

    #[inline(always)]
    pub(super) fn store(self, limbs: &mut Limbs) {
        for (vector, words) in self.0.into_iter().zip(&mut limbs.0) {
            ifma!(_mm512_storeu_si512(words.as_mut_ptr().cast(), vector));
        }
    }

    /// self·other / 2^416.
    #[inline(always)]
    pub(super) fn times(self, other: Fq8) -> Fq8 {
        let (a, b) = (self.0, other.0);
        let mut sums = [splat(0); 8];
        for b in b {
            for j in 0..8 {
                sums[j] = low(sums[j], a[j], b);
            }
            let quotient = low(splat(0), sums[0], splat(MINUS_INVERSE));
            // Adding quotient·p makes the low limb a multiple of 2^52 without computing it: it carries one unless it is zero.
            let carry = ifma!(_mm512_srli_epi64::<52>(add(sums[0], splat(MASK))));
            let mut next = [splat(0); 8];
            for j in 0..8 {
                let above = if j < 7 { sums[j + 1] } else { splat(0) };
                next[j] = high(above, a[j], b);
            }
            next[0] = add(next[0], carry);
            for j in 1..8 {
                next[j - 1] = low(next[j - 1], quotient, splat(P[j]));
            }
            for j in 0..8 {
                next[j] = high(next[j], quotient, splat(P[j]));
            }
            sums = next;
        }
        Fq8(carried(sums))
    }

    /// self² / 2^416.
    #[inline(always)]
    pub(super) fn square(self) -> Fq8 {
        let a = self.0;
        let mut sums = [splat(0); 16];
        for i in 0..8 {
            for j in i + 1..8 {
                sums[i + j] = low(sums[i + j], a[j], a[i]);
            }
            for j in i + 1..8 {
                sums[i + j + 1] = high(sums[i + j + 1], a[j], a[i]);
            }
        }
        for sum in &mut sums {
            *sum = add(*sum, *sum);
        }
        for i in 0..8 {
            sums[2 * i] = low(sums[2 * i], a[i], a[i]);
            sums[2 * i + 1] = high(sums[2 * i + 1], a[i], a[i]);
        }
        for i in 0..8 {
            let quotient = low(splat(0), sums[i], splat(MINUS_INVERSE));
            let carry = ifma!(_mm512_srli_epi64::<52>(add(sums[i], splat(MASK))));
            sums[i + 1] = add(sums[i + 1], carry);
            for j in 1..8 {
                sums[i + j] = low(sums[i + j], quotient, splat(P[j]));
            }
            for j in 0..8 {
                sums[i + j + 1] = high(sums[i + j + 1], quotient, splat(P[j]));
            }
        }
        let [.., a, b, c, d, e, f, g, h] = sums;
        Fq8(carried([a, b, c, d, e, f, g, h]))
    }

    /// self − other + 2p, for `other` at most 2p.
    #[inline(always)]
    pub(super) fn minus(self, other: Fq8) -> Fq8 {
        let mut limbs = self.0;
        for j in 0..8 {
            limbs[j] = subtract(add(limbs[j], splat(TWICE_P[j])), other.0[j]);
        }
        Fq8(carried(limbs))
    }

    /// 2·self, not reduced.
    #[inline(always)]
    pub(super) fn doubled(self) -> Fq8 {
        let mut limbs = self.0;
        for limb in &mut limbs {
            *limb = add(*limb, *limb);
        }
        Fq8(carried(limbs))
    }

    /// 2p − self in these lanes, for elements at most 2p.
    #[inline(always)]
    pub(super) fn negated(self, lanes: u8) -> Fq8 {
        let mut limbs = self.0;
        for j in 0..8 {
            limbs[j] = ifma!(_mm512_mask_sub_epi64(limbs[j], lanes, splat(TWICE_P[j]), self.0[j]));
        }
        Fq8(carried(limbs))
    }

    /// self + 7p − 2·x − difference mod p, below 2p, for x below 2p, difference below 4p.
    #[inline(always)]
    pub(super) fn minus_abscissas(self, x: Fq8, difference: Fq8) -> Fq8 {
        const SEVENFOLD_P: [u64; 8] = multiple_of_p(7);
        let mut limbs = self.0;
        for j in 0..8 {
            let taken = add(add(x.0[j], x.0[j]), difference.0[j]);
            limbs[j] = subtract(add(limbs[j], splat(SEVENFOLD_P[j])), taken);
        }
        Fq8(reduced(limbs))
    }

    /// 2^16·self − other mod p, below 2p, for `other` below 2p and self below 1.001·p.
    #[inline(always)]
    pub(super) fn shifted_16_minus(self, other: Fq8) -> Fq8 {
        const THREEFOLD_P: [u64; 8] = multiple_of_p(3);
        let mut limbs = [splat(0); 8];
        for j in 0..8 {
            limbs[j] = subtract(splat(THREEFOLD_P[j]), other.0[j]);
        }
        Fq8(reduced(shifted(self.0, 16, limbs)))
    }

    /// 3·2^32·self mod p, below 2p, for self below 1.001·p.
    #[inline(always)]
    pub(super) fn tripled_and_shifted_32(self) -> Fq8 {
        let mut limbs = [splat(0); 8];
        for (limb, word) in limbs.iter_mut().zip(P) {
            // One p more, from which the estimate of the quotient is taken.
            *limb = splat(word);
        }
        limbs = shifted(self.0, 32, shifted(self.0, 33, limbs));
        Fq8(reduced(limbs))
    }

    /// `other` in these lanes.
    #[inline(always)]
    pub(super) fn replaced(self, lanes: u8, other: Fq8) -> Fq8 {
        let mut limbs = self.0;
        for (limb, other) in limbs.iter_mut().zip(other.0) {
            *limb = ifma!(_mm512_mask_mov_epi64(*limb, lanes, other));
        }
        Fq8(limbs)
    }

    /// Lanes whose low limb is that of zero, or of p.
    #[inline(always)]
    pub(super) fn suspects(self) -> u8 {
        ifma!(_mm512_testn_epi64_mask(self.0[0], self.0[0]) | _mm512_cmpeq_epi64_mask(self.0[0], splat(P[0])))
    }

    /// Lanes that are zero: of a product, where that is 0 or p.
    #[inline(always)]
    pub(super) fn zeros(self) -> u8 {
        self.equal_to(&[0; 8]) | self.equal_to(&P)
    }

    /// Lanes whose low limb is that of zero, or of 2p.
    #[inline(always)]
    pub(super) fn infinity_suspects(self) -> u8 {
        ifma!(
            _mm512_testn_epi64_mask(self.0[0], self.0[0])
                | _mm512_cmpeq_epi64_mask(self.0[0], splat(TWICE_P[0]))
        )
    }

    /// Lanes that are the ordinate of the point at infinity: 0, or 2p when it was negated.
    #[inline(always)]
    pub(super) fn infinities(self) -> u8 {
        self.equal_to(&[0; 8]) | self.equal_to(&TWICE_P)
    }

    #[inline(always)]
    fn equal_to(self, limbs: &[u64; 8]) -> u8 {
        let mut equal = u8::MAX;
        for (vector, limb) in self.0.into_iter().zip(limbs) {
            equal &= ifma!(_mm512_cmpeq_epi64_mask(vector, splat(*limb)));
        }
        equal
    }
}

/// sums + 2^bits·limbs.
#[inline(always)]
fn shifted(limbs: [__m512i; 8], bits: u32, mut sums: [__m512i; 8]) -> [__m512i; 8] {
    let factor = splat(1 << bits);
    for j in 0..8 {
        sums[j] = low(sums[j], limbs[j], factor);
        if j < 7 {
            sums[j + 1] = high(sums[j + 1], limbs[j], factor);
        }
    }
    sums
}

/// Limbs of 52 bits from limbs that have a carry, or a borrow, above them.
#[inline(always)]
fn carried(mut limbs: [__m512i; 8]) -> [__m512i; 8] {
    for j in 0..7 {
        let carry = ifma!(_mm512_srai_epi64::<52>(limbs[j]));
        limbs[j] = ifma!(_mm512_and_si512(limbs[j], splat(MASK)));
        limbs[j + 1] = add(limbs[j + 1], carry);
    }
    limbs
}

/// The same modulo 2^416.
#[inline(always)]
fn carried_wrapping(limbs: [__m512i; 8]) -> [__m512i; 8] {
    let mut limbs = carried(limbs);
    limbs[7] = ifma!(_mm512_and_si512(limbs[7], splat(MASK)));
    limbs
}

/// Below 2p, from limbs within ±2^55 of a number between p and 2^415.
///
/// The quotient by p is estimated from the top limb, less eight for what the others may borrow from it, and is at most 1.6 too
/// small; it is subtracted by adding as many times 2^416 − p.
#[inline(always)]
fn reduced(limbs: [__m512i; 8]) -> [__m512i; 8] {
    let quotient = high(splat(0), subtract(limbs[7], splat(8)), splat(RECIPROCAL));
    let mut sums = limbs;
    for j in 0..8 {
        sums[j] = low(sums[j], quotient, splat(COMPLEMENT[j]));
        if j < 7 {
            sums[j + 1] = high(sums[j + 1], quotient, splat(COMPLEMENT[j]));
        }
    }
    carried_wrapping(sums)
}

#[cfg(test)]
mod tests;
