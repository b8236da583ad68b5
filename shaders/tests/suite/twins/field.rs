//! The base field against arkworks, through both kinds of products.

use crate::fixture::curve::{Stream, edges, element, raw, value};
use ark_bls12_381::Fq;
use ark_ff::PrimeField;
use holdfast_shaders::layout::{FieldElement, FieldTest};
use holdfast_shaders::registry::FIELD_TEST;
use holdfast_shaders::twin::dispatch;
use holdfast_shaders::twin::field::{
    PRIME, add_unreduced, multiply, reduce_once, subtract_unreduced, sum_of_products, times_twelve,
};
use holdfast_shaders::twin::field_test::{
    ADD, MULTIPLY, SUBTRACT, SUM_OF_PRODUCTS, TIMES_TWELVE, field_test,
};
use holdfast_shaders::twin::product::{Product, Split, Wide};

/// Halves and words at their ends: where a carry is lost, it is here.
const WORDS: [u32; 8] = [0, 1, 0xffff, 0x1_0000, 0x1_0001, 0x8000_0000, 0xfffe_ffff, u32::MAX];

fn words_equal_wide_integers<P: Product>() {
    let words = |value: u64| {
        [u32::try_from(value & 0xffff_ffff), u32::try_from(value >> 32)].map(|word| word.expect("one word"))
    };
    for (x, y, z, carry) in WORDS
        .iter()
        .flat_map(|&x| WORDS.map(|y| (x, y)))
        .flat_map(|(x, y)| WORDS.iter().flat_map(move |&z| WORDS.map(|carry| (x, y, z, carry))))
    {
        let wide = u128::from(x) * u128::from(y) + u128::from(z) + u128::from(carry);
        let expected = words(u64::try_from(wide).expect("below 2^64"));
        assert_eq!(P::multiply_add(x, y, z, carry), expected, "{x:x}·{y:x} + {z:x} + {carry:x}");
        if carry <= 1 {
            let sum = u64::from(x) + u64::from(y) + u64::from(carry);
            assert_eq!(P::add_carry(x, y, carry), words(sum), "{x:x} + {y:x} + {carry}");
            let difference = i64::from(x) - i64::from(y) - i64::from(carry);
            let expected =
                [u32::try_from(difference & 0xffff_ffff).expect("one word"), u32::from(difference < 0)];
            assert_eq!(P::subtract_borrow(x, y, carry), expected, "{x:x} − {y:x} − {carry}");
        }
    }
}

#[test]
fn products_of_words_equal_wide_integers() {
    words_equal_wide_integers::<Wide>();
    words_equal_wide_integers::<Split>();
}

/// x + n·p as an unreduced number.
fn above<P: Product>(x: &Fq, n: usize) -> FieldElement {
    let prime = FieldElement::from_limbs(PRIME);
    (0..n).fold(element(x), |sum, _| add_unreduced::<P>(sum, prime))
}

fn operations_equal_arkworks<P: Product>() {
    let mut stream = Stream::new("field");
    let values: Vec<Fq> = edges().into_iter().chain((0..6).map(|_| stream.field())).collect();
    for (i, x) in values.iter().enumerate() {
        let [next, other] = [&values[(i + 1) % values.len()], &values[(i + 5) % values.len()]];
        for n in 0..2 {
            assert_eq!(value(&times_twelve::<P>(above::<P>(x, n))), *x * Fq::from(12u8), "12·{x} from {n}p");
            assert_eq!(value(&reduce_once::<P>(above::<P>(x, n))), *x, "{x} from {n}p");
        }
        for y in &values {
            let difference = subtract_unreduced::<P>(element(x), element(y));
            assert_eq!(value(&reduce_once::<P>(reduce_once::<P>(difference))), *x - y, "{x} − {y}");
            // The largest bounds of the additions: 2·3 for a product, 2·3 + 2·1 and 2·1 + 3·2 for a sum of products.
            for (n, m) in [(0, 0), (1, 2), (2, 1)] {
                let (x_above, y_above) = (above::<P>(x, n), above::<P>(y, m));
                assert_eq!(value(&multiply::<P>(x_above, y_above)), *x * y, "{x}·{y} from {n}p, {m}p");
                let sum = sum_of_products::<P>(x_above, y_above, above::<P>(next, 1), element(other));
                assert_eq!(value(&sum), *x * y + *next * other, "{x}·{y} + {next}·{other} from {n}p, {m}p");
                let sum = sum_of_products::<P>(above::<P>(next, 1), element(other), x_above, y_above);
                assert_eq!(value(&sum), *x * y + *next * other, "{next}·{other} + {x}·{y} from {n}p, {m}p");
            }
        }
    }
}

#[test]
fn operations_equal_arkworks_up_to_their_bounds() {
    operations_equal_arkworks::<Wide>();
    operations_equal_arkworks::<Split>();
}

/// Right at p the subtraction must happen, right below it must not.
#[test]
fn results_are_reduced_at_p_and_not_before() {
    let prime = FieldElement::from_limbs(PRIME);
    let [smallest, largest] = [raw([1, 0, 0, 0, 0, 0]), raw([0; 6]) - raw([1, 0, 0, 0, 0, 0])];
    assert_eq!(reduce_once::<Split>(prime), FieldElement::default());
    assert_eq!(reduce_once::<Split>(element(&largest)), element(&largest));
    let sum = |x: &Fq, y: &Fq| add_unreduced::<Split>(element(x), element(y));
    assert_eq!(sum(&largest, &smallest), prime);
    assert_eq!(reduce_once::<Split>(sum(&largest, &(smallest + smallest))), element(&smallest));
}

fn kernel_equals_arkworks<P: Product>() {
    let mut stream = Stream::new("kernel");
    let count = 70;
    let values: Vec<Fq> =
        edges().into_iter().chain((0..2 * count).map(|_| stream.field())).take(2 * count).collect();
    let elements: Vec<_> = values.iter().map(element).collect();
    let (left, right) = elements.split_at(count);
    let step = |operation: u32, x: Fq, start: Fq, y: Fq| match operation {
        ADD => x + y,
        SUBTRACT => x - y,
        SUM_OF_PRODUCTS => x * y + start * x,
        TIMES_TWELVE => x * Fq::from(12u8),
        _ => x * y,
    };
    for (operation, rounds) in [MULTIPLY, ADD, SUBTRACT, SUM_OF_PRODUCTS, TIMES_TWELVE].into_iter().zip(1..) {
        let parameters = FieldTest { first: 3, count: 66, rounds, operation };
        let untouched = element(&Fq::from(7u8));
        let mut result = vec![untouched; count];
        let workgroup = FIELD_TEST.variants[0].workgroup;
        dispatch(workgroup, [2, 1, 1])
            .for_each(|invocation| field_test::<P>(invocation, &parameters, left, right, &mut result));
        for (n, found) in result.iter().enumerate() {
            let (start, y) = (values[n], values[count + n]);
            let expected = (0..rounds).fold(start, |x, _| step(operation, x, start, y));
            let expected = if (3..69).contains(&n) { element(&expected) } else { untouched };
            assert_eq!(*found, expected, "operation {operation}, element {n}");
        }
    }
}

#[test]
fn field_test_equals_arkworks_in_its_range() {
    kernel_equals_arkworks::<Wide>();
    kernel_equals_arkworks::<Split>();
}

#[test]
fn one_changed_limb_is_caught() {
    let mut stream = Stream::new("changed");
    let (x, y) = (stream.field(), stream.field());
    for limb in 0..12 {
        let mut limbs = element(&x).limbs();
        limbs[limb] ^= 1;
        let changed = FieldElement::from_limbs(limbs);
        assert_ne!(value(&multiply::<Split>(changed, element(&y))), x * y, "limb {limb}");
    }
    assert_eq!(Fq::MODULUS.0[5] >> 32, u64::from(PRIME[11]), "the limbs' order");
}
