//! The jobs of an engine: which wait, which run, how they are steered, and what is remembered of them.
//!
//! A directory has one job at a time, because a job locks it. Of those that wait, the one of the highest priority is next, and
//! of these the one that came first. What is to be found after a restart is durable before anybody is told: a job that ran
//! when the process ended, however it ended, waits when the next one begins, and every kind of job can be done again.

mod perform;
mod rows;
mod state;
mod terms;

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use holdfast_engine::jobs::control::Control;
use tokio::sync::watch;
use tokio_util::task::TaskTracker;
use tonic::Code;

use super::{EngineError, Limits};
use crate::index::Index;
use crate::local::console::Exit;
use crate::local::failure::Failure;
use crate::operation::metrics::Metrics;
use rows::Row;
use state::{Teller, short};

pub use perform::{Finished, Perform, ThisMachine};
pub use state::{Job, Outcome, State, Status};
pub use terms::{Priority, Terms, Work};

/// A handle of the jobs; all handles are of the same.
#[derive(Clone)]
pub struct Jobs(Arc<Shared>);

struct Shared {
    directories: HashSet<PathBuf>,
    limits: Limits,
    running_max: usize,
    index: Arc<dyn Index>,
    performer: Arc<dyn Perform>,
    metrics: Arc<Metrics>,
    /// Held by whoever changes what is remembered, so that memory and index change in the same order.
    changing: tokio::sync::Mutex<()>,
    table: Mutex<Table>,
    tasks: TaskTracker,
}

#[derive(Debug, Default)]
struct Table {
    jobs: HashMap<String, Entry>,
    next_sequence: u64,
    stopping: bool,
}

#[derive(Debug)]
struct Entry {
    sequence: u64,
    terms: Arc<Terms>,
    state: Arc<watch::Sender<State>>,
    /// Of a job that has a thread, paused or not.
    control: Option<Arc<Control>>,
    /// Somebody asked to end it.
    cancelled: bool,
}

impl std::fmt::Debug for Jobs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Jobs({:?})", self.0.table)
    }
}

impl Jobs {
    /// The jobs that are remembered in an index, of these directories. Those that wait begin at once.
    ///
    /// # Errors
    /// The index cannot be read.
    pub async fn open(
        directories: &[PathBuf],
        limits: Limits,
        index: Arc<dyn Index>,
        performer: Arc<dyn Perform>,
        metrics: &Arc<Metrics>,
    ) -> Result<Jobs, EngineError> {
        let mut table = Table::default();
        for (id, row) in rows::load(&*index).await? {
            table.next_sequence = table.next_sequence.max(row.sequence + 1);
            table.jobs.insert(id, Entry::of(row));
        }
        let jobs = Jobs(Arc::new(Shared {
            directories: directories.iter().cloned().collect(),
            running_max: limits.jobs_running.unwrap_or(directories.len()),
            limits,
            index,
            performer,
            metrics: Arc::clone(metrics),
            changing: tokio::sync::Mutex::default(),
            table: Mutex::new(table),
            tasks: TaskTracker::new(),
        }));
        jobs.schedule();
        Ok(jobs)
    }

    /// Takes a job, durably. The same id with the same terms is the same job, however often it comes.
    ///
    /// # Errors
    /// The id was taken with other terms; the directory is not served; too many wait; the engine stops.
    pub async fn submit(&self, id: String, terms: Terms) -> Result<Job, EngineError> {
        if !self.0.directories.contains(&terms.directory) {
            let directory = terms.directory.display();
            return Err(EngineError::usage(format!("{directory} is not a directory of this engine")));
        }
        let _changing = self.0.changing.lock().await;
        let sequence = {
            let table = self.lock();
            if let Some(entry) = table.jobs.get(&id) {
                return if *entry.terms == terms {
                    Ok(entry.job(&id))
                } else {
                    Err(EngineError::other_terms(&id))
                };
            }
            table.check_room(self.0.limits.jobs_waiting)?;
            table.next_sequence
        };
        let row = Row { sequence, terms, status: Status::Waiting, outcome: None };
        rows::save(&*self.0.index, &id, &row, &[]).await?;
        {
            let mut table = self.lock();
            table.next_sequence = sequence + 1;
            table.jobs.insert(id.clone(), Entry::of(row));
        }
        self.schedule();
        self.get(&id)
    }

    /// Makes a job wait: at its next safe point if it runs.
    ///
    /// # Errors
    /// There is no such job, or it ended.
    pub async fn pause(&self, id: &str) -> Result<Job, EngineError> {
        self.steer(id, Status::Paused, |entry| {
            if let Some(control) = &entry.control {
                control.pause();
            }
            entry.set(Status::Paused);
        })
        .await
    }

    /// Lets a paused job go on.
    ///
    /// # Errors
    /// As [`Jobs::pause`].
    pub async fn resume(&self, id: &str) -> Result<Job, EngineError> {
        self.steer(id, Status::Waiting, |entry| match &entry.control {
            Some(control) => {
                control.resume();
                entry.set(Status::Running);
            }
            None => entry.set(Status::Waiting),
        })
        .await
    }

    /// Ends a job: at its next safe point if it runs. What it has done stays.
    ///
    /// # Errors
    /// As [`Jobs::pause`]; a job that was cancelled may be cancelled again.
    pub async fn cancel(&self, id: &str) -> Result<Job, EngineError> {
        if self.get(id)?.state.status == Status::Cancelled {
            return self.get(id);
        }
        self.steer(id, Status::Cancelled, |entry| {
            entry.cancelled = true;
            match &entry.control {
                Some(control) => control.cancel(),
                None => entry.end(Status::Cancelled, cancelled()),
            }
        })
        .await
    }

    /// Remembers what becomes of a job that has not ended, then does it.
    async fn steer(
        &self,
        id: &str,
        status: Status,
        then: impl FnOnce(&mut Entry),
    ) -> Result<Job, EngineError> {
        let _changing = self.0.changing.lock().await;
        let (row, forgotten) = {
            let table = self.lock();
            let entry = table.jobs.get(id).ok_or_else(|| EngineError::no_such_job(id))?;
            let now = entry.state.borrow().status;
            if now.is_final() || entry.cancelled {
                return Err(ended_already(id));
            }
            // What is cancelled before it began counts among those that ended, or there were no end of them.
            let ends = status.is_final() && entry.control.is_none();
            let forgotten = if ends { table.forgettable(self.0.limits.jobs_kept) } else { Vec::new() };
            let (sequence, terms) = (entry.sequence, (*entry.terms).clone());
            (Row { sequence, terms, status, outcome: None }, forgotten)
        };
        rows::save(&*self.0.index, &id.to_owned(), &row, &forgotten).await?;
        {
            let mut table = self.lock();
            if let Some(entry) = table.jobs.get_mut(id) {
                then(entry);
            }
            forgotten.iter().for_each(|id| drop(table.jobs.remove(id)));
        }
        self.schedule();
        self.get(id)
    }

    /// A job.
    ///
    /// # Errors
    /// There is none of this id.
    pub fn get(&self, id: &str) -> Result<Job, EngineError> {
        self.lock().jobs.get(id).map(|entry| entry.job(id)).ok_or_else(|| EngineError::no_such_job(id))
    }

    /// All jobs, in the order in which they came.
    pub fn list(&self) -> Vec<Job> {
        let table = self.lock();
        let mut jobs: Vec<(u64, Job)> =
            table.jobs.iter().map(|(id, entry)| (entry.sequence, entry.job(id))).collect();
        jobs.sort_by_key(|(sequence, _)| *sequence);
        jobs.into_iter().map(|(_, job)| job).collect()
    }

    /// A job's states as they change; who looks seldom sees the newest only.
    ///
    /// # Errors
    /// There is none of this id.
    pub fn watch(&self, id: &str) -> Result<watch::Receiver<State>, EngineError> {
        let table = self.lock();
        let entry = table.jobs.get(id).ok_or_else(|| EngineError::no_such_job(id))?;
        Ok(entry.state.subscribe())
    }

    /// Ends all jobs that run at their next safe points, and begins no others. They wait when the engine runs again.
    pub fn begin_stop(&self) {
        let mut table = self.lock();
        table.stopping = true;
        table.jobs.values().filter_map(|entry| entry.control.as_ref()).for_each(|control| control.cancel());
        self.0.tasks.close();
    }

    /// Ready when no job runs any more, after [`Jobs::begin_stop`].
    pub async fn stopped(&self) {
        self.0.tasks.wait().await;
    }

    /// Begins the jobs whose turn it is.
    fn schedule(&self) {
        let mut table = self.lock();
        while let Some((id, entry)) = table.next(self.0.running_max) {
            let control = Arc::new(Control::with_rate_limit(entry.terms.bytes_per_second));
            entry.control = Some(Arc::clone(&control));
            entry.set(Status::Running);
            let terms = Arc::clone(&entry.terms);
            let teller = Teller::new(Arc::clone(&entry.state), self.0.metrics.job_bytes.clone());
            let (jobs, performer) = (self.clone(), Arc::clone(&self.0.performer));
            self.0.tasks.spawn(async move {
                let work = tokio::task::spawn_blocking(move || {
                    performer.perform(&terms, &control, Arc::new(teller))
                });
                let result = work.await.map_err(|error| EngineError::Lost(error.to_string()));
                jobs.ended(&id, result).await;
            });
        }
    }

    /// A job's thread has ended.
    async fn ended(&self, id: &str, result: Result<Result<Finished, Failure>, EngineError>) {
        let changing = self.0.changing.lock().await;
        let (row, forgotten) = {
            let mut table = self.lock();
            let stopping = table.stopping;
            let Some(entry) = table.jobs.get_mut(id) else { return };
            entry.control = None;
            let Some((status, outcome)) = entry.outcome_of(result, stopping, self.0.limits.report_bytes)
            else {
                // It waits for the next process, or stays paused in it, as it is remembered.
                if entry.state.borrow().status == Status::Running {
                    entry.set(Status::Waiting);
                }
                return;
            };
            let (sequence, terms) = (entry.sequence, (*entry.terms).clone());
            let row = Row { sequence, terms, status, outcome: Some(outcome) };
            (row, table.forgettable(self.0.limits.jobs_kept))
        };
        if let Err(error) = rows::save(&*self.0.index, &id.to_owned(), &row, &forgotten).await {
            // It will be done once more by the next process, which harms nothing.
            tracing::error!(%error, job = id, "the end of a job was not remembered");
        }
        {
            let mut table = self.lock();
            if let (Some(entry), Some(outcome)) = (table.jobs.get_mut(id), row.outcome) {
                entry.end(row.status, outcome);
            }
            forgotten.iter().for_each(|id| drop(table.jobs.remove(id)));
        }
        drop(changing);
        self.schedule();
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.0.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    /// That one more may wait.
    fn check_room(&self, waiting_max: usize) -> Result<(), EngineError> {
        if self.stopping {
            return Err(EngineError::stopping());
        }
        let waits = |entry: &&Entry| entry.control.is_none() && !entry.state.borrow().status.is_final();
        if self.jobs.values().filter(waits).count() >= waiting_max {
            return Err(EngineError::busy(format!("{waiting_max} jobs wait already")));
        }
        Ok(())
    }

    /// The job to begin now, if there is one.
    fn next(&mut self, running_max: usize) -> Option<(String, &mut Entry)> {
        let running = self.jobs.values().filter(|entry| entry.control.is_some());
        let busy: HashSet<PathBuf> = running.map(|entry| entry.terms.directory.clone()).collect();
        if self.stopping || busy.len() >= running_max {
            return None;
        }
        let ready = |entry: &Entry| {
            entry.control.is_none()
                && entry.state.borrow().status == Status::Waiting
                && !busy.contains(&entry.terms.directory)
        };
        let waiting = self.jobs.iter_mut().filter(|(_, entry)| ready(entry));
        let next = waiting.max_by_key(|(_, entry)| (entry.terms.priority, Reverse(entry.sequence)));
        next.map(|(id, entry)| (id.clone(), entry))
    }

    /// The oldest of those that ended, if one more that ends is too many.
    fn forgettable(&self, kept_max: usize) -> Vec<String> {
        let ended = self.jobs.iter().filter(|(_, entry)| entry.state.borrow().status.is_final());
        let mut ended: Vec<(u64, &String)> = ended.map(|(id, entry)| (entry.sequence, id)).collect();
        ended.sort_unstable();
        let surplus = (ended.len() + 1).saturating_sub(kept_max.max(1));
        ended.into_iter().take(surplus).map(|(_, id)| id.clone()).collect()
    }
}

impl Entry {
    fn of(row: Row) -> Entry {
        let Row { sequence, terms, status, outcome } = row;
        let mut state = State::of(status);
        if status.is_final() {
            state.end(status, Arc::new(outcome.unwrap_or_else(cancelled)));
        }
        let (state, cancelled) = (Arc::new(watch::Sender::new(state)), false);
        Entry { sequence, terms: Arc::new(terms), state, control: None, cancelled }
    }

    fn job(&self, id: &str) -> Job {
        Job { id: id.to_owned(), terms: Arc::clone(&self.terms), state: self.state.borrow().clone() }
    }

    fn set(&self, status: Status) {
        self.state.send_modify(|state| state.status = status);
    }

    fn end(&self, status: Status, outcome: Outcome) {
        self.state.send_modify(|state| state.end(status, Arc::new(outcome)));
    }

    /// What the end of its thread means; `None` if it is to go on later.
    fn outcome_of(
        &self,
        result: Result<Result<Finished, Failure>, EngineError>,
        stopping: bool,
        report_bytes: usize,
    ) -> Option<(Status, Outcome)> {
        match result {
            Ok(Ok(finished)) => Some(outcome_of_finished(finished, report_bytes)),
            Ok(Err(Failure::Cancelled(_))) if self.cancelled => Some((Status::Cancelled, cancelled())),
            Ok(Err(Failure::Cancelled(_))) if stopping => None,
            Ok(Err(failure)) => Some((Status::Failed, outcome_of_failure(&failure))),
            Err(lost) => {
                let (failure_kind, message) = (Some("lost".to_owned()), short(&lost.to_string()));
                Some((Status::Failed, Outcome { failure_kind, message, ..Outcome::default() }))
            }
        }
    }
}

fn outcome_of_finished(finished: Finished, report_bytes: usize) -> (Status, Outcome) {
    let Finished { report, exit, class } = finished;
    let mut outcome = Outcome { class: class.map(str::to_owned), ..Outcome::default() };
    let status = match exit {
        Exit::Done | Exit::Rejected => Status::Done,
        Exit::Failed | Exit::Usage => {
            outcome.failure_kind = Some("incomplete".to_owned());
            outcome.message = "part of it could not be done; the report says what".to_owned();
            Status::Failed
        }
    };
    if report.len() <= report_bytes {
        outcome.report = Some(report);
    } else {
        let found = report.len();
        outcome.message =
            format!("its report of {found} bytes is longer than {report_bytes} and is not kept");
    }
    (status, outcome)
}

fn outcome_of_failure(failure: &Failure) -> Outcome {
    let class = match failure {
        Failure::Rejected { rejection, .. } => Some(rejection.class.name().to_owned()),
        _ => None,
    };
    let (failure_kind, message) = (Some(failure.kind().to_owned()), short(&failure.full_message()));
    Outcome { report: None, failure_kind, class, message }
}

fn cancelled() -> Outcome {
    Outcome { message: "cancelled; what it had done is kept".to_owned(), ..Outcome::default() }
}

fn ended_already(id: &str) -> EngineError {
    EngineError::Refused {
        code: Code::FailedPrecondition,
        reason: "ended",
        message: format!("job {id:?} has ended, or is being ended"),
        advice: "submit it again under another request id",
    }
}

#[cfg(test)]
mod tests;
