//! Verifying space responses of 64 openings in windows of 1 GiB, alone and a thousand in one call, on every back end.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use holdfast_benches::space::partition;
use holdfast_engine::backend::{State, survey};
use holdfast_engine::space::seal::verify_seal;
use holdfast_engine::space::verify::{SpaceCase, verify_space, verify_space_batch};
use holdfast_tests::partition::{TestPartition, registration, shape};

const RESPONSES: u64 = 1_000;

fn verify(criterion: &mut Criterion) {
    let partition = partition();
    let commitment = &partition.commitment;
    let rounds: Vec<_> = (0..RESPONSES).map(|round| partition.round(100 + round)).collect();
    let cases: Vec<_> =
        rounds.iter().map(|(challenge, response)| SpaceCase { commitment, challenge, response }).collect();
    for presence in survey() {
        let State::Present(backend) = presence.state else { continue };
        let (challenge, response) = &rounds[0];
        let mut bad = response.clone();
        bad[1_000] ^= 1;
        assert!(
            verify_space(backend, commitment, challenge, &bad).is_err(),
            "a wrong answer must be refused"
        );
        assert!(verify_space_batch(backend, &cases).iter().all(Result::is_ok), "right ones accepted");

        let mut group = criterion.benchmark_group(format!("verify/{}", presence.name));
        group.throughput(Throughput::Elements(1));
        group.bench_function("one response", |bencher| {
            bencher.iter(|| verify_space(backend, commitment, black_box(challenge), black_box(response)));
        });
        group.throughput(Throughput::Elements(RESPONSES)).sample_size(10);
        group.bench_function("a thousand in one call", |bencher| {
            bencher.iter(|| verify_space_batch(backend, black_box(&cases)));
        });
        group.finish();
    }
}

/// The largest seal audit of the default policy: 44 windows of 16 layers, 6,776 openings. The windows are small ones, for
/// the reference makes them; one of 1 GiB has 20 siblings an opening instead of 7.
fn seal(criterion: &mut Criterion) {
    let partition = TestPartition::honest(registration(shape(12, 16), 1), 44);
    let challenge = partition.seal_challenge(0, 44);
    let response = partition.answer_seal(&challenge);
    for presence in survey() {
        let State::Present(backend) = presence.state else { continue };
        let verdict = verify_seal(backend, &partition.commitment, &challenge, &response);
        assert_eq!(verdict, Ok(()));
        criterion.bench_function(&format!("verify/{}/seal of 44 windows", presence.name), |bencher| {
            bencher.iter(|| {
                verify_seal(backend, &partition.commitment, black_box(&challenge), black_box(&response))
            });
        });
    }
}

criterion_group!(benches, verify, seal);
criterion_main!(benches);
