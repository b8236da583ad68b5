//! The complete additions against arkworks: as polynomials on any numbers, and as the group law on points.

use crate::fixture::curve::{Stream, affine, edges, element, point, raw, scaled, value};
use ark_bls12_381::{Fq, G1Projective};
use ark_ff::{Field, Zero};
use holdfast_shaders::layout::{AffinePoint, CurveTest, Point};
use holdfast_shaders::registry::CURVE_TEST;
use holdfast_shaders::twin::carried::Carried;
use holdfast_shaders::twin::columns::Columns;
use holdfast_shaders::twin::curve::{
    Sum, add_full, add_mixed, infinity, load_addend, load_point, store_point,
};
use holdfast_shaders::twin::curve_test::{ADD_FULL, ADD_MIXED, curve_test};
use holdfast_shaders::twin::dispatch;
use holdfast_shaders::twin::field::ResidueForm;
use holdfast_shaders::twin::words::{Split, Wide};

/// The sum of Renes, Costello and Batina (2016) for a = 0 and b3 = 12, written out.
fn polynomials([x1, y1, z1]: [Fq; 3], [x2, y2, z2]: [Fq; 3]) -> [Fq; 3] {
    let twelve = Fq::from(12u8);
    let (b, c) = (y1 * y2, twelve * z1 * z2);
    let (d, e) = (x1 * y2 + x2 * y1, y1 * z2 + y2 * z1);
    let f = twelve * (x1 * z2 + x2 * z1);
    let triple_a = Fq::from(3u8) * x1 * x2;
    [d * (b - c) - e * f, triple_a * f + (b - c) * (b + c), e * (b + c) + triple_a * d]
}

/// Numbers that are no coordinates of a point reach the bounds that random points leave far away.
fn additions_are_the_polynomials<F: ResidueForm>() {
    let mut stream = Stream::new("polynomials");
    let largest = raw([0; 6]) - raw([1, 0, 0, 0, 0, 0]);
    let numbers = [Fq::zero(), Fq::ONE, largest, edges()[7], stream.field()];
    let pick = |place: usize, digit: u32| numbers[place / 5_usize.pow(digit) % 5];
    let stored = |[x, y, z]: [Fq; 3]| Point { x: element(&x), y: element(&y), z: element(&z) };
    let coordinates = |sum: Sum<F::Residue>| {
        let Point { x, y, z } = store_point::<F>(sum);
        [x, y, z].map(|coordinate| value(&coordinate))
    };
    for place in 0..5_usize.pow(6) {
        let (p, q) = ([0, 1, 2].map(|i| pick(place, i)), [3, 4, 5].map(|i| pick(place, i)));
        let sum = add_full::<F>(load_point::<F>(stored(p)), load_point::<F>(stored(q)));
        assert_eq!(coordinates(sum), polynomials(p, q), "{p:?} + {q:?}");
        // What came out goes in again, perhaps unreduced.
        assert_eq!(
            coordinates(add_full::<F>(sum, sum)),
            polynomials(polynomials(p, q), polynomials(p, q)),
            "2·({p:?} + {q:?})"
        );
        if q[2] == Fq::ONE {
            let entry = AffinePoint { x: element(&q[0]), y: element(&q[1]) };
            let sum = add_mixed::<F>(load_point::<F>(stored(p)), load_addend::<F>(entry, false));
            assert_eq!(coordinates(sum), polynomials(p, q), "{p:?} + {q:?}");
            let negated = [q[0], -q[1], q[2]];
            let again = add_mixed::<F>(sum, load_addend::<F>(entry, true));
            assert_eq!(coordinates(again), polynomials(polynomials(p, q), negated), "{p:?} + {q:?} − {q:?}");
        }
    }
}

#[test]
fn additions_are_their_polynomials_on_any_numbers() {
    additions_are_the_polynomials::<Carried<Wide>>();
    additions_are_the_polynomials::<Carried<Split>>();
    additions_are_the_polynomials::<Columns>();
}

/// Doublings, inverses, infinity on either side and on both, and points without a relation.
pub(crate) fn pairs() -> Vec<[G1Projective; 2]> {
    let mut stream = Stream::new("pairs");
    let (p, q, o) = (stream.point(), stream.point(), G1Projective::zero());
    vec![[p, q], [p, p], [p, -p], [o, q], [p, o], [o, o], [p + q, q], [p - q, q], [-p, -p]]
}

fn additions_are_the_group_law<F: ResidueForm>() {
    let mut stream = Stream::new("scales");
    for [p, q] in pairs() {
        let left = load_point::<F>(scaled(&p, &stream.field()));
        let right = load_point::<F>(scaled(&q, &stream.field()));
        assert_eq!(point(&store_point::<F>(add_full::<F>(left, right))), p + q, "{p} + {q}");
        if !q.is_zero() {
            let addend = |negative| load_addend::<F>(affine(&q), negative);
            assert_eq!(point(&store_point::<F>(add_mixed::<F>(left, addend(false)))), p + q, "{p} + {q}");
            assert_eq!(point(&store_point::<F>(add_mixed::<F>(left, addend(true)))), p - q, "{p} − {q}");
        }
        assert_eq!(point(&store_point::<F>(add_full::<F>(infinity::<F>(), right))), q);
    }
}

#[test]
fn additions_are_the_group_law_without_exceptions() {
    additions_are_the_group_law::<Carried<Wide>>();
    additions_are_the_group_law::<Carried<Split>>();
    additions_are_the_group_law::<Columns>();
}

#[test]
fn curve_test_adds_as_often_as_asked_in_its_range() {
    let mut stream = Stream::new("rounds");
    let (left, right): (Vec<_>, Vec<_>) =
        pairs().iter().map(|[p, q]| (scaled(p, &stream.field()), scaled(q, &Fq::ONE))).unzip();
    for (operation, rounds) in [(ADD_FULL, 1), (ADD_FULL, 5), (ADD_MIXED, 3)] {
        let parameters = CurveTest { first: 1, count: 3, rounds, operation };
        let mut result = left.clone();
        dispatch(CURVE_TEST.variants[0].workgroup, [1, 1, 1]).for_each(|invocation| {
            curve_test::<Columns>(invocation, &parameters, &left, &right, &mut result)
        });
        for (n, [p, q]) in pairs().into_iter().enumerate() {
            let times = if (1..4).contains(&n) { rounds } else { 0 };
            assert_eq!(point(&result[n]), (0..times).fold(p, |sum, _| sum + q), "point {n}");
        }
    }
}
