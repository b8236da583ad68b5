//! Judging responses: whether a question is one that a policy asks, one response alone, and many together with one equation for
//! all possession proofs.

mod equation;
mod together;

use std::borrow::Cow;

use holdfast_engine::backend::Backend;
use holdfast_engine::challenge::{Challenge, Kind};
use holdfast_engine::commitment::Commitment;
use holdfast_engine::policy::Policy;
use holdfast_engine::rejection::Rejection;
use holdfast_engine::space::seal::verify_seal;
use holdfast_engine::space::verify::{SpaceCase, verify_space, verify_space_batch};
use rayon::prelude::*;
use serde::Serialize;

pub use equation::{Settled, SharedEquation};
pub use together::{Case, Judge, Subject};

/// The first height at which a commitment can be challenged.
pub fn earliest_height(commitment: &Commitment, policy: &Policy) -> u64 {
    commitment.last_batch().height.saturating_add(policy.finality_blocks)
}

/// Whether the challenge is one that this policy asks of this commitment; gives the commitment as it was in force then.
pub fn check_question<'c>(
    commitment: &'c Commitment,
    challenge: &Challenge,
    policy: &Policy,
) -> Result<Cow<'c, Commitment>, Rejection> {
    check_signed(commitment, policy)?;
    check_asked(commitment, challenge, policy)
}

/// That a commitment is signed, if that is demanded, and by whom it says.
fn check_signed(commitment: &Commitment, policy: &Policy) -> Result<(), Rejection> {
    if policy.signatures_required || !commitment.signature.is_none() {
        commitment.check_signature()?;
    }
    Ok(())
}

/// The rest of [`check_question`].
fn check_asked<'c>(
    commitment: &'c Commitment,
    challenge: &Challenge,
    policy: &Policy,
) -> Result<Cow<'c, Commitment>, Rejection> {
    let in_force = commitment.in_force(challenge.height, policy.finality_blocks)?;
    challenge.check_against(&in_force, policy.finality_blocks)?;
    policy.check_challenge(challenge)?;
    Ok(in_force)
}

/// Judges one response of a partition.
pub fn verify_response(
    backend: &dyn Backend,
    commitment: &Commitment,
    challenge: &Challenge,
    response: &[u8],
) -> Result<(), Rejection> {
    match challenge.kind {
        Kind::Space => verify_space(backend, commitment, challenge, response),
        Kind::Seal => verify_seal(backend, commitment, challenge, response),
    }
}

/// Judges space responses on all threads of the pool that the caller is in: each hashes the openings of its share side by side.
pub fn verify_spaces(backend: &dyn Backend, cases: &[SpaceCase<'_>]) -> Vec<Result<(), Rejection>> {
    let share = cases.len().div_ceil(rayon::current_num_threads()).max(1);
    cases.par_chunks(share).flat_map_iter(|share| verify_space_batch(backend, share)).collect()
}

/// Accepted, or the class and the reason.
#[derive(Clone, Debug, Serialize)]
pub struct Verdict {
    verdict: &'static str,
    /// The class of a rejection.
    pub class: Option<&'static str>,
    detail: Option<String>,
}

impl Verdict {
    /// What became of a response.
    pub fn new(verdict: Result<(), Rejection>) -> Verdict {
        match verdict {
            Ok(()) => Verdict { verdict: "accepted", class: None, detail: None },
            Err(Rejection { class, detail }) => {
                Verdict { verdict: "rejected", class: Some(class.name()), detail: Some(detail) }
            }
        }
    }

    /// In one line.
    pub fn line(&self) -> String {
        match (self.class, &self.detail) {
            (Some(class), Some(detail)) => format!("REJECTED  {class}: {detail}"),
            _ => "accepted".to_owned(),
        }
    }
}
