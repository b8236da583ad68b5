//! Verifying the possession responses of a round together (possession-v1 §6).

use ark_bls12_381::G1Projective;
use rayon::prelude::*;

use super::equation::{Equation, imbalance};
use super::generators::Generators;
use super::group::is_zero_cofactored;
use super::scalars::coefficient;
use super::verify::{CheckedResponse, PossessionCase, wrong_proof};
use crate::rejection::Rejection;
use crate::transcript::{Context, Stream};

/// Responses whose openings share lanes: enough to fill them, few enough to stay in a core's second-level cache.
const CHECKED_TOGETHER: usize = 16;

/// How much a [`Collector`] takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Responses at most.
    pub responses: usize,
    /// Memory that collected responses take at most, in bytes. Summing takes at most as much again.
    pub held_bytes: usize,
}

impl Default for Limits {
    /// 16,384 responses and 448 MiB: below 1 GiB in all. Of 20 blocks, a plain response takes 20 KiB, a compressed one 5.
    fn default() -> Limits {
        Limits { responses: 1 << 14, held_bytes: 448 << 20 }
    }
}

/// Why a response was not collected: no fault of whoever sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{responses} responses are waiting, which take {held_bytes} bytes; conclude them first, or set higher limits"
)]
pub struct CollectorFull {
    /// Responses that were collected.
    pub responses: usize,
    /// Memory that they take, in bytes.
    pub held_bytes: usize,
}

/// Which verdict is whose: the position of a response among those collected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(usize);

impl Ticket {
    /// Position in the verdicts of [`Collector::conclude`].
    pub fn position(self) -> usize {
        self.0
    }
}

/// Takes responses as they arrive, and says at the deadline which hold.
///
/// [`CheckedResponse::check`] does everything but the equation, on any thread; what is collected here is what that leaves,
/// not the response.
#[derive(Debug)]
pub struct Collector {
    limits: Limits,
    held_bytes: usize,
    responses: Vec<CheckedResponse>,
}

impl Collector {
    /// An empty one with these limits.
    pub fn new(limits: Limits) -> Collector {
        Collector { limits, held_bytes: 0, responses: Vec::new() }
    }

    /// Takes a response.
    ///
    /// # Errors
    /// A limit would be passed; the response can be verified alone.
    pub fn add(&mut self, response: CheckedResponse) -> Result<Ticket, CollectorFull> {
        let held_bytes = self.held_bytes.saturating_add(response.held_bytes());
        if self.responses.len() >= self.limits.responses || held_bytes > self.limits.held_bytes {
            return Err(CollectorFull { responses: self.responses.len(), held_bytes: self.held_bytes });
        }
        self.held_bytes = held_bytes;
        self.responses.push(response);
        Ok(Ticket(self.responses.len() - 1))
    }

    /// Responses that were collected.
    pub fn len(&self) -> usize {
        self.responses.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.responses.is_empty()
    }

    /// Memory that they take, in bytes.
    pub fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    /// A verdict for each response, by [`Ticket::position`]: the one it gets alone.
    ///
    /// If all hold, one sum over the generators and one over all points. Each wrong response costs about log2 of their number
    /// more of both, of halves, quarters and so on; if all are wrong, as many sums over the generators as they are.
    ///
    /// Refused, each on its own: `wrong-proof`.
    ///
    /// # Errors
    /// The operating system gives no randomness.
    pub fn conclude(self, generators: &Generators) -> Result<Vec<Result<(), Rejection>>, getrandom::Error> {
        let mut fresh = [0; 32];
        getrandom::fill(&mut fresh)?;
        let mut weights = self.weights(&fresh);
        let weighted: Vec<(&Equation, u128)> =
            self.responses.iter().map(|response| (&response.equation, coefficient(&mut weights))).collect();
        let mut verdicts = vec![Ok(()); weighted.len()];
        let sum = imbalance(generators, &weighted);
        settle(generators, &weighted, sum, &mut verdicts);
        Ok(verdicts)
    }

    /// Weights that nobody could foresee who made the responses.
    fn weights(&self, fresh: &[u8; 32]) -> Stream {
        let mut hasher = Context::POSSESSION_BATCH.hasher();
        hasher.update(fresh).update(&(self.responses.len() as u64).to_le_bytes());
        for response in &self.responses {
            hasher.update(response.digests.as_flattened());
        }
        Context::POSSESSION_WEIGHTS.stream(&[hasher.finalize().as_bytes()])
    }
}

/// Names the culprits among equations whose weighted sum is known, by halving. The sum of the second half follows from
/// that of the first, so a sum is computed for every second node only.
fn settle(
    generators: &Generators,
    weighted: &[(&Equation, u128)],
    sum: G1Projective,
    verdicts: &mut [Result<(), Rejection>],
) {
    if is_zero_cofactored(&sum) {
        return;
    }
    // A weight is no multiple of r, so the weighted equation fails just if the equation does.
    if let [verdict] = verdicts {
        *verdict = Err(wrong_proof());
        return;
    }
    let middle = weighted.len() / 2;
    let ((first, second), (of_first, of_second)) = (weighted.split_at(middle), verdicts.split_at_mut(middle));
    let sum_of_first = imbalance(generators, first);
    settle(generators, first, sum_of_first, of_first);
    settle(generators, second, sum - sum_of_first, of_second);
}

/// Verifies many possession responses that are all there, on all cores; a verdict for each.
///
/// Refused, each on its own: as [`super::verify::verify_possession`].
///
/// # Errors
/// The operating system gives no randomness.
pub fn verify_possession_batch(
    generators: &Generators,
    cases: &[PossessionCase<'_>],
) -> Result<Vec<Result<(), Rejection>>, getrandom::Error> {
    let mut collector = Collector::new(Limits { responses: usize::MAX, held_bytes: usize::MAX });
    let together = cases.len().div_ceil(rayon::current_num_threads()).clamp(1, CHECKED_TOGETHER);
    let checked: Vec<_> = cases.par_chunks(together).flat_map_iter(CheckedResponse::check_together).collect();
    let tickets: Vec<Result<Ticket, Rejection>> = checked
        .into_iter()
        .map(|checked| checked.map(|response| collector.add(response).expect("no limits")))
        .collect();
    let verdicts = collector.conclude(generators)?;
    Ok(tickets.into_iter().map(|ticket| verdicts[ticket?.0].clone()).collect())
}
