//! Bytes of points (commitment-v1 §1): x then y, big-endian, the uncompressed form of the curve's usual serialisation.

use ark_bls12_381::{Fq, G1Affine};
use ark_ec::AffineRepr;
use ark_ff::{BigInt, PrimeField};

use crate::rejection::{Class, Rejection};

/// Bytes of a point.
pub const POINT_BYTES: usize = 96;

const COORDINATE_BYTES: usize = POINT_BYTES / 2;

/// The 96 bytes of a point. Infinity has none: it is written as zeros, which nobody accepts.
pub fn encode_point(point: &G1Affine) -> [u8; POINT_BYTES] {
    let mut bytes = [0; POINT_BYTES];
    if let Some((x, y)) = point.xy() {
        bytes[..COORDINATE_BYTES].copy_from_slice(&encode_coordinate(x));
        bytes[COORDINATE_BYTES..].copy_from_slice(&encode_coordinate(y));
    }
    bytes
}

/// Reads a point and checks that it is on the curve. Its order is not checked: equations are cofactored.
///
/// Refused: `wrong-point` (a coordinate that is not below p, off the curve, infinity).
pub fn decode_point(bytes: &[u8; POINT_BYTES]) -> Result<G1Affine, Rejection> {
    let (halves, _) = bytes.as_chunks::<COORDINATE_BYTES>();
    let coordinate = |name, half| {
        decode_coordinate(half).ok_or_else(|| Class::WrongPoint.because(format!("{name} is not below p")))
    };
    let point = G1Affine::new_unchecked(coordinate("x", &halves[0])?, coordinate("y", &halves[1])?);
    // (0, 0), which stands for infinity in memory, is not on the curve: 0 ≠ 0 + 4. The flag of infinity makes x ≥ p.
    if !is_on_curve(&point) {
        return Err(Class::WrongPoint.because("not on the curve"));
    }
    Ok(point)
}

/// Reads many points, until the first bad one, whose position is said.
///
/// Refused: as [`decode_point`].
pub fn decode_points(bytes: &[[u8; POINT_BYTES]]) -> Result<Vec<G1Affine>, Rejection> {
    let numbered = bytes.iter().enumerate();
    let named = |(i, bytes)| {
        decode_point(bytes).map_err(|refused| refused.class.because(format!("point {i}: {}", refused.detail)))
    };
    numbered.map(named).collect()
}

/// y² = x³ + 4.
fn is_on_curve(point: &G1Affine) -> bool {
    point.y * point.y == point.x * point.x * point.x + Fq::from(4u8)
}

fn encode_coordinate(coordinate: Fq) -> [u8; COORDINATE_BYTES] {
    let mut bytes = [0; COORDINATE_BYTES];
    let limbs = coordinate.into_bigint().0;
    for (part, limb) in bytes.as_chunks_mut::<8>().0.iter_mut().rev().zip(limbs) {
        *part = limb.to_be_bytes();
    }
    bytes
}

fn decode_coordinate(bytes: &[u8; COORDINATE_BYTES]) -> Option<Fq> {
    let mut limbs = [0; 6];
    for (limb, part) in limbs.iter_mut().rev().zip(bytes.as_chunks::<8>().0) {
        *limb = u64::from_be_bytes(*part);
    }
    Fq::from_bigint(BigInt(limbs))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ark_ec::CurveGroup;
    use ark_ff::{AdditiveGroup, Field};

    fn class(bytes: &[u8; POINT_BYTES]) -> Option<Class> {
        decode_point(bytes).err().map(|refused| refused.class)
    }

    /// p, big-endian.
    fn modulus() -> [u8; COORDINATE_BYTES] {
        let mut bytes = [0; COORDINATE_BYTES];
        for (part, limb) in bytes.as_chunks_mut::<8>().0.iter_mut().rev().zip(Fq::MODULUS.0) {
            *part = limb.to_be_bytes();
        }
        bytes
    }

    /// The bytes are those that blst reads and writes.
    #[test]
    fn bytes_are_those_of_another_implementation() {
        for scalar in [1u64, 2, 3, 0xffff_ffff] {
            let point = (G1Affine::generator() * ark_bls12_381::Fr::from(scalar)).into_affine();
            let bytes = encode_point(&point);
            let signature = blst::min_sig::Signature::deserialize(&bytes).unwrap();
            assert_eq!(signature.serialize(), bytes);
            assert_eq!(decode_point(&bytes), Ok(point));
        }
    }

    /// Points of small order are on the curve and pass; what is infinite, off the curve or not canonical does not.
    #[test]
    fn refusals() {
        let torsion = G1Affine::new_unchecked(Fq::ZERO, Fq::from(2u8));
        assert_eq!(decode_point(&encode_point(&torsion)), Ok(torsion));
        let mut infinity = [0; POINT_BYTES];
        assert_eq!(class(&infinity), Some(Class::WrongPoint));
        infinity[0] = 0x40;
        assert_eq!(class(&infinity), Some(Class::WrongPoint));
        assert_eq!(encode_point(&G1Affine::zero()), [0; POINT_BYTES]);
        assert_eq!(class(&encode_point(&G1Affine::new_unchecked(Fq::ONE, Fq::ONE))), Some(Class::WrongPoint));
        // x = p and y = 2 would be (0, 2) if p were taken for 0.
        let mut large = encode_point(&torsion);
        large[..COORDINATE_BYTES].copy_from_slice(&modulus());
        assert_eq!(class(&large), Some(Class::WrongPoint));
        let good = encode_point(&G1Affine::generator());
        for flag in [0x80, 0x40, 0x20] {
            let mut flagged = good;
            flagged[0] |= flag;
            assert_eq!(class(&flagged), Some(Class::WrongPoint), "flag {flag:#x}");
        }
        let second = decode_points(&[good, [0; POINT_BYTES]]).unwrap_err();
        assert_eq!(second.class, Class::WrongPoint);
        assert!(second.detail.contains("point 1"), "{second}");
    }
}
