//! Cutting scalars into digits.

use ark_ff::PrimeField;

use super::{Fr, LIMB_BYTES};

/// A scalar, little-endian, with enough zeros behind it that eight bytes can be read from any byte of the scalar on.
pub(crate) type Padded = [u8; 40];

/// The bytes of a scalar.
pub(crate) fn padded(scalar: &Fr) -> Padded {
    let mut bytes = [0; 40];
    for (to, word) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(scalar.into_bigint().0) {
        *to = word.to_le_bytes();
    }
    bytes
}

/// Limb number `limb` of a block; zeros beyond its end.
pub(crate) fn padded_limb(block: &[u8], limb: usize) -> Padded {
    let mut bytes = [0; 40];
    let start = block.len().min(limb * LIMB_BYTES);
    let end = block.len().min(start + LIMB_BYTES);
    bytes[..end - start].copy_from_slice(&block[start..end]);
    bytes
}

/// `width_bits` (at most 32) bits from bit `first_bit` on, below 256.
pub(crate) fn bits(scalar: &Padded, first_bit: u32, width_bits: u32) -> u32 {
    let byte = first_bit as usize / 8;
    let mut word = [0; 8];
    word.copy_from_slice(&scalar[byte..byte + 8]);
    let word = u64::from_le_bytes(word) >> (first_bit % 8);
    let mask = (1u64 << width_bits) - 1;
    u32::try_from(word & mask).unwrap_or(u32::MAX)
}

/// An index with a sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Signed(u32);

impl Signed {
    const NEGATIVE: u32 = 1 << 31;

    /// `index` is below 2^31.
    pub(crate) fn new(index: u32, negative: bool) -> Signed {
        debug_assert!(index < Signed::NEGATIVE);
        Signed(index | if negative { Signed::NEGATIVE } else { 0 })
    }

    pub(crate) fn index(self) -> usize {
        (self.0 & !Signed::NEGATIVE) as usize
    }

    pub(crate) fn is_negative(self) -> bool {
        self.0 & Signed::NEGATIVE != 0
    }
}

/// Digit `window` as the entry of a base's table that it stands for.
pub(crate) fn odd_digit(scalar: &Padded, window: u32, width_bits: u32) -> Signed {
    let raw = bits(scalar, window * width_bits, width_bits);
    let negative = raw >> (width_bits - 1) == 0;
    let entry = if negative { !raw } else { raw } & ((1 << (width_bits - 1)) - 1);
    Signed::new(entry, negative)
}
