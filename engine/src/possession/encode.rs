//! A block as a vector of scalars (commitment-v1 §2).

use ark_bls12_381::Fr;
use ark_ff::{BigInt, PrimeField};

use crate::tree::BLOCK_BYTES;

/// s: scalars of a block.
pub const BLOCK_SCALARS: usize = 529;
/// Bytes of a limb; the last one of a block has 16.
pub const LIMB_BYTES: usize = 31;

/// A limb as an integer below 2^248, low word first.
pub type Limb = [u64; 4];

/// The 529 limbs of a block; one that is shorter than 16,384 bytes is padded with zeros.
///
/// Panics if it is longer.
pub fn limbs(block: &[u8]) -> impl Iterator<Item = Limb> + Clone {
    assert!(block.len() <= BLOCK_BYTES, "a block of {} bytes", block.len());
    (0..BLOCK_SCALARS).map(|j| limb(block, j))
}

/// Limb `j` of a block.
#[inline]
pub fn limb(block: &[u8], j: usize) -> Limb {
    let start = j * LIMB_BYTES;
    // One byte more than a limb is read where it is there, which is all but the block's end, and masked off.
    match block.get(start..).and_then(|rest| rest.first_chunk::<32>()) {
        Some(bytes) => {
            let mut limb = words(bytes);
            limb[3] &= (1 << 56) - 1;
            limb
        }
        None => {
            let rest = block.get(start..).unwrap_or_default();
            let rest = &rest[..rest.len().min(LIMB_BYTES)];
            let mut bytes = [0; 32];
            bytes[..rest.len()].copy_from_slice(rest);
            words(&bytes)
        }
    }
}

/// d_1 … d_529: the block as scalars.
pub fn block_scalars(block: &[u8]) -> [Fr; BLOCK_SCALARS] {
    assert!(block.len() <= BLOCK_BYTES, "a block of {} bytes", block.len());
    std::array::from_fn(|j| Fr::from_bigint(BigInt(limb(block, j))).expect("limbs are below 2^248"))
}

#[inline]
fn words(bytes: &[u8; 32]) -> Limb {
    let (parts, _) = bytes.as_chunks::<8>();
    std::array::from_fn(|i| u64::from_le_bytes(parts[i]))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By the words of the specification, byte by byte.
    fn plain(block: &[u8], j: usize) -> Fr {
        let mut padded = block.to_vec();
        padded.resize(BLOCK_BYTES, 0);
        let end = ((j + 1) * LIMB_BYTES).min(BLOCK_BYTES);
        Fr::from_le_bytes_mod_order(&padded[j * LIMB_BYTES..end])
    }

    /// Lengths around a limb, around the words that are read at once, and around the block: catches a limb that takes a
    /// byte of the next one, and a short block that is not padded with zeros.
    #[test]
    fn limbs_are_31_bytes_and_what_lacks_is_zero() {
        for length in [0, 1, 30, 31, 32, 62, 63, 64, 16_367, 16_368, 16_369, 16_383, 16_384] {
            let block: Vec<u8> = (5..=250).cycle().take(length).collect();
            let scalars = block_scalars(&block);
            for (j, scalar) in scalars.iter().enumerate() {
                assert_eq!(*scalar, plain(&block, j), "limb {j} of {length} bytes");
            }
        }
        assert_eq!(528 * LIMB_BYTES + 16, BLOCK_BYTES);
    }

    #[test]
    fn all_ones_stay_below_the_order() {
        let scalars = block_scalars(&[0xff; BLOCK_BYTES]);
        assert_eq!(scalars[0].into_bigint(), BigInt([u64::MAX, u64::MAX, u64::MAX, (1 << 56) - 1]));
        assert_eq!(scalars[528].into_bigint(), BigInt([u64::MAX, u64::MAX, 0, 0]));
    }
}
