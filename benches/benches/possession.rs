//! Possession audits of 20 blocks: answering, verifying alone, and verifying many together, on all cores, in both forms.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use holdfast_benches::possession::{Rounds, object};
use holdfast_engine::possession::batch::verify_possession_batch;
use holdfast_engine::possession::challenge::Form;
use holdfast_engine::possession::generators::Generators;
use holdfast_engine::possession::verify::{CheckedResponse, verify_possession};
use holdfast_tests::possession::TestObject;

const SIZES: [usize; 5] = [1, 10, 100, 1_000, 10_000];

fn possession(criterion: &mut Criterion) {
    let object = object();
    for (form, name) in [(Form::Plain, "plain"), (Form::Compressed, "compressed")] {
        bench_form(criterion, &object, form, name);
    }
}

fn bench_form(criterion: &mut Criterion, object: &TestObject, form: Form, name: &str) {
    let generators = Generators::standard();
    let rounds = Rounds::answer(object, form, 500);
    let cases = rounds.cases(10_000);
    let mut bad = rounds.answered[0].1.clone();
    *bad.last_mut().expect("not empty") ^= 1;
    let bad = object.case(&rounds.answered[0].0, &bad);
    assert!(verify_possession(generators, &bad).is_err(), "a wrong answer must be refused");
    assert_eq!(verify_possession(generators, &cases[0]), Ok(()));

    let mut group = criterion.benchmark_group(format!("possession/{name}"));
    group.sample_size(10);
    let challenge = &rounds.answered[0].0;
    group.bench_function("answer", |bencher| bencher.iter(|| object.answer(black_box(challenge))));
    group.bench_function("check all but the equation", |bencher| {
        bencher.iter(|| CheckedResponse::check(black_box(&cases[0])));
    });
    group.bench_function("verify alone", |bencher| {
        bencher.iter(|| verify_possession(generators, black_box(&cases[0])));
    });
    for size in SIZES {
        group.throughput(Throughput::Elements(size as u64));
        group.bench_function(format!("verify {size} together"), |bencher| {
            let verify = |cases: Vec<_>| {
                let verdicts = verify_possession_batch(generators, black_box(&cases)).expect("randomness");
                assert!(verdicts.iter().all(Result::is_ok));
            };
            bencher.iter_batched(|| cases[..size].to_vec(), verify, BatchSize::PerIteration);
        });
    }
    group.finish();
}

criterion_group!(benches, possession);
criterion_main!(benches);
