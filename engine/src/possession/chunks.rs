//! Chunk audits: random chunks of the ciphertext and the last one, opened against the object's root (possession-v1 §7).

use super::challenge::{AuditKind, ObjectChallenge};
use super::group::backend;
use super::header::{AnswerFailure, HEADER_BYTES, decode_header, demand_kind, encode_header};
use super::record::ObjectRecord;
use crate::rejection::Rejection;
use crate::tree::{Shown, opening_bytes, verify_openings};

/// Exact bytes of the response to a chunks challenge.
pub fn chunks_response_bytes(challenge: &ObjectChallenge) -> usize {
    HEADER_BYTES + challenge.chunks().into_iter().map(|chunk| bytes_of(challenge, chunk)).sum::<usize>()
}

/// Answers a chunks challenge. `open` makes the openings of these chunks in the object (tree-v1 §3), in their order; it is
/// called once, so that it can read them in the order of the disk.
///
/// # Errors
/// The challenge is not of this record, and then nothing is read; `open` fails, or what it gives does not answer the challenge.
pub fn answer_chunks<E>(
    record: &ObjectRecord,
    challenge: &ObjectChallenge,
    open: impl FnOnce(&[u64]) -> Result<Vec<Vec<u8>>, E>,
) -> Result<Vec<u8>, AnswerFailure<E>> {
    check_question(record, challenge).map_err(AnswerFailure::Wrong)?;
    let chunks = challenge.chunks();
    let openings = open(&chunks)?;
    let mut response = encode_header(AuditKind::Chunks, count_of(&chunks), &challenge.digest()).to_vec();
    response.extend(openings.iter().flatten());
    verify_chunks(record, challenge, &response).map_err(AnswerFailure::Wrong)?;
    Ok(response)
}

/// Verifies a chunks response. That the challenge came late enough after the record is
/// [`ObjectChallenge::check_against`]'s to say.
///
/// Refused: `wrong-challenge`, `malformed`, `wrong-length` (before anything is hashed), `wrong-root`.
pub fn verify_chunks(
    record: &ObjectRecord,
    challenge: &ObjectChallenge,
    response: &[u8],
) -> Result<(), Rejection> {
    check_question(record, challenge)?;
    let chunks = challenge.chunks();
    let expected = chunks_response_bytes(challenge);
    let mut openings =
        decode_header(AuditKind::Chunks, count_of(&chunks), &challenge.digest(), expected, response)?;
    let replica = &challenge.replica;
    let (length, root) = (replica.length(), replica.object_root());
    let shown = chunks.into_iter().map(|index| {
        let (opening, rest) = openings.split_at(bytes_of(challenge, index));
        openings = rest;
        Shown { index, length, root, opening }
    });
    verify_openings(backend(), &shown.collect::<Vec<_>>()).into_iter().try_for_each(|shown| shown.map(|_| ()))
}

/// Whether this is a chunks challenge of the object with this record. A miner asks before it reads: another length would send
/// it to places that are not there.
fn check_question(record: &ObjectRecord, challenge: &ObjectChallenge) -> Result<(), Rejection> {
    demand_kind(challenge, AuditKind::Chunks)?;
    challenge.check_place(record)
}

fn bytes_of(challenge: &ObjectChallenge, chunk: u64) -> usize {
    opening_bytes(chunk, challenge.replica.length()).expect("a challenge asks for chunks that there are")
}

fn count_of(chunks: &[u64]) -> u32 {
    u32::try_from(chunks.len()).expect("at most 2^16 + 1")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::possession::fixture::{Held, class};
    use crate::rejection::Class;

    fn answer(held: &Held, challenge: &ObjectChallenge) -> Vec<u8> {
        answer_chunks(&held.record, challenge, |chunks| Ok::<_, ()>(held.open_chunks(chunks))).unwrap()
    }

    /// Empty, one chunk and less, a block and more, many: the honest answer is taken, and no changed one.
    #[test]
    fn honest_answers_pass_and_changed_ones_do_not() {
        for length in [0, 1, 1024, 1025, 16_384, 16_385, 300_000] {
            let held = Held::new(length);
            let challenge = held.challenge(AuditKind::Chunks, 4);
            let response = answer(&held, &challenge);
            assert_eq!(verify_chunks(&held.record, &challenge, &response), Ok(()), "{length} bytes");
            for place in [0, 4, 5, 8, 12, 16, 47].into_iter().chain((48..response.len()).step_by(97)) {
                let mut wrong = response.clone();
                wrong[place] ^= 1;
                assert!(verify_chunks(&held.record, &challenge, &wrong).is_err(), "byte {place} of {length}");
            }
            let longer = [&response[..], &[0]].concat();
            assert_eq!(class(verify_chunks(&held.record, &challenge, &longer)), Some(Class::WrongLength));
            let shorter = &response[..response.len() - 1];
            assert_eq!(class(verify_chunks(&held.record, &challenge, shorter)), Some(Class::WrongLength));
        }
    }

    /// Right data in the wrong place: openings swapped, of another height, of another kind, of another object.
    #[test]
    fn right_chunks_in_the_wrong_place_are_refused() {
        let held = Held::new(300_000);
        let challenge = held.challenge(AuditKind::Chunks, 4);
        let chunks = challenge.chunks();
        let mut openings = held.open_chunks(&chunks);
        openings.swap(0, 1);
        let header = encode_header(AuditKind::Chunks, 5, &challenge.digest());
        let swapped = [&header[..], &openings.concat()].concat();
        assert_eq!(swapped.len(), chunks_response_bytes(&challenge), "else its length would give it away");
        assert_eq!(class(verify_chunks(&held.record, &challenge, &swapped)), Some(Class::WrongRoot));

        let response = answer(&held, &challenge);
        let later = held.challenge_at(109, AuditKind::Chunks, 4);
        assert_eq!(class(verify_chunks(&held.record, &later, &response)), Some(Class::WrongChallenge));
        let link = held.challenge(AuditKind::Link, 4);
        assert_eq!(class(verify_chunks(&held.record, &link, &response)), Some(Class::WrongChallenge));
        let other = Held::new(300_001);
        assert_eq!(class(verify_chunks(&other.record, &challenge, &response)), Some(Class::WrongChallenge));
    }

    /// A damaged byte on the miner's disk becomes an error of the miner, not a wrong response.
    #[test]
    fn damage_is_noticed_before_the_answer_leaves() {
        let held = Held::new(100_000);
        let challenge = held.challenge(AuditKind::Chunks, 4);
        let damaged = |chunks: &[u64]| {
            let mut openings = held.open_chunks(chunks);
            openings[1][3] ^= 1;
            Ok::<_, ()>(openings)
        };
        let failure = answer_chunks(&held.record, &challenge, damaged).unwrap_err();
        assert!(matches!(failure, AnswerFailure::Wrong(refused) if refused.class == Class::WrongRoot));
        let failing = answer_chunks(&held.record, &challenge, |_| Err("disk"));
        assert!(matches!(failing, Err(AnswerFailure::Source("disk"))));
    }

    /// A validator names another length, kind or record: the disk is not asked for places that it may not have.
    #[test]
    fn a_challenge_of_something_else_does_not_reach_the_disk() {
        let held = Held::new(10_000);
        let honest = held.challenge(AuditKind::Chunks, 4);
        for wrong in crate::possession::fixture::challenges_of_something_else(&honest) {
            let open = |_: &[u64]| -> Result<Vec<Vec<u8>>, ()> { panic!("read for {wrong:?}") };
            let failure = answer_chunks(&held.record, &wrong, open).unwrap_err();
            assert!(
                matches!(failure, AnswerFailure::Wrong(refused) if refused.class == Class::WrongChallenge)
            );
        }
    }
}
