//! Answers from real files, verified by the same engine.

use holdfast_engine::challenge::Challenge;
use holdfast_engine::commitment::Commitment;
use holdfast_engine::policy::Policy;
use holdfast_engine::recorder::{Recorder, Simulation};
use tonic::Code;

use super::support::{Ground, Running};
use super::verifying::{Asked, verify};
use crate::local::commit;
use crate::local::disks::Disk;
use crate::local::fixture::console;
use crate::proto::{AnswerRequest, JobKind};
use crate::wire::status::class_of;

pub(super) async fn answer(engine: &mut Running, challenge: Vec<u8>) -> Result<Vec<u8>, tonic::Status> {
    let request = AnswerRequest { challenge: challenge.into(), ..AnswerRequest::default() };
    let mut parts = engine.client.answer(request).await?.into_inner();
    let mut response = Vec::new();
    while let Some(part) = parts.message().await? {
        assert_eq!(part.offset_bytes, response.len() as u64);
        response.extend_from_slice(&part.bytes);
    }
    Ok(response)
}

/// What a validator keeps of the first partition, which is filled, and a height at which it may ask.
pub(super) fn commitment(ground: &Ground) -> (Commitment, u64) {
    let disk = Disk::open(&ground.settings.directories[0]).expect("allocated");
    let recorder = disk.recorder().expect("a recorder");
    recorder.advance(Policy::test().finality_blocks).expect("advances");
    let commitment = commit::commitment(&disk, &disk.manifest.partitions[0], &console()).expect("filled");
    (commitment, recorder.height().expect("a height"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn space_and_seal_challenges_are_answered_and_the_answers_verified() {
    let ground = Ground::new(&["disk"]);
    let mut engine = ground.start().await;
    engine.done(ground.job("fill", JobKind::Fill)).await;
    let policy = Policy::test();
    let (commitment, height) = commitment(&ground);
    let beacon = [7; 32];
    let windows = commitment.window_count();
    let samples = policy.seal_samples(windows);
    let space = Challenge::space(&commitment, beacon, height, 64, policy.deadline_ms);
    let seal = Challenge::seal(&commitment, 0, beacon, height, samples, policy.seal_deadline_ms);
    let mut cases = Vec::new();
    for challenge in [space, seal.expect("windows were added")] {
        let response = answer(&mut engine, challenge.encode().to_vec()).await.expect("answers");
        cases.push(Asked { challenge: challenge.encode().to_vec(), commitment: 0, response });
    }
    let mut wrong = cases[0].clone();
    wrong.response[1_000] ^= 1;
    cases.push(wrong);
    let verdicts = verify(&mut engine, &[commitment.encode()], &cases, 0).await.expect("verdicts");
    let classes: Vec<&str> = verdicts.verdicts.iter().map(|verdict| verdict.class.as_str()).collect();
    assert_eq!(classes, ["", "", "wrong-root"]);
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_answered_is_refused_by_its_class_or_as_not_here() {
    let ground = Ground::new(&["disk"]);
    let mut engine = ground.start().await;
    let malformed = answer(&mut engine, vec![1; 40]).await.expect_err("no challenge");
    assert!(class_of(&malformed).is_some(), "{malformed}");
    let partition = super::verifying::partition();
    let foreign = answer(&mut engine, partition.space_challenge(0, 16).encode().to_vec()).await;
    assert_eq!(foreign.expect_err("not here").code(), Code::NotFound);
    let object = super::verifying::object();
    let challenge = object.challenge(0, 4, holdfast_engine::possession::challenge::Form::Compressed);
    let foreign = answer(&mut engine, challenge.encode().to_vec()).await;
    assert_eq!(foreign.expect_err("not here").code(), Code::NotFound);
    let record = AnswerRequest {
        challenge: challenge.encode().to_vec().into(),
        record: vec![0; 10].into(),
        ..AnswerRequest::default()
    };
    let refused = engine.client.answer(record).await.expect_err("no record");
    assert!(class_of(&refused).is_some(), "{refused}");
    engine.stop().await;
}
