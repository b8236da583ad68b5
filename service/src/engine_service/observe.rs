//! What an engine finds when somebody looks at its metrics.

use async_trait::async_trait;

use super::jobs::{Jobs, Status, Work};
use crate::operation::metrics::{JobLabels, Metrics};
use crate::operation::page::Observe;

/// Looks at the jobs.
pub(super) struct Observer(pub(super) Jobs);

#[async_trait]
impl Observe for Observer {
    async fn observe(&self, metrics: &Metrics) {
        for kind in JobLabels::KINDS {
            for status in JobLabels::STATUSES {
                metrics.jobs.get_or_create(&JobLabels { kind, status }).set(0);
            }
        }
        for job in self.0.list() {
            let labels = JobLabels { kind: kind(&job.terms.work), status: status(job.state.status) };
            metrics.jobs.get_or_create(&labels).inc();
        }
    }
}

fn kind(work: &Work) -> &'static str {
    match work {
        Work::Fill => "fill",
        Work::Scrub { .. } => "scrub",
        Work::Resize { .. } => "resize",
        Work::Commit { .. } => "commit",
        Work::SealAudit { .. } => "seal_audit",
    }
}

fn status(status: Status) -> &'static str {
    match status {
        Status::Waiting => "waiting",
        Status::Running => "running",
        Status::Paused => "paused",
        Status::Done => "done",
        Status::Failed => "failed",
        Status::Cancelled => "cancelled",
    }
}
