//! An engine on loopback: a thousand responses verified in one call, beside the same in this process, and small calls.

use std::hint::black_box;
use std::net::Ipv4Addr;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use holdfast_benches::possession::{Rounds, object};
use holdfast_benches::space::partition;
use holdfast_engine::backend::{Backend, Choice, select};
use holdfast_engine::possession::batch::verify_possession_batch;
use holdfast_engine::possession::challenge::Form;
use holdfast_engine::possession::generators::Generators;
use holdfast_engine::possession::record::SignedRecord;
use holdfast_engine::signature::Signature;
use holdfast_engine::space::verify::SpaceCase;
use holdfast_service::engine_service::{Settings, run};
use holdfast_service::local::judging::verify_spaces;
use holdfast_service::proto::engine_client::EngineClient;
use holdfast_service::proto::{ListJobsRequest, VerifyCase, VerifyCommitment, VerifyRequest, VerifyTerms};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tonic::transport::Channel;

/// Callers of small calls, and calls of each, in one iteration.
const CALLERS: u64 = 32;
const CALLS: u64 = 32;
/// Bytes of a commitment in one message.
const PART_BYTES: usize = 1 << 20;

/// Responses in one call; few where the benches are only tried.
fn responses() -> u64 {
    if std::env::args().any(|argument| argument == "--test") { 20 } else { 1_000 }
}

/// An engine that serves from this process, and one who talks to it.
struct Served {
    runtime: Runtime,
    client: EngineClient<Channel>,
    _folder: TempDir,
}

fn serve() -> Served {
    let folder = tempfile::tempdir().expect("a directory");
    let settings = Settings::of(vec![folder.path().to_owned()], (Ipv4Addr::LOCALHOST, 0).into());
    let runtime = Runtime::new().expect("threads");
    let (tell, told) = oneshot::channel();
    runtime.spawn(async move {
        let ready = |ready: &holdfast_service::engine_service::Ready| {
            tell.send(ready.address).expect("somebody waits");
        };
        run(&settings, std::future::pending(), ready).await.expect("serves");
    });
    let client = runtime.block_on(async {
        let address = told.await.expect("serves");
        EngineClient::connect(format!("http://{address}")).await.expect("connects")
    });
    Served { runtime, client, _folder: folder }
}

/// The messages of one verification.
fn messages(commitment: &[u8], cases: impl Iterator<Item = (Vec<u8>, Vec<u8>)>) -> Vec<VerifyRequest> {
    let terms = VerifyTerms { policy: "test".to_owned(), deadline_ms: 0 };
    let mut messages = vec![VerifyRequest { terms: Some(terms), ..VerifyRequest::default() }];
    let mut parts = commitment.chunks(PART_BYTES).peekable();
    while let Some(part) = parts.next() {
        let commitment = VerifyCommitment { bytes: part.to_vec().into(), last: parts.peek().is_none() };
        messages.push(VerifyRequest { commitment: Some(commitment), ..VerifyRequest::default() });
    }
    let digest = *blake3::hash(commitment).as_bytes();
    messages.extend(cases.map(|(challenge, response)| {
        let (challenge, response) = (challenge.into(), response.into());
        let case = VerifyCase { challenge, commitment_digest: digest.to_vec().into(), response };
        VerifyRequest { case: Some(case), ..VerifyRequest::default() }
    }));
    messages
}

impl Served {
    /// All must be accepted, or all must be refused.
    fn verify(&self, messages: &[VerifyRequest], accepted: bool) {
        let (mut client, stream) = (self.client.clone(), tokio_stream::iter(messages.to_vec()));
        let verdicts = self.runtime.block_on(client.verify(stream)).expect("verdicts").into_inner().verdicts;
        assert!(!verdicts.is_empty() && verdicts.iter().all(|verdict| verdict.accepted == accepted));
    }
}

fn fastest() -> &'static dyn Backend {
    select(Choice::Auto).expect("a back end")
}

fn space(criterion: &mut Criterion) {
    let (served, partition, count) = (serve(), partition(), responses());
    let rounds: Vec<_> = (0..count).map(|round| partition.round(100 + round)).collect();
    let commitment = &partition.commitment;
    let cases: Vec<_> =
        rounds.iter().map(|(challenge, response)| SpaceCase { commitment, challenge, response }).collect();
    let encoded = rounds.iter().map(|(challenge, response)| (challenge.encode().to_vec(), response.clone()));
    let messages = messages(&commitment.encode(), encoded);
    let (challenge, mut bad) = rounds[0].clone();
    bad[1_000] ^= 1;
    let bad = self::messages(&commitment.encode(), std::iter::once((challenge.encode().to_vec(), bad)));
    served.verify(&bad, false);
    let mut group = criterion.benchmark_group("engine service/space");
    group.throughput(Throughput::Elements(count)).sample_size(10);
    group.bench_function("in process", |bencher| {
        bencher.iter(|| assert!(verify_spaces(fastest(), black_box(&cases)).iter().all(Result::is_ok)));
    });
    group.bench_function("through the service", |bencher| {
        bencher.iter(|| served.verify(black_box(&messages), true));
    });
    group.finish();
}

fn possession(criterion: &mut Criterion) {
    let (served, object, count) = (serve(), object(), responses());
    let signed = SignedRecord { record: object.record.clone(), signature: Signature::NONE }.encode();
    for (form, name) in [(Form::Plain, "plain"), (Form::Compressed, "compressed")] {
        let rounds = Rounds::answer(&object, form, count);
        let cases = rounds.cases(rounds.answered.len());
        let encoded =
            |(challenge, response): &(holdfast_engine::possession::challenge::ObjectChallenge, Vec<u8>)| {
                (challenge.encode().to_vec(), response.clone())
            };
        let messages = messages(&signed, rounds.answered.iter().map(encoded));
        let (challenge, mut bad) = encoded(&rounds.answered[0]);
        *bad.last_mut().expect("not empty") ^= 1;
        served.verify(&self::messages(&signed, std::iter::once((challenge, bad))), false);
        let mut group = criterion.benchmark_group(format!("engine service/possession/{name}"));
        group.throughput(Throughput::Elements(count)).sample_size(10);
        group.bench_function("in process", |bencher| {
            bencher.iter(|| {
                let verdicts = verify_possession_batch(Generators::standard(), black_box(&cases));
                assert!(verdicts.expect("randomness").iter().all(Result::is_ok));
            });
        });
        group.bench_function("through the service", |bencher| {
            bencher.iter(|| served.verify(black_box(&messages), true));
        });
        group.finish();
    }
}

/// Lists of no jobs, by many callers over one connection.
fn small_calls(criterion: &mut Criterion) {
    let served = serve();
    let mut group = criterion.benchmark_group("engine service");
    group.throughput(Throughput::Elements(CALLERS * CALLS)).sample_size(10);
    group.bench_function("small calls", |bencher| {
        bencher.iter(|| {
            served.runtime.block_on(async {
                let mut callers = JoinSet::new();
                for _ in 0..CALLERS {
                    let mut client = served.client.clone();
                    callers.spawn(async move {
                        for _ in 0..CALLS {
                            client.list_jobs(ListJobsRequest {}).await.expect("answers");
                        }
                    });
                }
                callers.join_all().await;
            });
        });
    });
    group.finish();
}

criterion_group!(benches, space, possession, small_calls);
criterion_main!(benches);
