//! Twin of `wgsl/shared/curve.wgsl`: the complete additions of Renes, Costello and Batina (2016) for a = 0, b3 = 12, with the
//! polynomials, bounds and names of the WGSL.

use super::field::{
    ONE, ZERO, add_unreduced, multiply, reduce_once, subtract_unreduced, sum_of_products, times_twelve,
};
use super::product::Product;
use crate::layout::{AffinePoint, FieldElement, Point};

/// (0 : 1 : 0).
pub const INFINITY: Point = Point { x: ZERO, y: ONE, z: ZERO };

/// (s − a − b) mod p for s, a, b below p; the result is below 2p.
fn cross_term<P: Product>(s: FieldElement, a: FieldElement, b: FieldElement) -> FieldElement {
    reduce_once::<P>(subtract_unreduced::<P>(s, add_unreduced::<P>(a, b)))
}

/// A … F of the polynomials; A, B, C and F below p, D and E below 2p.
struct Terms {
    a: FieldElement,
    b: FieldElement,
    c: FieldElement,
    d: FieldElement,
    e: FieldElement,
    f: FieldElement,
}

fn join_terms<P: Product>(Terms { a, b, c, d, e, f }: Terms) -> Point {
    let triple_a = add_unreduced::<P>(add_unreduced::<P>(a, a), a);
    let minus = subtract_unreduced::<P>(b, c);
    let plus = reduce_once::<P>(add_unreduced::<P>(b, c));
    let negated_e = subtract_unreduced::<P>(ZERO, e);
    Point {
        x: sum_of_products::<P>(d, minus, negated_e, f),
        y: sum_of_products::<P>(triple_a, f, minus, plus),
        z: sum_of_products::<P>(e, plus, triple_a, d),
    }
}

/// (x + y)·(z + w).
fn product_of_sums<P: Product>([x, y]: [FieldElement; 2], [z, w]: [FieldElement; 2]) -> FieldElement {
    multiply::<P>(add_unreduced::<P>(x, y), add_unreduced::<P>(z, w))
}

/// P + Q for an affine Q. P's coordinates and Q's x are below p, Q's y below 2p; the result is below p.
pub fn add_mixed<P: Product>(p: Point, q: AffinePoint) -> Point {
    let a = multiply::<P>(p.x, q.x);
    let b = multiply::<P>(p.y, q.y);
    let d = cross_term::<P>(product_of_sums::<P>([p.x, p.y], [q.x, q.y]), a, b);
    let e = add_unreduced::<P>(multiply::<P>(p.z, q.y), p.y);
    let f = times_twelve::<P>(add_unreduced::<P>(multiply::<P>(p.z, q.x), p.x));
    join_terms::<P>(Terms { a, b, c: times_twelve::<P>(p.z), d, e, f })
}

/// P + Q; all coordinates are below p.
pub fn add_full<P: Product>(p: Point, q: Point) -> Point {
    let a = multiply::<P>(p.x, q.x);
    let b = multiply::<P>(p.y, q.y);
    let c = multiply::<P>(p.z, q.z);
    let d = cross_term::<P>(product_of_sums::<P>([p.x, p.y], [q.x, q.y]), a, b);
    let e = cross_term::<P>(product_of_sums::<P>([p.y, p.z], [q.y, q.z]), b, c);
    let f = cross_term::<P>(product_of_sums::<P>([p.x, p.z], [q.x, q.z]), a, c);
    join_terms::<P>(Terms { a, b, c: times_twelve::<P>(c), d, e, f: times_twelve::<P>(f) })
}
