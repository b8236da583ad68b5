//! Twin of `wgsl/shared/field.wgsl` and of the text that `build/generate/field.rs` writes: the base field of BLS12-381.
//!
//! The bounds of operands are those of the WGSL; in debug builds a limb that overflows its word is seen where it matters.

use super::product::Product;
use crate::layout::FieldElement;

/// Limbs of 32 bits.
pub const LIMBS: usize = 12;

/// Limbs, least significant first.
pub type Limbs = [u32; LIMBS];

/// The field's prime p.
pub const PRIME: Limbs = [
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

const TWICE_PRIME: Limbs = [
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

/// −1/p mod 2^32.
const NEGATED_INVERSE: u32 = 0xfffc_fffd;

/// 0.
pub const ZERO: FieldElement = FieldElement::from_limbs([0; LIMBS]);

/// 2^384 mod p.
pub const ONE: FieldElement = FieldElement::from_limbs([
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
    /// The element with these limbs.
    pub const fn from_limbs(limbs: Limbs) -> FieldElement {
        let [a0, a1, a2, a3, b0, b1, b2, b3, c0, c1, c2, c3] = limbs;
        FieldElement { a: [a0, a1, a2, a3], b: [b0, b1, b2, b3], c: [c0, c1, c2, c3] }
    }

    /// Its limbs.
    pub const fn limbs(self) -> Limbs {
        let FieldElement { a: [a0, a1, a2, a3], b: [b0, b1, b2, b3], c: [c0, c1, c2, c3] } = self;
        [a0, a1, a2, a3, b0, b1, b2, b3, c0, c1, c2, c3]
    }
}

/// Each limb from what `step` makes of its number and the carry; and the last carry.
fn chain(mut step: impl FnMut(usize, u32) -> [u32; 2]) -> (Limbs, u32) {
    let mut limbs = [0; LIMBS];
    let mut carry = 0;
    for (i, limb) in limbs.iter_mut().enumerate() {
        [*limb, carry] = step(i, carry);
    }
    (limbs, carry)
}

/// x + y as integers; the sum must stay below 2^384.
pub fn add_unreduced<P: Product>(x: FieldElement, y: FieldElement) -> FieldElement {
    let (x, y) = (x.limbs(), y.limbs());
    let (sum, carry) = chain(|i, carry| P::add_carry(x[i], y[i], carry));
    debug_assert_eq!(carry, 0, "x + y below 2^384");
    FieldElement::from_limbs(sum)
}

/// x + 2p − y as integers, for y up to 2p; x + 2p must stay below 2^384.
pub fn subtract_unreduced<P: Product>(x: FieldElement, y: FieldElement) -> FieldElement {
    let (x, y) = (x.limbs(), y.limbs());
    let (difference, borrow) = chain(|i, borrow| P::subtract_borrow(TWICE_PRIME[i], y[i], borrow));
    let (sum, carry) = chain(|i, carry| P::add_carry(x[i], difference[i], carry));
    debug_assert_eq!((borrow, carry), (0, 0), "y up to 2p and x + 2p below 2^384");
    FieldElement::from_limbs(sum)
}

/// x − p if that is not negative, else x.
pub fn reduce_once<P: Product>(x: FieldElement) -> FieldElement {
    let limbs = x.limbs();
    let (difference, borrow) = chain(|i, borrow| P::subtract_borrow(limbs[i], PRIME[i], borrow));
    if borrow != 0 { x } else { FieldElement::from_limbs(difference) }
}

/// x·y / 2^384 mod p. If x < a·p and y < b·p, then a·b and b + 1 must not exceed 9.8; the result is below p.
pub fn multiply<P: Product>(x: FieldElement, y: FieldElement) -> FieldElement {
    products::<P, 1>([[x, y]])
}

/// (x·y + z·w) / 2^384 mod p. If x < a·p, y < b·p, z < c·p and w < d·p, then a·b + c·d and b + d + 1 must not exceed 9.8;
/// the result is below p.
pub fn sum_of_products<P: Product>(
    x: FieldElement,
    y: FieldElement,
    z: FieldElement,
    w: FieldElement,
) -> FieldElement {
    products::<P, 2>([[x, y], [z, w]])
}

/// Coarsely integrated operand scanning: for each limb of the first operands add its product with the second, then a multiple
/// of p that clears the lowest limb, and move one limb down.
fn products<P: Product, const N: usize>(pairs: [[FieldElement; 2]; N]) -> FieldElement {
    let pairs = pairs.map(|pair| pair.map(FieldElement::limbs));
    let mut total = [0; LIMBS];
    for step in 0..LIMBS {
        let mut top = 0;
        for [first, second] in &pairs {
            let (sum, carry) = chain(|i, carry| P::multiply_add(first[step], second[i], total[i], carry));
            total = sum;
            top += carry;
        }
        let m = total[0].wrapping_mul(NEGATED_INVERSE);
        let (sum, carry) = chain(|i, carry| P::multiply_add(m, PRIME[i], total[i], carry));
        debug_assert_eq!(sum[0], 0);
        total = std::array::from_fn(|i| if i + 1 < LIMBS { sum[i + 1] } else { top + carry });
    }
    let result = reduce_once::<P>(FieldElement::from_limbs(total));
    debug_assert!(result == reduce_once::<P>(result), "the operands keep the bounds");
    result
}

/// 12·x mod p for x < 2p; the result is below p.
pub fn times_twelve<P: Product>(x: FieldElement) -> FieldElement {
    let x = x.limbs();
    let (multiple, top) = chain(|i, carry| P::multiply_add(x[i], 12, 0, carry));
    // From the 15 bits above 2^371, where p has 832.13: 12·x / p, rounded down, or one less. What remains is below 1.3·p.
    let quotient = (((multiple[LIMBS - 1] >> 19) | (top << 13)) * 78) >> 16;
    let (cut_off, cut_off_top) = chain(|i, carry| P::multiply_add(quotient, PRIME[i], 0, carry));
    let (rest, borrow) = chain(|i, borrow| P::subtract_borrow(multiple[i], cut_off[i], borrow));
    debug_assert_eq!(cut_off_top + borrow, top, "a quotient that is not too large, and large enough");
    reduce_once::<P>(FieldElement::from_limbs(rest))
}
