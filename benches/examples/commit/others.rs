//! The same sums by arkworks and by blst, and what they are made of.

use std::marker::PhantomData;

use ark_ec::{AdditiveGroup, AffineRepr, CurveGroup, VariableBaseMSM};
use ark_ff::{BigInt, BigInteger, PrimeField};
use blst::{MultiPoint, blst_fp, blst_p1_affine};
use holdfast_engine::curve::{Fr, G1Affine, G1Projective, LIMB_BYTES};

/// Pseudo-random bytes.
pub(crate) fn stream(seed: u64, bytes: usize) -> Vec<u8> {
    let mut out = vec![0; bytes];
    blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(&mut out);
    out
}

/// A pseudo-random scalar.
pub(crate) fn scalar(seed: u64) -> Fr {
    Fr::from_le_bytes_mod_order(&stream(seed, 64))
}

/// Different points.
pub(crate) fn points(count: usize) -> Vec<G1Affine> {
    let step = G1Affine::generator() * scalar(1 << 40);
    let points: Vec<G1Projective> =
        std::iter::successors(Some(step.double()), |point| Some(*point + step)).take(count).collect();
    G1Projective::normalize_batch(&points)
}

/// The vector that is committed to.
pub(crate) fn block_scalars(block: &[u8], blinding: &Fr) -> Vec<Fr> {
    block.chunks(LIMB_BYTES).map(Fr::from_le_bytes_mod_order).chain([*blinding]).collect()
}

/// Arkworks' sum.
pub(crate) fn arkworks(points: &[G1Affine], scalars: &[Fr]) -> G1Projective {
    G1Projective::msm_unchecked(points, scalars)
}

/// A sum for blst, in its form. It reads scalars at a stride of ⌈bits / 8⌉ bytes.
pub(crate) struct Blst {
    points: Vec<blst_p1_affine>,
    scalars: Vec<u8>,
    scalar_bits: u32,
}

impl Blst {
    pub(crate) fn new(points: &[G1Affine], scalars: &[Fr], scalar_bits: u32) -> Blst {
        let coordinate = |element: ark_bls12_381::Fq| blst_fp { l: element.0.0 };
        let point = |point: &G1Affine| blst_p1_affine { x: coordinate(point.x), y: coordinate(point.y) };
        let bytes = |scalar: &Fr| {
            let mut bytes = scalar.into_bigint().to_bytes_le();
            bytes.truncate(scalar_bits.div_ceil(8) as usize);
            bytes
        };
        let points = points.iter().map(point).collect();
        Blst { points, scalars: scalars.iter().flat_map(bytes).collect(), scalar_bits }
    }

    /// By blst's Pippenger.
    pub(crate) fn sum(&self) -> G1Projective {
        let sum = self.points.mult(&self.scalars, self.scalar_bits as usize);
        let coordinate = |element: blst_fp| ark_ff::Fp(BigInt(element.l), PhantomData);
        G1Projective::new_unchecked(coordinate(sum.x), coordinate(sum.y), coordinate(sum.z))
    }
}
