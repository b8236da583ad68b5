//! Verifying space responses, alone or thousands in one call.

use super::response::{decode_response, log2_chunks};
use crate::backend::Backend;
use crate::challenge::{Challenge, Kind, SpaceSample};
use crate::commitment::Commitment;
use crate::rejection::{Class, Rejection};
use crate::tree::{Claim, Opening, leads_to_root};

/// A response and what it has to answer to.
#[derive(Clone, Copy, Debug)]
pub struct SpaceCase<'a> {
    /// The partition as it is registered.
    pub commitment: &'a Commitment,
    /// What was asked.
    pub challenge: &'a Challenge,
    /// What was answered.
    pub response: &'a [u8],
}

/// Verifies one space response. That the challenge came late enough after the registration is
/// [`Challenge::check_against`]'s to say.
///
/// Refused: `wrong-challenge`, `malformed`, `wrong-length` (before anything is hashed), `wrong-root`.
pub fn verify_space(
    backend: &dyn Backend,
    commitment: &Commitment,
    challenge: &Challenge,
    response: &[u8],
) -> Result<(), Rejection> {
    let case = SpaceCase { commitment, challenge, response };
    verify_space_batch(backend, &[case]).pop().expect("a verdict for each case")
}

/// Verifies many space responses, hashing their openings side by side; a verdict for each.
pub fn verify_space_batch(backend: &dyn Backend, cases: &[SpaceCase<'_>]) -> Vec<Result<(), Rejection>> {
    let mut claims = Vec::new();
    let decoded: Vec<Result<Vec<SpaceSample>, Rejection>> =
        cases.iter().map(|case| decode(case, &mut claims)).collect();
    let mut verdicts = leads_to_root(backend, &claims).into_iter();
    decoded.into_iter().map(|samples| accept(&samples?, verdicts.by_ref())).collect()
}

/// Cheap checks of one case; then adds a claim for each sample.
fn decode<'a>(case: &SpaceCase<'a>, claims: &mut Vec<Claim<'a>>) -> Result<Vec<SpaceSample>, Rejection> {
    let SpaceCase { commitment, challenge, response } = *case;
    challenge.check_place(commitment)?;
    if challenge.kind != Kind::Space {
        return Err(Class::WrongChallenge.because("a seal challenge, verified as a space challenge"));
    }
    let mut openings = decode_response(challenge, response)?;
    let samples = challenge.space_samples();
    let log2_chunks = log2_chunks(challenge.shape);
    let claim = |&SpaceSample { window, chunk }: &SpaceSample| {
        let opening = Opening::take(&mut openings, log2_chunks)?;
        Some(Claim { index: chunk, root: &commitment.record(window)?.root, opening })
    };
    let of_case: Option<Vec<Claim<'a>>> = samples.iter().map(claim).collect();
    claims.extend(of_case.ok_or_else(|| Class::WrongLength.because("fewer openings than samples"))?);
    Ok(samples)
}

/// The verdict of one case, from the verdicts of its claims, which are next in line.
fn accept(samples: &[SpaceSample], verdicts: impl Iterator<Item = bool>) -> Result<(), Rejection> {
    let verdicts: Vec<bool> = verdicts.take(samples.len()).collect();
    let wrong = samples.iter().zip(&verdicts).enumerate().find(|(_, (_, holds))| !**holds);
    match wrong {
        None => Ok(()),
        Some((i, (SpaceSample { window, chunk }, _))) => Err(Class::WrongRoot.because(format!(
            "sample {i}: the opening of chunk {chunk} is not under the root of window {window}"
        ))),
    }
}
