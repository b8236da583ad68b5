//! Four 32-bit lanes in one 128-bit register (NEON).

use std::arch::aarch64::*;

use crate::backend::lanes::Lanes;

/// Evidence that NEON exists.
#[derive(Clone, Copy, Debug)]
pub(super) struct NeonProof(());

impl NeonProof {
    pub(super) fn detect() -> Option<NeonProof> {
        std::arch::is_aarch64_feature_detected!("neon").then_some(NeonProof(()))
    }
}

/// Four words.
#[derive(Clone, Copy)]
pub(super) struct U32x4(uint32x4_t);

/// Calls intrinsics of NEON.
macro_rules! neon {
    ($call:expr) => {
        // SAFETY: the operands are of type `U32x4` or come with a proof, so NEON exists. The intrinsics that take
        // addresses are given references to as many bytes as they touch, and do not ask for alignment.
        unsafe { $call }
    };
}

impl Lanes<4> for U32x4 {
    type Proof = NeonProof;

    #[inline(always)]
    fn splat(_: NeonProof, word: u32) -> U32x4 {
        U32x4(neon!(vdupq_n_u32(word)))
    }

    #[inline(always)]
    fn load(_: NeonProof, words: &[u32; 4]) -> U32x4 {
        U32x4(neon!(vld1q_u32(words.as_ptr())))
    }

    #[inline(always)]
    fn store(self, words: &mut [u32; 4]) {
        neon!(vst1q_u32(words.as_mut_ptr(), self.0));
    }

    #[inline(always)]
    fn add(self, other: U32x4) -> U32x4 {
        U32x4(neon!(vaddq_u32(self.0, other.0)))
    }

    #[inline(always)]
    fn mul(self, other: U32x4) -> U32x4 {
        U32x4(neon!(vmulq_u32(self.0, other.0)))
    }

    #[inline(always)]
    fn xor(self, other: U32x4) -> U32x4 {
        U32x4(neon!(veorq_u32(self.0, other.0)))
    }

    #[inline(always)]
    fn and(self, other: U32x4) -> U32x4 {
        U32x4(neon!(vandq_u32(self.0, other.0)))
    }

    #[inline(always)]
    fn shift_right(self, bits: u32) -> U32x4 {
        // A shift left by a negative number of bits is one to the right.
        U32x4(neon!(vshlq_u32(self.0, vdupq_n_s32(-bits.cast_signed()))))
    }

    #[inline(always)]
    fn rotate_16(self, _: NeonProof) -> U32x4 {
        U32x4(neon!(vreinterpretq_u32_u16(vrev32q_u16(vreinterpretq_u16_u32(self.0)))))
    }

    #[inline(always)]
    fn rotate_12(self, _: NeonProof) -> U32x4 {
        U32x4(neon!(vsriq_n_u32::<12>(vshlq_n_u32::<20>(self.0), self.0)))
    }

    #[inline(always)]
    fn rotate_8(self, _: NeonProof) -> U32x4 {
        const ORDER: [u8; 16] = [1, 2, 3, 0, 5, 6, 7, 4, 9, 10, 11, 8, 13, 14, 15, 12];
        let bytes = neon!(vqtbl1q_u8(vreinterpretq_u8_u32(self.0), vld1q_u8(ORDER.as_ptr())));
        U32x4(neon!(vreinterpretq_u32_u8(bytes)))
    }

    #[inline(always)]
    fn rotate_7(self, _: NeonProof) -> U32x4 {
        U32x4(neon!(vsriq_n_u32::<7>(vshlq_n_u32::<25>(self.0), self.0)))
    }

    #[inline(always)]
    fn load_blocks<'a>(
        proof: NeonProof,
        low: impl Fn(usize) -> &'a [u8; 32],
        high: impl Fn(usize) -> &'a [u8; 32],
    ) -> [U32x4; 16] {
        // Quarter q of a lane's block has words 4q … 4q + 3.
        let mut quarters = [[U32x4::splat(proof, 0); 4]; 4];
        for lane in 0..4 {
            let halves = [low(lane).as_chunks::<16>().0, high(lane).as_chunks::<16>().0];
            for (q, quarter) in quarters.iter_mut().enumerate() {
                quarter[lane].0 = neon!(vreinterpretq_u32_u8(vld1q_u8(halves[q / 2][q % 2].as_ptr())));
            }
        }
        let [a, b, c, d] = quarters;
        let words = [transpose(a), transpose(b), transpose(c), transpose(d)];
        let [[a, b, c, d], [e, f, g, h], [i, j, k, l], [m, n, o, p]] = words;
        [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p]
    }

    #[inline(always)]
    fn store_values([a, b, c, d, e, f, g, h]: [U32x4; 8], values: &mut [[u8; 32]; 4]) {
        let halves = transpose([a, b, c, d]).into_iter().zip(transpose([e, f, g, h]));
        for ((low, high), value) in halves.zip(values) {
            let (bytes, _) = value.as_chunks_mut::<16>();
            neon!(vst1q_u8(bytes[0].as_mut_ptr(), vreinterpretq_u8_u32(low.0)));
            neon!(vst1q_u8(bytes[1].as_mut_ptr(), vreinterpretq_u8_u32(high.0)));
        }
    }

    #[inline(always)]
    fn prefetch(_: NeonProof, address: *const u8) {
        // SAFETY: a hint; it neither faults nor touches memory or flags.
        unsafe {
            std::arch::asm!("prfm pldl1keep, [{}]", in(reg) address, options(nostack, readonly, preserves_flags));
        }
    }
}

/// Result i, lane j = row j, lane i.
#[inline(always)]
fn transpose([a, b, c, d]: [U32x4; 4]) -> [U32x4; 4] {
    let pairs = |low, high| neon!((vreinterpretq_u64_u32(low), vreinterpretq_u64_u32(high)));
    let (ab_even, cd_even) = pairs(neon!(vtrn1q_u32(a.0, b.0)), neon!(vtrn1q_u32(c.0, d.0)));
    let (ab_odd, cd_odd) = pairs(neon!(vtrn2q_u32(a.0, b.0)), neon!(vtrn2q_u32(c.0, d.0)));
    [
        U32x4(neon!(vreinterpretq_u32_u64(vtrn1q_u64(ab_even, cd_even)))),
        U32x4(neon!(vreinterpretq_u32_u64(vtrn1q_u64(ab_odd, cd_odd)))),
        U32x4(neon!(vreinterpretq_u32_u64(vtrn2q_u64(ab_even, cd_even)))),
        U32x4(neon!(vreinterpretq_u32_u64(vtrn2q_u64(ab_odd, cd_odd)))),
    ]
}
