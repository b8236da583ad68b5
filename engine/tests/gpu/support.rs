//! The adapters that tests run on: real ones, and software Vulkan if `HOLDFAST_ALLOW_SOFTWARE_GPU=1`.

use std::sync::{Arc, LazyLock};

use holdfast_engine::backend::gpu::runner::{Contents, Run};
use holdfast_engine::backend::gpu::{
    Adapter, Checks, Device, DeviceOptions, Gpu, GpuOptions, Selection, survey,
};
use holdfast_shaders::registry::{Kernel, Variant};

/// All adapters that may be used; none is said to be ABSENT, and a failure where `HOLDFAST_REQUIRE` names `gpu`.
pub(crate) fn adapters() -> Vec<Adapter> {
    let all = survey(&Selection::from_environment());
    let used: Vec<Adapter> = all.iter().filter(|adapter| adapter.is_used()).cloned().collect();
    if used.is_empty() {
        let unused = |adapter: &Adapter| {
            format!("{}: {}", adapter.id, adapter.unused_because.clone().unwrap_or_default())
        };
        let why = if all.is_empty() {
            "no adapter".to_owned()
        } else {
            all.iter().map(unused).collect::<Vec<_>>().join("; ")
        };
        let required = std::env::var("HOLDFAST_REQUIRE").unwrap_or_default();
        assert!(!required.split(',').any(|name| name == "gpu"), "gpu is required: ABSENT({why})");
        eprintln!("gpu ABSENT({why})");
    }
    used
}

/// The first adapter, if there is one.
pub(crate) fn adapter() -> Option<Adapter> {
    adapters().into_iter().next()
}

/// One device for all tests of kernels, for each kind of run-time checks; opening one takes long.
pub(crate) fn device(checks: Checks) -> Option<&'static Device> {
    static UNCHECKED: LazyLock<Option<Device>> = LazyLock::new(|| open(Checks::Off));
    static CHECKED: LazyLock<Option<Device>> = LazyLock::new(|| open(Checks::On));
    match checks {
        Checks::Off => UNCHECKED.as_ref(),
        Checks::On => CHECKED.as_ref(),
    }
}

fn open(checks: Checks) -> Option<Device> {
    let options = DeviceOptions { checks, ..DeviceOptions::default() };
    adapter().map(|adapter| Device::open(&adapter, options).expect("the device opens"))
}

/// One accelerator for all tests that do no harm to it.
pub(crate) fn gpu() -> Option<&'static Arc<Gpu>> {
    static GPU: LazyLock<Option<Arc<Gpu>>> = LazyLock::new(|| {
        adapter().map(|adapter| Arc::new(Gpu::open(adapter, GpuOptions::default()).expect("opens")))
    });
    GPU.as_ref()
}

/// Every variant of a kernel that the device can run, with and without run-time checks. Calls nothing where there is no device.
pub(crate) fn each_variant(
    kernel: &'static Kernel,
    mut test: impl FnMut(&'static Device, &'static Variant, &str),
) {
    for checks in [Checks::Off, Checks::On] {
        let Some(device) = device(checks) else { return };
        for variant in kernel.variants {
            if variant.needs_int64 && !device.has_64_bit_integers {
                eprintln!("{} {} ABSENT(the device has no 64-bit integers)", kernel.name, variant.name);
                continue;
            }
            test(device, variant, &format!("{} {}, checks {checks:?}", kernel.name, variant.name));
        }
    }
}

/// Runs one dispatch over `items` items; what the written buffers hold afterwards, in the order of their bindings.
pub(crate) fn run(
    device: &Device,
    (kernel, variant): (&'static Kernel, &'static Variant),
    parameters: &[u8],
    contents: &[Contents<'_>],
    items: u32,
) -> Vec<Vec<u8>> {
    let pipeline = device.pipeline(kernel, variant).expect("compiles");
    let run = Run::new(device, pipeline, contents).expect("memory");
    run.dispatch(&[parameters], items).expect("runs");
    run.written().expect("reads")
}
