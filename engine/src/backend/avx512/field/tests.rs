//! Against arkworks' field, on the numbers where estimates and carries go wrong.

use ark_bls12_381::Fq;
use ark_ff::{AdditiveGroup, Field};

use super::*;

type Number = [u64; 8];

/// The number mod p.
fn value(limbs: &Number) -> Fq {
    limbs.iter().rev().fold(Fq::ZERO, |value, limb| value * Fq::from(1u64 << 52) + Fq::from(*limb))
}

fn below(limbs: &Number, bound: &Number) -> bool {
    limbs.iter().rev().lt(bound.iter().rev())
}

/// limbs + small, normalised.
fn plus(limbs: Number, small: i64) -> Number {
    let mut carry = small;
    limbs.map(|limb| {
        let sum = limb.cast_signed() + carry;
        carry = sum >> 52;
        sum.cast_unsigned() & MASK
    })
}

/// Pseudo-random numbers below 2^380.
fn random(seed: u64) -> Number {
    let bytes = blake3::hash(&seed.to_le_bytes());
    let words: Vec<u64> =
        bytes.as_bytes().as_chunks().0.iter().map(|word| u64::from_le_bytes(*word)).collect();
    let mixed = |j: usize| words[j % 4].rotate_left(7 * u32::try_from(j).expect("below 8")) & MASK;
    std::array::from_fn(|j| if j < 7 { mixed(j) } else { mixed(j) >> 36 })
}

/// Around the multiples of p up to `factor`: where a quotient estimate is one off; full limbs, where carries run far; and some others.
fn numbers(factor: u64) -> Vec<Number> {
    let multiples = (0..=factor).map(multiple_of_p);
    let around = multiples.flat_map(|multiple| [-2, -1, 0, 1, 2].map(|small| plus(multiple, small)));
    // Below zero wraps to far above the limit, and is left out with what is.
    let full: Number = [MASK, MASK, MASK, MASK, MASK, MASK, MASK, 0x1_a010];
    let limit = multiple_of_p(factor);
    let low = [MASK, MASK, MASK, 0, 0, 0, 0, 0];
    let others = [full, low].into_iter().chain((0..10).map(random));
    around.chain(others).filter(|number| !below(&limit, number)).collect()
}

/// Calls `check` with every combination of the numbers, eight at a time.
fn each_lane(
    proof: IfmaProof,
    left: &[Number],
    right: &[Number],
    check: impl Fn(Fq8, Fq8, &dyn Fn(usize) -> (Number, Number)),
) {
    let pairs: Vec<(Number, Number)> =
        left.iter().flat_map(|left| right.iter().map(move |right| (*left, *right))).collect();
    for pairs in pairs.chunks(8) {
        let pair = |lane: usize| *pairs.get(lane).unwrap_or(&pairs[0]);
        let (mut left, mut right) = (Limbs::ZERO, Limbs::ZERO);
        for lane in 0..8 {
            for j in 0..8 {
                (left.0[j][lane], right.0[j][lane]) = (pair(lane).0[j], pair(lane).1[j]);
            }
        }
        check(Fq8::load(proof, &left), Fq8::load(proof, &right), &pair);
    }
}

fn lane(element: Fq8, lane: usize) -> Number {
    let mut limbs = Limbs::ZERO;
    element.store(&mut limbs);
    limbs.0.map(|words| words[lane])
}

/// Runs a test where the instruction set exists.
fn with_proof(test: impl Fn(IfmaProof)) {
    match IfmaProof::detect() {
        Some(proof) => test(proof),
        None => println!("ABSENT(the processor lacks AVX-512 IFMA or VBMI)"),
    }
}

fn power(exponent: u64) -> Fq {
    Fq::from(2u8).pow([exponent])
}

/// Compares with `expected` mod p, and with the bound.
fn holds(what: &str, given: Number, expected: Fq, bound: Number) {
    assert_eq!(value(&given), expected, "{what}");
    assert!(given.iter().all(|limb| *limb <= MASK), "{what}: a limb of more than 52 bits");
    assert!(below(&given, &bound), "{what}: {given:x?} is not below {bound:x?}");
}

#[test]
fn constants_are_those_of_the_field() {
    assert_eq!(value(&P), Fq::ZERO);
    assert_eq!(P[0].wrapping_mul(MINUS_INVERSE) & MASK, MASK);
    assert_eq!(value(&COMPLEMENT), power(416));
    assert_eq!(value(&plus(multiple_of_p(3), 5)), Fq::from(5u8));
    assert!(u128::from(RECIPROCAL) * u128::from(P[7] + 1) > 1 << 51);
    with_proof(|proof| holds("one", lane(Fq8::one(proof), 3), power(416), P));
}

#[test]
fn products_and_squares_are_right_and_small() {
    let inverse = power(416).inverse().expect("not zero");
    // p and a thousandth.
    let bound = plus(P, 1 << 51);
    let bound = std::array::from_fn(|j| if j == 7 { bound[j] + 100 } else { bound[j] });
    with_proof(|proof| {
        each_lane(proof, &numbers(4), &numbers(8), |a, b, pair| {
            for i in 0..8 {
                let (left, right) = pair(i);
                holds("product", lane(a.times(b), i), value(&left) * value(&right) * inverse, bound);
                holds("square", lane(a.square(), i), value(&left).square() * inverse, bound);
            }
        });
    });
}

#[test]
fn sums_and_differences_are_right_and_small() {
    let twice = TWICE_P;
    with_proof(|proof| {
        each_lane(proof, &numbers(2), &numbers(2), |a, b, pair| {
            for i in 0..8 {
                let (left, right) = pair(i);
                let (x, y) = (value(&left), value(&right));
                holds("difference", lane(a.minus(b), i), x - y, plus(multiple_of_p(4), 1));
                holds("double", lane(a.doubled(), i), x + x, plus(multiple_of_p(4), 1));
                holds("negative", lane(a.negated(u8::MAX), i), -x, plus(twice, 1));
                assert_eq!(lane(a.negated(0), i), left);
                assert_eq!(lane(a.replaced(0x55, b), i), if i % 2 == 0 { right } else { left });
            }
        });
    });
}

#[test]
fn reductions_are_right_and_below_2p() {
    with_proof(|proof| {
        each_lane(proof, &numbers(1), &numbers(2), |a, b, pair| {
            for i in 0..8 {
                let (left, right) = pair(i);
                let (x, y) = (value(&left), value(&right));
                holds("shifted", lane(a.shifted_16_minus(b), i), x * power(16) - y, TWICE_P);
                let tripled = x * power(32) * Fq::from(3u8);
                holds("tripled", lane(a.tripled_and_shifted_32(), i), tripled, TWICE_P);
                // x₂ from the difference x₂ − x₁ + 2p, with x₂ = 0, b and 2p.
                for other in [Fq8::small(proof, 0), b, Fq8::twice_p(proof)] {
                    let difference = other.minus(b);
                    let expected = x - y - value(&lane(other, i));
                    holds("abscissas", lane(a.minus_abscissas(b, difference), i), expected, TWICE_P);
                }
            }
        });
    });
}

#[test]
fn zeros_are_found_and_nothing_else() {
    with_proof(|proof| {
        each_lane(proof, &numbers(2), &[P], |a, _, pair| {
            for i in 0..8 {
                let number = pair(i).0;
                let of = |lanes: u8| lanes >> i & 1 == 1;
                assert_eq!(of(a.zeros()), number == [0; 8] || number == P, "{number:x?}");
                assert_eq!(of(a.infinities()), number == [0; 8] || number == TWICE_P, "{number:x?}");
                assert!(of(a.suspects()) || !of(a.zeros()));
                assert!(of(a.infinity_suspects()) || !of(a.infinities()));
            }
        });
    });
}
