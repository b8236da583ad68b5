//! Bytes of a possession response (possession-v1 §4–§5), of exactly the length the challenge demands.

use super::challenge::{AuditKind, Form, ObjectChallenge};
use super::commitment_table::{chunks_of, table_bytes};
use super::fold::{ROUNDS, TAIL_SCALARS};
use super::generators::GENERATORS;
use super::points::POINT_BYTES;
use super::scalars::SCALAR_BYTES;
use super::statement::Statement;
use crate::codec::Reader;
use crate::rejection::{Class, Rejection};
use crate::tree::opening_bytes;

/// Bytes before T.
pub const HEADER_BYTES: usize = 48;

const TAG: &[u8; 4] = b"HFA2";

/// Bytes of z in this form.
const fn proof_bytes(form: Form) -> usize {
    match form {
        Form::Plain => GENERATORS * SCALAR_BYTES,
        Form::Compressed => 2 * ROUNDS * POINT_BYTES + TAIL_SCALARS * SCALAR_BYTES,
    }
}

/// Bytes of a response without openings: 17,104 plain, 1,584 compressed.
pub const fn response_bytes_without_openings(form: Form) -> usize {
    HEADER_BYTES + POINT_BYTES + proof_bytes(form)
}

/// Exact bytes of the response to a possession challenge, with or without openings.
pub fn response_bytes(challenge: &ObjectChallenge, with_openings: bool) -> usize {
    let opened =
        if with_openings { table_openings(challenge, &challenge.possession_blocks()) } else { vec![] };
    let opened_bytes: usize = opened.iter().map(|(_, bytes)| bytes).sum();
    response_bytes_without_openings(challenge.form) + opened_bytes
}

/// The table chunks that are opened for these blocks of the object, ascending, with the bytes of their openings.
fn table_openings(challenge: &ObjectChallenge, blocks: &[u64]) -> Vec<(u64, usize)> {
    let length = table_bytes(challenge.replica.blocks());
    let bytes = |chunk| opening_bytes(chunk, length).expect("the table has a chunk for each block");
    chunks_of(blocks).into_iter().map(|chunk| (chunk, bytes(chunk))).collect()
}

/// A response taken apart; what its points and scalars are has not been looked at.
pub(super) struct Parts<'r> {
    pub(super) mask_point: &'r [u8; POINT_BYTES],
    pub(super) proof: ProofBytes<'r>,
    /// Table chunks with their openings, if they came along.
    pub(super) openings: Option<Vec<(u64, &'r [u8])>>,
}

/// z, in either form.
pub(super) enum ProofBytes<'r> {
    Plain(&'r [[u8; SCALAR_BYTES]]),
    Compressed { rounds: &'r [[u8; POINT_BYTES]], tail: &'r [[u8; SCALAR_BYTES]] },
}

/// Checks a response's header and length, before anything is hashed or computed, and takes it apart.
///
/// Refused: `wrong-length`, `malformed`, `wrong-challenge`.
pub(super) fn decode<'r>(
    challenge: &ObjectChallenge,
    statement: &Statement,
    bytes: &'r [u8],
) -> Result<Parts<'r>, Rejection> {
    let mut reader = Reader::new("possession response", bytes);
    reader.tag(TAG)?;
    let kind = AuditKind::of_number(reader.byte()?)?;
    let form = Form::of_number(reader.byte()?)?;
    let with_openings = flag(reader.byte()?)?;
    reader.zeros::<1>()?;
    let blocks = reader.u32()?;
    reader.zeros::<4>()?;
    if kind != challenge.kind {
        let (found, asked) = (kind.name(), challenge.kind.name());
        return Err(Class::WrongChallenge.because(format!("a {found} response to a {asked} challenge")));
    }
    if reader.array()? != statement.challenge_digest {
        return Err(Class::WrongChallenge.because("the response names another challenge"));
    }
    if form != challenge.form {
        return Err(
            Class::WrongChallenge.because("the response has another form than the challenge asks for")
        );
    }
    if usize::try_from(blocks) != Ok(statement.blocks.len()) {
        let asked = statement.blocks.len();
        return Err(Class::Malformed.because(format!("{blocks} blocks; the challenge asks for {asked}")));
    }
    let openings = with_openings.then(|| table_openings(challenge, &statement.blocks));
    let opened_bytes: usize = openings.iter().flatten().map(|(_, bytes)| bytes).sum();
    let expected = response_bytes_without_openings(form) + opened_bytes;
    if bytes.len() != expected {
        let found = bytes.len();
        return Err(Class::WrongLength.because(format!("a response of {found} bytes, not {expected}")));
    }
    Ok(take_apart(form, openings, reader.rest()))
}

fn flag(byte: u8) -> Result<bool, Rejection> {
    match byte {
        0 | 1 => Ok(byte == 1),
        other => Err(Class::Malformed.because(format!("{other} where 1 (openings) or 0 (none) is said"))),
    }
}

/// What follows a header; its length has been checked.
fn take_apart(form: Form, openings: Option<Vec<(u64, usize)>>, body: &[u8]) -> Parts<'_> {
    let (mask_point, body) = body.split_first_chunk().expect("the length is exact");
    let (proof, mut rest) = body.split_at(proof_bytes(form));
    let proof = match form {
        Form::Plain => ProofBytes::Plain(proof.as_chunks().0),
        Form::Compressed => {
            let (rounds, tail) = proof.split_at(2 * ROUNDS * POINT_BYTES);
            ProofBytes::Compressed { rounds: rounds.as_chunks().0, tail: tail.as_chunks().0 }
        }
    };
    let mut take = |(chunk, bytes)| {
        let (opening, after) = rest.split_at(bytes);
        rest = after;
        (chunk, opening)
    };
    let openings = openings.map(|openings| openings.into_iter().map(&mut take).collect());
    Parts { mask_point, proof, openings }
}

/// A response of these parts: T, the bytes of z in the challenge's form, and the openings, if they go along.
pub(super) fn encode(
    challenge: &ObjectChallenge,
    statement: &Statement,
    mask_point: &[u8; POINT_BYTES],
    proof: &[u8],
    openings: Option<&[Vec<u8>]>,
) -> Vec<u8> {
    let blocks = u32::try_from(statement.blocks.len()).expect("at most 2^16");
    let mut bytes = Vec::with_capacity(response_bytes(challenge, openings.is_some()));
    bytes.extend_from_slice(TAG);
    bytes.extend_from_slice(&[challenge.kind as u8, challenge.form as u8, openings.is_some().into(), 0]);
    bytes.extend_from_slice(&blocks.to_le_bytes());
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(&statement.challenge_digest);
    bytes.extend_from_slice(mask_point);
    bytes.extend_from_slice(proof);
    bytes.extend(openings.into_iter().flatten().flatten());
    debug_assert_eq!(bytes.len(), response_bytes(challenge, openings.is_some()), "parts of another response");
    bytes
}
