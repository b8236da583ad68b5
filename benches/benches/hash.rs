//! Chunk and parent values by back end, beside the official BLAKE3 crate: its hash of the same bytes at once, and its
//! values one by one, which is all that its interface offers for scattered chunks.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use holdfast_benches::{backends, thread_time};
use holdfast_engine::reference;

/// Chunks and pairs of one call: the openings of sixteen space responses.
const ITEMS: usize = 1024;

fn chunk_values(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("chunk_values");
    let bytes: Vec<u8> = (0..=255).cycle().take(ITEMS * 1024).collect();
    let chunks: Vec<&[u8; 1024]> = bytes.as_chunks().0.iter().collect();
    let counters: Vec<u64> = (0..ITEMS as u64).map(|i| i.wrapping_mul(0x9E37_79B9) >> 4).collect();
    let mut values = vec![[0; 32]; ITEMS];
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    let crate_hash = || blake3::hash(&bytes);
    group.bench_function("blake3_crate_hash", |bencher| bencher.iter_custom(|n| thread_time(n, crate_hash)));
    group.bench_function("blake3_crate_one_by_one", |bencher| {
        let mut one_by_one = || {
            for ((chunk, &counter), value) in chunks.iter().zip(&counters).zip(&mut values) {
                *value = reference::chunk_value(*chunk, counter);
            }
        };
        bencher.iter_custom(|n| thread_time(n, &mut one_by_one));
    });
    for backend in backends() {
        // One vector more than a batch, and the openings of one response, show what remainders cost.
        for count in [17, 64, ITEMS] {
            group.throughput(Throughput::Bytes(count as u64 * 1024));
            group.bench_function(BenchmarkId::new(backend.name(), count), |bencher| {
                let mut call = || {
                    backend.chunk_values(&chunks[..count], &counters[..count], &mut values[..count]);
                };
                bencher.iter_custom(|n| thread_time(n, &mut call));
            });
        }
    }
    group.finish();
}

fn parent_values(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("parent_values");
    let bytes: Vec<u8> = (0..=255).cycle().take(ITEMS * 64).collect();
    let (pairs, _) = bytes.as_chunks::<64>();
    let mut values = vec![[0; 32]; ITEMS];
    group.throughput(Throughput::Elements(ITEMS as u64));
    group.bench_function("blake3_crate_one_by_one", |bencher| {
        let mut one_by_one = || {
            for (pair, value) in pairs.iter().zip(&mut values) {
                let (children, _) = pair.as_chunks();
                *value = reference::parent_value(&children[0], &children[1], false);
            }
        };
        bencher.iter_custom(|n| thread_time(n, &mut one_by_one));
    });
    for backend in backends() {
        for count in [17, 64, ITEMS] {
            group.throughput(Throughput::Elements(count as u64));
            group.bench_function(BenchmarkId::new(backend.name(), count), |bencher| {
                let mut call = || backend.parent_values(&pairs[..count], false, &mut values[..count]);
                bencher.iter_custom(|n| thread_time(n, &mut call));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, chunk_values, parent_values);
criterion_main!(benches);
