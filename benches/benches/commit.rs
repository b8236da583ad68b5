//! Commitments to blocks and sums of foreign points, on one core, beside arkworks and blst. The ratios with the answers checked
//! are made by `examples/commit.rs`.

#[path = "../examples/commit/others.rs"]
mod others;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use holdfast_benches::{backends, on_one_core, thread_time};
use holdfast_engine::curve::{SCALAR_BITS, Table};
use holdfast_engine::possession::generators::Generators;
use others::{Blst, arkworks, block_scalars, points, scalar, stream};

const BLOCK_BYTES: usize = 16_384;

/// Whether criterion only tries that the benches run.
fn smoke() -> bool {
    std::env::args().any(|argument| argument == "--test")
}

fn commitments(criterion: &mut Criterion) {
    let (width_bits, count) = if smoke() { (4, 2) } else { (12, 512) };
    let bases = Generators::standard().all();
    let table = Table::build(bases, width_bits).expect("bases of G1");
    let bytes = stream(1, count * BLOCK_BYTES);
    let blocks: Vec<&[u8]> = bytes.chunks(BLOCK_BYTES).collect();
    let blindings: Vec<_> = (0..).map(scalar).take(count).collect();

    let mut group = criterion.benchmark_group("commit");
    group.sample_size(10).throughput(Throughput::Bytes(bytes.len() as u64));
    for backend in backends() {
        group.bench_function(BenchmarkId::new(backend.name(), width_bits), |bencher| {
            bencher.iter_custom(|n| thread_time(n, || backend.commit(&table, &blocks, &blindings)));
        });
    }
    let scalars = block_scalars(blocks[0], &blindings[0]);
    group.throughput(Throughput::Bytes(BLOCK_BYTES as u64));
    group.bench_function("arkworks", |bencher| {
        bencher.iter_custom(|n| thread_time(n, || arkworks(bases, &scalars)));
    });
    let blst = Blst::new(bases, &scalars, SCALAR_BITS);
    group.bench_function("blst", |bencher| bencher.iter_custom(|n| thread_time(n, || blst.sum())));
    group.finish();
}

fn foreign_points(criterion: &mut Criterion) {
    let count = if smoke() { 21 } else { 21_000 };
    let points = points(count);
    let scalars: Vec<_> = (0..).map(scalar).take(count).collect();
    let mut group = criterion.benchmark_group("msm");
    group.sample_size(10).throughput(Throughput::Elements(count as u64));
    for backend in backends() {
        group.bench_function(BenchmarkId::new(backend.name(), count), |bencher| {
            bencher.iter_custom(|n| thread_time(n, || backend.msm(&points, &scalars, SCALAR_BITS)));
        });
    }
    group.bench_function("arkworks", |bencher| {
        bencher.iter_custom(|n| thread_time(n, || arkworks(&points, &scalars)));
    });
    let blst = Blst::new(&points, &scalars, SCALAR_BITS);
    group.bench_function("blst", |bencher| bencher.iter_custom(|n| thread_time(n, || blst.sum())));
    group.finish();
}

fn all(criterion: &mut Criterion) {
    on_one_core(|| {
        commitments(criterion);
        foreign_points(criterion);
    });
}

criterion_group!(benches, all);
criterion_main!(benches);
