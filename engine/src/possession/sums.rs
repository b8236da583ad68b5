//! Σ coefficient · scalar with one reduction at the end.
//!
//! A product of a coefficient (128 bits) and a scalar (at most 256) has 384 bits, so a sum of 448 bits takes 2^64 of them,
//! more than any object has blocks. Eight multiplications of words a product, no division.

use ark_bls12_381::Fr;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::encode::{BLOCK_SCALARS, limb};
use super::scalars::reduce;
use crate::tree::BLOCK_BYTES;

const WORDS: usize = 7;

/// A sum of products, not reduced, low word first. No `Debug`: it may be a secret.
#[derive(Clone, Copy, Default, Zeroize)]
pub struct Sum([u64; WORDS]);

impl Sum {
    /// Adds `coefficient · scalar`.
    #[inline]
    pub fn add_product(&mut self, coefficient: u128, scalar: &[u64; 4]) {
        #[expect(clippy::cast_possible_truncation, reason = "the two halves")]
        let (low, high) = (coefficient as u64, (coefficient >> 64) as u64);
        self.add_row::<0>(low, scalar);
        self.add_row::<1>(high, scalar);
    }

    /// Adds `factor · scalar · 2^(64 · SHIFT)`.
    #[inline]
    fn add_row<const SHIFT: usize>(&mut self, factor: u64, scalar: &[u64; 4]) {
        let mut carry = 0;
        for (sum, word) in self.0[SHIFT..SHIFT + 4].iter_mut().zip(scalar) {
            let (low, high) = word.carrying_mul_add(factor, *sum, carry);
            (*sum, carry) = (low, high);
        }
        let mut overflow = false;
        (self.0[SHIFT + 4], overflow) = self.0[SHIFT + 4].carrying_add(carry, overflow);
        for word in &mut self.0[SHIFT + 5..] {
            (*word, overflow) = word.carrying_add(0, overflow);
        }
    }

    /// The sum mod r.
    pub fn reduce(&self) -> Fr {
        let (pairs, top) = self.0.as_chunks::<2>();
        let pairs = pairs.iter().map(|[low, high]| u128::from(*low) | u128::from(*high) << 64);
        reduce(pairs.chain(top.iter().copied().map(u128::from)))
    }
}

/// Σ_i coefficient_i · d_i over blocks i, for each of the 529 places of their vectors.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct BlockSums(Box<[Sum; BLOCK_SCALARS]>);

impl Default for BlockSums {
    fn default() -> BlockSums {
        BlockSums(Box::new([Sum::default(); BLOCK_SCALARS]))
    }
}

impl BlockSums {
    /// No block yet.
    pub fn new() -> BlockSums {
        BlockSums::default()
    }

    /// Adds a block, padded with zeros to 16,384 bytes, times its coefficient.
    ///
    /// Panics if it is longer.
    pub fn add(&mut self, coefficient: u128, block: &[u8]) {
        assert!(block.len() <= BLOCK_BYTES, "a block of {} bytes", block.len());
        for (j, sum) in self.0.iter_mut().enumerate() {
            sum.add_product(coefficient, &limb(block, j));
        }
    }

    /// The sums mod r, one for each place; as secret as the coefficients.
    pub fn reduce(&self) -> Zeroizing<Vec<Fr>> {
        Zeroizing::new(self.0.iter().map(Sum::reduce).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::super::encode::block_scalars;
    use super::*;
    use ark_ff::{AdditiveGroup, BigInt, PrimeField};
    use proptest::prelude::*;

    proptest! {
        /// Against arithmetic in the field.
        #[test]
        fn sums_are_those_of_the_field(
            products in prop::collection::vec((any::<u128>(), any::<[u64; 4]>()), 0..20)
        ) {
            let mut sum = Sum::default();
            let mut expected = Fr::ZERO;
            for (coefficient, mut scalar) in products {
                scalar[3] >>= 2;
                sum.add_product(coefficient, &scalar);
                expected += Fr::from(coefficient) * Fr::from_bigint(BigInt(scalar)).unwrap();
            }
            prop_assert_eq!(sum.reduce(), expected);
        }
    }

    /// Carries that run through every word: the largest products, many of them.
    #[test]
    fn the_largest_products_carry_to_the_top() {
        let mut sum = Sum::default();
        for _ in 0..1000 {
            sum.add_product(u128::MAX, &[u64::MAX; 4]);
        }
        let largest = Fr::from_le_bytes_mod_order(&[0xff; 32]);
        assert_eq!(sum.reduce(), Fr::from(1000u64) * Fr::from(u128::MAX) * largest);
    }

    #[test]
    fn blocks_are_summed_place_by_place() {
        let blocks = [vec![0xff; BLOCK_BYTES], (0..=255).cycle().take(BLOCK_BYTES).collect(), vec![9; 40]];
        let coefficients = [u128::MAX, 1, 1 << 100];
        let mut sums = BlockSums::new();
        for (coefficient, block) in coefficients.iter().zip(&blocks) {
            sums.add(*coefficient, block);
        }
        let scalars = blocks.each_ref().map(|block| block_scalars(block));
        for (j, sum) in sums.reduce().iter().enumerate() {
            let plain: Fr = scalars.iter().zip(coefficients).map(|(of, c)| of[j] * Fr::from(c)).sum();
            assert_eq!(*sum, plain, "place {j}");
        }
    }
}
