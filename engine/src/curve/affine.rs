//! Batches of affine additions over arkworks' field, complete: the arithmetic of the portable back end and of the tables.

use ark_bls12_381::Fq;
use ark_ec::AffineRepr;
use ark_ff::{AdditiveGroup, BigInt, Field};
use std::marker::PhantomData;

use super::G1Affine;

/// A point as tables hold it: x, then y, in Montgomery form (factor 2^384), six little-endian words each. Zeros are the point at
/// infinity: (0, 0) is not on the curve.
pub(crate) type Stored = [u8; 96];

/// A point; (0, 0) is the point at infinity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Point {
    pub(crate) x: Fq,
    pub(crate) y: Fq,
}

impl Point {
    pub(crate) const INFINITY: Point = Point { x: Fq::ZERO, y: Fq::ZERO };

    pub(crate) fn is_infinity(&self) -> bool {
        *self == Point::INFINITY
    }

    pub(crate) fn negated_if(self, negative: bool) -> Point {
        if negative { Point { x: self.x, y: -self.y } } else { self }
    }

    pub(crate) fn affine(&self) -> G1Affine {
        if self.is_infinity() { G1Affine::identity() } else { G1Affine::new_unchecked(self.x, self.y) }
    }

    pub(crate) fn load(stored: &Stored) -> Point {
        let mut words = [0; 12];
        for (word, bytes) in words.iter_mut().zip(stored.as_chunks::<8>().0) {
            *word = u64::from_le_bytes(*bytes);
        }
        let [a, b, c, d, e, f, rest @ ..] = words;
        let element = |words| ark_ff::Fp(BigInt(words), PhantomData);
        Point { x: element([a, b, c, d, e, f]), y: element(rest) }
    }

    pub(crate) fn store(&self) -> Stored {
        let mut stored = [0; 96];
        let words = self.x.0.0.iter().chain(&self.y.0.0);
        for (bytes, word) in stored.as_chunks_mut::<8>().0.iter_mut().zip(words) {
            *bytes = word.to_le_bytes();
        }
        stored
    }
}

impl From<&G1Affine> for Point {
    fn from(point: &G1Affine) -> Point {
        if point.is_zero() { Point::INFINITY } else { Point { x: point.x, y: point.y } }
    }
}

/// `sums[i] += addend(i)`, with one inversion for all: Montgomery's trick. `products` is scratch memory.
pub(crate) fn add_assign(sums: &mut [Point], addend: impl Fn(usize) -> Point, products: &mut Vec<Fq>) {
    products.clear();
    let mut product = Fq::ONE;
    for (i, sum) in sums.iter().enumerate() {
        products.push(product);
        product *= denominator(sum, &addend(i));
    }
    // No factor is zero, so neither is the product.
    let mut inverse = product.inverse().unwrap_or(Fq::ZERO);
    for (i, (sum, product)) in sums.iter_mut().zip(products).enumerate().rev() {
        let addend = addend(i);
        let denominator = denominator(sum, &addend);
        *sum = add(sum, &addend, inverse * *product);
        inverse *= denominator;
    }
}

/// What [`add`] needs the inverse of; never zero. Points of order two, where 2y is, do not exist on this curve.
fn denominator(left: &Point, right: &Point) -> Fq {
    let difference = right.x - left.x;
    if difference != Fq::ZERO {
        difference
    } else if left.y == right.y && left.y != Fq::ZERO {
        left.y.double()
    } else {
        Fq::ONE
    }
}

fn add(left: &Point, right: &Point, inverse: Fq) -> Point {
    let numerator = if left.is_infinity() {
        return *right;
    } else if right.is_infinity() {
        return *left;
    } else if left.x != right.x {
        right.y - left.y
    } else if left.y == right.y {
        let square = left.x.square();
        square.double() + square
    } else {
        return Point::INFINITY;
    };
    let slope = numerator * inverse;
    let x = slope.square() - left.x - right.x;
    Point { x, y: slope * (left.x - x) - left.y }
}
