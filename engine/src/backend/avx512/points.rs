//! Points in limbs: one by one, and eight side by side.

use std::arch::x86_64::*;

use ark_bls12_381::Fq;
use ark_ff::{BigInt, BigInteger, PrimeField};
use std::marker::PhantomData;

use super::field::{Fq8, IfmaProof, MASK, TWICE_P, ifma};
use crate::curve::affine::{Point, Stored};

/// A point: limbs of x and y, each below 2p. The point at infinity is all zeros.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub(super) struct Row {
    pub(super) x: [u64; 8],
    pub(super) y: [u64; 8],
}

impl Row {
    pub(super) const INFINITY: Row = Row { x: [0; 8], y: [0; 8] };

    pub(super) fn negated(&self) -> Row {
        if self.y == [0; 8] {
            return *self;
        }
        let mut row = *self;
        let mut borrow = 0;
        for (limb, of_p) in row.y.iter_mut().zip(TWICE_P) {
            let difference = of_p.wrapping_sub(*limb).wrapping_sub(borrow);
            borrow = difference >> 63;
            *limb = difference & MASK;
        }
        row
    }

    pub(super) fn point(&self) -> Point {
        Point { x: element(self.x), y: element(self.y) }
    }
}

impl From<&Point> for Row {
    fn from(point: &Point) -> Row {
        Row { x: limbs(&point.x), y: limbs(&point.y) }
    }
}

/// The element whose Montgomery form, below 2p, has these limbs.
pub(super) fn element(limbs: [u64; 8]) -> Fq {
    let mut words = [0; 6];
    for (j, limb) in limbs.into_iter().enumerate() {
        let (word, shift) = (52 * j / 64, 52 * j % 64);
        words[word] |= limb << shift;
        if shift > 12 && word < 5 {
            words[word + 1] |= limb >> (64 - shift);
        }
    }
    let mut form = BigInt(words);
    if form >= Fq::MODULUS {
        form.sub_with_borrow(&Fq::MODULUS);
    }
    ark_ff::Fp(form, PhantomData)
}

/// Limbs of an element's Montgomery form.
pub(super) fn limbs(element: &Fq) -> [u64; 8] {
    let words = element.0.0;
    let mut limbs = [0; 8];
    for (j, limb) in limbs.iter_mut().enumerate() {
        let (word, shift) = (52 * j / 64, 52 * j % 64);
        *limb = words[word] >> shift;
        if shift > 12 && word < 5 {
            *limb |= words[word + 1] << (64 - shift);
        }
        *limb &= MASK;
    }
    limbs
}

/// A row of limbs.
#[inline(always)]
pub(super) fn load(_: IfmaProof, limbs: &[u64; 8]) -> __m512i {
    ifma!(_mm512_loadu_si512(limbs.as_ptr().cast()))
}

/// The limbs of x of a stored point: limb j is the 52 bits from bit 52·j on, so it starts in byte 6.5·j.
#[inline(always)]
pub(super) fn stored_x(proof: IfmaProof, stored: &Stored) -> __m512i {
    unpacked(proof, stored, 0, 0)
}

/// The limbs of y.
#[inline(always)]
pub(super) fn stored_y(proof: IfmaProof, stored: &Stored) -> __m512i {
    unpacked(proof, stored, 32, 16)
}

/// Limbs of a coordinate that begins `skipped` bytes behind `start`, from the 64 bytes at `start`.
#[inline(always)]
fn unpacked(_: IfmaProof, stored: &Stored, start: usize, skipped: usize) -> __m512i {
    // Bytes beyond the 64 wrap around, into bits that the mask takes away.
    const fn bytes(skipped: usize) -> [u8; 64] {
        let mut from = [0; 64];
        let mut i = 0;
        while i < 64 {
            let byte = (skipped + 13 * (i / 8) / 2 + i % 8) % 64;
            #[expect(clippy::cast_possible_truncation, reason = "below 64")]
            {
                from[i] = byte as u8;
            }
            i += 1;
        }
        from
    }
    const FROM: [[u8; 64]; 2] = [bytes(0), bytes(16)];
    const SHIFTS: [u64; 8] = [0, 4, 0, 4, 0, 4, 0, 4];
    const MASKS: [u64; 8] = [MASK, MASK, MASK, MASK, MASK, MASK, MASK, (1 << 20) - 1];
    let window: &[u8; 64] = stored[start..].first_chunk().expect("64 bytes of 96");
    ifma!({
        let from = _mm512_loadu_si512(FROM[skipped / 16].as_ptr().cast());
        let shifts = _mm512_loadu_si512(SHIFTS.as_ptr().cast());
        let masks = _mm512_loadu_si512(MASKS.as_ptr().cast());
        let bytes = _mm512_permutexvar_epi8(from, _mm512_loadu_si512(window.as_ptr().cast()));
        _mm512_and_si512(_mm512_srlv_epi64(bytes, shifts), masks)
    })
}

/// Eight rows of limbs as eight elements, and back: transposes.
#[inline(always)]
pub(super) fn transposed(rows: [__m512i; 8]) -> Fq8 {
    let mut pairs = rows;
    for i in 0..4 {
        pairs[i] = ifma!(_mm512_unpacklo_epi64(rows[2 * i], rows[2 * i + 1]));
        pairs[4 + i] = ifma!(_mm512_unpackhi_epi64(rows[2 * i], rows[2 * i + 1]));
    }
    // Group g of pairs[4h + i]: limb 2g + h of rows 2i and 2i + 1.
    let mut columns = rows;
    for h in 0..2 {
        let [a, b, c, d] = [pairs[4 * h], pairs[4 * h + 1], pairs[4 * h + 2], pairs[4 * h + 3]];
        let ab_even = ifma!(_mm512_shuffle_i64x2::<0x88>(a, b));
        let ab_odd = ifma!(_mm512_shuffle_i64x2::<0xDD>(a, b));
        let cd_even = ifma!(_mm512_shuffle_i64x2::<0x88>(c, d));
        let cd_odd = ifma!(_mm512_shuffle_i64x2::<0xDD>(c, d));
        columns[h] = ifma!(_mm512_shuffle_i64x2::<0x88>(ab_even, cd_even));
        columns[4 + h] = ifma!(_mm512_shuffle_i64x2::<0xDD>(ab_even, cd_even));
        columns[2 + h] = ifma!(_mm512_shuffle_i64x2::<0x88>(ab_odd, cd_odd));
        columns[6 + h] = ifma!(_mm512_shuffle_i64x2::<0xDD>(ab_odd, cd_odd));
    }
    Fq8(columns)
}
