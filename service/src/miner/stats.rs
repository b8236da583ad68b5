//! What a miner counts, for its status: rounds of each validator, and how long answers took of late.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use holdfast_engine::account::Account;
use holdfast_engine::receipt::Outcome;
use serde::Serialize;

/// Answers whose times are kept.
const LATENCIES: usize = 1024;
/// Validators that are counted; a network has fewer.
const VALIDATORS_MAX: usize = 1024;

/// Since the process began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Rounds {
    /// Challenges that were answered.
    pub(super) answered: u64,
    /// Challenges that got no answer.
    pub(super) refused: u64,
    /// Receipts by what they say.
    pub(super) accepted: u64,
    pub(super) rejected: u64,
    pub(super) missed: u64,
}

/// How long answers took, from the request to the promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Latency {
    /// How many answers this is of.
    pub(super) answers: usize,
    pub(super) median_ms: u64,
    pub(super) p95_ms: u64,
    pub(super) p99_ms: u64,
    pub(super) longest_ms: u64,
}

#[derive(Debug, Default)]
struct State {
    rounds: BTreeMap<Account, Rounds>,
    latencies_ms: VecDeque<u64>,
}

/// The counts.
#[derive(Debug, Default)]
pub(super) struct Stats(Mutex<State>);

impl Stats {
    /// A challenge got its promise after this time, or none.
    pub(super) fn answered(&self, validator: &Account, after: Option<Duration>) {
        let mut state = self.lock();
        if let Some(after) = after {
            state.latencies_ms.push_back(u64::try_from(after.as_millis()).unwrap_or(u64::MAX));
            if state.latencies_ms.len() > LATENCIES {
                state.latencies_ms.pop_front();
            }
        }
        let rounds = state.of(validator);
        *if after.is_some() { &mut rounds.answered } else { &mut rounds.refused } += 1;
    }

    /// A receipt became part of a chain.
    pub(super) fn receipt(&self, validator: &Account, outcome: Outcome) {
        let mut state = self.lock();
        let rounds = state.of(validator);
        *match outcome {
            Outcome::Accepted => &mut rounds.accepted,
            Outcome::Rejected => &mut rounds.rejected,
            Outcome::Missed => &mut rounds.missed,
        } += 1;
    }

    /// The rounds of a validator, or of all.
    pub(super) fn rounds(&self, only: Option<&Account>) -> BTreeMap<Account, Rounds> {
        let wanted = |account: &Account| only.is_none_or(|only| only == account);
        self.lock().rounds.iter().filter(|(account, _)| wanted(account)).map(|(a, r)| (*a, *r)).collect()
    }

    /// Percentiles of the answers of late; `None` if there were none.
    pub(super) fn latency(&self) -> Option<Latency> {
        let mut sorted: Vec<u64> = self.lock().latencies_ms.iter().copied().collect();
        sorted.sort_unstable();
        let longest_ms = *sorted.last()?;
        // The least that at least so many of a hundred answers did not exceed.
        let percentile = |percent: usize| sorted[(sorted.len() * percent).div_ceil(100).saturating_sub(1)];
        let (median_ms, p95_ms, p99_ms) = (percentile(50), percentile(95), percentile(99));
        Some(Latency { answers: sorted.len(), median_ms, p95_ms, p99_ms, longest_ms })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn of(&mut self, validator: &Account) -> &mut Rounds {
        if self.rounds.len() >= VALIDATORS_MAX && !self.rounds.contains_key(validator) {
            self.rounds.clear();
        }
        self.rounds.entry(*validator).or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By the definition of a percentile (nearest rank), at the edges.
    #[test]
    fn percentiles_are_of_the_answers_of_late() {
        let stats = Stats::default();
        let validator = Account([1; 32]);
        assert_eq!(stats.latency(), None);
        let answer = |ms| stats.answered(&validator, Some(Duration::from_millis(ms)));
        answer(7);
        let one = Latency { answers: 1, median_ms: 7, p95_ms: 7, p99_ms: 7, longest_ms: 7 };
        assert_eq!(stats.latency(), Some(one));
        (1..=1100).for_each(answer);
        let latency = stats.latency().expect("answers");
        assert_eq!(latency.answers, LATENCIES);
        // 77 to 1100 are left.
        assert_eq!((latency.median_ms, latency.p95_ms, latency.p99_ms), (588, 1049, 1090));
        assert_eq!(stats.rounds(Some(&validator))[&validator].answered, 1101);
        assert!(stats.rounds(Some(&Account([2; 32]))).is_empty());
    }
}
