use super::*;
use crate::account::Account;
use crate::possession::Replica;
use crate::possession::challenge::{Ask, AuditKind};
use crate::possession::record::ObjectRecord;
use ark_ff::Field;

/// Three blocks, the last one short, and all that is needed to prove them.
struct Case {
    object: Vec<u8>,
    points: Vec<G1Affine>,
    challenge: ObjectChallenge,
}

const KEY: [u8; 32] = [9; 32];

impl Case {
    fn new(form: Form) -> Case {
        let object: Vec<u8> = (0..=255).cycle().take(2 * 16_384 + 100).collect();
        let points = commitments(&KEY, &object, 1);
        let replica = Replica::new(*blake3::hash(&object).as_bytes(), object.len() as u64, 1).unwrap();
        let account = Account([1; 32]);
        let record = ObjectRecord {
            replica,
            height: 0,
            network: [2; 32],
            miner: account,
            checker: account,
            table_root: Some(*blake3::hash(&table(&points)).as_bytes()),
            tokens: None,
        };
        let ask = Ask { kind: AuditKind::Possession, samples: 20, deadline_ms: 1, form };
        let challenge = ObjectChallenge::of(&record, account, ([3; 32], 9), ask).unwrap();
        Case { object, points, challenge }
    }

    fn statement(&self) -> Statement {
        Statement::new(&self.challenge, &self.points)
    }

    fn proof(&self, masks: &[Fr]) -> Proof {
        let statement = self.statement();
        let all: Vec<&[u8]> = self.object.chunks(16_384).collect();
        let root = *blake3::hash(&self.object).as_bytes();
        let blocks: Vec<&[u8]> = statement.blocks.iter().map(|i| all[usize::try_from(*i).unwrap()]).collect();
        let blinding = |i: &u64| blinding(&KEY, &root, self.object.len() as u64, 1, *i);
        let blindings: Vec<Fr> = statement.blocks.iter().map(blinding).collect();
        prove(&statement, &blocks, &blindings, masks)
    }
}

fn masks() -> Vec<Fr> {
    (0..=529u64).map(|i| Fr::from(i + 3).square().square()).collect()
}

/// Both forms hold; a changed scalar, point or statement does not.
#[test]
fn right_proofs_hold_and_wrong_ones_do_not() {
    let case = Case::new(Form::Plain);
    let (statement, proof) = (case.statement(), case.proof(&masks()));
    assert!(verify(&statement, &proof));
    for place in [0, 528, 529] {
        let mut wrong = proof.clone();
        wrong.z[place] += Fr::ONE;
        assert!(!verify(&statement, &wrong), "z at {place}");
    }
    let mut other = statement.clone();
    other.commitments.swap(0, 1);
    assert!(!verify(&other, &proof));

    let compressed = compress(&statement, &proof);
    assert!(verify_compressed(&statement, &compressed));
    let mut wrong = compressed.clone();
    wrong.z[8] += Fr::ONE;
    assert!(!verify_compressed(&statement, &wrong));
    let mut wrong = compressed;
    wrong.rounds[3].1 = wrong.rounds[3].0;
    assert!(!verify_compressed(&statement, &wrong));
}

/// The sizes of the specification, and that bytes are verified as what they say.
#[test]
fn responses_are_verified_from_their_bytes() {
    for (form, bytes) in [(Form::Plain, 17_104), (Form::Compressed, 1_584)] {
        let case = Case::new(form);
        let (statement, proof) = (case.statement(), case.proof(&masks()));
        let body = match form {
            Form::Plain => encode_proof(&proof),
            Form::Compressed => encode_compressed_proof(&compress(&statement, &proof)),
        };
        let response = [response_header(&case.challenge, statement.blocks.len(), false), body].concat();
        assert_eq!(response.len(), bytes);
        assert!(verify_response(&case.challenge, &case.points, &response));
        for place in [0, 5, 47, 48, 150, bytes - 1] {
            let mut wrong = response.clone();
            wrong[place] ^= 1;
            assert!(!verify_response(&case.challenge, &case.points, &wrong), "byte {place}");
        }
        assert!(!verify_response(&case.challenge, &case.points, &response[1..]));
    }
}

/// Errors that cancel under equal weights do not under unequal ones.
#[test]
fn batches_hold_if_each_holds() {
    let case = Case::new(Form::Plain);
    let (statement, proof) = (case.statement(), case.proof(&masks()));
    let (mut more, mut less) = (proof.clone(), proof.clone());
    more.z[7] += Fr::ONE;
    less.z[7] -= Fr::ONE;
    let sides = [&proof, &more, &less].map(|proof| left_side(&statement, proof));
    assert!(verify_batch(&[Fr::from(5u8)], &sides[..1]));
    assert!(verify_batch(&[Fr::from(5u8); 3], &sides), "this is why weights are random");
    assert!(!verify_batch(&[2u8, 3, 5].map(Fr::from), &sides));
}

#[test]
fn the_store_time_check_finds_a_wrong_point_block_and_blinding() {
    let object: Vec<u8> = (0..=255).cycle().take(16_384 + 50).collect();
    let (first, second) = object.split_at(16_384);
    let blindings = [Fr::from(11u8), Fr::from(12u8)];
    let points = [commitment(first, blindings[0]), commitment(second, blindings[1])];
    let coefficients = [Fr::from(1u128 << 99), Fr::from(77u8)];
    assert!(store_check(&coefficients, &[first, second], &blindings, &points));
    assert!(!store_check(&coefficients, &[second, first], &blindings, &points));
    assert!(!store_check(&coefficients, &[first, second], &blindings, &[points[1], points[0]]));
    assert!(!store_check(&coefficients, &[first, second], &[blindings[1], blindings[0]], &points));
}
