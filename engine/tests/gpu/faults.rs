//! Devices that are lost, hang, have no memory or lie: the job ends with the right bytes, and the fault is counted and shown.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use holdfast_engine::accelerator::{Accelerator, AcceleratorReport, Devices, ProcessorRole};
use holdfast_engine::backend::gpu::runner::{Contents, Run};
use holdfast_engine::backend::gpu::{Device, DeviceOptions, Gpu, GpuOptions, Sabotage, Trick};
use holdfast_engine::jobs::control::Control;
use holdfast_engine::jobs::fill::{FillReport, fill};
use holdfast_engine::jobs::progress::{Snapshot, Watcher};
use holdfast_engine::registration::WindowShape;
use holdfast_shaders::layout::{Digest, LabelFirstLayer};
use holdfast_shaders::registry::LABEL_FIRST_LAYER;

use crate::partition::{contents, memory_file, options, options_with, registration};
use crate::support::adapter;
use crate::windows::Keep;

const WINDOWS: u64 = 6;

#[derive(Default)]
struct Notices(Mutex<Vec<String>>);

impl Watcher for Notices {
    fn report(&self, _: &Snapshot) {}

    fn notice(&self, message: &str) {
        self.0.lock().expect("no panic").push(message.to_owned());
    }
}

/// Opens a device on which a fault may strike.
fn gpu_with(trick: Trick) -> Option<(Arc<Gpu>, Sabotage)> {
    let sabotage = Sabotage::new(trick);
    let device = DeviceOptions { sabotage: Some(sabotage.clone()), ..DeviceOptions::default() };
    let options = GpuOptions { device, window_slots_maximum: 2, ..GpuOptions::default() };
    Some((Arc::new(Gpu::open(adapter()?, options).expect("opens")), sabotage))
}

/// Fills a partition on a device that a fault strikes after so many calls, and compares it with the processor's.
fn sabotaged(trick: Trick, calls: u32) -> Option<(FillReport, AcceleratorReport, Vec<String>)> {
    let (gpu, sabotage) = gpu_with(trick)?;
    sabotage.strike_after(calls);
    let registration = registration(16, 3);
    let file = memory_file(&registration, WINDOWS);
    let devices = Devices { accelerators: vec![gpu.clone()], processor: ProcessorRole::TakesOver };
    let notices = Notices::default();
    let report =
        fill(&file, &options_with(devices), &Control::default(), &notices).expect("the job always ends");
    let want = memory_file(&registration, WINDOWS);
    fill(&want, &options(), &Control::default(), &()).expect("fills");
    assert!(contents(&file) == contents(&want));
    assert_eq!(report.windows_filled, WINDOWS);
    assert!(sabotage.has_struck(), "{trick:?} must happen in the job");
    Some((report, gpu.report(), notices.0.into_inner().expect("no panic")))
}

fn kinds(report: &AcceleratorReport) -> Vec<&str> {
    report.faults.iter().map(|fault| fault.kind).collect()
}

/// At the beginning of a window, and while it is being made.
#[test]
fn a_device_destroyed_in_the_middle_of_a_job() {
    for calls in [0, 7] {
        let Some((report, gpu, notices)) = sabotaged(Trick::Destroy, calls) else { return };
        assert!(report.windows_redone >= 1, "{report:?}");
        // One thread may hear that it refuses before another has been told that it is lost.
        assert!(matches!(kinds(&gpu)[..], ["lost" | "refused"]), "{gpu:?}");
        assert!(notices.iter().any(|notice| notice.contains("is made again")), "{notices:?}");
    }
}

#[test]
fn results_that_come_back_corrupted() {
    for calls in [0, 1, 5] {
        let Some((report, gpu, notices)) = sabotaged(Trick::Corrupt, calls) else { return };
        assert!(report.windows_redone >= 1, "{report:?}");
        assert_eq!(kinds(&gpu), ["wrong"], "{gpu:?}");
        assert!(notices.iter().any(|notice| notice.contains("wrongly")), "{notices:?}");
    }
}

#[test]
fn a_device_without_memory_for_the_next_buffer() {
    for calls in [0, 3] {
        let Some((report, gpu, _)) = sabotaged(Trick::Exhaust, calls) else { return };
        assert!(report.windows_redone >= 1, "{report:?}");
        assert_eq!(kinds(&gpu), ["out-of-memory"], "{gpu:?}");
    }
}

#[test]
fn a_device_that_hangs() {
    for calls in [0, 9] {
        let Some((report, gpu, _)) = sabotaged(Trick::Hang, calls) else { return };
        assert!(report.windows_redone >= 1, "{report:?}");
        assert_eq!(kinds(&gpu), ["timed-out"], "{gpu:?}");
    }
}

/// The time-out itself: a thousand dispatches take longer than a tenth of a millisecond on any device, and the device is of no
/// use afterwards.
#[test]
fn a_submission_that_takes_longer_than_the_time_out() {
    let Some(adapter) = adapter() else { return };
    let device = DeviceOptions { timeout: Duration::from_micros(100), ..DeviceOptions::default() };
    let device = Device::open(&adapter, device).expect("opens");
    let pipeline = device.pipeline(&LABEL_FIRST_LAYER, &LABEL_FIRST_LAYER.variants[0]).expect("compiles");
    let count = 1 << 16;
    let run = Run::new(&device, pipeline, &[Contents::Zeros(32 * u64::from(count))]).expect("memory");
    let parameters = LabelFirstLayer { key: Digest::default(), first: 0, count, reserved: [0; 2] };
    let parameters = vec![bytemuck::bytes_of(&parameters); 1000];
    assert_eq!(run.dispatch(&parameters, count).expect_err("too slow").kind(), "timed-out");
    assert_eq!(device.sound().expect_err("tainted").kind(), "timed-out");
}

/// A device that lies about its known answers is not opened at all.
#[test]
fn a_device_with_a_wrong_known_answer_is_not_used() {
    let Some(adapter) = adapter() else { return };
    let sabotage = Sabotage::new(Trick::Corrupt);
    sabotage.strike_after(0);
    let device = DeviceOptions { sabotage: Some(sabotage), ..DeviceOptions::default() };
    let refused = Gpu::open(adapter, GpuOptions { device, ..GpuOptions::default() });
    assert_eq!(refused.err().map(|fault| fault.kind()), Some("wrong"));
}

/// After a fault the device rests, is opened anew and makes right windows again.
#[test]
fn a_device_is_used_again_after_a_rest() {
    let Some((gpu, sabotage)) = gpu_with(Trick::Destroy) else { return };
    sabotage.strike_after(0);
    let shape = WindowShape::new(12, 2).expect("in range");
    gpu.make_window(shape, &[1; 32], &Keep::new(shape)).expect_err("destroyed");
    gpu.make_window(shape, &[1; 32], &Keep::new(shape)).expect_err("closed until it is opened anew");
    assert!(!gpu.recover(&|| false), "nobody wants to wait");
    assert!(gpu.recover(&|| true));
    gpu.make_window(shape, &[1; 32], &Keep::new(shape)).expect("makes");
    assert_eq!(gpu.report().faults.len(), 1);
}
