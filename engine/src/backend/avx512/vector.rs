//! Sixteen 32-bit lanes in one 512-bit register (AVX-512F).

use std::arch::x86_64::*;

use crate::backend::lanes::Lanes;

/// Evidence that AVX-512F and AVX2 exist.
#[derive(Clone, Copy, Debug)]
pub(super) struct Avx512Proof(());

impl Avx512Proof {
    pub(super) fn detect() -> Option<Avx512Proof> {
        (is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx2")).then_some(Avx512Proof(()))
    }
}

/// Sixteen words.
#[derive(Clone, Copy)]
pub(super) struct U32x16(__m512i);

/// Calls intrinsics of AVX-512F.
macro_rules! avx512 {
    ($call:expr) => {
        // SAFETY: the operands are of type `U32x16` or come with a proof, so AVX-512F exists. The intrinsics that take
        // addresses are given references to as many bytes as they touch, and do not ask for alignment.
        unsafe { $call }
    };
}

impl Lanes<16> for U32x16 {
    type Proof = Avx512Proof;

    #[inline(always)]
    fn splat(_: Avx512Proof, word: u32) -> U32x16 {
        U32x16(avx512!(_mm512_set1_epi32(word.cast_signed())))
    }

    #[inline(always)]
    fn load(_: Avx512Proof, words: &[u32; 16]) -> U32x16 {
        U32x16(avx512!(_mm512_loadu_si512(words.as_ptr().cast())))
    }

    #[inline(always)]
    fn store(self, words: &mut [u32; 16]) {
        avx512!(_mm512_storeu_si512(words.as_mut_ptr().cast(), self.0));
    }

    #[inline(always)]
    fn add(self, other: U32x16) -> U32x16 {
        U32x16(avx512!(_mm512_add_epi32(self.0, other.0)))
    }

    #[inline(always)]
    fn mul(self, other: U32x16) -> U32x16 {
        U32x16(avx512!(_mm512_mullo_epi32(self.0, other.0)))
    }

    #[inline(always)]
    fn xor(self, other: U32x16) -> U32x16 {
        U32x16(avx512!(_mm512_xor_si512(self.0, other.0)))
    }

    #[inline(always)]
    fn and(self, other: U32x16) -> U32x16 {
        U32x16(avx512!(_mm512_and_si512(self.0, other.0)))
    }

    #[inline(always)]
    fn shift_right(self, bits: u32) -> U32x16 {
        U32x16(avx512!(_mm512_srl_epi32(self.0, _mm_cvtsi32_si128(bits.cast_signed()))))
    }

    #[inline(always)]
    fn rotate_16(self, _: Avx512Proof) -> U32x16 {
        U32x16(avx512!(_mm512_ror_epi32::<16>(self.0)))
    }

    #[inline(always)]
    fn rotate_12(self, _: Avx512Proof) -> U32x16 {
        U32x16(avx512!(_mm512_ror_epi32::<12>(self.0)))
    }

    #[inline(always)]
    fn rotate_8(self, _: Avx512Proof) -> U32x16 {
        U32x16(avx512!(_mm512_ror_epi32::<8>(self.0)))
    }

    #[inline(always)]
    fn rotate_7(self, _: Avx512Proof) -> U32x16 {
        U32x16(avx512!(_mm512_ror_epi32::<7>(self.0)))
    }

    #[inline(always)]
    fn load_blocks<'a>(
        proof: Avx512Proof,
        low: impl Fn(usize) -> &'a [u8; 32],
        high: impl Fn(usize) -> &'a [u8; 32],
    ) -> [U32x16; 16] {
        let mut rows = [U32x16::splat(proof, 0); 16];
        for (lane, row) in rows.iter_mut().enumerate() {
            row.0 = avx512!(_mm512_inserti64x4::<1>(
                _mm512_castsi256_si512(_mm256_loadu_si256(low(lane).as_ptr().cast())),
                _mm256_loadu_si256(high(lane).as_ptr().cast())
            ));
        }
        transpose(rows)
    }

    #[inline(always)]
    fn store_values(words: [U32x16; 8], values: &mut [[u8; 32]; 16]) {
        // Interleaving words 0, 1, … gives groups of four consecutive words of lanes 0 … 3, 4 … 7, and so on.
        let [a, b, c, d, e, f, g, h] = words;
        let low = interleave([a, b, c, d]);
        let high = interleave([e, f, g, h]);
        for (i, (low, high)) in low.into_iter().zip(high).enumerate() {
            // Group q of `low[i]` and `high[i]` is one half each of the value of lane 4q + i.
            let halves = [
                avx512!(_mm512_extracti32x4_epi32::<0>(low.0)),
                avx512!(_mm512_extracti32x4_epi32::<0>(high.0)),
                avx512!(_mm512_extracti32x4_epi32::<1>(low.0)),
                avx512!(_mm512_extracti32x4_epi32::<1>(high.0)),
                avx512!(_mm512_extracti32x4_epi32::<2>(low.0)),
                avx512!(_mm512_extracti32x4_epi32::<2>(high.0)),
                avx512!(_mm512_extracti32x4_epi32::<3>(low.0)),
                avx512!(_mm512_extracti32x4_epi32::<3>(high.0)),
            ];
            for (q, pair) in halves.as_chunks::<2>().0.iter().enumerate() {
                let (value, _) = values[4 * q + i].as_chunks_mut::<16>();
                avx512!(_mm_storeu_si128(value[0].as_mut_ptr().cast(), pair[0]));
                avx512!(_mm_storeu_si128(value[1].as_mut_ptr().cast(), pair[1]));
            }
        }
    }

    #[inline(always)]
    fn prefetch(_: Avx512Proof, address: *const u8) {
        avx512!(_mm_prefetch::<_MM_HINT_NTA>(address.cast()));
    }
}

/// Within each group of four words: transposes four vectors of words into vectors of four consecutive words of a lane.
/// Result i holds, in group q, lane 4q + i.
#[inline(always)]
fn interleave([a, b, c, d]: [U32x16; 4]) -> [U32x16; 4] {
    let ab_low = avx512!(_mm512_unpacklo_epi32(a.0, b.0));
    let ab_high = avx512!(_mm512_unpackhi_epi32(a.0, b.0));
    let cd_low = avx512!(_mm512_unpacklo_epi32(c.0, d.0));
    let cd_high = avx512!(_mm512_unpackhi_epi32(c.0, d.0));
    [
        U32x16(avx512!(_mm512_unpacklo_epi64(ab_low, cd_low))),
        U32x16(avx512!(_mm512_unpackhi_epi64(ab_low, cd_low))),
        U32x16(avx512!(_mm512_unpacklo_epi64(ab_high, cd_high))),
        U32x16(avx512!(_mm512_unpackhi_epi64(ab_high, cd_high))),
    ]
}

/// Result w, lane l = row l, word w.
#[inline(always)]
fn transpose(rows: [U32x16; 16]) -> [U32x16; 16] {
    let mut words = rows;
    // After this, group g of quarter q's vector i holds word 4g + i of rows 4q … 4q + 3.
    let quarters = [
        interleave([rows[0], rows[1], rows[2], rows[3]]),
        interleave([rows[4], rows[5], rows[6], rows[7]]),
        interleave([rows[8], rows[9], rows[10], rows[11]]),
        interleave([rows[12], rows[13], rows[14], rows[15]]),
    ];
    // Then transpose the groups, four by four.
    for i in 0..4 {
        let [a, b, c, d] = [quarters[0][i].0, quarters[1][i].0, quarters[2][i].0, quarters[3][i].0];
        let ab_low = avx512!(_mm512_shuffle_i32x4::<0x88>(a, b));
        let ab_high = avx512!(_mm512_shuffle_i32x4::<0xDD>(a, b));
        let cd_low = avx512!(_mm512_shuffle_i32x4::<0x88>(c, d));
        let cd_high = avx512!(_mm512_shuffle_i32x4::<0xDD>(c, d));
        words[i].0 = avx512!(_mm512_shuffle_i32x4::<0x88>(ab_low, cd_low));
        words[4 + i].0 = avx512!(_mm512_shuffle_i32x4::<0x88>(ab_high, cd_high));
        words[8 + i].0 = avx512!(_mm512_shuffle_i32x4::<0xDD>(ab_low, cd_low));
        words[12 + i].0 = avx512!(_mm512_shuffle_i32x4::<0xDD>(ab_high, cd_high));
    }
    words
}
