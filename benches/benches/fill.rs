//! Filling a partition end to end in a real file: every back end present, every way of doing I/O.
//!
//! Bound: the generator. `swift` windows of 4 MiB, so the layers stay in the outer cache and the figure is the pipeline's.

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use holdfast_benches::{IO_CHOICES, backends, create, fill_options, registration};
use holdfast_engine::jobs::control::Control;
use holdfast_engine::jobs::fill::fill;

const LOG2_LABELS: u8 = 17;
const LAYERS: u8 = 12;
const WINDOWS: u64 = 4;

fn bench(criterion: &mut Criterion) {
    let registration = registration(LOG2_LABELS, LAYERS);
    let mut group = criterion.benchmark_group("fill");
    group.sample_size(10).throughput(Throughput::Bytes(WINDOWS * registration.intent.shape.bytes()));
    for choice in IO_CHOICES {
        for backend in backends() {
            let directory = tempfile::tempdir().expect("a directory");
            let setup = || {
                let _ = std::fs::remove_file(directory.path().join("partition.holdfast"));
                create(directory.path(), choice, &registration, WINDOWS)
            };
            if let Err(why) = setup() {
                eprintln!("fill/{}: ABSENT({why})", choice.name());
                continue;
            }
            let options = fill_options(backend);
            group.bench_function(format!("{}/{}", backend.name(), choice.name()), |bencher| {
                bencher.iter_batched(
                    || setup().expect("opened before"),
                    |file| {
                        let report = fill(&file, &options, &Control::default(), &()).expect("fills");
                        assert_eq!(report.windows_filled, WINDOWS);
                        file
                    },
                    BatchSize::PerIteration,
                );
            });
        }
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
