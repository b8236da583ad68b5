//! What a miner counts, for its status and its metrics: rounds of each validator, and how long answers took of late.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use holdfast_engine::account::Account;
use holdfast_engine::receipt::{Outcome, RoundKind};
use serde::Serialize;

use crate::operation::metrics::{AnswerLabels, Metrics};

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
#[derive(Debug)]
pub(super) struct Stats {
    state: Mutex<State>,
    metrics: Arc<Metrics>,
}

impl Stats {
    pub(super) fn new(metrics: Arc<Metrics>) -> Stats {
        Stats { state: Mutex::default(), metrics }
    }

    /// The same for all validators together, and what is counted elsewhere.
    pub(super) fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// A challenge of a validator got its promise after this time, or none.
    pub(super) fn answered(&self, validator: &Account, answered: Option<(RoundKind, Duration)>) {
        self.count(answered.is_some());
        let mut state = self.lock();
        if let Some((kind, after)) = answered {
            self.metrics.note_answer(kind, after.as_secs_f64());
            state.latencies_ms.push_back(u64::try_from(after.as_millis()).unwrap_or(u64::MAX));
            if state.latencies_ms.len() > LATENCIES {
                state.latencies_ms.pop_front();
            }
        }
        let rounds = state.of(validator);
        *if answered.is_some() { &mut rounds.answered } else { &mut rounds.refused } += 1;
    }

    /// A challenge of an owner, who has no rounds here, got its promise after this time, or none.
    pub(super) fn answered_owner(&self, answered: Option<(RoundKind, Duration)>) {
        self.count(answered.is_some());
        if let Some((kind, after)) = answered {
            self.metrics.note_answer(kind, after.as_secs_f64());
        }
    }

    fn count(&self, is_answered: bool) {
        let answer = if is_answered { "answered" } else { "refused" };
        self.metrics.challenges.get_or_create(&AnswerLabels { answer }).inc();
    }

    /// A receipt became part of a chain.
    pub(super) fn receipt(&self, validator: &Account, kind: RoundKind, outcome: Outcome) {
        self.metrics.receipts_signed.inc();
        self.metrics.note_round(kind.name(), outcome);
        let mut state = self.lock();
        let rounds = state.of(validator);
        *match outcome {
            Outcome::Accepted => &mut rounds.accepted,
            Outcome::Rejected => &mut rounds.rejected,
            Outcome::Missed => &mut rounds.missed,
        } += 1;
    }

    /// A receipt that says what we do not.
    pub(super) fn withheld(&self) {
        self.metrics.receipts_withheld.inc();
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
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
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
        let stats = Stats::new(Arc::new(Metrics::new()));
        let validator = Account([1; 32]);
        assert_eq!(stats.latency(), None);
        let kind = RoundKind::ALL[0];
        let answer = |ms| stats.answered(&validator, Some((kind, Duration::from_millis(ms))));
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
