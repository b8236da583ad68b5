//! Jobs that do nothing but what the test tells them, so that every order of events can be played.

use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Duration;

use tokio::time::timeout;
use tonic::Status as GrpcStatus;

use super::*;
use crate::index::EmbeddedIndex;
use crate::local::console::Listener;

/// However slow the machine is.
const LONG: Duration = Duration::from_secs(60);

/// What a job that runs is told to do next.
enum Next {
    /// Look whether it is paused or cancelled.
    Look,
    Tell(&'static str),
    Finish(Exit, &'static str),
    Fail,
    Panic,
}

/// Does jobs as it is told, directory by directory.
struct Puppets {
    started: Sender<Terms>,
    next: HashMap<PathBuf, Mutex<Receiver<Next>>>,
}

impl Perform for Puppets {
    fn perform(&self, terms: &Terms, control: &Control, listener: Listener) -> Result<Finished, Failure> {
        self.started.send(terms.clone()).expect("the test listens");
        let next = self.next[&terms.directory].lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match next.recv().expect("the test goes on") {
                Next::Look => control.checkpoint()?,
                Next::Tell(message) => listener.notice(message),
                Next::Finish(exit, report) => {
                    return Ok(Finished { report: report.to_owned(), exit, class: None });
                }
                Next::Fail => return Err(Failure::Locked(terms.directory.clone())),
                Next::Panic => panic!("as it was told"),
            }
        }
    }
}

/// Jobs, and the strings of their puppets.
struct Stage {
    jobs: Jobs,
    started: Receiver<Terms>,
    next: HashMap<PathBuf, Sender<Next>>,
}

impl Stage {
    async fn open(index: &Arc<dyn Index>, limits: Limits) -> Stage {
        let directories = ["a", "b"].map(PathBuf::from);
        let (started, starts) = mpsc::channel();
        let strings = directories.clone().map(|directory| (directory, mpsc::channel()));
        let next = strings.iter().map(|(directory, (sender, _))| (directory.clone(), sender.clone()));
        let next = next.collect();
        let receivers = strings.into_iter().map(|(directory, (_, receiver))| (directory, receiver.into()));
        let puppets = Arc::new(Puppets { started, next: receivers.collect() });
        let jobs = Jobs::open(&directories, limits, Arc::clone(index), puppets, &Arc::default())
            .await
            .expect("opens");
        Stage { jobs, started: starts, next }
    }

    fn tell(&self, directory: &str, next: Next) {
        self.next[&PathBuf::from(directory)].send(next).expect("runs");
    }

    /// The next job that began.
    fn began(&self) -> Terms {
        self.started.recv_timeout(LONG).expect("a job begins")
    }

    fn nothing_began(&self) -> bool {
        self.started.try_recv().is_err()
    }

    async fn until(&self, id: &str, reached: impl FnMut(&State) -> bool) -> State {
        let mut states = self.jobs.watch(id).expect("a job");
        timeout(LONG, states.wait_for(reached)).await.expect("in time").expect("there is a job").clone()
    }

    async fn ended(&self, id: &str) -> State {
        self.until(id, |state| state.status.is_final()).await
    }

    async fn submit(&self, id: &str, terms: &Terms) -> Result<Job, GrpcStatus> {
        Ok(self.jobs.submit(id.to_owned(), terms.clone()).await?)
    }

    fn status(&self, id: &str) -> Status {
        self.jobs.get(id).expect("a job").state.status
    }
}

fn index() -> Arc<dyn Index> {
    Arc::new(EmbeddedIndex::in_memory().expect("memory"))
}

async fn stage() -> Stage {
    Stage::open(&index(), Limits::default()).await
}

fn fill(directory: &str, priority: Priority) -> Terms {
    Terms { directory: directory.into(), priority, bytes_per_second: None, work: Work::Fill }
}

fn normal(directory: &str) -> Terms {
    fill(directory, Priority::Normal)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_id_with_the_same_terms_is_one_job_and_with_others_is_refused() {
    let stage = stage().await;
    stage.submit("x", &normal("a")).await.expect("taken");
    stage.began();
    stage.submit("x", &normal("a")).await.expect("the same job");
    let refused = stage.submit("x", &fill("a", Priority::High)).await.expect_err("other terms");
    assert_eq!(refused.code(), Code::AlreadyExists);
    stage.tell("a", Next::Finish(Exit::Done, "{}"));
    assert_eq!(stage.ended("x").await.status, Status::Done);
    let again = stage.submit("x", &normal("a")).await.expect("the same job, which is done");
    assert_eq!(again.state.outcome.expect("an outcome").report.as_deref(), Some("{}"));
    assert!(stage.nothing_began(), "it was done once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_does_one_job_at_a_time_by_priority_and_then_in_order() {
    let stage = stage().await;
    stage.submit("first", &normal("a")).await.expect("taken");
    assert_eq!(stage.began(), normal("a"));
    let (low, high) = (fill("a", Priority::Low), fill("a", Priority::High));
    let limited = Terms { bytes_per_second: Some(7), ..normal("a") };
    for (id, terms) in [("low", &low), ("normal", &normal("a")), ("limited", &limited), ("high", &high)] {
        stage.submit(id, terms).await.expect("taken");
        assert_eq!(stage.status(id), Status::Waiting);
    }
    stage.submit("elsewhere", &normal("b")).await.expect("taken");
    assert_eq!(stage.began(), normal("b"), "another directory is not held up");
    for expected in [high, normal("a"), limited, low] {
        assert!(stage.nothing_began());
        stage.tell("a", Next::Finish(Exit::Done, "{}"));
        assert_eq!(stage.began(), expected);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_run_and_wait_than_is_allowed_and_old_ends_are_forgotten() {
    let limits = Limits { jobs_running: Some(1), jobs_waiting: 2, jobs_kept: 2, ..Limits::default() };
    let index = index();
    let stage = Stage::open(&index, limits.clone()).await;
    for id in ["1", "2", "3"] {
        stage.submit(id, &normal(if id == "1" { "a" } else { "b" })).await.expect("taken");
    }
    stage.began();
    assert!(stage.nothing_began(), "one at once, though the other directory is free");
    let refused = stage.submit("4", &normal("a")).await.expect_err("two wait");
    assert_eq!(refused.code(), Code::ResourceExhausted);
    for (id, directory) in [("1", "a"), ("2", "b"), ("3", "b")] {
        stage.tell(directory, Next::Finish(Exit::Done, "{}"));
        stage.ended(id).await;
    }
    // The end of the third and the forgetting of the first are one change.
    let gone = |jobs: &Jobs| jobs.list().iter().map(|job| job.id.clone()).collect::<Vec<_>>();
    timeout(LONG, async {
        while gone(&stage.jobs) != ["2", "3"] {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("the oldest is forgotten");
    assert_eq!(gone(&Stage::open(&index, limits).await.jobs), ["2", "3"], "for good");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_are_paused_resumed_and_cancelled_whether_they_run_or_wait() {
    let stage = stage().await;
    stage.submit("runs", &normal("a")).await.expect("taken");
    stage.submit("waits", &normal("a")).await.expect("taken");
    stage.began();
    assert_eq!(stage.jobs.pause("runs").await.expect("pauses").state.status, Status::Paused);
    stage.tell("a", Next::Look);
    stage.tell("a", Next::Tell("went on"));
    assert_eq!(stage.jobs.resume("runs").await.expect("resumes").state.status, Status::Running);
    stage.until("runs", |state| state.message == "went on").await;

    stage.jobs.pause("waits").await.expect("pauses");
    stage.jobs.cancel("runs").await.expect("cancels");
    stage.tell("a", Next::Look);
    assert_eq!(stage.ended("runs").await.status, Status::Cancelled);
    assert!(stage.nothing_began(), "what is paused does not begin");
    stage.jobs.resume("waits").await.expect("resumes");
    stage.began();
    stage.submit("never", &normal("a")).await.expect("taken");
    assert_eq!(stage.jobs.cancel("never").await.expect("cancels").state.status, Status::Cancelled);
    stage.jobs.cancel("never").await.expect("again");
    stage.tell("a", Next::Finish(Exit::Done, "{}"));
    stage.ended("waits").await;
    for refused in [stage.jobs.cancel("waits").await, stage.jobs.pause("runs").await] {
        assert_eq!(GrpcStatus::from(refused.expect_err("ended")).code(), Code::FailedPrecondition);
    }
    assert_eq!(GrpcStatus::from(stage.jobs.pause("?").await.expect_err("none")).code(), Code::NotFound);
    assert!(stage.nothing_began(), "what was cancelled never begins");
}

/// The first stage is left as it is, as by a kill: nothing of it is told that the process ends.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_kill_what_ran_is_done_again_and_the_rest_is_as_it_was() {
    let index = index();
    let killed = Stage::open(&index, Limits::default()).await;
    for (id, directory) in [("done", "a"), ("ran", "a"), ("waits", "a"), ("paused", "b"), ("ending", "b")] {
        killed.submit(id, &normal(directory)).await.expect("taken");
        if id == "done" {
            killed.tell("a", Next::Finish(Exit::Done, "{\"kept\":true}"));
            killed.ended("done").await;
            killed.began();
        }
    }
    killed.began();
    killed.began();
    killed.jobs.pause("paused").await.expect("pauses");
    killed.jobs.cancel("ending").await.expect("cancels");

    let stage = Stage::open(&index, Limits::default()).await;
    assert_eq!(stage.began(), normal("a"));
    let statuses = ["done", "ran", "waits", "paused", "ending"].map(|id| stage.status(id));
    let expected = [Status::Done, Status::Running, Status::Waiting, Status::Paused, Status::Cancelled];
    assert_eq!(statuses, expected);
    assert!(stage.nothing_began());
    let done = stage.submit("done", &normal("a")).await.expect("the same job");
    assert_eq!(done.state.outcome.expect("kept").report.as_deref(), Some("{\"kept\":true}"));
    let refused = stage.submit("ran", &normal("b")).await.expect_err("other terms, after the kill, too");
    assert_eq!(refused.code(), Code::AlreadyExists);
    stage.tell("a", Next::Finish(Exit::Done, "{}"));
    assert_eq!(stage.ended("ran").await.status, Status::Done);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_that_a_stop_ended_wait_for_the_next_process() {
    let index = index();
    let stopped = Stage::open(&index, Limits::default()).await;
    stopped.submit("runs", &normal("a")).await.expect("taken");
    stopped.submit("paused", &normal("b")).await.expect("taken");
    stopped.began();
    stopped.began();
    stopped.jobs.pause("paused").await.expect("pauses");
    stopped.jobs.begin_stop();
    stopped.tell("a", Next::Look);
    stopped.tell("b", Next::Look);
    timeout(LONG, stopped.jobs.stopped()).await.expect("they end");
    assert_eq!(stopped.status("runs"), Status::Waiting);
    assert_eq!(stopped.status("paused"), Status::Paused);
    let refused = stopped.submit("late", &normal("a")).await.expect_err("it stops");
    assert_eq!(refused.code(), Code::Unavailable);

    let stage = Stage::open(&index, Limits::default()).await;
    assert_eq!(stage.began(), normal("a"));
    assert_eq!(stage.status("paused"), Status::Paused);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failures_have_their_kinds_and_leave_the_directory_free() {
    let limits = Limits { report_bytes: 10, ..Limits::default() };
    let stage = Stage::open(&index(), limits).await;
    let tellings = [
        (Next::Fail, Status::Failed, Some("locked"), None),
        (Next::Panic, Status::Failed, Some("lost"), None),
        (Next::Finish(Exit::Failed, "{}"), Status::Failed, Some("incomplete"), Some("{}")),
        (Next::Finish(Exit::Done, "{\"a\":\"long\"}"), Status::Done, None, None),
    ];
    for (number, (next, status, kind, report)) in tellings.into_iter().enumerate() {
        let id = number.to_string();
        stage.submit(&id, &normal("a")).await.expect("taken");
        stage.began();
        stage.tell("a", next);
        let state = stage.ended(&id).await;
        let outcome = state.outcome.expect("an outcome");
        assert_eq!(state.status, status, "{outcome:?}");
        assert_eq!((outcome.failure_kind.as_deref(), outcome.report.as_deref()), (kind, report));
        assert!(!outcome.message.is_empty());
    }
    let refused = stage.submit("x", &normal("nowhere")).await.expect_err("not served");
    assert_eq!(refused.code(), Code::InvalidArgument);
}
