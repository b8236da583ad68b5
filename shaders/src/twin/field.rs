//! Twin of `wgsl/shared/field.wgsl` and of the piece `generated/reduce.wgsl`: field elements as buffers hold them, and what the
//! forms of residues have in common.

use super::words::Words;
use crate::layout::FieldElement;

/// Words of a field element.
pub const WORDS: usize = 12;

/// Words, least significant first.
pub type ElementWords = [u32; WORDS];

/// The field's prime p.
pub const PRIME: ElementWords = [
    0xffff_aaab,
    0xb9fe_ffff,
    0xb153_ffff,
    0x1eab_fffe,
    0xf6b0_f624,
    0x6730_d2a0,
    0xf385_12bf,
    0x6477_4b84,
    0x434b_acd7,
    0x4b1b_a7b6,
    0x397f_e69a,
    0x1a01_11ea,
];

/// −1/p mod 2^32.
pub(super) const NEGATED_INVERSE: u32 = 0xfffc_fffd;

/// 0.
pub const ZERO: FieldElement = FieldElement::from_words([0; WORDS]);

/// 2^384 mod p.
pub const ONE: FieldElement = FieldElement::from_words([
    0x0002_fffd,
    0x7609_0000,
    0xc40c_0002,
    0xebf4_000b,
    0x53c7_58ba,
    0x5f48_9857,
    0x7052_5745,
    0x77ce_5853,
    0xa256_ec6d,
    0x5c07_1a97,
    0xfa80_e493,
    0x15f6_5ec3,
]);

impl FieldElement {
    /// The element with these words.
    pub const fn from_words(words: ElementWords) -> FieldElement {
        let [a0, a1, a2, a3, b0, b1, b2, b3, c0, c1, c2, c3] = words;
        FieldElement { a: [a0, a1, a2, a3], b: [b0, b1, b2, b3], c: [c0, c1, c2, c3] }
    }

    /// Its words.
    pub const fn words(self) -> ElementWords {
        let FieldElement { a: [a0, a1, a2, a3], b: [b0, b1, b2, b3], c: [c0, c1, c2, c3] } = self;
        [a0, a1, a2, a3, b0, b1, b2, b3, c0, c1, c2, c3]
    }
}

/// Each word from what `step` makes of its number and the carry; and the last carry.
pub(super) fn chain(mut step: impl FnMut(usize, u32) -> [u32; 2]) -> (ElementWords, u32) {
    let mut words = [0; WORDS];
    let mut carry = 0;
    for (i, word) in words.iter_mut().enumerate() {
        [*word, carry] = step(i, carry);
    }
    (words, carry)
}

/// x − p if that is not negative, else x.
pub fn reduce_once<W: Words>(x: FieldElement) -> FieldElement {
    let words = x.words();
    let (difference, borrow) = chain(|i, borrow| W::subtract_borrow(words[i], PRIME[i], borrow));
    if borrow != 0 { x } else { FieldElement::from_words(difference) }
}

/// A form of residues: numbers that stand for field elements while a kernel computes. All forms store the same bytes. The bounds
/// of operands are those of the form's WGSL, `wgsl/shared/residue_….wgsl`; in debug builds a number that breaks them panics.
pub trait ResidueForm {
    /// A number that need not be reduced.
    type Residue: Copy;

    /// Of an element below p.
    fn load(x: FieldElement) -> Self::Residue;

    /// Of a coordinate of a table's entry: perhaps not reduced, but sooner there.
    fn load_entry(x: FieldElement) -> Self::Residue;

    /// The negative of a loaded entry.
    fn negate_entry(x: Self::Residue) -> Self::Residue;

    /// The element below p.
    fn store(x: Self::Residue) -> FieldElement;

    /// x + y.
    fn add_unreduced(x: Self::Residue, y: Self::Residue) -> Self::Residue;

    /// x − y and a multiple of p.
    fn subtract_unreduced(x: Self::Residue, y: Self::Residue) -> Self::Residue;

    /// s − a − b and a small multiple of p, for three products; settled.
    fn cross_term(s: Self::Residue, a: Self::Residue, b: Self::Residue) -> Self::Residue;

    /// The same residue where a product takes it: nearer to p, or in limbs of few bits.
    fn settle(x: Self::Residue) -> Self::Residue;

    /// x·y, in Montgomery form.
    fn multiply(x: Self::Residue, y: Self::Residue) -> Self::Residue;

    /// x·y + z·w, in Montgomery form.
    fn sum_of_products(
        x: Self::Residue,
        y: Self::Residue,
        z: Self::Residue,
        w: Self::Residue,
    ) -> Self::Residue;

    /// 12·x, settled.
    fn times_twelve(x: Self::Residue) -> Self::Residue;
}
