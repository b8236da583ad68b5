//! The store-time check: bytes as they pass, and a table of a thousand points. Bound of the first: eight multiplications of
//! words for each limb of 31 bytes; of the second: the sum over the points.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use holdfast_benches::thread_time;
use holdfast_engine::possession::blinding::BlindingKey;
use holdfast_engine::possession::check::{Accumulator, gate};
use holdfast_engine::possession::generators::Generators;
use holdfast_engine::possession::token::TokenMaker;
use holdfast_engine::tree::BLOCK_BYTES;

const OBJECT_BYTES: usize = 4 << 20;
const BLOCKS: usize = 1000;

fn bytes(criterion: &mut Criterion) {
    let object: Vec<u8> = (0..=250).cycle().take(OBJECT_BYTES).collect();
    let mut group = criterion.benchmark_group("store_check");
    group.throughput(Throughput::Bytes(OBJECT_BYTES as u64));
    group.bench_function("bytes", |bencher| {
        let mut accumulator = Accumulator::new().expect("randomness");
        bencher.iter_custom(|n| thread_time(n, || accumulator.update(&object)));
    });
    group.bench_function("root, for comparison", |bencher| {
        bencher.iter_custom(|n| thread_time(n, || blake3::hash(&object)));
    });
    group.bench_function("token", |bencher| {
        let mut maker = TokenMaker::new(1).expect("randomness");
        bencher.iter(|| maker.update(&object));
    });
    group.finish();
}

/// Points that are wrong, so all is computed before they are refused.
fn points(criterion: &mut Criterion) {
    let replica = holdfast_engine::possession::Replica::new([1; 32], 1 << 24, 0).expect("short");
    let block = [0; BLOCK_BYTES];
    let blocks = vec![&block[..]; BLOCKS];
    let blindings: Vec<_> =
        (0..BLOCKS as u64).map(|block| BlindingKey::PUBLIC.scalar(&replica, block)).collect();
    let points: Vec<_> = Generators::standard().all().iter().copied().cycle().take(BLOCKS).collect();
    let mut group = criterion.benchmark_group("store_check");
    group.sample_size(10).throughput(Throughput::Elements(BLOCKS as u64));
    group.bench_function("gate of a thousand blocks, all cores", |bencher| {
        bencher.iter(|| assert_eq!(gate(&blocks, &blindings, &points), Ok(false)));
    });
    group.finish();
}

criterion_group!(benches, bytes, points);
criterion_main!(benches);
