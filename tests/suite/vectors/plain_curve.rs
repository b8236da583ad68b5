//! Scalars and points as plainly as commitment-v1 writes them: scalars are big integers reduced mod r after every
//! operation, points are those of `blst`, which shares no code with what the engine computes with.

use blst::MultiPoint;
use blst::min_sig::{AggregateSignature, SecretKey, Signature};
use num_bigint::BigUint;

/// What hash-to-curve is told (commitment-v1 §3).
const TAG: &[u8] = b"HOLDFAST-V01-CS01-with-BLS12381G1_XMD:SHA-256_SSWU_RO_";

/// r, the order of G1 (the curve's parameters as published, big-endian).
pub(crate) fn order() -> BigUint {
    hexadecimal("73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001")
}

/// p, the order of the field.
pub(crate) fn modulus() -> BigUint {
    hexadecimal(
        "1a0111ea397fe69a4b1ba7b6434bacd764774b84f38512bf6730d2a0f6b0f6241eabfffeb153ffffb9feffffffffaaab",
    )
}

fn hexadecimal(digits: &str) -> BigUint {
    BigUint::parse_bytes(digits.as_bytes(), 16).expect("digits")
}

/// An integer mod r.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Scalar(BigUint);

impl Scalar {
    pub(crate) fn zero() -> Scalar {
        Scalar(BigUint::ZERO)
    }

    pub(crate) fn one() -> Scalar {
        Scalar(BigUint::from(1u8))
    }

    /// Little-endian bytes of any number, reduced.
    pub(crate) fn of(bytes: &[u8]) -> Scalar {
        Scalar(BigUint::from_bytes_le(bytes) % order())
    }

    pub(crate) fn plus(&self, other: &Scalar) -> Scalar {
        Scalar((&self.0 + &other.0) % order())
    }

    pub(crate) fn times(&self, other: &Scalar) -> Scalar {
        Scalar((&self.0 * &other.0) % order())
    }

    pub(crate) fn negated(&self) -> Scalar {
        Scalar((order() - &self.0) % order())
    }

    /// 32 bytes, little-endian.
    pub(crate) fn bytes(&self) -> [u8; 32] {
        padded(&self.0)
    }
}

/// 32 little-endian bytes of a number.
pub(crate) fn padded(number: &BigUint) -> [u8; 32] {
    let mut bytes = number.to_bytes_le();
    bytes.resize(32, 0);
    bytes.try_into().expect("below 2^256")
}

/// Bytes of scalars, one after another.
pub(crate) fn scalar_bytes(scalars: &[Scalar]) -> Vec<u8> {
    scalars.iter().flat_map(Scalar::bytes).collect()
}

/// A point of the curve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Point(Signature);

impl Point {
    /// The 96 bytes of commitment-v1 §1. blst writes infinity otherwise than with a coordinate, and nothing here is infinite.
    pub(crate) fn bytes(&self) -> [u8; 96] {
        let bytes = self.0.serialize();
        assert!(bytes[0] < 0x20, "infinity has no bytes");
        bytes
    }

    pub(crate) fn read(bytes: &[u8]) -> Point {
        Point(Signature::deserialize(bytes).expect("a point of the curve"))
    }

    pub(crate) fn is_infinity(&self) -> bool {
        self.0.serialize()[0] == 0x40
    }
}

/// `hash_to_curve(message)`: a signature under the secret key 1 is the hash itself.
pub(crate) fn hash_to_curve(message: &[u8]) -> Point {
    let mut one = [0; 32];
    one[31] = 1;
    Point(SecretKey::from_bytes(&one).expect("a key").sign(message, TAG, &[]))
}

/// G_1 … G_529, H.
pub(crate) fn generators() -> &'static [Point] {
    static ALL: std::sync::OnceLock<Vec<Point>> = std::sync::OnceLock::new();
    ALL.get_or_init(|| {
        let numbered = (1..=529u32).map(|j| hash_to_curve(&[&b"generator"[..], &j.to_le_bytes()].concat()));
        numbered.chain([hash_to_curve(b"blinding")]).collect()
    })
}

/// Σ scalars_j · points_j.
pub(crate) fn sum(scalars: &[Scalar], points: &[Point]) -> Point {
    assert_eq!(scalars.len(), points.len(), "a scalar for each point");
    let points: Vec<Signature> = points.iter().map(|point| point.0).collect();
    Point(points.mult(&scalar_bytes(scalars), 255).to_signature())
}

/// The sum of two points.
pub(crate) fn add(a: &Point, b: &Point) -> Point {
    let mut sum = AggregateSignature::from_signature(&a.0);
    sum.add_aggregate(&AggregateSignature::from_signature(&b.0));
    Point(sum.to_signature())
}

/// The next 16 bytes of a stream that are not all zero.
pub(crate) fn coefficient(stream: &mut blake3::OutputReader) -> [u8; 16] {
    loop {
        let mut bytes = [0; 16];
        stream.fill(&mut bytes);
        if bytes != [0; 16] {
            return bytes;
        }
    }
}

/// The next 64 bytes of a stream, reduced.
pub(crate) fn wide_scalar(stream: &mut blake3::OutputReader) -> Scalar {
    let mut bytes = [0; 64];
    stream.fill(&mut bytes);
    Scalar::of(&bytes)
}

/// The stream of a derivation whose context is written out.
pub(crate) fn stream(context: &str, parts: &[&[u8]]) -> blake3::OutputReader {
    let mut hasher = blake3::Hasher::new_derive_key(&format!("holdfast v1 {context}"));
    hasher.update(&parts.concat()).finalize_xof()
}

/// The curve's generator, uncompressed, as the standards publish it.
pub(crate) fn published_generator() -> [u8; 96] {
    let digits = concat!(
        "17f1d3a73197d7942695638c4fa9ac0fc3688c4f9774b905a14e3a3f171bac586c55e83ff97a1aeffb3af00adb22c6bb",
        "08b3f481e3aaa0f1a09e30ed741d8ae4fcf5e095d5d00af600db18cb2c04b3edd03cc744a2888ae40caa232946c5e7e1",
    );
    hex::decode(digits).expect("digits").try_into().expect("96 bytes")
}

/// What the vectors rest on: the curve of the standard, its group order, and sums that are complete.
#[test]
fn another_implementation_computes_on_the_same_curve() {
    let generator = Point::read(&published_generator());
    let minus_one = Scalar::one().negated();
    assert!(add(&sum(std::slice::from_ref(&minus_one), &[generator]), &generator).is_infinity());
    assert!(sum(&[minus_one, Scalar::one()], &[generator, generator]).is_infinity());
    assert!(sum(&[Scalar::zero()], &[generator]).is_infinity());
    let two = Scalar::of(&[2]);
    assert_eq!(sum(&[two], &[generator]), add(&generator, &generator));
    assert_eq!(Scalar::of(&padded(&order())), Scalar::zero());
    let coordinates = hex::encode(generator.bytes());
    let [x, y] = [&coordinates[..96], &coordinates[96..]].map(hexadecimal);
    assert_eq!((&y * &y) % modulus(), (&x * &x * &x + 4u8) % modulus());
}
