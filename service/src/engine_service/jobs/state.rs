//! How far a job is, and how it ended.

use std::sync::Arc;

use holdfast_engine::jobs::progress::{Snapshot, Watcher};
use prometheus_client::metrics::counter::Counter;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::Terms;
use crate::proto;

/// Longest message that is kept of a job, in bytes: lists of many jobs must fit into a message.
const MESSAGE_BYTES_MAX: usize = 1024;

/// Where a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// For its directory, or for others that are before it.
    Waiting,
    /// At work.
    Running,
    /// Until somebody resumes it. If it was running it keeps its directory.
    Paused,
    /// It did its work; what came of it is in the report.
    Done,
    /// It could not do all of its work.
    Failed,
    /// On request.
    Cancelled,
}

impl Status {
    /// Whether it will never change again.
    pub fn is_final(self) -> bool {
        matches!(self, Status::Done | Status::Failed | Status::Cancelled)
    }
}

/// How a job ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outcome {
    /// The report as JSON, if there is one.
    pub report: Option<String>,
    /// Of a failure: its kind.
    pub failure_kind: Option<String>,
    /// The class of a rejection.
    pub class: Option<String>,
    /// For people.
    pub message: String,
}

/// Everything that watchers see.
#[derive(Clone, Debug)]
pub struct State {
    /// Where it stands.
    pub status: Status,
    /// Bytes done, those of earlier runs included.
    pub done_bytes: u64,
    /// Bytes in all.
    pub total_bytes: u64,
    /// The recent rate.
    pub bytes_per_second: f64,
    /// Time left at that rate, if there is one.
    pub eta_seconds: Option<f64>,
    /// The last notice, or how it ended.
    pub message: String,
    /// How it ended.
    pub outcome: Option<Arc<Outcome>>,
}

impl State {
    /// Nothing is done yet.
    pub(super) fn of(status: Status) -> State {
        State {
            status,
            done_bytes: 0,
            total_bytes: 0,
            bytes_per_second: 0.0,
            eta_seconds: None,
            message: String::new(),
            outcome: None,
        }
    }

    pub(super) fn end(&mut self, status: Status, outcome: Arc<Outcome>) {
        (self.status, self.eta_seconds) = (status, None);
        self.message.clone_from(&outcome.message);
        self.outcome = Some(outcome);
    }
}

/// Cuts a message for people to what is kept of it.
pub(super) fn short(message: &str) -> String {
    message[..message.floor_char_boundary(MESSAGE_BYTES_MAX)].to_owned()
}

/// Tells watchers of a job what the job tells. Only the newest state is kept for those that are slow.
#[derive(Debug)]
pub(super) struct Teller {
    state: Arc<watch::Sender<State>>,
    /// Of all jobs.
    bytes: Counter,
}

impl Teller {
    pub(super) fn new(state: Arc<watch::Sender<State>>, bytes: Counter) -> Teller {
        Teller { state, bytes }
    }
}

impl Watcher for Teller {
    fn report(&self, snapshot: &Snapshot) {
        self.state.send_modify(|state| {
            (state.done_bytes, state.total_bytes) = (snapshot.done_bytes, snapshot.total_bytes);
            (state.bytes_per_second, state.eta_seconds) = (snapshot.bytes_per_second, snapshot.eta_seconds);
        });
    }

    fn added(&self, bytes: u64) {
        self.bytes.inc_by(bytes);
    }

    fn notice(&self, message: &str) {
        self.state.send_modify(|state| state.message = short(message));
    }
}

/// A job as it is shown.
#[derive(Clone, Debug)]
pub struct Job {
    /// The request id.
    pub id: String,
    /// What was asked for.
    pub terms: Arc<Terms>,
    /// Where it stands.
    pub state: State,
}

impl From<&State> for proto::JobState {
    fn from(state: &State) -> proto::JobState {
        let status = match state.status {
            Status::Waiting => proto::JobStatus::Waiting,
            Status::Running => proto::JobStatus::Running,
            Status::Paused => proto::JobStatus::Paused,
            Status::Done => proto::JobStatus::Done,
            Status::Failed => proto::JobStatus::Failed,
            Status::Cancelled => proto::JobStatus::Cancelled,
        };
        let outcome = state.outcome.as_deref().cloned().unwrap_or_default();
        proto::JobState {
            status: status.into(),
            done_bytes: state.done_bytes,
            total_bytes: state.total_bytes,
            bytes_per_second: state.bytes_per_second,
            eta_seconds: state.eta_seconds.unwrap_or(-1.0),
            message: state.message.clone(),
            report_json: outcome.report.unwrap_or_default(),
            failure_kind: outcome.failure_kind.unwrap_or_default(),
            rejection_class: outcome.class.unwrap_or_default(),
        }
    }
}

impl From<Job> for proto::Job {
    fn from(job: Job) -> proto::Job {
        let priority = match job.terms.priority {
            super::Priority::Low => proto::Priority::Low,
            super::Priority::Normal => proto::Priority::Normal,
            super::Priority::High => proto::Priority::High,
        };
        proto::Job {
            request_id: job.id,
            kind: job.terms.work.kind().into(),
            priority: priority.into(),
            directory: job.terms.directory.display().to_string(),
            state: Some((&job.state).into()),
        }
    }
}
