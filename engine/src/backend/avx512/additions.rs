//! Many affine additions with one inversion, eight side by side, complete.
//!
//! With d = x₂ − x₁ and Montgomery's trick the inverses of all d take three products each, and the addition two products and
//! a square: λ = (y₂ − y₁) / d, x₃ = λ² − x₁ − x₂, y₃ = λ·(x₁ − x₃) − y₁. A first pass multiplies the d, a second one comes back.
//!
//! # Powers of two
//!
//! Coordinates carry the factor 2^384 but a product divides by 2^416. Say that a value held with the factor 2^e *has exponent e*: a
//! product of exponents e and f has e + f − 416. Starting from 1 at 416, the product of n differences has 416 − 32n, and the
//! inverse of one of them, from that product's inverse at exponent f, has f − 32·(n − 1), the same for all. It is made 432. Then λ
//! has 384 + 432 − 416 = 400, λ² has 384 as it should, and λ·(x₁ − x₃) has 368: it is multiplied by 2^16, in the same step that
//! subtracts y₁. For a point added to itself d = 2y and instead of y₂ − y₁ stands 3x², at exponent 352: times 2^32.
//!
//! # Exceptions
//!
//! A factor d = 0 makes a product zero. One limb of every product is looked at; then [`resolve`] finds the lanes and replaces their d. A
//! point at infinity (0, 0) shows in a limb of its ordinate, and the sum in its lane is replaced at the end. Points with
//! y = 0 are not on the curve.

use ark_bls12_381::Fq;
use ark_ff::AdditiveGroup;

use super::field::{Fq8, IfmaProof, Limbs};
use super::points::{element, limbs};

/// Vectors in work at a time. Consecutive steps of an addition wait for each other; those of two additions do not.
pub(super) const CHAINS: usize = 2;

/// Where points come from and where sums go, eight at a time. Coordinates are below 2p, ordinates at most 2p.
pub(super) trait Operands {
    /// Every left point is added to itself; there are no right ones.
    const DOUBLING: bool = false;

    fn left_x(&self, proof: IfmaProof, vector: usize) -> Fq8;
    fn left_y(&self, proof: IfmaProof, vector: usize) -> Fq8;
    fn right_x(&self, proof: IfmaProof, vector: usize) -> Fq8;
    fn right_y(&self, proof: IfmaProof, vector: usize) -> Fq8;
    fn store(&mut self, vector: usize, x: Fq8, y: Fq8);
}

/// Memory of the first pass, and the exceptions it met.
#[derive(Default)]
pub(super) struct Scratch {
    /// d of each vector.
    differences: Vec<Limbs>,
    /// The product of all d before it in its chain.
    products: Vec<Limbs>,
    exceptions: Vec<Exception>,
}

impl Scratch {
    /// Lanes of one of the last vectors that are left whose points are equal.
    #[inline(always)]
    fn doubled(&self, vector: usize) -> u8 {
        if self.exceptions.is_empty() {
            return 0;
        }
        let last = self.exceptions.iter().rev().take(CHAINS);
        last.filter(|exception| exception.vector == vector).map(|exception| exception.doubled).sum()
    }
}

/// Lanes of a vector whose points have the same abscissa.
struct Exception {
    vector: usize,
    /// Equal points.
    doubled: u8,
    /// Opposite points.
    cancelled: u8,
}

/// Adds left and right points of vectors 0 … `vectors`, a multiple of [`CHAINS`].
#[inline(always)]
pub(super) fn add_all<O: Operands>(
    proof: IfmaProof,
    operands: &mut O,
    vectors: usize,
    scratch: &mut Scratch,
) {
    debug_assert_eq!(vectors % CHAINS, 0);
    scratch.differences.resize(vectors, Limbs::ZERO);
    scratch.products.resize(vectors, Limbs::ZERO);
    scratch.exceptions.clear();
    let product = multiply_differences(proof, operands, vectors, scratch);
    // SAFETY: the proof says that the instruction set exists.
    let inverse = unsafe { inverted(proof, product) };
    add_with_inverses(proof, operands, vectors, scratch, inverse);
}

#[inline(always)]
fn multiply_differences<O: Operands>(
    proof: IfmaProof,
    operands: &O,
    vectors: usize,
    scratch: &mut Scratch,
) -> [Fq8; CHAINS] {
    let mut products = [Fq8::one(proof); CHAINS];
    for vector in (0..vectors).step_by(CHAINS) {
        for (chain, product) in products.iter_mut().enumerate() {
            let vector = vector + chain;
            let mut difference = if O::DOUBLING {
                operands.left_y(proof, vector).doubled()
            } else {
                operands.right_x(proof, vector).minus(operands.left_x(proof, vector))
            };
            let mut next = product.times(difference);
            if next.suspects() != 0 {
                let zeros = next.zeros();
                // SAFETY: the proof says that the instruction set exists.
                let exception = unsafe { resolve(proof, operands, vector, zeros, &mut difference) };
                scratch.exceptions.push(exception);
                next = product.times(difference);
            }
            product.store(&mut scratch.products[vector]);
            difference.store(&mut scratch.differences[vector]);
            *product = next;
        }
    }
    products
}

#[inline(always)]
fn add_with_inverses<O: Operands>(
    proof: IfmaProof,
    operands: &mut O,
    vectors: usize,
    scratch: &mut Scratch,
    mut inverses: [Fq8; CHAINS],
) {
    let nothing = Fq8::small(proof, 0);
    for first in (0..vectors).step_by(CHAINS).rev() {
        let (mut slopes, mut left_ys, mut infinities) = ([nothing; CHAINS], [nothing; CHAINS], [0; CHAINS]);
        for chain in (0..CHAINS).rev() {
            slopes[chain] = inverses[chain].times(Fq8::load(proof, &scratch.products[first + chain]));
            inverses[chain] = inverses[chain].times(Fq8::load(proof, &scratch.differences[first + chain]));
        }
        for chain in (0..CHAINS).rev() {
            let vector = first + chain;
            let left_y = operands.left_y(proof, vector);
            let mut numerator = nothing;
            infinities[chain] = left_y.infinity_suspects();
            if !O::DOUBLING {
                let right_y = operands.right_y(proof, vector);
                infinities[chain] |= right_y.infinity_suspects();
                numerator = right_y.minus(left_y);
            }
            let doubled = if O::DOUBLING { u8::MAX } else { scratch.doubled(vector) };
            if doubled != 0 {
                let tripled = operands.left_x(proof, vector).square().tripled_and_shifted_32();
                numerator = numerator.replaced(doubled, tripled);
                // From here on it is only x₂ − x₁ + 2p.
                let difference = Fq8::load(proof, &scratch.differences[vector]);
                difference.replaced(doubled, Fq8::twice_p(proof)).store(&mut scratch.differences[vector]);
            }
            slopes[chain] = numerator.times(slopes[chain]);
            left_ys[chain] = left_y;
        }
        let (mut sum_xs, mut steps) = ([nothing; CHAINS], [nothing; CHAINS]);
        for chain in (0..CHAINS).rev() {
            let difference = Fq8::load(proof, &scratch.differences[first + chain]);
            let left_x = operands.left_x(proof, first + chain);
            sum_xs[chain] = slopes[chain].square().minus_abscissas(left_x, difference);
            steps[chain] = left_x.minus(sum_xs[chain]);
        }
        for chain in (0..CHAINS).rev() {
            let vector = first + chain;
            let sum_y = slopes[chain].times(steps[chain]).shifted_16_minus(left_ys[chain]);
            let mut sum = (sum_xs[chain], sum_y);
            let exception = scratch.exceptions.pop_if(|exception| exception.vector == vector);
            if infinities[chain] != 0 || exception.is_some() {
                let cancelled = exception.map_or(0, |exception| exception.cancelled);
                // SAFETY: the proof says that the instruction set exists.
                sum = unsafe { replace_infinities(proof, operands, vector, cancelled, sum) };
            }
            operands.store(vector, sum.0, sum.1);
        }
    }
}

/// Looks at lanes whose abscissas are equal, and puts something there that has an inverse.
#[cold]
#[inline(never)]
#[target_feature(enable = "avx512f,avx512ifma,avx512vbmi,avx512dq")]
fn resolve<O: Operands>(
    proof: IfmaProof,
    operands: &O,
    vector: usize,
    zeros: u8,
    difference: &mut Fq8,
) -> Exception {
    let one = Fq8::one(proof);
    if O::DOUBLING {
        // Only the point at infinity has no ordinate.
        *difference = difference.replaced(zeros, one);
        return Exception { vector, doubled: 0, cancelled: 0 };
    }
    let (left, right) = (operands.left_y(proof, vector), operands.right_y(proof, vector));
    let finite = zeros & !left.infinities() & !right.infinities();
    // A product by one, so that a multiple of p is 0 or p.
    let doubled = finite & right.minus(left).times(one).zeros();
    *difference = difference.replaced(zeros, one).replaced(doubled, left.doubled());
    Exception { vector, doubled, cancelled: finite & !doubled }
}

/// The sums, where one of the points is the point at infinity or the two cancel.
#[cold]
#[inline(never)]
#[target_feature(enable = "avx512f,avx512ifma,avx512vbmi,avx512dq")]
fn replace_infinities<O: Operands>(
    proof: IfmaProof,
    operands: &O,
    vector: usize,
    cancelled: u8,
    (x, y): (Fq8, Fq8),
) -> (Fq8, Fq8) {
    let zero = Fq8::small(proof, 0);
    let (left_x, left_y) = (operands.left_x(proof, vector), operands.left_y(proof, vector));
    let left = left_y.infinities();
    let (mut x, mut y) = (x.replaced(cancelled, zero), y.replaced(cancelled, zero));
    if O::DOUBLING {
        return (x.replaced(left, zero), y.replaced(left, zero));
    }
    let (right_x, right_y) = (operands.right_x(proof, vector), operands.right_y(proof, vector));
    let right = right_y.infinities();
    (x, y) = (x.replaced(right, left_x), y.replaced(right, left_y));
    (x, y) = (x.replaced(left, right_x), y.replaced(left, right_y));
    let both = left & right;
    (x.replaced(both, zero), y.replaced(both, zero))
}

/// The inverse of every lane at the exponent that the module asks for.
///
/// A product T of n differences has exponent 416 − 32n; the inverse that stands for 400 + 32n is T^-1·2^816 as an integer.
/// Arkworks takes T as T·2^-384, whose inverse it holds as T^-1·2^768: there are 48 bits to add.
#[target_feature(enable = "avx512f,avx512ifma,avx512vbmi,avx512dq")]
fn inverted(proof: IfmaProof, products: [Fq8; CHAINS]) -> [Fq8; CHAINS] {
    let mut all = [Fq::ZERO; 8 * CHAINS];
    let mut stored = Limbs::ZERO;
    for (product, elements) in products.into_iter().zip(all.as_chunks_mut::<8>().0) {
        product.store(&mut stored);
        for (lane, to) in elements.iter_mut().enumerate() {
            *to = element(stored.0.map(|words| words[lane]));
        }
    }
    ark_ff::batch_inversion_and_mul(&mut all, &Fq::from(1u64 << 48));
    let mut inverses = products;
    for (inverse, elements) in inverses.iter_mut().zip(all.as_chunks::<8>().0) {
        for (lane, from) in elements.iter().enumerate() {
            for (words, limb) in stored.0.iter_mut().zip(limbs(from)) {
                words[lane] = limb;
            }
        }
        *inverse = Fq8::load(proof, &stored);
    }
    debug_assert!(all.iter().all(|element| *element != Fq::ZERO));
    inverses
}
