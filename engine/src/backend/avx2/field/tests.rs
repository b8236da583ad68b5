//! Against arkworks' field, on the numbers where roundings, estimates and carries go wrong.

use ark_bls12_381::Fq;
use ark_ff::{AdditiveGroup, Field};

use super::constants::{MINUS_INVERSE, N, N_NUMBERS};
use super::*;

/// Limbs with their signs.
type Number = [i64; 8];

/// The number mod p.
fn value(limbs: &Number) -> Fq {
    let signed = |limb: i64| {
        let magnitude = Fq::from(limb.unsigned_abs());
        if limb < 0 { -magnitude } else { magnitude }
    };
    limbs.iter().rev().fold(Fq::ZERO, |value, limb| value * Fq::from(1u64 << LIMB_BITS) + signed(*limb))
}

/// The same number in limbs of 51 bits, the top one with the sign.
fn normalised(mut limbs: Number) -> Number {
    for j in 0..7 {
        limbs[j + 1] += limbs[j] >> LIMB_BITS;
        limbs[j] &= MASK.cast_signed();
    }
    limbs
}

fn multiple_of_p(factor: i64) -> Number {
    normalised(P.map(|limb| factor * limb.cast_signed()))
}

fn plus(mut limbs: Number, small: i64) -> Number {
    limbs[0] += small;
    normalised(limbs)
}

fn below(limbs: &Number, bound: &Number) -> bool {
    normalised(*limbs).iter().rev().lt(normalised(*bound).iter().rev())
}

/// Pseudo-random numbers below 2^380.
fn random(seed: u64) -> Number {
    let bytes = blake3::hash(&seed.to_le_bytes());
    let words: Vec<u64> =
        bytes.as_bytes().as_chunks().0.iter().map(|word| u64::from_le_bytes(*word)).collect();
    let mixed = |j: usize| words[j % 4].rotate_left(7 * u32::try_from(j).expect("below 8")) & MASK;
    std::array::from_fn(|j| (if j < 7 { mixed(j) } else { mixed(j) >> 28 }).cast_signed())
}

/// Coordinates, below 2p: around its multiples, with full limbs, with limbs of one half, and some others.
fn coordinates() -> Vec<Number> {
    let around = (0..=2).flat_map(|factor| [-2, -1, 0, 1, 2].map(|small| plus(multiple_of_p(factor), small)));
    let (mask, half, top) = (MASK.cast_signed(), HALF.cast_signed(), P[7].cast_signed());
    let full: Number = [mask, mask, mask, mask, mask, mask, mask, 2 * top - 1];
    let halves: Number = [half, half, half, half, half, half, half, top];
    let below_halves: Number = halves.map(|limb| limb - 1);
    let low: Number = [mask, mask, mask, 0, 0, 0, 0, 0];
    let others = [full, halves, below_halves, low].into_iter().chain((0..10).map(random));
    around.chain(others).filter(|number| number[7] >= 0 && below(number, &multiple_of_p(2))).collect()
}

/// Differences of coordinates, limb by limb: the extremes, and those of neighbours in the list.
fn differences() -> Vec<Number> {
    let coordinates = coordinates();
    let minus = |a: &Number, b: &Number| std::array::from_fn(|j| a[j] - b[j]);
    let pairs = coordinates.iter().flat_map(|a| coordinates.iter().step_by(4).map(move |b| minus(a, b)));
    pairs.chain(coordinates.iter().map(|a| minus(&[0; 8], a))).collect()
}

/// Products: limbs between −2^50 and 2^50 + 2^10 at the extremes, and others.
fn products() -> Vec<Number> {
    let (half, top) = (HALF.cast_signed(), P[7].cast_signed());
    let most = half + (1 << 10);
    let mut products = vec![[most; 8], [-half; 8], [0; 8]];
    for number in &mut products {
        number[7] = number[7].clamp(-top / 2, top);
    }
    products.push(std::array::from_fn(|j| {
        if j == 7 {
            0
        } else if j % 2 == 0 {
            most
        } else {
            -half
        }
    }));
    let of_list = |number: &Number| {
        let mut limbs = *number;
        limbs[7] /= 2;
        for j in 0..7 {
            if limbs[j] >= half {
                limbs[j] -= 1 << LIMB_BITS;
                limbs[j + 1] += 1;
            }
        }
        limbs
    };
    products.extend(coordinates().iter().map(of_list));
    products
}

/// Calls `check` with every combination of the numbers, four at a time.
fn each_lane(
    proof: FmaProof,
    left: &[Number],
    right: &[Number],
    check: impl Fn(&Fq4, &Fq4, &dyn Fn(usize) -> (Number, Number)),
) {
    let pairs: Vec<(Number, Number)> =
        left.iter().flat_map(|left| right.iter().map(move |right| (*left, *right))).collect();
    for pairs in pairs.chunks(4) {
        let pair = |lane: usize| *pairs.get(lane).unwrap_or(&pairs[0]);
        let (mut left, mut right) = (Limbs::ZERO, Limbs::ZERO);
        for lane in 0..4 {
            for j in 0..8 {
                (left.0[j][lane], right.0[j][lane]) =
                    (pair(lane).0[j].cast_unsigned(), pair(lane).1[j].cast_unsigned());
            }
        }
        check(&Fq4::load(proof, &left), &Fq4::load(proof, &right), &pair);
    }
}

fn lane(element: &Fq4, lane: usize) -> Number {
    let mut limbs = Limbs::ZERO;
    element.store(&mut limbs);
    limbs.0.map(|words| words[lane].cast_signed())
}

/// Runs a test where the instruction set exists.
fn with_proof(test: impl Fn(FmaProof)) {
    match FmaProof::detect() {
        Some(proof) => test(proof),
        None => println!("ABSENT(the processor lacks AVX2 or FMA)"),
    }
}

fn power(exponent: u64) -> Fq {
    Fq::from(2u8).pow([exponent])
}

fn is_product(what: &str, given: Number, expected: Fq) {
    assert_eq!(value(&given), expected, "{what}");
    let bounds = -HALF.cast_signed()..=(HALF + (1 << 10)).cast_signed();
    assert!(given.iter().all(|limb| bounds.contains(limb)), "{what}: {given:x?}");
    // Between −0.6·p and 1.1·p.
    let scaled = given.map(|limb| 10 * limb);
    assert!(below(&multiple_of_p(-6), &scaled) && below(&scaled, &multiple_of_p(11)), "{what}: {given:x?}");
}

fn is_coordinate(what: &str, given: Number, expected: Fq) {
    assert_eq!(value(&given), expected, "{what}");
    assert!(given.iter().all(|limb| (0..=MASK.cast_signed()).contains(limb)), "{what}: {given:x?}");
    assert!(below(&given, &multiple_of_p(2)), "{what}: {given:x?}");
}

#[test]
fn constants_are_those_of_the_field() {
    let signed = |limbs: &[u64; 8]| limbs.map(u64::cast_signed);
    assert_eq!(value(&signed(&P)), Fq::ZERO);
    assert_eq!(P[0].wrapping_mul(MINUS_INVERSE) & MASK, MASK);
    assert_eq!(value(&signed(&N)) * power(51), Fq::ONE);
    assert_eq!(signed(&TWICE_P), multiple_of_p(2));
    for (numbers, limbs) in [(P_NUMBERS, P), (N_NUMBERS, N)] {
        #[expect(clippy::cast_possible_truncation, reason = "integers")]
        let limbs_again = numbers.map(|number| number as i64);
        assert_eq!(value(&limbs_again), value(&signed(&limbs)));
        assert!(numbers.iter().all(|number| number.abs() <= HALF as f64));
    }
}

#[test]
fn products_are_right_and_small() {
    let inverse = power(408).inverse().expect("not zero");
    with_proof(|proof| {
        let mut left = differences();
        left.extend(products());
        let right = [products(), coordinates()].concat();
        each_lane(proof, &left, &right, |a, b, pair| {
            for i in 0..4 {
                let (left, right) = pair(i);
                let expected = value(&left) * value(&right) * inverse;
                is_product("product", lane(&a.times(b), i), expected);
            }
        });
    });
}

/// Products of what is zero mod p are suspects, whichever multiple of p they come out as.
#[test]
fn products_that_vanish_are_suspects() {
    let zeros: Vec<Number> = differences().into_iter().filter(|number| value(number) == Fq::ZERO).collect();
    assert!(zeros.len() > 3);
    with_proof(|proof| {
        each_lane(proof, &zeros, &products(), |a, b, _| assert_eq!(a.times(b).suspects(), 0b1111));
        let others: Vec<Number> = (0..50).map(random).collect();
        each_lane(proof, &others, &others[..3], |a, _, pair| {
            let bits = |lanes: i32, lane: usize| lanes >> lane & 1 == 1;
            for i in 0..4 {
                assert!(!bits(a.suspects(), i) && !bits(a.infinity_suspects(), i), "{:x?}", pair(i).0);
            }
        });
        assert_eq!(Fq4::load(proof, &Limbs::ZERO).infinity_suspects(), 0b1111);
    });
}

#[test]
fn reductions_are_coordinates() {
    with_proof(|proof| {
        each_lane(proof, &products(), &coordinates(), |a, b, pair| {
            for i in 0..4 {
                let (left, right) = pair(i);
                let (x, y) = (value(&left), value(&right));
                is_coordinate("shifted", lane(&a.shifted_12_minus(b), i), x * power(12) - y);
                for other in coordinates().iter().step_by(5) {
                    let mut limbs = Limbs::ZERO;
                    for (words, (other, right)) in limbs.0.iter_mut().zip(other.iter().zip(right)) {
                        words[i] = (other - right).cast_unsigned();
                    }
                    let difference = Fq4::load(proof, &limbs);
                    let given = lane(&a.minus_abscissas(b, &difference), i);
                    is_coordinate("abscissas", given, x - y - value(other));
                }
                is_coordinate("twice", lane(&a.minus_twice(b), i), x - y - y);
                let negated = |lanes| lane(&b.negated(splat(lanes)), i);
                assert_eq!(normalised(negated(u64::MAX)), negated(u64::MAX));
                assert_eq!((value(&negated(u64::MAX)), negated(0)), (-y, right));
            }
        });
    });
}
