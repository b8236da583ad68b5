//! `holdfast engine pause`, `resume`, `cancel` and `jobs`; what commands say of a job.

use clap::Args;
use holdfast_service::proto::{self, JobKind, JobStatus, Priority};
use serde::Serialize;
use serde_json::Value;

use super::EngineArguments;
use crate::console::{Console, Exit, Report};
use crate::failure::Failure;
use crate::table::{self, Table};

/// Which job of which engine.
#[derive(Args, Clone, Debug)]
pub(super) struct JobArguments {
    /// The job's request id
    #[arg(long, value_name = "ID")]
    pub(super) id: String,
    #[command(flatten)]
    pub(super) engine: EngineArguments,
}

impl JobArguments {
    fn request(&self) -> proto::JobRequest {
        proto::JobRequest { request_id: self.id.clone() }
    }
}

/// Make a job wait at its next safe point; it keeps its directory
#[derive(Args, Debug)]
pub(super) struct PauseArguments {
    #[command(flatten)]
    job: JobArguments,
}

/// Let a paused job go on
#[derive(Args, Debug)]
pub(super) struct ResumeArguments {
    #[command(flatten)]
    job: JobArguments,
}

/// End a job at its next safe point; what it has done is kept
#[derive(Args, Debug)]
pub(super) struct CancelArguments {
    #[command(flatten)]
    job: JobArguments,
}

/// List the jobs of an engine: those that wait and run, and the last that ended
#[derive(Args, Debug)]
pub(super) struct ListArguments {
    #[command(flatten)]
    engine: EngineArguments,
}

impl PauseArguments {
    pub(super) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        let mut connected = self.job.engine.connect()?;
        let told = connected.runtime.block_on(connected.client.pause(self.job.request()));
        console.report(&JobReport::of(told.map_err(|status| connected.refused(status))?.get_ref())?)
    }
}

impl ResumeArguments {
    pub(super) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        let mut connected = self.job.engine.connect()?;
        let told = connected.runtime.block_on(connected.client.resume(self.job.request()));
        console.report(&JobReport::of(told.map_err(|status| connected.refused(status))?.get_ref())?)
    }
}

impl CancelArguments {
    pub(super) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        let mut connected = self.job.engine.connect()?;
        let told = connected.runtime.block_on(connected.client.cancel(self.job.request()));
        console.report(&JobReport::of(told.map_err(|status| connected.refused(status))?.get_ref())?)
    }
}

impl ListArguments {
    pub(super) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        let mut connected = self.engine.connect()?;
        let told = connected.runtime.block_on(connected.client.list_jobs(proto::ListJobsRequest {}));
        let jobs = told.map_err(|status| connected.refused(status))?.into_inner().jobs;
        console.report(&Listed { jobs: jobs.iter().map(JobReport::of).collect::<Result<_, _>>()? })
    }
}

/// A job as commands show it.
#[derive(Debug, Serialize)]
pub(super) struct JobReport {
    request_id: String,
    kind: &'static str,
    priority: &'static str,
    directory: String,
    #[serde(flatten)]
    pub(super) state: StateReport,
}

/// Its state.
#[derive(Debug, Serialize)]
pub(super) struct StateReport {
    pub(super) status: &'static str,
    done_bytes: u64,
    total_bytes: u64,
    bytes_per_second: f64,
    eta_seconds: Option<f64>,
    message: String,
    pub(super) failure_kind: Option<String>,
    pub(super) class: Option<String>,
    /// What the command of the same name would have reported.
    pub(super) report: Option<Value>,
}

impl JobReport {
    pub(super) fn of(job: &proto::Job) -> Result<JobReport, Failure> {
        let kind = match job.kind() {
            JobKind::Unspecified => "unknown",
            JobKind::Fill => "fill",
            JobKind::Scrub => "scrub",
            JobKind::Resize => "resize",
            JobKind::Commit => "commit",
            JobKind::SealAudit => "seal-audit",
        };
        let priority = match job.priority() {
            Priority::Low => "low",
            Priority::Unspecified | Priority::Normal => "normal",
            Priority::High => "high",
        };
        Ok(JobReport {
            request_id: job.request_id.clone(),
            kind,
            priority,
            directory: job.directory.clone(),
            state: StateReport::of(&job.state.clone().unwrap_or_default())?,
        })
    }
}

impl StateReport {
    pub(super) fn of(state: &proto::JobState) -> Result<StateReport, Failure> {
        let status = match state.status() {
            JobStatus::Unspecified => "unknown",
            JobStatus::Waiting => "waiting",
            JobStatus::Running => "running",
            JobStatus::Paused => "paused",
            JobStatus::Done => "done",
            JobStatus::Failed => "failed",
            JobStatus::Cancelled => "cancelled",
        };
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let report = some(&state.report_json).map(|text| serde_json::from_str(&text)).transpose();
        Ok(StateReport {
            status,
            done_bytes: state.done_bytes,
            total_bytes: state.total_bytes,
            bytes_per_second: state.bytes_per_second,
            eta_seconds: (state.eta_seconds >= 0.0).then_some(state.eta_seconds),
            message: state.message.clone(),
            failure_kind: some(&state.failure_kind),
            class: some(&state.rejection_class),
            report: report.map_err(Failure::json)?,
        })
    }

    /// In one line, for people.
    pub(super) fn line(&self) -> String {
        let mut line = self.status.to_owned();
        if self.total_bytes > 0 {
            let (done, total) = (table::bytes(self.done_bytes), table::bytes(self.total_bytes));
            line.push_str(&format!(", {done} of {total}"));
        }
        if let Some(class) = &self.class {
            line.push_str(&format!(", rejected: {class}"));
        }
        if !self.message.is_empty() {
            line.push_str(&format!(": {}", self.message));
        }
        line
    }
}

impl Report for JobReport {
    fn text(&self, out: &mut String) {
        let JobReport { request_id, kind, directory, state, .. } = self;
        out.push_str(&format!("{request_id}: {kind} of {directory}, {}\n", state.line()));
    }
}

#[derive(Serialize)]
struct Listed {
    jobs: Vec<JobReport>,
}

impl Report for Listed {
    fn text(&self, out: &mut String) {
        let mut lines = Table::new(&["id", "kind", "priority", "directory", "state"]);
        for JobReport { request_id, kind, priority, directory, state } in &self.jobs {
            let cells = [request_id.as_str(), kind, priority, directory, &state.line()];
            lines.row(cells.map(str::to_owned));
        }
        lines.write("", out);
    }
}
