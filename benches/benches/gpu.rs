//! Kernels, windows and commitments on every graphics processor that may be used (`HOLDFAST_ALLOW_SOFTWARE_GPU=1`: software too).
//!
//! `label` stands beside its two bounds: `gather` does its loads alone, `copy` moves as many bytes in order. What a whole machine
//! with real hardware does is for `holdfast-hwtest` to report.

use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use holdfast_engine::accelerator::Accelerator;
use holdfast_engine::backend::gpu::runner::{Contents, Run};
use holdfast_engine::backend::gpu::{
    Adapter, Device, DeviceOptions, Gpu, GpuOptions, Selection, label_parameters, survey,
};
use holdfast_engine::curve::Fr;
use holdfast_engine::jobs::bench::make_window;
use holdfast_engine::registration::WindowShape;
use holdfast_engine::space::label::{LABEL_BYTES, Layer};
use holdfast_engine::tree::BLOCK_BYTES;
use holdfast_shaders::layout::{Copy, Subtree};
use holdfast_shaders::registry::{COPY, GATHER, Kernel, LABEL, SUBTREE};

/// Whether criterion only tries that the benches run.
fn smoke() -> bool {
    std::env::args().any(|argument| argument == "--test")
}

/// The adapters; that there is none is said.
fn adapters() -> Vec<Adapter> {
    let (used, unused): (Vec<_>, Vec<_>) =
        survey(&Selection::from_environment()).into_iter().partition(Adapter::is_used);
    for adapter in &unused {
        eprintln!("{} ABSENT({})", adapter.id, adapter.unused_because.as_deref().unwrap_or("unknown"));
    }
    if used.is_empty() && unused.is_empty() {
        eprintln!("gpu ABSENT(no adapter)");
    }
    used
}

/// The default variant of a kernel over these buffers.
fn prepared<'d>(device: &'d Device, kernel: &'static Kernel, contents: &[Contents<'_>]) -> Run<'d> {
    let pipeline = device.pipeline(kernel, &kernel.variants[0]).expect("compiles");
    Run::new(device, pipeline, contents).expect("memory on the device")
}

fn kernels(criterion: &mut Criterion) {
    let log2_labels = if smoke() { 10 } else { 20 };
    let (labels, layer_bytes) = (1_u32 << log2_labels, (LABEL_BYTES as u64) << log2_labels);
    for adapter in adapters() {
        let device = Device::open(&adapter, DeviceOptions::default()).expect("opens");
        let mut group = criterion.benchmark_group(format!("gpu/{}", adapter.id));
        group.sample_size(10).throughput(Throughput::Bytes(layer_bytes));
        let mut bench = |name: &str, run: &Run<'_>, parameters: &[u8], items: u32| {
            group.bench_function(BenchmarkId::new(name, log2_labels), |bencher| {
                let once = || run.dispatch(&[parameters], items).expect("runs");
                bencher.iter_custom(|n| (0..n).map(|_| once()).sum::<Duration>());
            });
        };
        let layer = Layer::derive(&[1; 32], 2, log2_labels);
        let parameters = label_parameters(&layer, 0, labels);
        let parameters = bytemuck::bytes_of(&parameters);
        let two_layers = [Contents::Zeros(layer_bytes), Contents::Zeros(layer_bytes)];
        bench("label", &prepared(&device, &LABEL, &two_layers), parameters, labels);
        bench("gather", &prepared(&device, &GATHER, &two_layers), parameters, labels);
        let rows = 2 * labels;
        let parameters = Copy { first: 0, count: rows, reserved: [0; 2] };
        bench("copy", &prepared(&device, &COPY, &two_layers), bytemuck::bytes_of(&parameters), rows);
        let blocks = labels / 512;
        let parameters = Subtree { first: 0, count: blocks, counter: [0; 2] };
        let contents = [Contents::Zeros(layer_bytes), Contents::Zeros(32 * u64::from(blocks))];
        bench("subtree", &prepared(&device, &SUBTREE, &contents), bytemuck::bytes_of(&parameters), blocks);
    }
}

/// One after another; with several under way at once see `holdfast bench` and `holdfast-hwtest`.
fn jobs(criterion: &mut Criterion) {
    let (k, layers) = if smoke() { (10, 2) } else { (19, 16) };
    let shape = WindowShape::new(k, layers).expect("in range");
    for adapter in adapters() {
        let id = adapter.id.clone();
        let gpu = Gpu::open(adapter, GpuOptions { window_slots_maximum: 1, ..GpuOptions::default() });
        let gpu = gpu.expect("opens and gives known answers");
        let mut group = criterion.benchmark_group(format!("gpu/{id}"));
        group.sample_size(10).throughput(Throughput::Bytes(shape.bytes()));
        group.bench_function(BenchmarkId::new("window", k), |bencher| {
            bencher.iter(|| make_window(&gpu, shape).expect("makes windows"));
        });
        let Ok(slots) = gpu.commit_slots() else { continue };
        let blocks = if smoke() { 1 } else { slots.batch_blocks };
        let bytes: Vec<u8> = (0..=250).cycle().take(blocks * BLOCK_BYTES).collect();
        let blocks: Vec<&[u8]> = bytes.chunks(BLOCK_BYTES).collect();
        let blindings: Vec<Fr> = (0..blocks.len() as u64).map(Fr::from).collect();
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        group.bench_function(BenchmarkId::new("commit", blocks.len()), |bencher| {
            bencher.iter(|| gpu.commit(&blocks, &blindings).expect("commits"));
        });
    }
}

criterion_group!(benches, kernels, jobs);
criterion_main!(benches);
