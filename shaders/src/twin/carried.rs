//! Twin of `wgsl/shared/residue_carried.wgsl` and of the piece `generated/carried.wgsl`: residues in the 12 words of an element,
//! where carries run through every sum and product.

use super::field::{ElementWords, NEGATED_INVERSE, PRIME, ResidueForm, WORDS, ZERO, chain, reduce_once};
use super::words::Words;
use crate::layout::FieldElement;
use std::marker::PhantomData;

const TWICE_PRIME: ElementWords = [
    0xffff_5556,
    0x73fd_ffff,
    0x62a7_ffff,
    0x3d57_fffd,
    0xed61_ec48,
    0xce61_a541,
    0xe70a_257e,
    0xc8ee_9709,
    0x8697_59ae,
    0x9637_4f6c,
    0x72ff_cd34,
    0x3402_23d4,
];

/// Residues in words, whose carries come from `W`.
#[derive(Clone, Copy, Debug)]
pub struct Carried<W>(PhantomData<W>);

impl<W: Words> ResidueForm for Carried<W> {
    type Residue = FieldElement;

    fn load(x: FieldElement) -> FieldElement {
        x
    }

    fn load_entry(x: FieldElement) -> FieldElement {
        x
    }

    fn negate_entry(x: FieldElement) -> FieldElement {
        subtract_unreduced::<W>(ZERO, x)
    }

    fn store(x: FieldElement) -> FieldElement {
        let element = reduce_once::<W>(reduce_once::<W>(x));
        debug_assert!(element == reduce_once::<W>(element), "a residue below 3p");
        element
    }

    fn add_unreduced(x: FieldElement, y: FieldElement) -> FieldElement {
        add_unreduced::<W>(x, y)
    }

    fn subtract_unreduced(x: FieldElement, y: FieldElement) -> FieldElement {
        subtract_unreduced::<W>(x, y)
    }

    fn cross_term(s: FieldElement, a: FieldElement, b: FieldElement) -> FieldElement {
        reduce_once::<W>(subtract_unreduced::<W>(s, add_unreduced::<W>(a, b)))
    }

    fn settle(x: FieldElement) -> FieldElement {
        reduce_once::<W>(x)
    }

    fn multiply(x: FieldElement, y: FieldElement) -> FieldElement {
        products::<W, 1>([[x, y]])
    }

    fn sum_of_products(x: FieldElement, y: FieldElement, z: FieldElement, w: FieldElement) -> FieldElement {
        products::<W, 2>([[x, y], [z, w]])
    }

    fn times_twelve(x: FieldElement) -> FieldElement {
        times_twelve::<W>(x)
    }
}

/// x + y as integers; the sum must stay below 2^384.
fn add_unreduced<W: Words>(x: FieldElement, y: FieldElement) -> FieldElement {
    let (x, y) = (x.words(), y.words());
    let (sum, carry) = chain(|i, carry| W::add_carry(x[i], y[i], carry));
    debug_assert_eq!(carry, 0, "x + y below 2^384");
    FieldElement::from_words(sum)
}

/// x + 2p − y as integers, for y up to 2p; x + 2p must stay below 2^384.
fn subtract_unreduced<W: Words>(x: FieldElement, y: FieldElement) -> FieldElement {
    let (x, y) = (x.words(), y.words());
    let (difference, borrow) = chain(|i, borrow| W::subtract_borrow(TWICE_PRIME[i], y[i], borrow));
    let (sum, carry) = chain(|i, carry| W::add_carry(x[i], difference[i], carry));
    debug_assert_eq!((borrow, carry), (0, 0), "y up to 2p and x + 2p below 2^384");
    FieldElement::from_words(sum)
}

/// Sums of products / 2^384 mod p, below p. If x < a·p and y < b·p for each pair, Σ a·b and 1 + Σ b must not exceed 9.8.
///
/// Coarsely integrated operand scanning: for each limb of the first operands add its product with the second, then a multiple
/// of p that clears the lowest limb, and move one limb down.
fn products<W: Words, const N: usize>(pairs: [[FieldElement; 2]; N]) -> FieldElement {
    let pairs = pairs.map(|pair| pair.map(FieldElement::words));
    let mut total = [0; WORDS];
    for step in 0..WORDS {
        let mut top = 0;
        for [first, second] in &pairs {
            let (sum, carry) = chain(|i, carry| W::multiply_add(first[step], second[i], total[i], carry));
            total = sum;
            top += carry;
        }
        let m = total[0].wrapping_mul(NEGATED_INVERSE);
        let (sum, carry) = chain(|i, carry| W::multiply_add(m, PRIME[i], total[i], carry));
        debug_assert_eq!(sum[0], 0);
        total = std::array::from_fn(|i| if i + 1 < WORDS { sum[i + 1] } else { top + carry });
    }
    let result = reduce_once::<W>(FieldElement::from_words(total));
    debug_assert!(result == reduce_once::<W>(result), "the operands keep the bounds");
    result
}

/// 12·x mod p for x < 2p; the result is below p.
fn times_twelve<W: Words>(x: FieldElement) -> FieldElement {
    let x = x.words();
    let (multiple, top) = chain(|i, carry| W::multiply_add(x[i], 12, 0, carry));
    // From the 15 bits above 2^371, where p has 832.13: 12·x / p, rounded down, or one less. What remains is below 1.3·p.
    let quotient = (((multiple[WORDS - 1] >> 19) | (top << 13)) * 78) >> 16;
    let (cut_off, cut_off_top) = chain(|i, carry| W::multiply_add(quotient, PRIME[i], 0, carry));
    let (rest, borrow) = chain(|i, borrow| W::subtract_borrow(multiple[i], cut_off[i], borrow));
    debug_assert_eq!(cut_off_top + borrow, top, "a quotient that is not too large, and large enough");
    reduce_once::<W>(FieldElement::from_words(rest))
}
