//! Judging a round: all responses of a kind in one call of the engine, on threads of their own.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use bytes::Bytes;
use holdfast_engine::backend::Backend;
use holdfast_engine::challenge::Kind;
use holdfast_engine::possession::batch::verify_possession_batch;
use holdfast_engine::possession::challenge::AuditKind;
use holdfast_engine::possession::generators::Generators;
use holdfast_engine::possession::verify::PossessionCase;
use holdfast_engine::rejection::{Class, Rejection};
use holdfast_engine::space::seal::verify_seal;
use holdfast_engine::space::verify::SpaceCase;
use rayon::ThreadPool;
use rayon::prelude::*;

use super::ValidatorError;
use super::plan::{Against, Question};
use crate::local::audits::{AnyChallenge, Kept, verify_object};
use crate::local::judging::verify_spaces;

/// A response that was promised and came in time, and its question.
#[derive(Clone, Debug)]
pub struct Case {
    /// What was asked.
    pub question: Question,
    /// What was answered.
    pub response: Bytes,
}

/// What is found of one response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is right.
    Right,
    /// It is wrong.
    Wrong(Rejection),
    /// We failed, and the miner is not to blame.
    Unknown(String),
}

/// Judges responses.
#[derive(Clone, Debug)]
pub struct Judge {
    backend: &'static dyn Backend,
    pool: Arc<ThreadPool>,
}

impl Judge {
    /// With this back end, on this pool of threads.
    pub fn new(backend: &'static dyn Backend, pool: Arc<ThreadPool>) -> Judge {
        Judge { backend, pool }
    }

    /// Does something for each item, on all threads of the pool. Blocks.
    pub fn on_all_threads<T: Sync, R: Send>(
        &self,
        items: &[T],
        work: impl Fn(&T) -> R + Send + Sync,
    ) -> Vec<R> {
        self.pool.install(|| items.par_iter().map(work).collect())
    }

    /// A verdict for each case.
    ///
    /// # Errors
    /// The thread that judges was lost.
    pub async fn judge(&self, cases: Vec<Case>) -> Result<Vec<Verdict>, ValidatorError> {
        let judge = self.clone();
        let judged = tokio::task::spawn_blocking(move || judge.pool.install(|| judge.verdicts(&cases))).await;
        judged.map_err(|error| ValidatorError::Ended { doing: "judging a round", detail: error.to_string() })
    }

    /// All together; if that ends in a panic, each alone, so that only the response that does it has no verdict.
    fn verdicts(&self, cases: &[Case]) -> Vec<Verdict> {
        let all: Vec<&Case> = cases.iter().collect();
        if let Ok(verdicts) = caught(|| self.together(&all)) {
            return verdicts;
        }
        let alone = |case: &&Case| caught(|| self.together(&[case])).map(|mut verdicts| verdicts.pop());
        all.iter()
            .map(|case| match alone(case) {
                Ok(Some(verdict)) => verdict,
                Ok(None) => Verdict::Unknown("no verdict".to_owned()),
                Err(panic) => Verdict::Unknown(panic),
            })
            .collect()
    }

    fn together(&self, cases: &[&Case]) -> Vec<Verdict> {
        let mut verdicts: Vec<Option<Verdict>> = vec![None; cases.len()];
        let (places, spaces) = select(cases, space_case);
        set(&mut verdicts, &places, of_results(verify_spaces(self.backend, &spaces)));
        let (places, possessions) = select(cases, possession_case);
        set(&mut verdicts, &places, of_possession(&possessions));
        let others: Vec<usize> = (0..cases.len()).filter(|place| verdicts[*place].is_none()).collect();
        let found = others.par_iter().map(|place| self.other(cases[*place])).collect();
        set(&mut verdicts, &others, found);
        let unknown = || Verdict::Unknown("no verdict".to_owned());
        verdicts.into_iter().map(|verdict| verdict.unwrap_or_else(unknown)).collect()
    }

    fn other(&self, case: &Case) -> Verdict {
        let response = &case.response;
        of_result(match (&case.question.challenge, &case.question.against) {
            (AnyChallenge::Partition(challenge), Against::Partition(commitment)) => {
                verify_seal(self.backend, commitment, challenge, response)
            }
            (challenge, Against::Object(record)) => {
                verify_object(&record.record, challenge, Kept::default(), response)
            }
            _ => Err(Class::WrongChallenge.because("nothing is kept that the response can be held against")),
        })
    }
}

fn space_case(case: &Case) -> Option<SpaceCase<'_>> {
    match (&case.question.challenge, &case.question.against) {
        (AnyChallenge::Partition(challenge), Against::Partition(commitment))
            if challenge.kind == Kind::Space =>
        {
            Some(SpaceCase { commitment, challenge, response: &case.response })
        }
        _ => None,
    }
}

fn possession_case(case: &Case) -> Option<PossessionCase<'_>> {
    match (&case.question.challenge, &case.question.against) {
        (AnyChallenge::Object(challenge), Against::Object(signed))
            if challenge.kind == AuditKind::Possession =>
        {
            let record = &signed.record;
            Some(PossessionCase { record, challenge, table: None, response: &case.response })
        }
        _ => None,
    }
}

fn set(verdicts: &mut [Option<Verdict>], places: &[usize], found: Vec<Verdict>) {
    for (place, verdict) in places.iter().zip(found) {
        verdicts[*place] = Some(verdict);
    }
}

fn select<'c, T>(cases: &[&'c Case], of: impl Fn(&'c Case) -> Option<T>) -> (Vec<usize>, Vec<T>) {
    cases.iter().enumerate().filter_map(|(place, case)| Some((place, of(case)?))).unzip()
}

fn of_possession(cases: &[PossessionCase<'_>]) -> Vec<Verdict> {
    if cases.is_empty() {
        return Vec::new();
    }
    match verify_possession_batch(Generators::standard(), cases) {
        Ok(verdicts) => of_results(verdicts),
        Err(error) => vec![Verdict::Unknown(format!("no randomness from the system: {error}")); cases.len()],
    }
}

fn of_results(results: Vec<Result<(), Rejection>>) -> Vec<Verdict> {
    results.into_iter().map(of_result).collect()
}

fn of_result(result: Result<(), Rejection>) -> Verdict {
    match result {
        Ok(()) => Verdict::Right,
        Err(rejection) => Verdict::Wrong(rejection),
    }
}

/// What a panic said, in place of the panic. What it was working on is not used any more.
fn caught<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    std::panic::catch_unwind(AssertUnwindSafe(work)).map_err(|panic| {
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic".to_owned())
    })
}

#[cfg(test)]
mod tests;
