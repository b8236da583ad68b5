//! Points in 64-bit words, one by one, and their coordinates in limbs, four side by side.

use std::arch::x86_64::*;

use ark_bls12_381::Fq;
use ark_ff::{BigInt, BigInteger, PrimeField};
use std::marker::PhantomData;

use super::field::{FmaProof, Fq4, MASK, add, and, fma, splat};
use crate::curve::affine::{Point, Stored};

/// A point: six words of x, then six of y, low word first, each below 2p and so perhaps not reduced. The point at infinity is all
/// zeros.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C, align(32))]
pub(super) struct Words(pub(super) [u64; 12]);

impl Words {
    pub(super) const INFINITY: Words = Words([0; 12]);

    pub(super) fn point(&self) -> Point {
        let [a, b, c, d, e, f, rest @ ..] = self.0;
        Point { x: element([a, b, c, d, e, f]), y: element(rest) }
    }
}

impl From<&Point> for Words {
    fn from(point: &Point) -> Words {
        let mut words = [0; 12];
        words[..6].copy_from_slice(&point.x.0.0);
        words[6..].copy_from_slice(&point.y.0.0);
        Words(words)
    }
}

impl From<&Stored> for Words {
    fn from(stored: &Stored) -> Words {
        let mut words = [0; 12];
        for (word, bytes) in words.iter_mut().zip(stored.as_chunks::<8>().0) {
            *word = u64::from_le_bytes(*bytes);
        }
        Words(words)
    }
}

/// The element whose Montgomery form, below 2p, has these words.
pub(super) fn element(words: [u64; 6]) -> Fq {
    let mut form = BigInt(words);
    if form >= Fq::MODULUS {
        form.sub_with_borrow(&Fq::MODULUS);
    }
    ark_ff::Fp(form, PhantomData)
}

/// The 96 bytes of a point in memory.
pub(super) trait Bytes {
    fn bytes(&self) -> *const u8;
}

impl Bytes for Words {
    #[inline(always)]
    fn bytes(&self) -> *const u8 {
        self.0.as_ptr().cast()
    }
}

impl Bytes for Stored {
    #[inline(always)]
    fn bytes(&self) -> *const u8 {
        self.as_ptr()
    }
}

/// Asks for a point, which lies in two lines, to come near.
#[inline(always)]
pub(super) fn prefetch(_: FmaProof, point: &impl Bytes) {
    // SAFETY: a hint, of an address within the point.
    fma!({
        _mm_prefetch::<_MM_HINT_T0>(point.bytes().cast());
        _mm_prefetch::<_MM_HINT_T0>(point.bytes().add(95).cast());
    });
}

/// The x of four points.
#[inline(always)]
pub(super) fn abscissas(_: FmaProof, points: [&impl Bytes; 4]) -> Fq4 {
    let [a, b, c, d] = transposed(quarters(points, 0));
    let [e, f] = first_two(quarters(points, 32));
    limbs([a, b, c, d, e, f])
}

/// The y of four points.
#[inline(always)]
pub(super) fn ordinates(_: FmaProof, points: [&impl Bytes; 4]) -> Fq4 {
    let [c, d, e, f] = transposed(quarters(points, 64));
    let [a, b] = last_two(quarters(points, 32));
    limbs([a, b, c, d, e, f])
}

/// 32 of the 96 bytes of each.
#[inline(always)]
fn quarters(points: [&impl Bytes; 4], offset: usize) -> [__m256i; 4] {
    debug_assert!(offset <= 64);
    let mut rows = [splat(0); 4];
    for (row, point) in rows.iter_mut().zip(points) {
        *row = fma!(_mm256_loadu_si256(point.bytes().add(offset).cast()));
    }
    rows
}

/// Words 0 and 1 of four rows.
#[inline(always)]
fn first_two([a, b, c, d]: [__m256i; 4]) -> [__m256i; 2] {
    fma!({
        let (ac, bd) = (_mm256_permute2x128_si256::<0x20>(a, c), _mm256_permute2x128_si256::<0x20>(b, d));
        [_mm256_unpacklo_epi64(ac, bd), _mm256_unpackhi_epi64(ac, bd)]
    })
}

/// Words 2 and 3 of four rows.
#[inline(always)]
fn last_two([a, b, c, d]: [__m256i; 4]) -> [__m256i; 2] {
    fma!({
        let (ac, bd) = (_mm256_permute2x128_si256::<0x31>(a, c), _mm256_permute2x128_si256::<0x31>(b, d));
        [_mm256_unpacklo_epi64(ac, bd), _mm256_unpackhi_epi64(ac, bd)]
    })
}

/// Four rows of four words as their columns, and back.
#[inline(always)]
fn transposed(rows: [__m256i; 4]) -> [__m256i; 4] {
    let ([a, b], [c, d]) = (first_two(rows), last_two(rows));
    [a, b, c, d]
}

#[inline(always)]
fn or(a: __m256i, b: __m256i) -> __m256i {
    fma!(_mm256_or_si256(a, b))
}

/// Bits of `low` from bit RIGHT on, and above them those of `high`; LEFT = 64 − RIGHT.
#[inline(always)]
fn joined<const RIGHT: i32, const LEFT: i32>(low: __m256i, high: __m256i) -> __m256i {
    or(fma!(_mm256_srli_epi64::<RIGHT>(low)), fma!(_mm256_slli_epi64::<LEFT>(high)))
}

/// Limb j is the 51 bits from bit 51·j on.
#[inline(always)]
fn limbs([a, b, c, d, e, f]: [__m256i; 6]) -> Fq4 {
    let all = [
        a,
        joined::<51, 13>(a, b),
        joined::<38, 26>(b, c),
        joined::<25, 39>(c, d),
        fma!(_mm256_srli_epi64::<12>(d)),
        joined::<63, 1>(d, e),
        joined::<50, 14>(e, f),
        fma!(_mm256_srli_epi64::<37>(f)),
    ];
    let mut masked = all;
    for limb in &mut masked {
        *limb = and(*limb, splat(MASK));
    }
    Fq4(masked)
}

/// The words of a coordinate.
#[inline(always)]
fn words(coordinate: &Fq4) -> [__m256i; 6] {
    let [a, b, c, d, e, f, g, h] = coordinate.0;
    fma!([
        add(a, _mm256_slli_epi64::<51>(b)),
        add(_mm256_srli_epi64::<13>(b), _mm256_slli_epi64::<38>(c)),
        add(_mm256_srli_epi64::<26>(c), _mm256_slli_epi64::<25>(d)),
        add(add(_mm256_srli_epi64::<39>(d), _mm256_slli_epi64::<12>(e)), _mm256_slli_epi64::<63>(f)),
        add(_mm256_srli_epi64::<1>(f), _mm256_slli_epi64::<50>(g)),
        add(_mm256_srli_epi64::<14>(g), _mm256_slli_epi64::<37>(h)),
    ])
}

/// Four points from their coordinates.
#[inline(always)]
pub(super) fn points(_: FmaProof, x: &Fq4, y: &Fq4) -> [Words; 4] {
    let ([a, b, c, d, e, f], [g, h, i, j, k, l]) = (words(x), words(y));
    let parts = [transposed([a, b, c, d]), transposed([e, f, g, h]), transposed([i, j, k, l])];
    let mut all = [Words::INFINITY; 4];
    for (lane, point) in all.iter_mut().enumerate() {
        for (part, to) in parts.iter().zip(point.0.as_chunks_mut::<4>().0) {
            fma!(_mm256_storeu_si256(to.as_mut_ptr().cast(), part[lane]));
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Random words below 2^381, so that every border of words and limbs is crossed; four different points, so that no lane
    /// stands for another.
    #[test]
    fn points_keep_their_words() {
        let Some(proof) = FmaProof::detect() else {
            println!("ABSENT(the processor lacks AVX2 or FMA)");
            return;
        };
        for seed in 0..100u8 {
            let mut bytes = [[0; 96]; 4];
            blake3::Hasher::new().update(&[seed]).finalize_xof().fill(bytes.as_flattened_mut());
            for bytes in &mut bytes {
                // Below 2p, which is above 2^381.
                (bytes[47], bytes[95]) = (bytes[47] & 0x1f, bytes[95] & 0x1f);
            }
            let expected = bytes.each_ref().map(Words::from);
            let [a, b, c, d] = &bytes;
            // SAFETY: the proof says that the instruction set exists.
            assert_eq!(unsafe { there_and_back(proof, [a, b, c, d]) }, expected);
            let [a, b, c, d] = &expected;
            // SAFETY: the same.
            assert_eq!(unsafe { there_and_back(proof, [a, b, c, d]) }, expected);
        }
    }

    #[target_feature(enable = "avx2,fma")]
    fn there_and_back(proof: FmaProof, given: [&impl Bytes; 4]) -> [Words; 4] {
        points(proof, &abscissas(proof, given), &ordinates(proof, given))
    }
}
