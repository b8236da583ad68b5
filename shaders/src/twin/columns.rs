//! Twin of `wgsl/shared/residue_columns.wgsl` and of the piece `generated/columns.wgsl`: residues in 14 limbs of 28 bits with room
//! for more. Sums leave the limbs as they come, products add up their columns in 64 bits; the Montgomery factor is 2^392.
//!
//! No sum may overflow and no difference may fall below zero; debug builds would see it.

use super::field::{NEGATED_INVERSE, PRIME, ResidueForm, WORDS, chain, reduce_once};
use super::words::{Wide, Words};
use crate::layout::FieldElement;

/// Limbs of a residue.
const LIMBS: usize = 14;
/// Bits of a limb.
const BITS: usize = 28;
const MASK: u32 = (1 << BITS) - 1;

/// Limbs, least significant first.
type Limbs = [u32; LIMBS];

/// Residues in limbs whose products add up columns.
#[derive(Clone, Copy, Debug)]
pub struct Columns;

/// 28 bits from bit `first`, which may be negative, of a number in words.
#[allow(clippy::cast_possible_truncation)]
fn bits_of_words(words: &[u32], first: isize) -> u32 {
    let (at, shift) = (first.div_euclid(32), first.rem_euclid(32));
    let word = |at: isize| usize::try_from(at).ok().and_then(|at| words.get(at)).copied().unwrap_or(0);
    let pair = u64::from(word(at)) | u64::from(word(at + 1)) << 32;
    (pair >> shift) as u32 & MASK
}

/// The limbs of 2^`up`·words.
fn limbs(words: &[u32], up: isize) -> Limbs {
    let mut first = -up;
    [(); LIMBS].map(|()| {
        let limb = bits_of_words(words, first);
        first += 28;
        limb
    })
}

/// n·p in limbs.
fn multiple_of_prime(n: u32) -> Limbs {
    let (multiple, top) = chain(|i, carry| Wide::multiply_add(PRIME[i], n, 0, carry));
    let mut words = [top; WORDS + 1];
    words[..WORDS].copy_from_slice(&multiple);
    limbs(&words, 0)
}

/// n·p with 3·2^28 lent to every limb but the last by the next.
fn minuend(n: u32) -> Limbs {
    let limbs = multiple_of_prime(n);
    std::array::from_fn(|i| limbs[i] + if i + 1 < LIMBS { 3 << BITS } else { 0 } - if i > 0 { 3 } else { 0 })
}

fn add(x: Limbs, y: Limbs) -> Limbs {
    std::array::from_fn(|i| x[i] + y[i])
}

fn subtract(x: Limbs, y: Limbs) -> Limbs {
    std::array::from_fn(|i| x[i] - y[i])
}

/// Every limb but the last keeps 28 bits and hands the others on, all at once.
fn settle(x: Limbs) -> Limbs {
    std::array::from_fn(|i| {
        let kept = if i + 1 < LIMBS { x[i] & MASK } else { x[i] };
        kept + if i > 0 { x[i - 1] >> BITS } else { 0 }
    })
}

/// Sums of products / 2^392 mod p, in limbs of 28 bits: for each limb of the first operands add its products with the second
/// ones to the columns, then a multiple of p that clears the lowest limb, and move one limb down.
#[allow(clippy::cast_possible_truncation)]
fn products<const N: usize>(pairs: [[Limbs; 2]; N]) -> Limbs {
    let prime = multiple_of_prime(1);
    let mut columns = [0_u64; LIMBS];
    for step in 0..LIMBS {
        for [first, second] in &pairs {
            columns = std::array::from_fn(|i| columns[i] + u64::from(first[step]) * u64::from(second[i]));
        }
        let m = (columns[0] as u32).wrapping_mul(NEGATED_INVERSE) & MASK;
        columns = std::array::from_fn(|i| columns[i] + u64::from(m) * u64::from(prime[i]));
        let carry = columns[0] >> BITS;
        columns = std::array::from_fn(|i| match i {
            0 => columns[1] + carry,
            _ => columns.get(i + 1).copied().unwrap_or(0),
        });
    }
    for i in 1..LIMBS {
        columns[i] += columns[i - 1] >> BITS;
    }
    debug_assert!(columns[LIMBS - 1] >> BITS == 0, "a result far below 2^392");
    std::array::from_fn(|i| columns[i] as u32 & if i + 1 < LIMBS { MASK } else { u32::MAX })
}

impl ResidueForm for Columns {
    type Residue = Limbs;

    /// Below 1.03p.
    fn load(x: FieldElement) -> Limbs {
        let x = x.words();
        let shifted: [u32; WORDS] =
            std::array::from_fn(|i| (x[i] << 8) | if i > 0 { x[i - 1] >> 24 } else { 0 });
        // From the 18 bits above 2^371, where p has 832.13: 2^8·x / p, rounded down, or one less.
        let quotient = ((x[WORDS - 1] >> 11) * 5040) >> 22;
        let (multiple, top) = chain(|i, carry| Wide::multiply_add(quotient, PRIME[i], 0, carry));
        let (rest, borrow) = chain(|i, borrow| Wide::subtract_borrow(shifted[i], multiple[i], borrow));
        debug_assert_eq!(
            top + borrow,
            x[WORDS - 1] >> 24,
            "a quotient that is not too large, and large enough"
        );
        limbs(&rest, 0)
    }

    /// Below 256p.
    fn load_entry(x: FieldElement) -> Limbs {
        limbs(&x.words(), 8)
    }

    fn negate_entry(x: Limbs) -> Limbs {
        subtract(minuend(512), x)
    }

    /// Of a residue below 128p: exact limbs, then one step of eight bits of Montgomery's reduction in words.
    fn store(mut x: Limbs) -> FieldElement {
        for i in 1..LIMBS {
            x[i] += x[i - 1] >> BITS;
        }
        let mut words = [0_u32; WORDS + 1];
        for (i, limb) in x.into_iter().enumerate() {
            let limb = u64::from(if i + 1 < LIMBS { limb & MASK } else { limb }) << (BITS * i % 32);
            let [low, high] = [limb & 0xffff_ffff, limb >> 32].map(|word| u32::try_from(word).unwrap_or(0));
            words[BITS * i / 32] |= low;
            if let Some(word) = words.get_mut(BITS * i / 32 + 1) {
                *word |= high;
            }
        }
        let m = words[0].wrapping_mul(NEGATED_INVERSE) & 0xff;
        let (sum, carry) = chain(|i, carry| Wide::multiply_add(m, PRIME[i], words[i], carry));
        let top = words[WORDS] + carry;
        let element = reduce_once::<Wide>(FieldElement::from_words(std::array::from_fn(|i| {
            (sum[i] >> 8) | (sum.get(i + 1).copied().unwrap_or(top) << 24)
        })));
        debug_assert!(top >> 8 == 0 && element == reduce_once::<Wide>(element), "a residue below 128p");
        element
    }

    fn add_unreduced(x: Limbs, y: Limbs) -> Limbs {
        add(x, y)
    }

    fn subtract_unreduced(x: Limbs, y: Limbs) -> Limbs {
        add(x, subtract(minuend(64), y))
    }

    fn cross_term(s: Limbs, a: Limbs, b: Limbs) -> Limbs {
        settle(add(s, subtract(subtract(minuend(4), a), b)))
    }

    fn settle(x: Limbs) -> Limbs {
        settle(x)
    }

    fn multiply(x: Limbs, y: Limbs) -> Limbs {
        products([[x, y]])
    }

    fn sum_of_products(x: Limbs, y: Limbs, z: Limbs, w: Limbs) -> Limbs {
        products([[x, y], [z, w]])
    }

    fn times_twelve(x: Limbs) -> Limbs {
        let triple = settle(add(add(x, x), x));
        let double = add(triple, triple);
        settle(add(double, double))
    }
}
