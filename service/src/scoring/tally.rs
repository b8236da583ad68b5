//! The outcomes of one miner in one round, added up. All sums are integers, so the order of outcomes does not matter.

use super::config::{FailureConfig, LatencyConfig, MILLION};
use super::latency::relative_time;
use super::outcome::{Class, MinerOutcome, Outcome, OutcomeKind};

const KINDS: usize = OutcomeKind::ALL.len();

/// What one miner did in one round, by kind of question.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    kinds: [KindTally; KINDS],
}

#[derive(Clone, Copy, Debug, Default)]
struct KindTally {
    accepted: u64,
    rejected: u64,
    missed: u64,
    /// That the accepted ones stand for.
    bytes: u128,
    /// Of the accepted ones whose time was measured.
    timed: u128,
    relative_times: u128,
}

impl Tally {
    pub(super) fn add(&mut self, outcome: &MinerOutcome, latency: &LatencyConfig) {
        if !outcome.kind.counts(outcome.outcome) {
            return;
        }
        let tally = &mut self.kinds[outcome.kind as usize];
        match outcome.outcome {
            Outcome::Rejected => tally.rejected += 1,
            Outcome::Missed => tally.missed += 1,
            Outcome::Accepted => {
                tally.accepted += 1;
                tally.bytes += u128::from(match outcome.kind.class() {
                    Some(Class::Space) => outcome.proven_space_bytes,
                    Some(Class::Object) => outcome.proven_object_bytes,
                    _ => 0,
                });
                if let Some(latency_ms) = outcome.latency_ms {
                    tally.timed += 1;
                    tally.relative_times +=
                        u128::from(relative_time(latency_ms, outcome.bytes_read, latency));
                }
            }
        }
    }

    fn of(&self, class: Class) -> impl Iterator<Item = (OutcomeKind, &KindTally)> {
        OutcomeKind::ALL.into_iter().zip(&self.kinds).filter(move |(kind, _)| kind.class() == Some(class))
    }

    /// Questions that count.
    pub(super) fn asked(&self, class: Class) -> u64 {
        self.of(class).map(|(_, tally)| tally.asked()).sum()
    }

    fn accepted(&self, class: Class) -> u64 {
        self.of(class).map(|(_, tally)| tally.accepted).sum()
    }

    /// Whether something was asked that says how many bytes are held.
    pub(super) fn shows_bytes(&self, class: Class) -> bool {
        self.of(class).any(|(kind, tally)| kind.shows_bytes() && tally.asked() > 0)
    }

    /// Bytes that were proven.
    pub(super) fn proven_bytes(&self, class: Class) -> f64 {
        self.of(class).filter(|(kind, _)| kind.shows_bytes()).map(|(_, tally)| tally.bytes).sum::<u128>()
            as f64
    }

    /// Cost of the failures among all questions of the class: 0 if none failed, the cost of one if all did.
    pub(super) fn failure_cost(&self, class: Class, costs: &FailureConfig) -> f64 {
        let (rejected, missed) = self.of(class).fold((0, 0), |(rejected, missed), (_, tally)| {
            (rejected + tally.rejected, missed + tally.missed)
        });
        let asked = self.asked(class).max(1) as f64;
        (rejected as f64 * costs.rejected_cost + missed as f64 * costs.missed_cost) / asked
    }

    /// The share of the questions of a class that were answered rightly, in millionths; `None` if none was asked.
    pub(super) fn passed_millionths(&self, class: Class) -> Option<u64> {
        (self.accepted(class) * MILLION).checked_div(self.asked(class))
    }

    /// Whether nothing failed.
    pub(super) fn flawless(&self) -> bool {
        self.kinds.iter().all(|tally| tally.rejected == 0 && tally.missed == 0)
    }

    /// Mean relative time of the accepted answers of a kind.
    pub(super) fn time(&self, kind: OutcomeKind) -> Option<u64> {
        let tally = &self.kinds[kind as usize];
        let mean = tally.relative_times.checked_div(tally.timed)?;
        Some(u64::try_from(mean).unwrap_or(u64::MAX))
    }

    /// Mean speed of the answers that were right, where `speed` tells it of a kind: proofs by the bytes that they prove, so that
    /// a quick answer about little does not make up for a slow one about much, and as much for service as for all proofs.
    /// `None` if none was right.
    pub(super) fn speed(&self, speed: impl Fn(OutcomeKind) -> f64) -> Option<f64> {
        let mean = |weight: &dyn Fn(OutcomeKind, &KindTally) -> f64| {
            let weighed = || OutcomeKind::ALL.into_iter().zip(&self.kinds);
            let weights: f64 = weighed().map(|(kind, tally)| weight(kind, tally)).sum();
            let sum: f64 = weighed().map(|(kind, tally)| weight(kind, tally) * speed(kind)).sum();
            (weights > 0.0).then(|| sum / weights)
        };
        let proofs = mean(&|kind, tally| if kind.shows_bytes() { tally.bytes as f64 } else { 0.0 });
        let is_service = |kind: OutcomeKind| kind.class() == Some(Class::Service);
        let service = mean(&|kind, tally| if is_service(kind) { tally.accepted as f64 } else { 0.0 });
        match (proofs, service) {
            (Some(proofs), Some(service)) => Some(proofs.midpoint(service)),
            (one, other) => one.or(other),
        }
    }
}

impl KindTally {
    fn asked(&self) -> u64 {
        self.accepted + self.rejected + self.missed
    }
}
