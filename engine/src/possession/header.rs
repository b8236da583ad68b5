//! What responses of kinds `chunks`, `link` and `whole` begin with (possession-v1 §7–§8), and how answering fails.

use thiserror::Error;

use super::challenge::{AuditKind, ObjectChallenge};
use crate::codec::Reader;
use crate::rejection::{Class, Rejection};

/// Bytes before what is shown.
pub const HEADER_BYTES: usize = 48;

const TAG: &[u8; 4] = b"HFA2";

/// The header of a response that shows `count` things and names the challenge with this digest.
pub(super) fn encode_header(kind: AuditKind, count: u32, challenge_digest: &[u8; 32]) -> [u8; HEADER_BYTES] {
    let mut bytes = [0; HEADER_BYTES];
    bytes[..4].copy_from_slice(TAG);
    bytes[4] = kind as u8;
    bytes[8..12].copy_from_slice(&count.to_le_bytes());
    bytes[16..].copy_from_slice(challenge_digest);
    bytes
}

/// Checks a response's header and its length, before anything is hashed; returns what follows.
///
/// Refused: `wrong-challenge`, `malformed`, `wrong-length`.
pub(super) fn decode_header<'a>(
    kind: AuditKind,
    count: u32,
    challenge_digest: &[u8; 32],
    expected: usize,
    bytes: &'a [u8],
) -> Result<&'a [u8], Rejection> {
    let mut reader = Reader::new("response", bytes);
    reader.tag(TAG)?;
    let found = AuditKind::of_number(reader.byte()?)?;
    reader.zeros::<3>()?;
    let shown = reader.u32()?;
    reader.zeros::<4>()?;
    if found != kind {
        let (found, asked) = (found.name(), kind.name());
        return Err(Class::WrongChallenge.because(format!("a {found} response to a {asked} challenge")));
    }
    if reader.array()? != *challenge_digest {
        return Err(Class::WrongChallenge.because("the response names another challenge"));
    }
    if shown != count {
        return Err(Class::Malformed.because(format!("{shown} things shown; the challenge asks for {count}")));
    }
    if bytes.len() != expected {
        let found = bytes.len();
        return Err(Class::WrongLength.because(format!("a response of {found} bytes, not {expected}")));
    }
    Ok(reader.rest())
}

/// Refuses, as `wrong-challenge`, a challenge of another kind than the function at hand is for.
pub(super) fn demand_kind(challenge: &ObjectChallenge, kind: AuditKind) -> Result<(), Rejection> {
    if challenge.kind == kind {
        return Ok(());
    }
    let (found, asked) = (challenge.kind.name(), kind.name());
    Err(Class::WrongChallenge.because(format!("a {found} challenge, taken for a {asked} challenge")))
}

/// Why a challenge was not answered. Nothing wrong leaves: a response is verified before.
#[derive(Debug, Error)]
pub enum AnswerFailure<E> {
    /// What holds the object failed.
    #[error(transparent)]
    Source(#[from] E),
    /// What is held does not answer the challenge.
    #[error(
        "what is held does not answer the challenge ({0}); verify the object, and get it again if it is damaged"
    )]
    Wrong(Rejection),
}
