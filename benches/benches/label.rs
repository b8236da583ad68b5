//! Labels a second by back end and size of the window, beside what the official BLAKE3 crate compresses on a large buffer
//! (as labels: four compressions each), on one core and on several.
//!
//! `HOLDFAST_BENCH_LARGE=1` adds windows of 1 GiB.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use holdfast_benches::{backends, thread_time};
use holdfast_engine::backend::Backend;
use holdfast_engine::memory::LayerBuffer;
use holdfast_engine::space::label::{LABEL_BYTES, Layer};
use rayon::prelude::*;

/// Labels computed at a time, each time elsewhere in the layer, as the jobs do.
const PIECE_LABELS: usize = 1 << 15;
/// Bytes that the crate hashes: far more than a core's own caches hold.
const LARGE_BUFFER_BYTES: usize = 64 << 20;

/// Whether criterion only tries that the benches run.
fn smoke() -> bool {
    std::env::args().any(|argument| argument == "--test")
}

/// Logarithms of the labels of the windows: 4, 32, 128 MiB and 1 GiB.
fn windows() -> Vec<u8> {
    match std::env::var_os("HOLDFAST_BENCH_LARGE") {
        _ if smoke() => vec![10],
        None => vec![17, 20, 22],
        Some(_) => vec![17, 20, 22, 25],
    }
}

/// A whole layer in huge pages, all pages present.
fn layer_buffer(log2_labels: u8) -> LayerBuffer {
    let mut buffer = LayerBuffer::new(LABEL_BYTES << log2_labels).expect("memory");
    for (i, word) in buffer.as_chunks_mut().0.iter_mut().enumerate() {
        *word = i.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_le_bytes();
    }
    buffer
}

/// Pieces of a layer, one after another.
struct Pieces {
    first: u32,
    end: u32,
    out: Vec<u8>,
}

impl Pieces {
    fn new(log2_labels: u8) -> Pieces {
        let count = PIECE_LABELS.min(1 << log2_labels);
        Pieces { first: 0, end: 1 << log2_labels, out: vec![0; count * LABEL_BYTES] }
    }

    /// Labels of a piece.
    fn count(&self) -> usize {
        self.out.len() / LABEL_BYTES
    }

    /// Runs `kernel(first, out)` on the next piece.
    fn next(&mut self, kernel: impl FnOnce(u32, &mut [u8])) {
        kernel(self.first, &mut self.out);
        self.first = (self.first + u32::try_from(self.count()).expect("a piece is small")) % self.end;
    }
}

/// One core, on the thread's clock.
fn labels(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("label");
    group.sample_size(20);

    let buffer = vec![0xA5; if smoke() { 1 << 16 } else { LARGE_BUFFER_BYTES }];
    group.throughput(Throughput::Elements((buffer.len() / 256) as u64));
    let crate_hash = || blake3::hash(&buffer);
    group.bench_function("blake3_crate", |bencher| bencher.iter_custom(|n| thread_time(n, crate_hash)));

    for backend in backends() {
        let layer = Layer::derive(&[1; 32], 1, 17);
        let mut pieces = Pieces::new(17);
        group.throughput(Throughput::Elements(pieces.count() as u64));
        group.bench_function(BenchmarkId::new("first_layer", backend.name()), |bencher| {
            let mut piece = || pieces.next(|first, out| backend.first_layer(&layer, first, out));
            bencher.iter_custom(|n| thread_time(n, &mut piece));
        });
    }
    for log2_labels in windows() {
        let previous = layer_buffer(log2_labels);
        let layer = Layer::derive(&[1; 32], 2, log2_labels);
        for backend in backends() {
            let mut pieces = Pieces::new(log2_labels);
            group.throughput(Throughput::Elements(pieces.count() as u64));
            let id = BenchmarkId::new(format!("next_layer/{}", backend.name()), log2_labels);
            group.bench_function(id, |bencher| {
                let mut piece = || {
                    pieces.next(|first, out| backend.next_layer(&layer, &previous, first, out));
                };
                bencher.iter_custom(|n| thread_time(n, &mut piece));
            });
        }
    }
    group.finish();
}

/// The fastest back end on one core and on all, by the wall clock: on an idle machine only.
fn cores(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("label_cores");
    group.sample_size(20);
    let backend: &dyn Backend = *backends().last().expect("the portable one");
    let available = std::thread::available_parallelism().map_or(1, usize::from);
    let log2_labels = if smoke() { 10 } else { 22 };
    let previous = layer_buffer(log2_labels);
    let layer = Layer::derive(&[1; 32], 2, log2_labels);
    let mut pieces = Pieces::new(log2_labels);
    group.throughput(Throughput::Elements(pieces.count() as u64));
    for threads in [1, available] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
        let share = pieces.count().div_ceil(4 * threads);
        let kernel = |first: u32, out: &mut [u8]| {
            pool.install(|| {
                out.par_chunks_mut(share * LABEL_BYTES).enumerate().for_each(|(i, out)| {
                    let offset = u32::try_from(i * share).expect("a piece is small");
                    backend.next_layer(&layer, &previous, first + offset, out);
                });
            });
        };
        group.bench_function(
            BenchmarkId::new(format!("next_layer/{}", backend.name()), threads),
            |bencher| {
                bencher.iter(|| pieces.next(kernel));
            },
        );
    }
    group.finish();
}

criterion_group!(benches, labels, cores);
criterion_main!(benches);
