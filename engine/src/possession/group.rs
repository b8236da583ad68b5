//! The few operations on points that everything here goes through.

use ark_bls12_381::{Fr, G1Affine, G1Projective};
use ark_ff::Zero;

use super::generators::{GENERATORS, Generators};
use crate::backend::{Backend, Choice, select};
use crate::curve::SCALAR_BITS;

/// h = 1 − x = 0xd201000000010001, the factor that takes every point of the curve into G1.
pub const COFACTOR: u64 = 0xd201_0000_0001_0001;

/// Σ scalars_j · generator_j over G_1 … G_529, H in this order; a shorter vector takes the first ones.
///
/// Panics if there are more scalars than generators.
pub fn over_generators(generators: &Generators, scalars: &[Fr]) -> G1Projective {
    match generators.table() {
        Some(table) if scalars.len() == GENERATORS => backend().fixed_base(table, scalars),
        _ => backend().msm(&generators.all()[..scalars.len()], scalars, SCALAR_BITS),
    }
}

/// Σ scalars_i · points_i for any points of the curve: equal, opposite, infinite, or of small order.
///
/// Panics unless there are as many of both.
pub fn over_points(points: &[G1Affine], scalars: &[Fr]) -> G1Projective {
    assert_eq!(points.len(), scalars.len(), "a scalar for each point");
    backend().msm(points, scalars, SCALAR_BITS)
}

/// As [`over_points`], for coefficients of 128 bits.
///
/// Panics unless there are as many of both.
pub fn over_points_short(points: &[G1Affine], coefficients: &[u128]) -> G1Projective {
    assert_eq!(points.len(), coefficients.len(), "a coefficient for each point");
    let scalars: Vec<Fr> = coefficients.iter().copied().map(Fr::from).collect();
    backend().msm(points, &scalars, u128::BITS)
}

/// Who hashes and sums here: the fastest back end that there is.
pub(super) fn backend() -> &'static dyn Backend {
    select(Choice::Auto).expect("the portable back end is always there")
}

/// Whether h times the point is infinity: whether an equation holds, cofactored.
pub fn is_zero_cofactored(point: &G1Projective) -> bool {
    // Doubling and adding, not arkworks' multiplication: that takes the scalar apart by an endomorphism that is a
    // multiplication in G1 only.
    let bits = (0..u64::BITS).rev().map(|bit| COFACTOR >> bit & 1 == 1);
    let product = bits.fold(G1Projective::zero(), |sum, set| {
        let doubled = sum + sum;
        if set { doubled + point } else { doubled }
    });
    product.is_zero()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ark_bls12_381::Fq;
    use ark_ec::{AffineRepr, CurveGroup};
    use ark_ff::{AdditiveGroup, Field, PrimeField};

    /// A point of the curve with this x, of whatever order.
    fn on_curve(x: u64) -> Option<G1Affine> {
        let x = Fq::from(x);
        Some(G1Affine::new_unchecked(x, (x * x * x + Fq::from(4u8)).sqrt()?))
    }

    /// r times a point of the curve, by doubling and adding: what is left has an order that divides the cofactor.
    fn torsion_part(point: &G1Affine) -> G1Projective {
        let bits = ark_ff::BitIteratorBE::new(Fr::MODULUS);
        bits.fold(G1Projective::zero(), |sum, set| if set { sum + sum + point } else { sum + sum })
    }

    /// h kills the torsion of points that are not in G1, and nothing of G1.
    #[test]
    fn the_cofactor_erases_torsion_and_nothing_else() {
        let torsion = G1Affine::new_unchecked(Fq::ZERO, Fq::from(2u8));
        assert!(is_zero_cofactored(&torsion.into_group()));
        assert!(is_zero_cofactored(&G1Projective::zero()));
        assert!(!is_zero_cofactored(&G1Affine::generator().into_group()));
        let outside = (1..20).filter_map(on_curve).map(|point| torsion_part(&point));
        let outside: Vec<G1Projective> = outside.filter(|part| !part.is_zero()).collect();
        assert!(outside.len() > 5);
        for part in outside {
            assert!(is_zero_cofactored(&part));
            assert!(!is_zero_cofactored(&(part + G1Affine::generator())));
        }
    }

    /// Sums agree with single multiplications, for points that cancel, repeat, vanish or are not in G1.
    #[test]
    fn sums_are_complete() {
        let generator = G1Affine::generator();
        let torsion = G1Affine::new_unchecked(Fq::ZERO, Fq::from(2u8));
        let points = [
            generator,
            generator,
            -generator,
            G1Affine::zero(),
            torsion,
            -torsion,
            on_curve(3).unwrap_or(generator),
        ];
        let short: [u128; 7] = [5, u128::MAX, 5, 7, 1, 2, 3];
        let scalars = short.map(Fr::from);
        let plain: G1Projective = points.iter().zip(&scalars).map(|(point, scalar)| *point * scalar).sum();
        assert!(is_zero_cofactored(&(over_points(&points, &scalars) - plain)));
        assert!(is_zero_cofactored(&(over_points_short(&points, &short) - plain)));
        let opposite = [generator, (-generator.into_group()).into_affine()];
        assert!(over_points_short(&opposite, &[u128::MAX; 2]).is_zero());
        assert!(over_points(&opposite, &[-Fr::ONE; 2]).is_zero());
        assert!(over_points(&[], &[]).is_zero());
    }
}
