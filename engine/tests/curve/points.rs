//! Points and scalars for the tests of sums.

use ark_bls12_381::Fq;
use ark_ec::{AffineRepr, CurveGroup, PrimeGroup};
use ark_ff::{BigInt, BigInteger, PrimeField, Zero};
use holdfast_engine::curve::{Fr, G1Affine, G1Projective};

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

/// The low bits of a scalar.
pub(crate) fn truncated(scalar: &Fr, bits: u32) -> Fr {
    let kept = scalar.into_bigint().to_bits_le().into_iter().take(bits as usize);
    kept.rev().fold(Fr::from(0u8), |value, bit| value + value + Fr::from(bit))
}

/// Points of G1 between which no relation is used by any test.
pub(crate) fn bases(count: usize) -> Vec<G1Affine> {
    let generator = G1Affine::generator();
    let points: Vec<G1Projective> = (0..count as u64).map(|i| generator * scalar(1 << 40 | i)).collect();
    G1Projective::normalize_batch(&points)
}

/// A point of order 3 or 11 (both divide the cofactor), times `1 + index` modulo the order, leaving out zero.
pub(crate) fn torsion(order: u64, index: usize) -> G1Affine {
    // h·r points has the curve; 3 divides h once and 11 twice, in two directions.
    const COFACTOR: u128 = 0x396c_8c00_5555_e156_8c00_aaab_0000_aaab;
    let part = (COFACTOR / if order == 3 { 3 } else { 121 }).to_le_bytes();
    let words: Vec<u64> = part.as_chunks().0.iter().map(|word| u64::from_le_bytes(*word)).collect();
    let point = (0u64..)
        .filter_map(|x| G1Affine::get_point_from_x_unchecked(Fq::from(x), true))
        .map(|point| point.mul_bigint(Fr::MODULUS).mul_bigint(&words))
        .find(|point| !point.is_zero())
        .expect("a point of the curve");
    assert!(point.mul_bigint([order]).is_zero(), "a point of order {order}");
    point.mul_bigint([1 + index as u64 % (order - 1)]).into_affine()
}

/// The sum by blst, which holds coordinates in the same form.
pub(crate) fn blst_sum(points: &[G1Affine], scalars: &[Fr]) -> G1Affine {
    use blst::{MultiPoint, blst_fp, blst_p1_affine};
    let theirs = |element: Fq| blst_fp { l: element.0.0 };
    let ours = |element: blst_fp| ark_ff::Fp(BigInt(element.l), std::marker::PhantomData);
    let points: Vec<blst_p1_affine> =
        points.iter().map(|point| blst_p1_affine { x: theirs(point.x), y: theirs(point.y) }).collect();
    let scalars: Vec<u8> = scalars.iter().flat_map(|scalar| scalar.into_bigint().to_bytes_le()).collect();
    let sum = points.mult(&scalars, 255);
    G1Projective::new_unchecked(ours(sum.x), ours(sum.y), ours(sum.z)).into_affine()
}
