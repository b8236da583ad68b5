//! Constants of the field in limbs of 51 bits.

/// Bits of a limb.
pub(super) const LIMB_BITS: u32 = 51;
pub(in super::super) const MASK: u64 = (1 << LIMB_BITS) - 1;
/// Half of what a limb counts.
pub(super) const HALF: u64 = 1 << (LIMB_BITS - 1);

/// 64-bit words of p.
const P_WORDS: [u64; 6] = [
    0xb9fe_ffff_ffff_aaab,
    0x1eab_fffe_b153_ffff,
    0x6730_d2a0_f6b0_f624,
    0x6477_4b84_f385_12bf,
    0x4b1b_a7b6_434b_acd7,
    0x1a01_11ea_397f_e69a,
];
/// Limbs of p.
pub(super) const P: [u64; 8] = limbs_of(&P_WORDS);
/// Limbs of 2p.
pub(in super::super) const TWICE_P: [u64; 8] = {
    let mut limbs = [0; 8];
    let (mut j, mut carry) = (0, 0);
    while j < 8 {
        let value = 2 * P[j] + carry;
        limbs[j] = value & MASK;
        carry = value >> LIMB_BITS;
        j += 1;
    }
    limbs
};
/// k = −1/p mod 2^51.
pub(super) const MINUS_INVERSE: u64 = {
    let (mut inverse, mut step) = (P_WORDS[0], 0);
    while step < 6 {
        // Newton's iteration: each step doubles the bits that are right.
        inverse = inverse.wrapping_mul(2u64.wrapping_sub(P_WORDS[0].wrapping_mul(inverse)));
        step += 1;
    }
    inverse.wrapping_neg() & MASK
};
/// Limbs of N = (k·p + 1) / 2^51.
pub(super) const N: [u64; 8] = {
    let mut limbs = [0; 9];
    let (mut j, mut carry) = (0, 1);
    while j < 8 {
        let value = MINUS_INVERSE as u128 * P[j] as u128 + carry;
        limbs[j] = low_word(value) & MASK;
        carry = value >> LIMB_BITS;
        j += 1;
    }
    limbs[8] = low_word(carry);
    let [_, a, b, c, d, e, f, g, h] = limbs;
    [a, b, c, d, e, f, g, h]
};
pub(super) const P_NUMBERS: [f64; 8] = balanced(&P);
pub(super) const N_NUMBERS: [f64; 8] = balanced(&N);
/// 1 / (p / 2^357): what a top limb is a multiple of, nearly.
pub(super) const PER_TOP_LIMB: f64 = 1.0 / (P[7] as f64 + P[6] as f64 / (1u64 << LIMB_BITS) as f64);

/// What makes the upper half of a product an integer in the low bits of a number.
pub(super) const UPPER: f64 = 3.0 * (1u128 << 102) as f64;
/// The same for the lower half, and for any integer below 2^51.
pub(super) const LOWER: f64 = 3.0 * (1u64 << LIMB_BITS) as f64;
/// What keeps columns, which are within ±2^56, from being negative while they are carried.
pub(super) const LIFT: u64 = 1 << 60;
pub(super) const CARRIED_LIFT: u64 = LIFT >> LIMB_BITS;

#[expect(clippy::cast_possible_truncation, reason = "the low word")]
pub(super) const fn low_word(value: u128) -> u64 {
    value as u64
}

/// Limb j is the 51 bits from bit 51·j on.
pub(in super::super) const fn limbs_of(words: &[u64; 6]) -> [u64; 8] {
    let mut limbs = [0; 8];
    let mut j = 0;
    while j < 8 {
        let (word, shift) = (51 * j / 64, 51 * j % 64);
        limbs[j] = words[word] >> shift;
        if shift > 13 && word < 5 {
            limbs[j] |= words[word + 1] << (64 - shift);
        }
        limbs[j] &= MASK;
        j += 1;
    }
    limbs
}

/// The same number in limbs from −2^50 to 2^50.
const fn balanced(limbs: &[u64; 8]) -> [f64; 8] {
    let mut numbers = [0.0; 8];
    let (mut j, mut carry) = (0, 0);
    while j < 8 {
        let limb = limbs[j] + carry;
        carry = (limb >= HALF) as u64;
        // Exact: below 2^51.
        numbers[j] = limb as f64 - carry as f64 * (1u64 << LIMB_BITS) as f64;
        j += 1;
    }
    numbers
}

/// What so many lower and upper halves have added to a column beside themselves.
pub(super) const fn surplus(lower: u64, upper: u64) -> u64 {
    lower.wrapping_mul(LOWER.to_bits()).wrapping_add(upper.wrapping_mul(UPPER.to_bits()))
}
