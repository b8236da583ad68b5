//! Points of small order, by school arithmetic: blst takes no point outside G1 for granted.

use num_bigint::BigUint;

use super::plain_curve::{modulus, order};

/// A point that is not infinity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Plain {
    x: BigUint,
    y: BigUint,
}

impl Plain {
    pub(crate) fn read(bytes: &[u8; 96]) -> Plain {
        let [x, y] = [&bytes[..48], &bytes[48..]].map(BigUint::from_bytes_be);
        Plain { x, y }
    }

    pub(crate) fn bytes(&self) -> [u8; 96] {
        [coordinate(&self.x), coordinate(&self.y)].concat().try_into().expect("two coordinates")
    }

    /// The point of this x whose y is a power of the right side: p = 3 mod 4.
    fn of_x(x: u32) -> Option<Plain> {
        let (x, p) = (BigUint::from(x), modulus());
        let square = (&x * &x * &x + 4u8) % &p;
        let y = square.modpow(&((&p + 1u8) / 4u8), &p);
        ((&y * &y) % p == square).then_some(Plain { x, y })
    }
}

/// 48 bytes, big-endian.
pub(crate) fn coordinate(number: &BigUint) -> [u8; 48] {
    let mut bytes = number.to_bytes_le();
    bytes.resize(48, 0);
    bytes.reverse();
    bytes.try_into().expect("below 2^384")
}

/// a − b mod p.
fn minus(a: &BigUint, b: &BigUint) -> BigUint {
    (a + modulus() - b) % modulus()
}

/// a / b mod p.
fn over(a: &BigUint, b: &BigUint) -> BigUint {
    a * b.modpow(&(modulus() - 2u8), &modulus()) % modulus()
}

/// The sum by chord and tangent; `None` is infinity.
pub(crate) fn add(a: &Option<Plain>, b: &Option<Plain>) -> Option<Plain> {
    let (Some(a), Some(b)) = (a, b) else { return a.clone().or_else(|| b.clone()) };
    let slope = if a.x != b.x {
        over(&minus(&b.y, &a.y), &minus(&b.x, &a.x))
    } else if a.y == b.y && a.y != BigUint::ZERO {
        over(&(&a.x * &a.x * 3u8), &(&a.y * 2u8))
    } else {
        return None;
    };
    let x = minus(&minus(&(&slope * &slope), &a.x), &b.x);
    let y = minus(&(&slope * minus(&a.x, &x)), &a.y);
    Some(Plain { x, y })
}

/// `factor` times a point.
fn times(factor: &BigUint, point: &Plain) -> Option<Plain> {
    let bits = (0..factor.bits()).rev();
    bits.fold(None, |sum, bit| {
        let doubled = add(&sum, &sum);
        if factor.bit(bit) { add(&doubled, &Some(point.clone())) } else { doubled }
    })
}

/// (0, 2), of order 3.
pub(crate) fn point_of_order_3() -> Plain {
    Plain { x: BigUint::ZERO, y: BigUint::from(2u8) }
}

/// A point of order 11: what is left of a point of the curve, whose order is r·(1 − x)² / 3, when r and the cofactor's
/// other primes are multiplied away.
pub(crate) fn point_of_order_11() -> Plain {
    let h = BigUint::from(0xd201_0000_0001_0001u64);
    let others = order() * &h * &h / 3u8 / 121u8;
    let left = (1..).filter_map(Plain::of_x).find_map(|point| times(&others, &point)).expect("half of all x");
    // Its order is 11 or 121.
    times(&BigUint::from(11u8), &left).unwrap_or(left)
}

#[test]
fn orders_are_small_and_sums_are_those_of_the_other_arithmetic() {
    use super::plain_curve::{Scalar, generators, sum};
    let [three, eleven] = [3u8, 11].map(BigUint::from);
    assert_eq!(times(&three, &point_of_order_3()), None);
    assert_eq!(times(&eleven, &point_of_order_11()), None);
    let point = generators()[0];
    let seven = sum(&[Scalar::of(&[7])], &[point]);
    assert_eq!(times(&7u8.into(), &Plain::read(&point.bytes())).map(|sum| sum.bytes()), Some(seven.bytes()));
    assert_eq!(times(&order(), &Plain::read(&point.bytes())), None);
}
