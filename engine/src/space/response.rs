//! Responses: a header and openings, of exactly the length the challenge demands (challenge-v1 §3–§5).

use crate::challenge::{Challenge, Kind};
use crate::codec::Reader;
use crate::registration::WindowShape;
use crate::rejection::{Class, Rejection};
use crate::transcript::Context;
use crate::tree::Opening;

/// Bytes before the openings.
pub const HEADER_BYTES: usize = 48;

const TAG: &[u8; 4] = b"HFA1";

/// log2 of the chunks of a window, and the siblings of each opening: k − 5.
pub(super) fn log2_chunks(shape: WindowShape) -> u32 {
    shape.chunks().ilog2()
}

/// Bytes of every opening in windows of this shape: `1,024 + 32·(k − 5)`.
pub fn opening_bytes(shape: WindowShape) -> usize {
    Opening::bytes(log2_chunks(shape))
}

/// Exact bytes of the response to a challenge.
pub fn response_bytes(challenge: &Challenge) -> usize {
    let sample_bytes = match challenge.kind {
        Kind::Space => opening_bytes(challenge.shape),
        Kind::Seal => super::seal::window_proof_bytes(challenge.shape),
    };
    HEADER_BYTES + challenge.sample_count() * sample_bytes
}

/// A response from what shows each sample, in the challenge's order: an opening (space) or a window's proof (seal).
pub fn encode_response(challenge: &Challenge, samples: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(response_bytes(challenge));
    bytes.extend_from_slice(TAG);
    bytes.extend_from_slice(&[challenge.kind as u8, 0, 0, 0]);
    bytes.extend_from_slice(&challenge.samples.to_le_bytes());
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(&challenge.digest());
    bytes.extend(samples.iter().flatten());
    debug_assert_eq!(bytes.len(), response_bytes(challenge), "samples of another challenge");
    bytes
}

/// Checks a response's header and length, before anything is hashed; returns what follows the header.
///
/// Refused: `wrong-length`, `malformed`, `wrong-challenge`.
pub(super) fn decode_response<'a>(challenge: &Challenge, bytes: &'a [u8]) -> Result<&'a [u8], Rejection> {
    let mut reader = Reader::new("response", bytes);
    reader.tag(TAG)?;
    let kind = Kind::of_number(reader.byte()?)?;
    reader.zeros::<3>()?;
    let samples = reader.u32()?;
    reader.zeros::<4>()?;
    if kind != challenge.kind {
        let (found, asked) = (kind.name(), challenge.kind.name());
        return Err(Class::WrongChallenge.because(format!("a {found} response to a {asked} challenge")));
    }
    if reader.array()? != challenge.digest() {
        return Err(Class::WrongChallenge.because("the response names another challenge"));
    }
    if samples != challenge.samples {
        let asked = challenge.samples;
        return Err(Class::Malformed.because(format!("{samples} samples; the challenge asks for {asked}")));
    }
    let expected = response_bytes(challenge);
    if bytes.len() != expected {
        let found = bytes.len();
        return Err(Class::WrongLength.because(format!("a response of {found} bytes, not {expected}")));
    }
    Ok(reader.rest())
}

/// Digest of a response: what is promised in time.
pub fn response_digest(response: &[u8]) -> [u8; 32] {
    Context::RESPONSE_DIGEST.derive(&[response])
}

/// What the miner signs of a response.
pub fn response_signing_digest(challenge_digest: &[u8; 32], response_digest: &[u8; 32]) -> [u8; 32] {
    Context::RESPONSE_SIGNING.derive(&[challenge_digest, response_digest])
}
