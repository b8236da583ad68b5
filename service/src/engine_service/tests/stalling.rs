//! Callers that ask for much and take little of it.

use holdfast_engine::challenge::Challenge;
use tonic::{Code, Status, Streaming};

use super::answering::{answer, commitment};
use super::filling::slow;
use super::support::Ground;
use crate::proto::{AnswerRequest, JobKind, JobRequest, ListJobsRequest, WatchRequest};
use crate::wire::status::advice_of;

/// Labels with their parents, some megabytes of openings: more than waits on the way, wherever that is.
const SAMPLES: u32 = 400;
const IDLE_MS: u64 = 500;
/// What is on the way to a caller who takes nothing.
const ON_THE_WAY_BYTES: u32 = 64 << 10;

/// All that is left of a stream, which must end with a word that it is not whole.
async fn rest<T>(stream: &mut Streaming<T>) -> (Vec<T>, Status) {
    let mut got = Vec::new();
    loop {
        match stream.message().await {
            Ok(Some(message)) => got.push(message),
            Ok(None) => panic!("after {} messages a part is taken for the whole", got.len()),
            Err(status) => return (got, status),
        }
    }
}

fn assert_not_taken(status: &Status) {
    assert_eq!(status.code(), Code::Aborted, "{status}");
    assert!(status.message().contains("nothing was taken for 0.5 s"), "{status}");
    assert!(advice_of(status).is_some_and(|advice| advice.contains("limits.idle_ms")), "{status}");
}

/// One answer may be in memory at once. Whoever takes none of it loses it, and the next caller gets its turn.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_is_not_taken_makes_room_and_is_not_taken_for_the_whole() {
    let mut ground = Ground::new(&["disk"]);
    ground.settings.limits.answers_at_once = 1;
    let mut engine = ground.start().await;
    engine.done(ground.job("fill", JobKind::Fill)).await;
    engine.stop().await;
    let (commitment, height) = commitment(&ground);
    let challenge = Challenge::seal(&commitment, 0, [7; 32], height, SAMPLES, 60_000);
    let challenge = challenge.expect("windows were added").encode().to_vec();
    // Whoever takes all at once needs no time.
    ground.settings.limits.idle_ms = IDLE_MS;
    let mut engine = ground.start().await;
    let whole = answer(&mut engine, challenge.clone()).await.expect("answers");
    assert!(whole.len() > 2 << 20, "{} bytes", whole.len());
    let request = AnswerRequest { challenge: challenge.clone().into(), ..AnswerRequest::default() };
    for _ in 0..3 {
        let mut caller = engine.slow_caller(ON_THE_WAY_BYTES).await;
        let mut stalled = caller.answer(request.clone()).await.expect("begins").into_inner();
        let first = stalled.message().await.expect("goes on").expect("a part");
        // Others are served meanwhile, and get their answers once its turn is over.
        engine.client.list_jobs(ListJobsRequest {}).await.expect("answers");
        assert!(answer(&mut engine, challenge.clone()).await.expect("answers") == whole);
        let (parts, status) = rest(&mut stalled).await;
        assert_not_taken(&status);
        let taken: usize = [first].iter().chain(&parts).map(|part| part.bytes.len()).sum();
        assert!(taken < whole.len() / 2, "{taken} of {} bytes waited", whole.len());
    }
    engine.stop().await;
}

/// A job goes on and tells others what it does, whoever stopped to listen.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_that_nobody_reads_ends_and_holds_up_no_job() {
    let mut ground = Ground::new(&["disk"]);
    ground.settings.limits.idle_ms = IDLE_MS;
    let mut engine = ground.start().await;
    engine.submit(slow(&ground, "slow")).await.expect("is taken");
    // Room for no whole state.
    let mut caller = engine.slow_caller(16).await;
    let request = WatchRequest { request_id: "slow".to_owned() };
    let mut stalled = caller.watch(request).await.expect("is watched").into_inner();
    // Seconds of work, each with states to tell.
    engine.watch_until("slow", |state| state.done_bytes >= 256 << 10).await;
    engine.client.cancel(JobRequest { request_id: "slow".to_owned() }).await.expect("cancels");
    engine.watch_to_end("slow").await;
    let (states, status) = rest(&mut stalled).await;
    assert_not_taken(&status);
    assert!(states.len() <= 4, "{} states waited", states.len());
    assert!(states.iter().all(|state| !state.status().as_str_name().contains("CANCELLED")));
    engine.stop().await;
}
