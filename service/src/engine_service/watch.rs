//! A job's states to whoever watches it: the newest when there is room for one, whatever came between.

use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::EngineError;
use super::jobs::State;
use super::outlet::{Outlet, Stream};
use crate::proto::JobState;

/// The state now, then changes, until the job ends, the caller leaves or takes nothing, or the engine stops. One state waits for a
/// slow caller, and no more.
pub(super) fn states(
    mut states: watch::Receiver<State>,
    idle: Duration,
    stop: CancellationToken,
) -> Stream<JobState> {
    let (outlet, stream) = Outlet::new(1, idle, stop);
    tokio::spawn(async move {
        if let Err(error) = tell(&mut states, &outlet).await {
            outlet.fail(error);
        }
    });
    stream
}

async fn tell(states: &mut watch::Receiver<State>, outlet: &Outlet<JobState>) -> Result<(), EngineError> {
    loop {
        // Room first: what is sent is as new as it can be.
        let room = outlet.room().await?;
        let state = states.borrow_and_update().clone();
        room.send(Ok((&state).into()));
        if state.status.is_final() {
            return Ok(());
        }
        tokio::select! {
            changed = states.changed() => if changed.is_err() { return Ok(()) },
            error = outlet.ended() => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::jobs::{State, Status as JobStatus};
    use super::*;
    use crate::proto::JobStatus as Told;
    use tokio_stream::StreamExt;

    const IDLE: Duration = Duration::from_secs(3600);

    fn state(done_bytes: u64, status: JobStatus) -> State {
        State {
            status,
            done_bytes,
            total_bytes: 1_000_000,
            bytes_per_second: 1.0,
            eta_seconds: None,
            message: String::new(),
            outcome: None,
        }
    }

    /// However much a job tells while nobody reads, what waits is a handful of states, and the last of them is the end.
    #[tokio::test]
    async fn a_slow_reader_holds_a_few_states_and_gets_the_newest() {
        let sender = watch::Sender::new(state(0, JobStatus::Running));
        let mut stream = states(sender.subscribe(), IDLE, CancellationToken::new());
        for done_bytes in 1..100_000 {
            sender.send_replace(state(done_bytes, JobStatus::Running));
            if done_bytes % 1_000 == 0 {
                tokio::task::yield_now().await;
            }
        }
        sender.send_replace(state(100_000, JobStatus::Done));
        let mut got = Vec::new();
        while let Some(state) = stream.next().await {
            got.push(state.expect("a state"));
        }
        assert!(got.len() <= 4, "{} states waited", got.len());
        let last = got.last().expect("a state");
        assert_eq!((last.done_bytes, last.status()), (100_000, Told::Done));
    }

    #[tokio::test]
    async fn streams_end_when_the_engine_stops() {
        let (sender, stop) = (watch::Sender::new(state(0, JobStatus::Running)), CancellationToken::new());
        let mut stream = states(sender.subscribe(), IDLE, stop.clone());
        assert!(stream.next().await.expect("the state now").is_ok());
        stop.cancel();
        let told = stream.next().await.expect("a word of farewell").expect_err("no state");
        assert_eq!(told.code(), tonic::Code::Unavailable);
        assert!(stream.next().await.is_none());
    }
}
