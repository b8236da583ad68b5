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
// bounds of products allow it. The comments bound residues as multiples of p, first in the carried form and then in columns. A
// product of x < a·p and y < b·p comes out below (1 + a·b / 9.8)·p in the former and is reduced below p, for a·b up to 9.8; it
// comes out below (1 + a·b / 2520)·p in the latter.

// import shared/field.wgsl

// As buffers hold them.
struct Point {
    x: FieldElement,
    y: FieldElement,
    z: FieldElement,
}

struct AffinePoint {
    x: FieldElement,
    y: FieldElement,
}

// As kernels compute with them: coordinates of a sum are below p; in columns X is below 2.7 p, Y below 1.45 p and Z below 1.04 p,
// settled.
struct Sum {
    x: Residue,
    y: Residue,
    z: Residue,
}

// x below p and y below 2 p; x below 256 p and y below 512 p in columns, y's limbs below 2^30.
struct Addend {
    x: Residue,
    y: Residue,
}

fn infinity() -> Sum {
    let zero = load(field_zero());
    return Sum(zero, load(field_one()), zero);
}

fn load_point(point: Point) -> Sum {
    return Sum(load(point.x), load(point.y), load(point.z));
}

fn store_point(sum: Sum) -> Point {
    return Point(store(sum.x), store(sum.y), store(sum.z));
}

// The sum of the polynomials above. A, B, C and F are below p, D and E below 2 p. In columns A and B are below 1.3 p, C below 13
// p, D below 6.3 p, E below 5.1 p and F below 61 p; the limbs of E are sums of two settled ones, all others are settled.
fn join_terms(a: Residue, b: Residue, c: Residue, d: Residue, e: Residue, f: Residue) -> Sum {
    let triple_a = add_unreduced(add_unreduced(a, a), a); // 3; 4
    let minus = subtract_unreduced(b, c); // 3; 66
    let plus = settle(add_unreduced(b, c)); // 1; 15
    let negated_e = subtract_unreduced(load(field_zero()), e); // 2; 64
    return Sum(
        sum_of_products(d, minus, negated_e, f), // 2·3 + 2·1 = 8; 6.3·66 + 64·61 = 4320
        sum_of_products(triple_a, f, minus, plus), // 3·1 + 3·1 = 6; 4·61 + 66·15 = 1234
        sum_of_products(e, plus, triple_a, d), // 2·1 + 3·2 = 8; 5.1·15 + 4·6.3 = 102
    );
}

// P + Q for an affine Q.
fn add_mixed(p: Sum, q: Addend) -> Sum {
    let a = multiply(p.x, q.x); // 1; 2.7·256
    let b = multiply(p.y, q.y); // 1·2; 2.7·512
    let d = cross_term(multiply(add_unreduced(p.x, p.y), add_unreduced(q.x, q.y)), a, b); // 2·3 = 6; 5.4·768
    let e = add_unreduced(multiply(p.z, q.y), p.y);
    let f = times_twelve(add_unreduced(multiply(p.z, q.x), p.x));
    return join_terms(a, b, times_twelve(p.z), d, e, f);
}

// P + Q.
fn add_full(p: Sum, q: Sum) -> Sum {
    let a = multiply(p.x, q.x);
    let b = multiply(p.y, q.y);
    let c = multiply(p.z, q.z);
    let d = cross_term(multiply(add_unreduced(p.x, p.y), add_unreduced(q.x, q.y)), a, b); // 2·2; 5.4·5.4
    let e = cross_term(multiply(add_unreduced(p.y, p.z), add_unreduced(q.y, q.z)), b, c);
    let f = cross_term(multiply(add_unreduced(p.x, p.z), add_unreduced(q.x, q.z)), a, c);
    return join_terms(a, b, times_twelve(c), d, e, times_twelve(f));
}
