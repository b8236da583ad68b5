//! The base field against arkworks, in every form of residues.

use crate::fixture::curve::{Stream, edges, element, raw, value};
use ark_bls12_381::Fq;
use ark_ff::PrimeField;
use holdfast_shaders::layout::{FieldElement, FieldTest};
use holdfast_shaders::registry::FIELD_TEST;
use holdfast_shaders::twin::carried::Carried;
use holdfast_shaders::twin::columns::Columns;
use holdfast_shaders::twin::dispatch;
use holdfast_shaders::twin::field::{PRIME, ResidueForm, reduce_once};
use holdfast_shaders::twin::field_test::{
    ADD, MULTIPLY, SUBTRACT, SUM_OF_PRODUCTS, TIMES_TWELVE, field_test,
};
use holdfast_shaders::twin::words::{Split, Wide, Words};

/// Halves and words at their ends: where a carry is lost, it is here.
const WORDS: [u32; 8] = [0, 1, 0xffff, 0x1_0000, 0x1_0001, 0x8000_0000, 0xfffe_ffff, u32::MAX];

fn words_equal_wide_integers<W: Words>() {
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
        assert_eq!(W::multiply_add(x, y, z, carry), expected, "{x:x}·{y:x} + {z:x} + {carry:x}");
        if carry <= 1 {
            let sum = u64::from(x) + u64::from(y) + u64::from(carry);
            assert_eq!(W::add_carry(x, y, carry), words(sum), "{x:x} + {y:x} + {carry}");
            let difference = i64::from(x) - i64::from(y) - i64::from(carry);
            let expected =
                [u32::try_from(difference & 0xffff_ffff).expect("one word"), u32::from(difference < 0)];
            assert_eq!(W::subtract_borrow(x, y, carry), expected, "{x:x} − {y:x} − {carry}");
        }
    }
}

#[test]
fn products_of_words_equal_wide_integers() {
    words_equal_wide_integers::<Wide>();
    words_equal_wide_integers::<Split>();
}

fn operations_equal_arkworks<F: ResidueForm>() {
    let mut stream = Stream::new("field");
    let values: Vec<Fq> = edges().into_iter().chain((0..5).map(|_| stream.field())).collect();
    let zero = F::load(element(&Fq::from(0u8)));
    let stored = |x: F::Residue| value(&F::store(x));
    for (i, x) in values.iter().enumerate() {
        let [next, other] = [&values[(i + 1) % values.len()], &values[(i + 5) % values.len()]];
        let loaded = F::load(element(x));
        assert_eq!(stored(loaded), *x);
        assert_eq!(stored(F::times_twelve(loaded)), *x * Fq::from(12u8), "12·{x}");
        assert_eq!(stored(F::times_twelve(F::add_unreduced(loaded, loaded))), *x * Fq::from(24u8), "24·{x}");
        for y in &values {
            let [y_loaded, entry] = [F::load(element(y)), F::load_entry(element(y))];
            assert_eq!(stored(F::settle(F::add_unreduced(loaded, y_loaded))), *x + y, "{x} + {y}");
            assert_eq!(stored(F::subtract_unreduced(loaded, y_loaded)), *x - y, "{x} − {y}");
            assert_eq!(stored(F::multiply(loaded, entry)), *x * y, "{x}·{y}");
            assert_eq!(stored(F::multiply(loaded, F::negate_entry(entry))), -(*x * y), "−{x}·{y}");
            // As the additions do it: a difference with a difference, a negative with a multiple, and products of them.
            let cross = F::cross_term(loaded, y_loaded, F::load(element(next)));
            let minus = F::subtract_unreduced(y_loaded, F::times_twelve(loaded));
            let negated = F::subtract_unreduced(zero, F::add_unreduced(loaded, y_loaded));
            let twelve = F::times_twelve(F::load(element(other)));
            let expected = (*x - y - next) * (*y - Fq::from(12u8) * x) - (*x + y) * Fq::from(12u8) * other;
            let sum = F::sum_of_products(cross, minus, negated, twelve);
            assert_eq!(stored(sum), expected, "with {x}, {y}, {next}, {other}");
        }
    }
}

#[test]
fn operations_equal_arkworks_in_every_form() {
    operations_equal_arkworks::<Carried<Wide>>();
    operations_equal_arkworks::<Carried<Split>>();
    operations_equal_arkworks::<Columns>();
}

/// The largest operands that the additions give to products in words: 2p and 3p, and 8·p² in all.
fn words_up_to_their_bounds<W: Words>() {
    let prime = FieldElement::from_words(PRIME);
    let above = |x: &Fq, n: usize| (0..n).fold(element(x), |sum, _| Carried::<W>::add_unreduced(sum, prime));
    for x in edges() {
        for y in edges() {
            assert_eq!(value(&Carried::<W>::times_twelve(above(&x, 1))), x * Fq::from(12u8), "12·{x}");
            assert_eq!(value(&Carried::<W>::multiply(above(&x, 1), above(&y, 2))), x * y, "{x}·{y}");
            let sum = Carried::<W>::sum_of_products(above(&x, 1), above(&y, 2), above(&y, 1), above(&y, 0));
            assert_eq!(value(&sum), x * y + y * y, "{x}·{y} + {y}²");
        }
    }
}

#[test]
fn words_are_right_up_to_their_bounds() {
    words_up_to_their_bounds::<Wide>();
    words_up_to_their_bounds::<Split>();
}

/// Right at p the subtraction must happen, right below it must not.
#[test]
fn results_are_reduced_at_p_and_not_before() {
    let prime = FieldElement::from_words(PRIME);
    let [smallest, largest] = [raw([1, 0, 0, 0, 0, 0]), raw([0; 6]) - raw([1, 0, 0, 0, 0, 0])];
    assert_eq!(reduce_once::<Split>(prime), FieldElement::default());
    assert_eq!(reduce_once::<Split>(element(&largest)), element(&largest));
    let sum = |x: &Fq, y: &Fq| Carried::<Split>::add_unreduced(element(x), element(y));
    assert_eq!(sum(&largest, &smallest), prime);
    assert_eq!(reduce_once::<Split>(sum(&largest, &(smallest + smallest))), element(&smallest));
}

fn kernel_equals_arkworks<F: ResidueForm>() {
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
            .for_each(|invocation| field_test::<F>(invocation, &parameters, left, right, &mut result));
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
    kernel_equals_arkworks::<Carried<Wide>>();
    kernel_equals_arkworks::<Carried<Split>>();
    kernel_equals_arkworks::<Columns>();
}

#[test]
fn one_changed_word_is_caught() {
    let mut stream = Stream::new("changed");
    let (x, y) = (stream.field(), stream.field());
    for word in 0..12 {
        let mut words = element(&x).words();
        words[word] ^= 1;
        let changed = FieldElement::from_words(words);
        let product =
            |x: FieldElement| Columns::store(Columns::multiply(Columns::load(x), Columns::load(element(&y))));
        assert_eq!(value(&product(element(&x))), x * y);
        assert_ne!(value(&product(changed)), x * y, "word {word}");
    }
    assert_eq!(Fq::MODULUS.0[5] >> 32, u64::from(PRIME[11]), "the words' order");
}
