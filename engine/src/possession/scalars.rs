//! Bytes of scalars, and scalars of streams (commitment-v1 §1).

use ark_bls12_381::Fr;
use ark_ff::{AdditiveGroup, BigInt, MontFp, PrimeField};
use zeroize::Zeroizing;

use crate::rejection::{Class, Rejection};
use crate::transcript::Stream;

/// Bytes of a scalar.
pub const SCALAR_BYTES: usize = 32;
/// Bytes of a coefficient.
pub const COEFFICIENT_BYTES: usize = 16;
/// Bytes of a stream that make a wide scalar.
pub const WIDE_SCALAR_BYTES: usize = 64;

/// The 32 bytes of a scalar, little-endian.
pub fn encode_scalar(scalar: &Fr) -> [u8; SCALAR_BYTES] {
    let mut bytes = [0; SCALAR_BYTES];
    for (part, limb) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(scalar.into_bigint().0) {
        *part = limb.to_le_bytes();
    }
    bytes
}

/// Reads a scalar.
///
/// Refused: `malformed` unless it is below r.
pub fn decode_scalar(bytes: &[u8; SCALAR_BYTES]) -> Result<Fr, Rejection> {
    let mut limbs = [0; 4];
    for (limb, part) in limbs.iter_mut().zip(bytes.as_chunks::<8>().0) {
        *limb = u64::from_le_bytes(*part);
    }
    Fr::from_bigint(BigInt(limbs)).ok_or_else(|| Class::Malformed.because("a scalar is not below r"))
}

/// The next coefficient of a stream: 16 bytes that are not all zero. As a scalar: `Fr::from`.
pub fn coefficient(stream: &mut Stream) -> u128 {
    loop {
        let mut bytes = [0; COEFFICIENT_BYTES];
        stream.fill(&mut bytes);
        match u128::from_le_bytes(bytes) {
            0 => {}
            value => return value,
        }
    }
}

/// The next wide scalar of a stream: 64 bytes reduced mod r, uniform up to 2^-257.
pub fn wide_scalar(stream: &mut Stream) -> Fr {
    let mut bytes = Zeroizing::new([0; WIDE_SCALAR_BYTES]);
    stream.fill(&mut *bytes);
    reduce(bytes.as_chunks::<16>().0.iter().map(|part| u128::from_le_bytes(*part)))
}

/// Σ parts_i · 2^(128·i) mod r, by Horner's rule; several times as fast as arkworks' reduction byte by byte.
pub(super) fn reduce(parts: impl DoubleEndedIterator<Item = u128>) -> Fr {
    const RADIX: Fr = MontFp!("340282366920938463463374607431768211456");
    parts.rev().fold(Fr::ZERO, |sum, part| sum * RADIX + Fr::from(part))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transcript::Context;
    use ark_ff::Field;

    /// r − 1 is the largest; r itself would be another name of 0.
    #[test]
    fn scalars_are_canonical() {
        for scalar in [Fr::ZERO, Fr::ONE, -Fr::ONE, Fr::from(u128::MAX)] {
            assert_eq!(decode_scalar(&encode_scalar(&scalar)), Ok(scalar));
        }
        let mut modulus = encode_scalar(&-Fr::ONE);
        modulus[0] += 1;
        assert_eq!(decode_scalar(&modulus).unwrap_err().class, Class::Malformed);
        assert_eq!(decode_scalar(&[0xff; 32]).unwrap_err().class, Class::Malformed);
    }

    /// A wide scalar is the 512-bit integer of its bytes; catches a wrong byte order and a dropped upper half.
    #[test]
    fn wide_scalars_are_little_endian_integers() {
        let stream = Context::BLINDING.stream(&[b"test"]);
        let mut bytes = [0; WIDE_SCALAR_BYTES];
        stream.clone().fill(&mut bytes);
        let base = Fr::from(256u16);
        let expected = bytes.iter().rev().fold(Fr::ZERO, |sum, byte| sum * base + Fr::from(*byte));
        assert_eq!(wide_scalar(&mut stream.clone()), expected);
        let low = u128::from_le_bytes(*bytes.first_chunk().unwrap());
        assert_eq!(coefficient(&mut stream.clone()), low);
    }
}
