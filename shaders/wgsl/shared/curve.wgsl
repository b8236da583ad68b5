// Points of E: y² = x³ + 4 over the base field, in homogeneous coordinates: (X : Y : Z) is x = X/Z, y = Y/Z, and (0 : 1 : 0)
// the point at infinity. Twin: src/twin/curve.rs.
//
// The additions are the complete ones of Renes, Costello and Batina (2016) for a = 0, b3 = 3·4 = 12, algorithms 7 and 8. E(Fp)
// has odd order, so they are right for every pair of points, also P + P, P − P and infinity. As polynomials, with
//
//   A = X1·X2, B = Y1·Y2, C = 12·Z1·Z2, D = X1·Y2 + X2·Y1, E = Y1·Z2 + Y2·Z1, F = 12·(X1·Z2 + X2·Z1),
//
//   X3 = D·(B − C) − E·F,  Y3 = 3·A·F + (B − C)·(B + C),  Z3 = E·(B + C) + 3·A·D.
//
// Each coordinate of the sum is a sum of two products that share one reduction. Sums inside are left unreduced where the
// bounds of `multiply` and `sum_of_products` allow it; the comments give x < n·p as "n p".

// import shared/field.wgsl

struct Point {
    x: FieldElement,
    y: FieldElement,
    z: FieldElement,
}

struct AffinePoint {
    x: FieldElement,
    y: FieldElement,
}

fn infinity() -> Point {
    return Point(field_zero(), field_one(), field_zero());
}

// (s − a − b) mod p for s, a, b below p; the result is below 2 p.
fn cross_term(s: FieldElement, a: FieldElement, b: FieldElement) -> FieldElement {
    return reduce_once(subtract_unreduced(s, add_unreduced(a, b)));
}

// The sum of the polynomials above. A, B, C and F are below p, D and E below 2 p.
fn join_terms(
    a: FieldElement,
    b: FieldElement,
    c: FieldElement,
    d: FieldElement,
    e: FieldElement,
    f: FieldElement,
) -> Point {
    let triple_a = add_unreduced(add_unreduced(a, a), a); // 3 p
    let minus = subtract_unreduced(b, c); // 3 p
    let plus = reduce_once(add_unreduced(b, c)); // 1 p
    let negated_e = subtract_unreduced(field_zero(), e); // 2 p
    return Point(
        sum_of_products(d, minus, negated_e, f), // 2·3 + 2·1 = 8
        sum_of_products(triple_a, f, minus, plus), // 3·1 + 3·1 = 6
        sum_of_products(e, plus, triple_a, d), // 2·1 + 3·2 = 8
    );
}

// P + Q for an affine Q. P's coordinates and Q's x are below p, Q's y below 2 p (2p − y is −y); the result is below p.
fn add_mixed(p: Point, q: AffinePoint) -> Point {
    let a = multiply(p.x, q.x);
    let b = multiply(p.y, q.y);
    let d = cross_term(multiply(add_unreduced(p.x, p.y), add_unreduced(q.x, q.y)), a, b); // 2·3 = 6
    let e = add_unreduced(multiply(p.z, q.y), p.y); // 2 p
    let f = times_twelve(add_unreduced(multiply(p.z, q.x), p.x));
    return join_terms(a, b, times_twelve(p.z), d, e, f);
}

// P + Q; all coordinates are below p.
fn add_full(p: Point, q: Point) -> Point {
    let a = multiply(p.x, q.x);
    let b = multiply(p.y, q.y);
    let c = multiply(p.z, q.z);
    let d = cross_term(multiply(add_unreduced(p.x, p.y), add_unreduced(q.x, q.y)), a, b); // 2·2 = 4
    let e = cross_term(multiply(add_unreduced(p.y, p.z), add_unreduced(q.y, q.z)), b, c);
    let f = cross_term(multiply(add_unreduced(p.x, p.z), add_unreduced(q.x, q.z)), a, c);
    return join_terms(a, b, times_twelve(c), d, e, times_twelve(f));
}
