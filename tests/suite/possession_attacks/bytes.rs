//! Responses of a wrong shape.

use holdfast_engine::possession::challenge::{Form, ObjectChallenge};
use holdfast_engine::possession::commitment_table::{CommitmentTable, chunks_of};
use holdfast_engine::possession::response::{HEADER_BYTES, response_bytes_without_openings};
use holdfast_engine::possession::verify::PossessionCase;
use holdfast_engine::rejection::Class;
use holdfast_engine::tree::{CHUNK_BYTES, Outboard};

use crate::forger::Forger;
use crate::{FORMS, OBJECT, SAMPLES, refusal, refusal_alone, refusal_of};

/// For a verifier that keeps the table.
fn refusal_by_keeper(challenge: &ObjectChallenge, response: &[u8]) -> Option<Class> {
    refusal_of(&PossessionCase { table: Some(&OBJECT.table), ..OBJECT.case(challenge, response) })
}

/// Cut anywhere and continued by anything, with openings and without.
#[test]
fn truncated_and_over_long() {
    for form in FORMS {
        let challenge = OBJECT.challenge(0, SAMPLES, form);
        let end = response_bytes_without_openings(form);
        let kept = OBJECT.answer_without_openings(&challenge);
        assert_eq!(refusal_by_keeper(&challenge, &kept), None);
        for response in [kept, OBJECT.answer(&challenge)] {
            assert_eq!(refusal_by_keeper(&challenge, &response), None);
            let ends =
                [0, 3, 4, 7, 15, 16, 47, 48, 143, 144, end - 32, end - 1, end + 31, response.len() - 1];
            for at in ends.into_iter().filter(|at| *at < response.len()) {
                assert_eq!(
                    refusal_by_keeper(&challenge, &response[..at]),
                    Some(Class::WrongLength),
                    "{at} bytes"
                );
            }
            for added in [1, 31, 32, 96, 1024] {
                let long = [&response[..], &vec![0; added]].concat();
                assert_eq!(
                    refusal_by_keeper(&challenge, &long),
                    Some(Class::WrongLength),
                    "{added} bytes more"
                );
            }
        }
    }
}

/// Every bit of the header says something, and only one thing.
#[test]
fn header_of_other_form_flags_kind_and_count() {
    for form in FORMS {
        let challenge = OBJECT.challenge(0, SAMPLES, form);
        let honest = OBJECT.answer(&challenge);
        assert_eq!(refusal(&challenge, &honest), None);
        for bit in 0..8 * HEADER_BYTES {
            let mut response = honest.clone();
            response[bit / 8] ^= 1 << (bit % 8);
            let expected = match bit / 8 {
                5 if bit % 8 == 0 => Class::WrongChallenge,
                6 if bit % 8 == 0 => Class::WrongLength,
                16..48 => Class::WrongChallenge,
                _ => Class::Malformed,
            };
            assert_eq!(refusal_alone(&OBJECT.case(&challenge, &response)), Some(expected), "bit {bit}");
        }
        for kind in [4, 5, 6] {
            let mut response = honest.clone();
            response[4] = kind;
            assert_eq!(refusal(&challenge, &response), Some(Class::WrongChallenge), "kind {kind}");
        }
    }
}

/// Without openings, for a verifier that does not keep the table.
#[test]
fn openings_left_out() {
    let challenge = OBJECT.challenge(0, SAMPLES, Form::Plain);
    let short = OBJECT.answer_without_openings(&challenge);
    assert_eq!(refusal(&challenge, &short), Some(Class::Malformed));
}

/// The right openings in another order, and one twice.
#[test]
fn openings_reordered_and_doubled() {
    for form in FORMS {
        let challenge = OBJECT.challenge(0, 25, form);
        let honest = OBJECT.answer(&challenge);
        let (proof, openings) = honest.split_at(response_bytes_without_openings(form));
        assert_eq!(chunks_of(&challenge.possession_blocks()), [0, 1, 2]);
        let opened: Vec<Vec<u8>> = (0..3).map(|chunk| OBJECT.table.open(chunk)).collect();
        assert_eq!(opened.concat(), openings);
        for order in [[1, 0, 2], [0, 0, 2], [1, 1, 2]] {
            let reordered: Vec<u8> = order.iter().flat_map(|i| &opened[*i]).copied().collect();
            let found = refusal(&challenge, &[proof, &reordered].concat());
            assert_eq!(found, Some(Class::WrongRoot), "{order:?}");
        }
        // Chunk 2 has a shorter path, so with it elsewhere an opening is cut in the wrong place.
        for order in [[2, 1, 0], [2, 1, 1]] {
            let reordered: Vec<u8> = order.iter().flat_map(|i| &opened[*i]).copied().collect();
            assert!(refusal(&challenge, &[proof, &reordered].concat()).is_some(), "{order:?}");
        }
    }
}

/// A byte where a table chunk has no point: in its padding, and behind the last point.
#[test]
fn padding_of_the_table() {
    for place in [10 * 96, CHUNK_BYTES - 1, 2 * CHUNK_BYTES + 5 * 96, 3 * CHUNK_BYTES - 1] {
        let mut bytes = OBJECT.table.bytes().to_vec();
        bytes[place] = 1;
        assert!(CommitmentTable::from_bytes(25, bytes.clone()).is_err());
        let outboard = Outboard::of(&bytes);
        let mut object = OBJECT.clone();
        object.record.table_root = Some(outboard.root());
        let challenge = object.challenge(0, 25, Form::Plain);
        let response = Forger::new(&object, &challenge).response();
        let proof = &response[..response_bytes_without_openings(Form::Plain)];
        let openings: Vec<u8> = (0..3).flat_map(|chunk| outboard.open(&bytes, chunk)).collect();
        let response = [proof, &openings].concat();
        assert_eq!(refusal_of(&object.case(&challenge, &response)), Some(Class::Malformed), "byte {place}");
    }
    // The control: nothing else was wrong with it.
    let challenge = OBJECT.challenge(0, 25, Form::Plain);
    assert_eq!(refusal(&challenge, &Forger::new(&OBJECT, &challenge).response()), None);
}

/// One bit anywhere, in points, scalars and openings.
#[test]
fn one_bit_changed_anywhere() {
    for form in FORMS {
        let challenge = OBJECT.challenge(0, SAMPLES, form);
        let honest = OBJECT.answer(&challenge);
        for at in (HEADER_BYTES..honest.len()).step_by(honest.len() / 60) {
            let mut response = honest.clone();
            response[at] ^= 1 << (at % 8);
            assert!(refusal(&challenge, &response).is_some(), "byte {at}");
        }
    }
}
