//! Answering a space challenge of 64 samples from a real file, by every way of doing I/O; direct I/O, so nothing comes
//! from the page cache. Bound: the disk's random reads.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use holdfast_benches::{IO_CHOICES, backends, commitment, create, fill_options, registration};
use holdfast_engine::challenge::Challenge;
use holdfast_engine::jobs::answer::{Answerer, QUEUE_DEPTH};
use holdfast_engine::jobs::control::Control;
use holdfast_engine::jobs::fill::fill;

const SAMPLES: u32 = 64;

fn bench(criterion: &mut Criterion) {
    let registration = registration(15, 2);
    let backend = *backends().last().expect("portable exists");
    let mut group = criterion.benchmark_group("answer");
    group.throughput(Throughput::Elements(u64::from(SAMPLES)));
    for choice in IO_CHOICES {
        let directory = tempfile::tempdir().expect("a directory");
        let file = match create(directory.path(), choice, &registration, u64::from(SAMPLES)) {
            Ok(file) => file,
            Err(why) => {
                eprintln!("answer/{}: ABSENT({why})", choice.name());
                continue;
            }
        };
        fill(&file, &fill_options(backend), &Control::default(), &()).expect("fills");
        let commitment = commitment(&file, &registration);
        let answerer = Answerer::new(&file, backend, QUEUE_DEPTH).expect("usable");
        let mut height = 200;
        group.bench_function(choice.name(), |bencher| {
            bencher.iter(|| {
                height += 1;
                let challenge = Challenge::space(&commitment, [7; 32], height, SAMPLES, 5000);
                answerer.space(&challenge).expect("answers")
            });
        });
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
