//! Eight 32-bit lanes in one 256-bit register (AVX2).

use std::arch::x86_64::*;

use crate::backend::lanes::Lanes;

/// Evidence that AVX2 exists, with the byte orders of two rotations. They are kept where the compiler cannot see
/// their values: it would make two slower shuffles with immediate operands of each.
#[derive(Clone, Copy, Debug)]
pub(super) struct Avx2Proof {
    rotate_16: __m256i,
    rotate_8: __m256i,
}

impl Avx2Proof {
    pub(super) fn detect() -> Option<Avx2Proof> {
        // SAFETY: only called where AVX2 exists.
        is_x86_feature_detected!("avx2").then(|| unsafe { Avx2Proof::new() })
    }

    #[target_feature(enable = "avx2")]
    fn new() -> Avx2Proof {
        let rotate_16 = _mm_setr_epi8(2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13);
        let rotate_8 = _mm_setr_epi8(1, 2, 3, 0, 5, 6, 7, 4, 9, 10, 11, 8, 13, 14, 15, 12);
        Avx2Proof {
            rotate_16: _mm256_broadcastsi128_si256(rotate_16),
            rotate_8: _mm256_broadcastsi128_si256(rotate_8),
        }
    }
}

/// Eight words.
#[derive(Clone, Copy)]
pub(super) struct U32x8(__m256i);

/// Calls intrinsics of AVX2.
macro_rules! avx2 {
    ($call:expr) => {
        // SAFETY: the operands are of type `U32x8` or come with a proof, so AVX2 exists. The intrinsics that take
        // addresses are given references to as many bytes as they touch, and do not ask for alignment.
        unsafe { $call }
    };
}

impl Lanes<8> for U32x8 {
    type Proof = Avx2Proof;

    #[inline(always)]
    fn splat(_: Avx2Proof, word: u32) -> U32x8 {
        U32x8(avx2!(_mm256_set1_epi32(word.cast_signed())))
    }

    #[inline(always)]
    fn load(_: Avx2Proof, words: &[u32; 8]) -> U32x8 {
        U32x8(avx2!(_mm256_loadu_si256(words.as_ptr().cast())))
    }

    #[inline(always)]
    fn store(self, words: &mut [u32; 8]) {
        avx2!(_mm256_storeu_si256(words.as_mut_ptr().cast(), self.0));
    }

    #[inline(always)]
    fn add(self, other: U32x8) -> U32x8 {
        U32x8(avx2!(_mm256_add_epi32(self.0, other.0)))
    }

    #[inline(always)]
    fn mul(self, other: U32x8) -> U32x8 {
        U32x8(avx2!(_mm256_mullo_epi32(self.0, other.0)))
    }

    #[inline(always)]
    fn xor(self, other: U32x8) -> U32x8 {
        U32x8(avx2!(_mm256_xor_si256(self.0, other.0)))
    }

    #[inline(always)]
    fn and(self, other: U32x8) -> U32x8 {
        U32x8(avx2!(_mm256_and_si256(self.0, other.0)))
    }

    #[inline(always)]
    fn shift_right(self, bits: u32) -> U32x8 {
        U32x8(avx2!(_mm256_srl_epi32(self.0, _mm_cvtsi32_si128(bits.cast_signed()))))
    }

    #[inline(always)]
    fn rotate_16(self, proof: Avx2Proof) -> U32x8 {
        U32x8(avx2!(_mm256_shuffle_epi8(self.0, proof.rotate_16)))
    }

    #[inline(always)]
    fn rotate_12(self, _: Avx2Proof) -> U32x8 {
        U32x8(avx2!(_mm256_or_si256(_mm256_srli_epi32::<12>(self.0), _mm256_slli_epi32::<20>(self.0))))
    }

    #[inline(always)]
    fn rotate_8(self, proof: Avx2Proof) -> U32x8 {
        U32x8(avx2!(_mm256_shuffle_epi8(self.0, proof.rotate_8)))
    }

    #[inline(always)]
    fn rotate_7(self, _: Avx2Proof) -> U32x8 {
        U32x8(avx2!(_mm256_or_si256(_mm256_srli_epi32::<7>(self.0), _mm256_slli_epi32::<25>(self.0))))
    }

    #[inline(always)]
    fn load_blocks<'a>(
        proof: Avx2Proof,
        low: impl Fn(usize) -> &'a [u8; 32],
        high: impl Fn(usize) -> &'a [u8; 32],
    ) -> [U32x8; 16] {
        let [mut lows, mut highs] = [[U32x8::splat(proof, 0); 8]; 2];
        for lane in 0..8 {
            lows[lane].0 = avx2!(_mm256_loadu_si256(low(lane).as_ptr().cast()));
            highs[lane].0 = avx2!(_mm256_loadu_si256(high(lane).as_ptr().cast()));
        }
        let ([a, b, c, d, e, f, g, h], [i, j, k, l, m, n, o, p]) = (transpose(lows), transpose(highs));
        [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p]
    }

    #[inline(always)]
    fn store_values(words: [U32x8; 8], values: &mut [[u8; 32]; 8]) {
        for (row, value) in transpose(words).into_iter().zip(values) {
            avx2!(_mm256_storeu_si256(value.as_mut_ptr().cast(), row.0));
        }
    }

    #[inline(always)]
    fn prefetch(_: Avx2Proof, address: *const u8) {
        avx2!(_mm_prefetch::<_MM_HINT_NTA>(address.cast()));
    }
}

/// Within each half: transposes four vectors. Result i has, in half q, words i of rows 4q … of the four vectors.
#[inline(always)]
fn interleave([a, b, c, d]: [U32x8; 4]) -> [__m256i; 4] {
    let ab_low = avx2!(_mm256_unpacklo_epi32(a.0, b.0));
    let ab_high = avx2!(_mm256_unpackhi_epi32(a.0, b.0));
    let cd_low = avx2!(_mm256_unpacklo_epi32(c.0, d.0));
    let cd_high = avx2!(_mm256_unpackhi_epi32(c.0, d.0));
    [
        avx2!(_mm256_unpacklo_epi64(ab_low, cd_low)),
        avx2!(_mm256_unpackhi_epi64(ab_low, cd_low)),
        avx2!(_mm256_unpacklo_epi64(ab_high, cd_high)),
        avx2!(_mm256_unpackhi_epi64(ab_high, cd_high)),
    ]
}

/// Result i, lane j = row j, lane i.
#[inline(always)]
fn transpose([a, b, c, d, e, f, g, h]: [U32x8; 8]) -> [U32x8; 8] {
    let (top, bottom) = (interleave([a, b, c, d]), interleave([e, f, g, h]));
    let mut columns = [a; 8];
    for i in 0..4 {
        columns[i].0 = avx2!(_mm256_permute2x128_si256::<0x20>(top[i], bottom[i]));
        columns[4 + i].0 = avx2!(_mm256_permute2x128_si256::<0x31>(top[i], bottom[i]));
    }
    columns
}
