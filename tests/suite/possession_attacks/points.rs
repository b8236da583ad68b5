//! Points and scalars that are not what they seem.

use ark_bls12_381::{Fq, Fr, G1Affine};
use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::{AdditiveGroup, BigInteger, PrimeField, Zero};
use holdfast_engine::possession::challenge::Form;
use holdfast_engine::possession::commitment_table::CommitmentTable;
use holdfast_engine::possession::points::encode_point;
use holdfast_engine::possession::response::{HEADER_BYTES, response_bytes_without_openings};
use holdfast_engine::possession::scalars::encode_scalar;
use holdfast_engine::rejection::Class;
use holdfast_tests::possession::TestObject;

use crate::forger::{Forger, bits, commitment, multiply, sum, torsion_points};
use crate::{FORMS, LENGTH, OBJECT, SAMPLES, refusal, refusal_of};

/// Where T and what follows it begin.
const MASK_POINT_AT: usize = HEADER_BYTES;
const PROOF_AT: usize = HEADER_BYTES + 96;

/// They are what they are said to be, or the tests below show nothing.
#[test]
fn torsion_points_have_small_order() {
    for (point, order) in torsion_points().into_iter().zip([3, 3, 11]) {
        assert!(point.is_on_curve() && !point.is_zero());
        assert!(multiply(point.into_group(), &bits(order)).is_zero());
        assert!(!multiply(point.into_group(), &Fr::MODULUS.to_bits_be()).is_zero(), "outside G1");
    }
}

/// Added to T before it is hashed. The equation is cofactored, so the proof holds, alone as in a batch (`refusal` looks at both):
/// if one of them were not, a miner could split validators. And it hides nothing that is wrong.
#[test]
fn torsion_in_the_mask_point() {
    for form in FORMS {
        let challenge = OBJECT.challenge(0, SAMPLES, form);
        for torsion in torsion_points() {
            let mut forger = Forger::new(&OBJECT, &challenge);
            forger.added_to_mask_point = torsion;
            assert_eq!(refusal(&challenge, &forger.response()), None, "{form:?}");
            forger.added_to_z[5] = Fr::from(1u8);
            assert_eq!(refusal(&challenge, &forger.response()), Some(Class::WrongProof), "{form:?}");
        }
    }
}

#[test]
fn torsion_in_the_rounds() {
    let challenge = OBJECT.challenge(0, SAMPLES, Form::Compressed);
    for torsion in torsion_points() {
        for (round, side) in [(0, 0), (0, 1), (5, 0), (5, 1)] {
            let mut forger = Forger::new(&OBJECT, &challenge);
            forger.added_to_rounds[round][side] = torsion;
            assert_eq!(refusal(&challenge, &forger.response()), None, "round {round}, side {side}");
            forger.added_to_rounds[round][side] = (torsion + G1Affine::generator()).into_affine();
            assert_eq!(refusal(&challenge, &forger.response()), Some(Class::WrongProof), "round {round}");
        }
    }
}

/// Added to commitments that a checker let pass, cofactored as its check is.
#[test]
fn torsion_in_the_commitments() {
    let [first, second, third] = torsion_points().try_into().expect("three");
    let added = [first, second, third, first, (first + third).into_affine()];
    let points: Vec<G1Affine> =
        (0..25).map(|i| (commitment(&OBJECT, i) + added[i as usize % 5]).into_affine()).collect();
    let object = OBJECT.clone().with_table(CommitmentTable::of_points(&points));
    for form in FORMS {
        let challenge = object.challenge(0, 25, form);
        let mut forger = Forger::new(&object, &challenge);
        assert_eq!(refusal_of(&object.case(&challenge, &forger.response())), None, "{form:?}");
        // The prover's own check is cofactored too.
        assert_eq!(refusal_of(&object.case(&challenge, &object.answer(&challenge))), None, "{form:?}");
        forger.vectors[0][0] += Fr::from(1u8);
        assert_eq!(refusal_of(&object.case(&challenge, &forger.response())), Some(Class::WrongProof));
    }
}

/// Points that a careless sum of many stumbles over: equal ones, opposite ones, and T equal to a commitment. What is right is
/// accepted all the same, and what is wrong refused.
#[test]
fn duplicates_and_opposites_among_the_points() {
    let point = sum(&[Fr::from(3u8); 530]).into_affine();
    let signs = |i: u64| if i.is_multiple_of(3) { -Fr::from(1u8) } else { Fr::from(1u8) };
    let points: Vec<G1Affine> = (0..25).map(|i| (point * signs(i)).into_affine()).collect();
    let object = OBJECT.clone().with_table(CommitmentTable::of_points(&points));
    for form in FORMS {
        let challenge = object.challenge(0, 25, form);
        let mut forger = Forger::new(&object, &challenge);
        let blocks = challenge.possession_blocks().into_iter();
        forger.vectors = blocks.map(|i| vec![Fr::from(3u8) * signs(i); 530]).collect();
        forger.masks = vec![Fr::from(3u8); 530];
        assert_eq!(refusal_of(&object.case(&challenge, &forger.response())), None, "{form:?}");
        forger.vectors[7][7] += Fr::from(1u8);
        assert_eq!(refusal_of(&object.case(&challenge, &forger.response())), Some(Class::WrongProof));
    }
}

/// Every point of a response, replaced by bytes that are none.
#[test]
fn off_curve_infinity_and_coordinates_beyond_the_field() {
    for form in FORMS {
        let challenge = OBJECT.challenge(0, SAMPLES, form);
        let honest = OBJECT.answer(&challenge);
        assert_eq!(refusal(&challenge, &honest), None);
        let of_rounds = if form == Form::Compressed { vec![PROOF_AT, PROOF_AT + 11 * 96] } else { vec![] };
        for at in [vec![MASK_POINT_AT], of_rounds].concat() {
            for (what, bytes) in no_points(honest[at..at + 96].try_into().expect("96 bytes")) {
                let mut response = honest.clone();
                response[at..at + 96].copy_from_slice(&bytes);
                assert_eq!(refusal(&challenge, &response), Some(Class::WrongPoint), "{what} at {at}");
            }
        }
    }
}

/// The same among the commitments of a registered table.
#[test]
fn off_curve_infinity_and_coordinates_beyond_the_field_in_the_table() {
    let good = encode_point(&commitment(&OBJECT, 3));
    for (what, bytes) in no_points(good) {
        let mut table = OBJECT.table.bytes().to_vec();
        table[3 * 96..4 * 96].copy_from_slice(&bytes);
        let table = CommitmentTable::from_bytes(25, table).expect("points are not looked at");
        let object = OBJECT.clone().with_table(table);
        let challenge = object.challenge(0, 25, Form::Plain);
        // The proof as it would be with the right point; the prover itself refuses to make one.
        let response = Forger::new(&object, &challenge).response();
        assert_eq!(refusal_of(&object.case(&challenge, &response)), Some(Class::WrongPoint), "{what}");
    }
}

/// Bytes that are no point, or another name of one.
fn no_points(good: [u8; 96]) -> Vec<(&'static str, [u8; 96])> {
    let changed = |change: &dyn Fn(&mut [u8; 96])| {
        let mut bytes = good;
        change(&mut bytes);
        bytes
    };
    let mut modulus = [0; 48];
    modulus.copy_from_slice(&Fq::MODULUS.to_bytes_be());
    let flagged = |flag: u8| changed(&|bytes| bytes[0] |= flag);
    vec![
        ("off the curve", changed(&|bytes| bytes[95] ^= 1)),
        (
            "y of another",
            changed(&|bytes| bytes[48..].copy_from_slice(&encode_point(&G1Affine::generator())[48..])),
        ),
        ("zeros", [0; 96]),
        ("flag of infinity", std::array::from_fn(|i| if i == 0 { 0x40 } else { 0 })),
        ("flag of compression", flagged(0x80)),
        ("flag of sign", flagged(0x20)),
        // (0, 2) is a point, of order 3; (p, 2) is another name of it.
        ("x = p", [&modulus[..], &[0; 47], &[2]].concat().try_into().expect("96 bytes")),
        ("y ≥ p", changed(&|bytes| bytes[48..].fill(0xff))),
        ("x ≥ p", changed(&|bytes| bytes[..48].fill(0x1f))),
    ]
}

/// z + r is another name of z; it would let anybody make a second valid response of one that he has seen.
#[test]
fn scalars_beyond_the_order() {
    for form in FORMS {
        let challenge = OBJECT.challenge(0, SAMPLES, form);
        let honest = OBJECT.answer(&challenge);
        let end = response_bytes_without_openings(form);
        let first = if form == Form::Plain { PROOF_AT } else { PROOF_AT + 12 * 96 };
        for at in [first, end - 32] {
            let mut response = honest.clone();
            add_order(&mut response[at..at + 32]);
            assert_eq!(refusal(&challenge, &response), Some(Class::Malformed), "{form:?}, at {at}");
            response[at..at + 32].fill(0xff);
            assert_eq!(refusal(&challenge, &response), Some(Class::Malformed), "{form:?}, at {at}");
            // The largest canonical one is refused for being wrong, not for its size.
            response[at..at + 32].copy_from_slice(&encode_scalar(&-Fr::from(1u8)));
            assert_eq!(refusal(&challenge, &response), Some(Class::WrongProof), "{form:?}, at {at}");
        }
        assert_eq!(refusal(&challenge, &honest), None);
    }
}

/// Adds r to a little-endian integer; the sum of a scalar and r has no more than 256 bits.
fn add_order(bytes: &mut [u8]) {
    let mut carry = 0;
    for (byte, order) in bytes.iter_mut().zip(Fr::MODULUS.to_bytes_le()) {
        let sum = u16::from(*byte) + u16::from(order) + carry;
        (*byte, carry) = (sum as u8, sum >> 8);
    }
    assert_eq!(carry, 0);
}

/// Zero masks are nothing wrong, but T at infinity has no bytes.
#[test]
fn mask_point_at_infinity() {
    let object = TestObject::new(LENGTH, 1);
    let challenge = object.challenge(0, SAMPLES, Form::Plain);
    let mut forger = Forger::new(&object, &challenge);
    forger.masks = vec![Fr::ZERO; 530];
    assert_eq!(refusal_of(&object.case(&challenge, &forger.response())), Some(Class::WrongPoint));
}
