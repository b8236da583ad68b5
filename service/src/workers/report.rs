//! What workers did, for people and programs.

use holdfast_engine::rejection::Rejection;
use serde::Serialize;

/// An exchange and its workers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ExchangeReport {
    /// Windows that workers make now.
    pub windows_in_flight: usize,
    /// The most that were made at once so far.
    pub windows_in_flight_maximum: usize,
    /// By name.
    pub workers: Vec<WorkerReport>,
}

/// One worker, connected or not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct WorkerReport {
    /// What it calls itself.
    pub name: String,
    /// What makes windows in each slot that is connected now.
    pub devices: Vec<String>,
    /// Windows that it made and that counted.
    pub windows: u64,
    /// Bytes of these.
    pub bytes: u64,
    /// Windows that it was to make and did not: they went back.
    pub windows_lost: u64,
    /// Windows that were taken back from it because nobody wanted them any more.
    pub windows_withdrawn: u64,
    /// Why it gets no orders any more, if so.
    pub dismissed_because: Option<Dismissal>,
}

/// Why a worker was dismissed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Dismissal {
    /// The rejection class (challenge-v1 §8).
    pub class: &'static str,
    /// What was wrong.
    pub detail: String,
}

impl From<&Rejection> for Dismissal {
    fn from(rejection: &Rejection) -> Dismissal {
        Dismissal { class: rejection.class.name(), detail: rejection.detail.clone() }
    }
}

/// What happened to one order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Delivered { bytes: u64 },
    Lost,
    Withdrawn,
}

impl Outcome {
    /// As metrics tell it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Outcome::Delivered { .. } => "delivered",
            Outcome::Lost => "lost",
            Outcome::Withdrawn => "withdrawn",
        }
    }
}

impl WorkerReport {
    pub(super) fn count(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Delivered { bytes } => {
                self.windows += 1;
                self.bytes += bytes;
            }
            Outcome::Lost => self.windows_lost += 1,
            Outcome::Withdrawn => self.windows_withdrawn += 1,
        }
    }
}
