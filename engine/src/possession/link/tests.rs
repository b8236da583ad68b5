use super::*;
use crate::possession::fixture::{Held, KEY, class};
use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::Field;

fn key() -> BlindingKey {
    BlindingKey::from_bytes(KEY)
}

fn answer(held: &Held, challenge: &ObjectChallenge) -> Result<Vec<u8>, AnswerFailure<()>> {
    answer_link(&held.record, challenge, &key(), &held.table, |blocks| Ok(held.read_blocks(blocks)))
}

/// Empty, short, one block, one and a byte, several: the honest answer is taken; no changed, shorter or longer one.
#[test]
fn honest_answers_pass_and_changed_ones_do_not() {
    for length in [0, 1, 16_384, 16_385, 5 * 16_384 + 7] {
        let held = Held::new(length);
        let challenge = held.challenge(AuditKind::Link, 3);
        let response = answer(&held, &challenge).unwrap();
        assert_eq!(verify_link(&held.record, &challenge, &response), Ok(()), "{length} bytes");
        for place in [0, 4, 5, 8, 12, 16, 48, 80].into_iter().chain((100..response.len()).step_by(1511)) {
            let mut wrong = response.clone();
            wrong[place] ^= 1;
            assert!(verify_link(&held.record, &challenge, &wrong).is_err(), "byte {place} of {length}");
        }
        for wrong in [&response[..response.len() - 1], &[&response[..], &[0]].concat()] {
            assert_eq!(class(verify_link(&held.record, &challenge, wrong)), Some(Class::WrongLength));
        }
    }
}

/// The checker signed a table of other data: every hash is right, and the commitment gives it away.
#[test]
fn a_colluding_checker_is_caught() {
    let mut held = Held::new(5 * 16_384);
    let mut points: Vec<G1Affine> =
        (0..5).map(|block| decode_point(held.table.point(block).unwrap()).unwrap()).collect();
    points[4] = (points[4] + G1Affine::generator()).into_affine();
    held.set_table(CommitmentTable::of_points(&points));
    let challenge = held.challenge(AuditKind::Link, 3);
    assert_eq!(challenge.link_blocks().last(), Some(&4));
    let failure = answer(&held, &challenge).unwrap_err();
    let AnswerFailure::Wrong(refused) = failure else { panic!("{failure:?}") };
    assert_eq!(refused.class, Class::WrongProof);
    assert!(refused.detail.contains("point 4"), "{refused}");
}

/// A blinding that opens the point is the only one; r_i + 1 does not, and one that is not below r is no scalar.
#[test]
fn blindings_are_checked() {
    let held = Held::new(100);
    let challenge = held.challenge(AuditKind::Link, 1);
    let mut response = answer(&held, &challenge).unwrap();
    let other = key().scalar(&challenge.replica, 0) + Fr::ONE;
    response[48..80].copy_from_slice(&encode_scalar(&other));
    assert_eq!(class(verify_link(&held.record, &challenge, &response)), Some(Class::WrongProof));
    response[48..80].fill(0xff);
    assert_eq!(class(verify_link(&held.record, &challenge, &response)), Some(Class::Malformed));
}

/// Points that differ by a point of small order are the same commitment, together and one by one.
#[test]
fn torsion_is_erased_alike() {
    use ark_bls12_381::Fq;
    use ark_ff::AdditiveGroup;
    let mut held = Held::new(100);
    let torsion = G1Affine::new_unchecked(Fq::ZERO, Fq::from(2u8));
    let point = decode_point(held.table.point(0).unwrap()).unwrap();
    held.set_table(CommitmentTable::of_points(&[(point + torsion).into_affine()]));
    let challenge = held.challenge(AuditKind::Link, 1);
    let response = answer(&held, &challenge).unwrap();
    assert_eq!(verify_link(&held.record, &challenge, &response), Ok(()));
    let blinding = key().scalar(&challenge.replica, 0);
    let point = (point + torsion).into_affine();
    assert!(is_committed(&ShownBlock { number: 0, bytes: &held.object, blinding, point }));
}

/// Right blocks of another challenge, another kind, another record.
#[test]
fn right_blocks_in_the_wrong_place_are_refused() {
    let held = Held::new(5 * 16_384);
    let challenge = held.challenge(AuditKind::Link, 3);
    let response = answer(&held, &challenge).unwrap();
    let refused =
        |record: &ObjectRecord, challenge: &ObjectChallenge| class(verify_link(record, challenge, &response));
    assert_eq!(
        refused(&held.record, &held.challenge_at(109, AuditKind::Link, 3)),
        Some(Class::WrongChallenge)
    );
    assert_eq!(refused(&held.record, &held.challenge(AuditKind::Chunks, 3)), Some(Class::WrongChallenge));
    let other = Held::new(5 * 16_384 - 1);
    assert_eq!(refused(&other.record, &challenge), Some(Class::WrongChallenge));
    let bare = ObjectRecord { table_root: None, ..held.record.clone() };
    assert_eq!(refused(&bare, &challenge), Some(Class::WrongChallenge));
}

/// A validator names another length, kind or record: the disk is not asked for places that it may not have.
#[test]
fn a_challenge_of_something_else_does_not_reach_the_disk() {
    let held = Held::new(10_000);
    let honest = held.challenge(AuditKind::Link, 4);
    for wrong in crate::possession::fixture::challenges_of_something_else(&honest) {
        let read = |_: &[u64]| -> Result<Vec<HeldBlock>, ()> { panic!("read for {wrong:?}") };
        let failure = answer_link(&held.record, &wrong, &key(), &held.table, read).unwrap_err();
        assert!(matches!(failure, AnswerFailure::Wrong(refused) if refused.class == Class::WrongChallenge));
    }
}
