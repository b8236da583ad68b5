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
        is_zero(&self.x) && is_zero(&self.y)
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

/// Scratch memory of [`add_assign`].
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    /// What each addition needs the inverse of.
    denominators: Vec<Fq>,
    /// The product of all before it.
    products: Vec<Fq>,
    /// Additions of points with the same abscissa, or of the point at infinity.
    exceptions: Vec<usize>,
}

/// `sums[i] += addend(i)`, with one inversion for all: Montgomery's trick.
pub(crate) fn add_assign(sums: &mut [Point], addend: impl Fn(usize) -> Point, scratch: &mut Scratch) {
    let Scratch { denominators, products, exceptions } = scratch;
    denominators.clear();
    products.clear();
    exceptions.clear();
    let mut product = Fq::ONE;
    for (i, sum) in sums.iter().enumerate() {
        let addend = addend(i);
        let mut denominator = addend.x - sum.x;
        if is_zero(&denominator) || sum.is_infinity() || addend.is_infinity() {
            exceptions.push(i);
            denominator = exceptional_denominator(sum, &addend);
        }
        products.push(product);
        denominators.push(denominator);
        product *= denominator;
    }
    // No factor is zero, so neither is the product.
    let mut inverse = product.inverse().unwrap_or(Fq::ZERO);
    for (i, sum) in sums.iter_mut().enumerate().rev() {
        let (addend, denominator) = (addend(i), denominators[i]);
        let of_denominator = inverse * products[i];
        inverse *= denominator;
        if exceptions.last() == Some(&i) {
            exceptions.pop();
            *sum = exceptional_sum(sum, &addend, of_denominator);
            continue;
        }
        let slope = (addend.y - sum.y) * of_denominator;
        let x = slope.square() - sum.x.double() - denominator;
        *sum = Point { x, y: slope * (sum.x - x) - sum.y };
    }
}

/// Without a call, which the comparison of two elements is.
#[inline]
fn is_zero(element: &Fq) -> bool {
    element.0.0.iter().fold(0, |all, word| all | word) == 0
}

/// What [`exceptional_sum`] needs the inverse of; never zero. Points of order two, where 2y is, do not exist on this curve.
#[cold]
fn exceptional_denominator(left: &Point, right: &Point) -> Fq {
    if left == right && !left.is_infinity() { left.y.double() } else { Fq::ONE }
}

#[cold]
fn exceptional_sum(left: &Point, right: &Point, inverse: Fq) -> Point {
    if left.is_infinity() {
        return *right;
    }
    if right.is_infinity() {
        return *left;
    }
    if left.y != right.y {
        return Point::INFINITY;
    }
    let square = left.x.square();
    let slope = (square.double() + square) * inverse;
    let x = slope.square() - left.x.double();
    Point { x, y: slope * (left.x - x) - left.y }
}
