//! `holdfast engine watch`.

use clap::Args;
use holdfast_engine::jobs::progress::{Snapshot, Watcher};
use holdfast_service::connect::Stage;
use holdfast_service::proto::{JobState, WatchRequest};
use serde::Serialize;

use super::Connected;
use super::job::{JobArguments, StateReport};
use crate::console::{Console, Exit, Report};
use crate::failure::Failure;
use crate::progress::{Board, DiskProgress};

/// Follow a job until it ends; exit code 1 if it failed or was cancelled, 2 if it found bytes to reject
#[derive(Args, Debug)]
pub(super) struct Arguments {
    #[command(flatten)]
    job: JobArguments,
}

impl Arguments {
    pub(super) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        let mut connected = self.job.engine.connect()?;
        console.report(&watch(&mut connected, &self.job.id, console)?)
    }
}

/// Shows progress until the job ends, and says how.
pub(super) fn watch(connected: &mut Connected, id: &str, console: &Console) -> Result<Watched, Failure> {
    let board = Board::new(console);
    let mut line: Option<DiskProgress> = None;
    let last = connected.runtime.block_on(async {
        let request = WatchRequest { request_id: id.to_owned() };
        let mut states = connected.client.watch(request).await?.into_inner();
        connected.stage = Stage::Answered;
        let mut last = JobState::default();
        while let Some(state) = states.message().await? {
            if state.total_bytes > 0 {
                let line = line.get_or_insert_with(|| board.disk(id.to_owned(), state.total_bytes));
                line.report(&snapshot(id, &state));
            }
            if state.message != last.message {
                console.note(&state.message);
            }
            last = state;
        }
        Ok::<_, tonic::Status>(last)
    });
    let last = last.map_err(|status| connected.refused(status))?;
    Ok(Watched { request_id: id.to_owned(), state: StateReport::of(&last)? })
}

fn snapshot(id: &str, state: &JobState) -> Snapshot {
    Snapshot {
        job: "job",
        place: id.to_owned(),
        done_bytes: state.done_bytes,
        total_bytes: state.total_bytes,
        bytes_per_second: state.bytes_per_second,
        eta_seconds: (state.eta_seconds >= 0.0).then_some(state.eta_seconds),
    }
}

/// How a job ended.
#[derive(Serialize)]
pub(super) struct Watched {
    request_id: String,
    #[serde(flatten)]
    state: StateReport,
}

impl Report for Watched {
    fn text(&self, out: &mut String) {
        out.push_str(&format!("{}: {}\n", self.request_id, self.state.line()));
    }

    fn exit(&self) -> Exit {
        match (self.state.status, &self.state.class) {
            (_, Some(_)) => Exit::Rejected,
            ("done", None) => Exit::Done,
            _ => Exit::Failed,
        }
    }
}
