//! Windows of a device are those of the processor.

use std::cell::RefCell;
use std::sync::Arc;

use holdfast_engine::accelerator::processor::Processor;
use holdfast_engine::accelerator::{Accelerator, Devices, Interruption, ProcessorRole, WindowTarget};
use holdfast_engine::backend::gpu::{Gpu, GpuOptions};
use holdfast_engine::backend::{Choice, select};
use holdfast_engine::jobs::control::Control;
use holdfast_engine::jobs::fill::fill;
use holdfast_engine::reference;
use holdfast_engine::registration::WindowShape;
use holdfast_engine::space::label::Layer;
use holdfast_engine::tree::Outboard;
use holdfast_partition::io::AlignedBuffer;

use crate::examiner::Examining;
use crate::partition::{contents, memory_file, options, options_with, registration};
use crate::support::{adapters, gpu};

/// Keeps a window in memory; takes so many parts.
pub(crate) struct Keep {
    bytes: RefCell<Vec<u8>>,
    parts_left: RefCell<usize>,
}

impl Keep {
    pub(crate) fn new(shape: WindowShape) -> Keep {
        let bytes = usize::try_from(shape.bytes()).expect("small");
        Keep { bytes: RefCell::new(vec![0xEE; bytes]), parts_left: RefCell::new(usize::MAX) }
    }
}

impl WindowTarget for Keep {
    fn proceed(&self) -> bool {
        true
    }

    fn take(&self, length: usize) -> Option<AlignedBuffer> {
        let left = *self.parts_left.borrow();
        *self.parts_left.borrow_mut() = left.checked_sub(1)?;
        AlignedBuffer::zeroed(length).ok()
    }

    fn put(&self, offset: u64, buffer: AlignedBuffer) {
        let start = usize::try_from(offset).expect("small");
        self.bytes.borrow_mut()[start..start + buffer.len()].copy_from_slice(&buffer);
    }
}

/// All layers by the reference alone.
fn reference_layers(shape: WindowShape, key: &[u8; 32]) -> Vec<Vec<u8>> {
    let mut layers: Vec<Vec<u8>> = Vec::new();
    for number in 1..=u32::from(shape.layers()) {
        let layer = Layer::derive(key, number, shape.log2_labels());
        let bytes = match layers.last() {
            None => reference::first_layer(&layer),
            Some(previous) => reference::next_layer(&layer, previous),
        };
        layers.push(bytes);
    }
    layers
}

/// k = 10: two blocks, so that the first fold is the root; 11: one level between; 16: an even number of levels above the blocks,
/// and two tiles; 17: more than one smallest dispatch a layer. Both parities of the last layer, which lies in either buffer.
#[test]
fn a_window_of_a_device_is_the_reference_s_window() {
    let Some(gpu) = gpu() else { return };
    for (k, layers) in [(10, 2), (10, 3), (11, 5), (16, 3), (17, 2)] {
        let shape = WindowShape::new(k, layers).expect("in range");
        let key = [k; 32];
        let want = reference_layers(shape, &key);
        let keep = Keep::new(shape);
        let made = gpu.make_window(shape, &key, &keep).expect("makes");
        let roots: Vec<_> = want.iter().map(|layer| *blake3::hash(layer).as_bytes()).collect();
        assert_eq!(made.layer_roots, roots, "k = {k}, {layers} layers");
        let last = want.last().expect("two layers at least");
        assert!(*keep.bytes.borrow() == *last, "k = {k}, {layers} layers");
        assert_eq!(made.outboard, Outboard::of(last));
    }
}

/// Buffers are used again: nothing of an earlier window shows in a later one.
#[test]
fn windows_made_one_after_another_do_not_touch_each_other() {
    let Some(gpu) = gpu() else { return };
    let shape = WindowShape::new(12, 4).expect("in range");
    for key in [[1; 32], [2; 32], [1; 32]] {
        let keep = Keep::new(shape);
        let made = gpu.make_window(shape, &key, &keep).expect("makes");
        assert!(*keep.bytes.borrow() == *reference_layers(shape, &key).last().expect("layers"));
        assert_eq!(made.outboard, Outboard::of(&keep.bytes.borrow()));
    }
}

/// What a device shows of its layers is, byte for byte, what the processor shows of its own.
#[test]
fn an_examiner_sees_the_same_on_a_device_as_on_the_processor() {
    let Some(gpu) = gpu() else { return };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().expect("threads");
    let processor = Processor::new(select(Choice::Auto).expect("portable exists"), Arc::new(pool), 1 << 30);
    for (k, layers) in [(10, 2), (12, 5), (16, 4)] {
        let shape = WindowShape::new(k, layers).expect("in range");
        let targets = [&**gpu as &dyn Accelerator, &processor].map(|maker| {
            let target = Examining::new(shape, 130);
            let made = maker.make_window(shape, &[k; 32], &target).expect("makes");
            (made, target)
        });
        let [(by_gpu, on_gpu), (by_processor, on_processor)] = targets;
        assert_eq!(by_gpu, by_processor, "k = {k}");
        assert!(on_gpu.bytes.take() == on_processor.bytes.take(), "k = {k}");
        assert!(on_gpu.seen.take() == on_processor.seen.take(), "k = {k}");
    }
}

#[test]
fn a_target_that_wants_no_more_stops_the_window_without_a_fault() {
    let Some(gpu) = gpu() else { return };
    let shape = WindowShape::new(16, 2).expect("in range");
    let keep = Keep::new(shape);
    *keep.parts_left.borrow_mut() = 1;
    assert_eq!(gpu.make_window(shape, &[3; 32], &keep).err(), Some(Interruption::Stopped));
    assert!(gpu.make_window(shape, &[3; 32], &Keep::new(shape)).is_ok());
}

#[test]
fn a_window_larger_than_a_binding_is_refused_with_the_numbers() {
    let Some(gpu) = gpu() else { return };
    let shape = WindowShape::new(30, 2).expect("in range");
    let why = gpu.window_slots(shape).expect_err("a layer of 32 GiB");
    assert!(why.contains("34359738368"), "{why}");
}

fn devices(gpu: &Arc<Gpu>, processor: ProcessorRole) -> Devices {
    Devices { accelerators: vec![gpu.clone()], processor }
}

#[test]
fn a_partition_of_a_device_of_the_processor_and_of_both_is_the_same() {
    let Some(gpu) = gpu() else { return };
    let registration = registration(16, 3);
    let filled = |devices| {
        let file = memory_file(&registration, 8);
        let report = fill(&file, &options_with(devices), &Control::default(), &()).expect("fills");
        (contents(&file), report.windows_accelerated)
    };
    let (want, _) = filled(Devices::default());
    let (by_device, accelerated) = filled(devices(gpu, ProcessorRole::TakesOver));
    assert_eq!(accelerated, 8);
    assert!(by_device == want, "by the device");
    let (by_both, accelerated) = filled(devices(gpu, ProcessorRole::Shares));
    assert!(by_both == want, "by both, {accelerated} by the device");
}

#[test]
fn a_partition_begun_on_one_and_finished_on_the_other_is_the_same() {
    let Some(gpu) = gpu() else { return };
    let registration = registration(16, 3);
    let on_device = options_with(devices(gpu, ProcessorRole::TakesOver));
    let by_processor = options();
    let want = memory_file(&registration, 6);
    fill(&want, &by_processor, &Control::default(), &()).expect("fills");
    for [begins, finishes] in [[&on_device, &by_processor], [&by_processor, &on_device]] {
        let file = memory_file(&registration, 3);
        fill(&file, begins, &Control::default(), &()).expect("fills");
        file.resize(6, &mut |_| true).expect("grows");
        let report = fill(&file, finishes, &Control::default(), &()).expect("fills");
        assert_eq!((report.windows_kept, report.windows_filled), (3, 3));
        assert!(contents(&file) == contents(&want));
    }
}

/// Several adapters, or several devices of one, on one job.
#[test]
fn two_devices_share_a_job() {
    let mut opened = Vec::new();
    for adapter in adapters().into_iter().cycle().take(if adapters().is_empty() { 0 } else { 2 }) {
        let gpu = Gpu::open(adapter, GpuOptions { window_slots_maximum: 1, ..GpuOptions::default() });
        opened.push(Arc::new(gpu.expect("opens")));
    }
    if opened.is_empty() {
        return;
    }
    let registration = registration(16, 3);
    let file = memory_file(&registration, 8);
    let accelerators = opened.iter().map(|gpu| gpu.clone() as Arc<dyn Accelerator>).collect();
    let devices = Devices { accelerators, processor: ProcessorRole::TakesOver };
    fill(&file, &options_with(devices), &Control::default(), &()).expect("fills");
    let windows: Vec<u64> = opened.iter().map(|gpu| gpu.report().windows).collect();
    assert_eq!(windows.iter().sum::<u64>(), 8);
    assert!(windows.iter().all(|&windows| windows > 0), "{windows:?}");
    let want = memory_file(&registration, 8);
    fill(&want, &options(), &Control::default(), &()).expect("fills");
    assert!(contents(&file) == contents(&want));
}
