//! Twin of `wgsl/shared/curve.wgsl`: the complete additions of Renes, Costello and Batina (2016) for a = 0, b3 = 12, with the
//! polynomials, bounds and names of the WGSL.

use super::field::{ONE, ResidueForm, ZERO};
use crate::layout::{AffinePoint, Point};

/// A point while a kernel computes, in homogeneous coordinates.
#[derive(Clone, Copy, Debug)]
pub struct Sum<R> {
    x: R,
    y: R,
    z: R,
}

/// A table's entry while a kernel computes, or its negative.
#[derive(Clone, Copy, Debug)]
pub struct Addend<R> {
    x: R,
    y: R,
}

/// (0 : 1 : 0).
pub fn infinity<F: ResidueForm>() -> Sum<F::Residue> {
    load_point::<F>(Point { x: ZERO, y: ONE, z: ZERO })
}

/// A point from a buffer.
pub fn load_point<F: ResidueForm>(point: Point) -> Sum<F::Residue> {
    Sum { x: F::load(point.x), y: F::load(point.y), z: F::load(point.z) }
}

/// A point as buffers hold it.
pub fn store_point<F: ResidueForm>(sum: Sum<F::Residue>) -> Point {
    Point { x: F::store(sum.x), y: F::store(sum.y), z: F::store(sum.z) }
}

/// A table's entry, or its negative.
pub fn load_addend<F: ResidueForm>(entry: AffinePoint, negative: bool) -> Addend<F::Residue> {
    let y = F::load_entry(entry.y);
    Addend { x: F::load_entry(entry.x), y: if negative { F::negate_entry(y) } else { y } }
}

/// A … F of the polynomials.
struct Terms<R> {
    a: R,
    b: R,
    c: R,
    d: R,
    e: R,
    f: R,
}

fn join_terms<F: ResidueForm>(Terms { a, b, c, d, e, f }: Terms<F::Residue>) -> Sum<F::Residue> {
    let triple_a = F::add_unreduced(F::add_unreduced(a, a), a);
    let minus = F::subtract_unreduced(b, c);
    let plus = F::settle(F::add_unreduced(b, c));
    let negated_e = F::subtract_unreduced(F::load(ZERO), e);
    Sum {
        x: F::sum_of_products(d, minus, negated_e, f),
        y: F::sum_of_products(triple_a, f, minus, plus),
        z: F::sum_of_products(e, plus, triple_a, d),
    }
}

/// (x + y)·(z + w).
fn product_of_sums<F: ResidueForm>([x, y]: [F::Residue; 2], [z, w]: [F::Residue; 2]) -> F::Residue {
    F::multiply(F::add_unreduced(x, y), F::add_unreduced(z, w))
}

/// P + Q for an affine Q.
pub fn add_mixed<F: ResidueForm>(p: Sum<F::Residue>, q: Addend<F::Residue>) -> Sum<F::Residue> {
    let a = F::multiply(p.x, q.x);
    let b = F::multiply(p.y, q.y);
    let d = F::cross_term(product_of_sums::<F>([p.x, p.y], [q.x, q.y]), a, b);
    let e = F::add_unreduced(F::multiply(p.z, q.y), p.y);
    let f = F::times_twelve(F::add_unreduced(F::multiply(p.z, q.x), p.x));
    join_terms::<F>(Terms { a, b, c: F::times_twelve(p.z), d, e, f })
}

/// P + Q.
pub fn add_full<F: ResidueForm>(p: Sum<F::Residue>, q: Sum<F::Residue>) -> Sum<F::Residue> {
    let a = F::multiply(p.x, q.x);
    let b = F::multiply(p.y, q.y);
    let c = F::multiply(p.z, q.z);
    let d = F::cross_term(product_of_sums::<F>([p.x, p.y], [q.x, q.y]), a, b);
    let e = F::cross_term(product_of_sums::<F>([p.y, p.z], [q.y, q.z]), b, c);
    let f = F::cross_term(product_of_sums::<F>([p.x, p.z], [q.x, q.z]), a, c);
    join_terms::<F>(Terms { a, b, c: F::times_twelve(c), d, e, f: F::times_twelve(f) })
}
