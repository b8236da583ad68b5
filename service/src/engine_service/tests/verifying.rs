//! Verification through the socket: right and wrong answers, deadlines and limits.

use holdfast_engine::possession::challenge::Form;
use holdfast_engine::possession::record::SignedRecord;
use holdfast_engine::signature::Signature;
use holdfast_tests::partition::{TestPartition, registration, shape};
use holdfast_tests::possession::TestObject;
use tokio_stream::StreamExt;
use tonic::{Code, Status};

use super::support::{Ground, Running};
use crate::proto::{VerifyCase, VerifyCommitment, VerifyRequest, VerifyResponse, VerifyTerms};

pub(super) fn partition() -> TestPartition {
    TestPartition::honest(registration(shape(10, 4), 1), 4)
}

pub(super) fn object() -> TestObject {
    TestObject::new(100_000, 1)
}

/// A case whose commitment is one of several.
#[derive(Clone)]
pub(super) struct Asked {
    pub(super) challenge: Vec<u8>,
    pub(super) commitment: usize,
    pub(super) response: Vec<u8>,
}

fn terms(deadline_ms: u32) -> VerifyRequest {
    let terms = Some(VerifyTerms { policy: "test".to_owned(), deadline_ms });
    VerifyRequest { terms, ..VerifyRequest::default() }
}

/// Commitments in two parts each, then the cases.
fn messages(commitments: &[Vec<u8>], cases: &[Asked], deadline_ms: u32) -> Vec<VerifyRequest> {
    let mut messages = vec![terms(deadline_ms)];
    for bytes in commitments {
        let (first, second) = bytes.split_at(bytes.len() / 2);
        for (part, last) in [(first, false), (second, true)] {
            let commitment = Some(VerifyCommitment { bytes: part.to_vec().into(), last });
            messages.push(VerifyRequest { commitment, ..VerifyRequest::default() });
        }
    }
    for asked in cases {
        let digest = commitments.get(asked.commitment).map(|bytes| *blake3::hash(bytes).as_bytes());
        let case = Some(VerifyCase {
            challenge: asked.challenge.clone().into(),
            commitment_digest: digest.unwrap_or_default().to_vec().into(),
            response: asked.response.clone().into(),
        });
        messages.push(VerifyRequest { case, ..VerifyRequest::default() });
    }
    messages
}

pub(super) async fn verify(
    engine: &mut Running,
    commitments: &[Vec<u8>],
    cases: &[Asked],
    deadline_ms: u32,
) -> Result<VerifyResponse, Status> {
    let messages = messages(commitments, cases, deadline_ms);
    Ok(engine.client.verify(tokio_stream::iter(messages)).await?.into_inner())
}

/// Two commitments, and right answers to challenges of both, by turns.
fn right(rounds: u64) -> (Vec<Vec<u8>>, Vec<Asked>) {
    let (partition, object) = (partition(), object());
    let signed = SignedRecord { record: object.record.clone(), signature: Signature::NONE };
    let mut cases = Vec::new();
    for round in 0..rounds {
        let challenge = partition.space_challenge(round, 16);
        let response = partition.answer_space(&challenge);
        cases.push(Asked { challenge: challenge.encode().to_vec(), commitment: 0, response });
        let form = if round % 2 == 0 { Form::Compressed } else { Form::Plain };
        let challenge = object.challenge(round, 4, form);
        let response = object.answer(&challenge);
        cases.push(Asked { challenge: challenge.encode().to_vec(), commitment: 1, response });
    }
    (vec![partition.commitment.encode(), signed.encode().to_vec()], cases)
}

fn classes(response: &VerifyResponse) -> Vec<&str> {
    response.verdicts.iter().map(|verdict| verdict.class.as_str()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_case_gets_its_verdict_in_order_and_wrong_ones_their_class() {
    let ground = Ground::new(&["disk"]);
    let mut engine = ground.start().await;
    let (commitments, mut cases) = right(8);
    let response = verify(&mut engine, &commitments, &cases, 0).await.expect("verdicts");
    assert!(response.verdicts.len() == 16 && response.verdicts.iter().all(|verdict| verdict.accepted));
    assert!(!response.deadline_reached);

    cases[0].response[500] ^= 1;
    cases[2].response.truncate(100);
    cases[4].commitment = 1;
    cases[6].commitment = 9;
    cases[8].challenge = vec![0; 10];
    cases[1].response = cases[3].response.clone();
    let last = cases[5].response.len() - 1;
    cases[5].response[last] ^= 1;
    let response = verify(&mut engine, &commitments, &cases, 0).await.expect("verdicts");
    let classes = classes(&response);
    assert_eq!(classes.len(), 16);
    assert_eq!((classes[0], classes[2]), ("wrong-root", "wrong-length"));
    assert_eq!([classes[4], classes[6], classes[1]], ["wrong-challenge"; 3]);
    for wrong in [5, 8] {
        assert!(!response.verdicts[wrong].accepted && !classes[wrong].is_empty());
    }
    for right in [3, 7, 9, 10, 11, 12, 13, 14, 15] {
        assert!(response.verdicts[right].accepted, "case {right}: {:?}", response.verdicts[right]);
    }
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_the_deadline_what_came_is_judged() {
    let ground = Ground::new(&["disk"]);
    let mut engine = ground.start().await;
    let (commitments, cases) = right(2);
    let messages = messages(&commitments, &cases, 2_000);
    // It never ends by itself.
    let stream = tokio_stream::iter(messages).chain(tokio_stream::pending());
    let response = engine.client.verify(stream).await.expect("verdicts").into_inner();
    assert!(response.deadline_reached);
    assert_eq!(response.verdicts.len(), 4);
    assert!(response.verdicts.iter().all(|verdict| verdict.accepted));
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_many_cases_and_bytes_and_streams_without_terms_are_refused() {
    let mut ground = Ground::new(&["disk"]);
    ground.settings.limits.verify_cases = 3;
    ground.settings.limits.verify_bytes = 200_000;
    let mut engine = ground.start().await;
    let (commitments, cases) = right(2);
    let refused = verify(&mut engine, &commitments, &cases, 0).await.expect_err("four cases");
    assert_eq!(refused.code(), Code::ResourceExhausted, "{refused}");
    let large = Asked { response: vec![0; 300_000], ..cases[0].clone() };
    let refused = verify(&mut engine, &commitments, &[large], 0).await.expect_err("too large");
    assert_eq!(refused.code(), Code::ResourceExhausted, "{refused}");
    let without_terms = messages(&commitments, &cases[..1], 0).split_off(1);
    let refused = engine.client.verify(tokio_stream::iter(without_terms)).await.expect_err("no terms");
    assert_eq!(refused.code(), Code::InvalidArgument);
    let accepted = verify(&mut engine, &commitments, &cases[..3], 0).await.expect("within the limits");
    assert_eq!(accepted.verdicts.len(), 3);
    engine.stop().await;
}

/// A commitment that is none is the fault of its cases, not of the others in the stream.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_malformed_commitment_rejects_its_cases_alone() {
    let ground = Ground::new(&["disk"]);
    let mut engine = ground.start().await;
    let (mut commitments, mut cases) = right(1);
    commitments.push(vec![5; 100]);
    cases.push(Asked { commitment: 2, ..cases[0].clone() });
    let response = verify(&mut engine, &commitments, &cases, 0).await.expect("verdicts");
    let accepted: Vec<bool> = response.verdicts.iter().map(|verdict| verdict.accepted).collect();
    assert_eq!(accepted, [true, true, false]);
    engine.stop().await;
}
