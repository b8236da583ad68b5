//! Many affine additions with one inversion, four side by side, complete.
//!
//! With d = x₂ − x₁ and Montgomery's trick the inverses of all d take three products each, and the addition two products and
//! a square: λ = (y₂ − y₁) / d, x₃ = λ² − x₁ − x₂, y₃ = λ·(x₁ − x₃) − y₁. A first pass multiplies the d, a second one comes back.
//!
//! # Powers of two
//!
//! Coordinates carry the factor 2^384 but a product divides by 2^408. Say that a value held with the factor 2^e *has exponent e*: a
//! product of exponents e and f has e + f − 408. Starting from 1 at 408, the product of n differences has 408 − 24n, and the
//! inverse of one of them, from that product's inverse at exponent f, has f − 24·(n − 1), the same for all. It is made 420. Then λ
//! has 384 + 420 − 408 = 396, λ² has 384 as it should, and λ·(x₁ − x₃) has 372: it is multiplied by 2^12, in the same step that
//! subtracts y₁. For a point added to itself d = y, and λ = 3x² / 2y: x² has exponent 360, and 3·2^24 / 2 goes into the inverse.
//!
//! # Exceptions
//!
//! A factor d = 0 makes a product zero. One limb of every product is looked at, and two of every abscissa for points at infinity
//! (0, 0). Lanes that need it are added by arkworks' field, in a batch with one inversion too, and something takes their place
//! that has an inverse. Points with y = 0 are not on the curve.

use ark_bls12_381::Fq;

use super::field::{FmaProof, Fq4, Limbs};
use crate::curve::affine::{self, Point, add_assign};

/// Where points come from and where sums go, four at a time. Coordinates are those of [`super::field`].
pub(super) trait Operands {
    /// Every left point is added to itself; there are no right ones.
    const DOUBLING: bool = false;

    fn left_x(&self, proof: FmaProof, vector: usize) -> Fq4;
    fn left_y(&self, proof: FmaProof, vector: usize) -> Fq4;
    fn right_x(&self, proof: FmaProof, vector: usize) -> Fq4;
    fn right_y(&self, proof: FmaProof, vector: usize) -> Fq4;
    fn store(&mut self, proof: FmaProof, vector: usize, x: &Fq4, y: &Fq4);

    /// The two points of a lane.
    fn points(&self, vector: usize, lane: usize) -> [Point; 2];
    fn store_point(&mut self, vector: usize, lane: usize, point: &Point);
}

/// Memory of the first pass, and the exceptions it met.
#[derive(Default)]
pub(super) struct Scratch {
    /// d of each vector.
    differences: Vec<Limbs>,
    /// The product of all d before it.
    products: Vec<Limbs>,
    exceptions: Exceptions,
}

/// Lanes that are added by arkworks' field.
#[derive(Default)]
struct Exceptions {
    /// Vector and lane.
    places: Vec<(usize, usize)>,
    lefts: Vec<Point>,
    rights: Vec<Point>,
    scratch: affine::Scratch,
}

/// Adds left and right points of vectors 0 … `vectors`.
#[inline(always)]
pub(super) fn add_all<O: Operands>(proof: FmaProof, operands: &mut O, vectors: usize, scratch: &mut Scratch) {
    scratch.differences.resize(vectors, Limbs::ZERO);
    scratch.products.resize(vectors, Limbs::ZERO);
    let product = multiply_differences(proof, operands, vectors, scratch);
    let inverse = inverted(proof, &product, O::DOUBLING);
    add_with_inverses(proof, operands, vectors, scratch, inverse);
    if !scratch.exceptions.places.is_empty() {
        scratch.exceptions.add(operands);
    }
}

#[inline(always)]
fn multiply_differences<O: Operands>(
    proof: FmaProof,
    operands: &O,
    vectors: usize,
    scratch: &mut Scratch,
) -> Fq4 {
    let mut product = Fq4::one(proof);
    for vector in 0..vectors {
        let left_x = operands.left_x(proof, vector);
        let mut suspects = left_x.infinity_suspects();
        let mut difference = if O::DOUBLING {
            operands.left_y(proof, vector)
        } else {
            let right_x = operands.right_x(proof, vector);
            suspects |= right_x.infinity_suspects();
            right_x.minus(&left_x)
        };
        let mut next = difference.times(&product);
        suspects |= next.suspects();
        if suspects != 0 {
            for lane in (0..4).filter(|lane| suspects >> lane & 1 == 1) {
                if scratch.exceptions.take::<O>(operands, vector, lane) {
                    difference.replace_by_one(lane);
                }
            }
            next = difference.times(&product);
        }
        product.store(&mut scratch.products[vector]);
        difference.store(&mut scratch.differences[vector]);
        product = next;
    }
    product
}

#[inline(always)]
fn add_with_inverses<O: Operands>(
    proof: FmaProof,
    operands: &mut O,
    vectors: usize,
    scratch: &Scratch,
    mut inverse: Fq4,
) {
    for vector in (0..vectors).rev() {
        let difference = Fq4::load(proof, &scratch.differences[vector]);
        let of_difference = Fq4::load(proof, &scratch.products[vector]).times(&inverse);
        inverse = difference.times(&inverse);
        let (left_x, left_y) = (operands.left_x(proof, vector), operands.left_y(proof, vector));
        let numerator =
            if O::DOUBLING { left_x.times(&left_x) } else { operands.right_y(proof, vector).minus(&left_y) };
        let slope = numerator.times(&of_difference);
        let square = slope.times(&slope);
        let x = if O::DOUBLING {
            square.minus_twice(&left_x)
        } else {
            square.minus_abscissas(&left_x, &difference)
        };
        let y = left_x.minus(&x).times(&slope).shifted_12_minus(&left_y);
        operands.store(proof, vector, &x, &y);
    }
}

impl Exceptions {
    /// Whether the points of a lane cannot be added here; then they are kept for later.
    #[cold]
    #[inline(never)]
    fn take<O: Operands>(&mut self, operands: &O, vector: usize, lane: usize) -> bool {
        let [left, right] = operands.points(vector, lane);
        let is_one = left.is_infinity() || right.is_infinity() || (!O::DOUBLING && left.x == right.x);
        if is_one {
            self.places.push((vector, lane));
            self.lefts.push(left);
            self.rights.push(right);
        }
        is_one
    }

    /// Puts the sums in their places.
    #[cold]
    #[inline(never)]
    fn add<O: Operands>(&mut self, operands: &mut O) {
        let Exceptions { places, lefts, rights, scratch } = self;
        add_assign(lefts, |i| rights[i], scratch);
        for ((vector, lane), sum) in places.drain(..).zip(lefts.drain(..)) {
            operands.store_point(vector, lane, &sum);
        }
        rights.clear();
    }
}

/// The inverse of every lane at the exponent that the module asks for.
///
/// A product T of n differences has exponent 408 − 24n; the inverse that stands for 396 + 24n is T^-1·2^804 as an integer.
/// Arkworks takes T as T·2^-384, whose inverse it holds as T^-1·2^768: there are 36 bits to add.
fn inverted(proof: FmaProof, product: &Fq4, doubling: bool) -> Fq4 {
    let mut elements = product.elements();
    let factor = if doubling { 3 << (36 + 24 - 1) } else { 1u64 << 36 };
    ark_ff::batch_inversion_and_mul(&mut elements, &Fq::from(factor));
    Fq4::from_elements(proof, &elements)
}
