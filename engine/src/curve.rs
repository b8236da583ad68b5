//! Sums of points of BLS12-381's curve E: y² = x³ + 4 (commitment-v1 §4): tables of fixed bases, digits, buckets.
//! The back ends supply the batched additions, [`crate::backend::Backend`] the entry points.
//!
//! # Fixed bases
//!
//! For bases G_1 … G_n of G1 and a width w the [`Table`] holds the odd multiples of half a base: with H_i = G_i / 2,
//! entry k of base i is (2k + 1)·H_i for k < 2^(w−1). A scalar m is cut in W windows of w bits as it lies. The bits r of a
//! window stand for the odd digit d = 2r − (2^w − 1), which is an entry or its negative: the top bit of r is the sign and
//! the other bits, complemented for a negative digit, are k. No digit is zero and none carries. Since
//! Σ_j d_j·2^(wj) = 2m − (2^(wW) − 1),
//!
//! m·G_i = Σ_j 2^(wj)·(d_ij·H_i) + (2^(wW) − 1)·H_i.
//!
//! One sum is kept for each window position j, over all bases; they are joined at the end (w doublings each), and the last
//! term, summed over the bases, is a constant of the table. A block of 16 KiB takes 529·⌈248 / w⌉ additions and
//! w·⌈248 / w⌉ doublings. The commitment does not depend on w.
//!
//! # Complete additions
//!
//! Additions are affine, and a batch of them shares one inversion: five multiplications and a squaring each. Independent
//! bases and odd digits alone would allow incomplete additions while the sums of a window are made: a sum that meets its
//! addend, or its negative, is a relation between the bases. They would not in the joining of windows once wW exceeds the
//! bits of r: a hostile scalar m = (2^(wW) − 1) / 2 mod r for *every* base makes the joined sum the point at infinity.
//! And points from elsewhere meet whatever their sender likes. So every addition here handles P, −P, O and equal points; in a
//! batch that costs a comparison.
//!
//! Nothing here runs in constant time: scalars decide which memory is read.

pub(crate) mod affine;
pub(crate) mod buckets;
pub(crate) mod digits;
mod file;
pub(crate) mod sums;
mod table;

pub use ark_bls12_381::{Fr, G1Affine, G1Projective};
pub use table::{Table, TableError};

pub use crate::possession::encode::LIMB_BYTES;

/// Bits of the scalar that a limb of a block makes.
pub(crate) const LIMB_BITS: u32 = 248;
/// Bits of any scalar.
pub const SCALAR_BITS: u32 = 255;
