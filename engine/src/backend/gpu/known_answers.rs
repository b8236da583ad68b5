//! What a device must get right before it is used: whole small windows and labels at the ends of a production dispatch, compared
//! with the processor.

use std::cell::RefCell;

use holdfast_partition::io::AlignedBuffer;

use super::device::Device;
use super::kernels::Kernels;
use super::pace::Pace;
use super::window::{BLOCK_LABELS, WindowSlot};
use crate::accelerator::{Fault, Interruption, WindowTarget};
use crate::backend::{Choice, select};
use crate::registration::WindowShape;
use crate::space::label::Layer;
use crate::space::window::MadeWindow;

/// Labels of the smallest dispatch of a job: the known answers use it too.
pub(super) const DISPATCH_LABELS: u32 = 128 * BLOCK_LABELS;
/// k of the window: two smallest dispatches a layer.
const LOG2_LABELS: u8 = 17;
/// Layers: the first, one from each buffer, and one more.
const LAYERS: u8 = 4;

/// k of a window whose layers are computed by one dispatch each: 2^22 labels are the first that take a grid of two dimensions,
/// where a kernel numbers its invocations in another way.
const LOG2_DISPATCH_LABELS: u8 = 22;

/// A small window, all of it compared with the processor's; and one with the largest dispatches of production, or the first that
/// are like them, of which samples are compared as in every window.
pub(super) fn check(
    (device, kernels, pace): (&Device, &Kernels, &Pace),
    log2_labels: u8,
) -> Result<(), Fault> {
    let key = *blake3::hash(b"known answers of a device").as_bytes();
    check_whole(device, kernels, pace, &key)?;
    let labels = 1 << log2_labels;
    make(device, kernels, &Pace::new(labels, labels), (shape(log2_labels, 2)?, &key)).map(|_| ())
}

/// k of the second window: of the largest dispatches, and with layers within so many bytes.
pub(super) fn log2_labels(most_labels: u32, layer_bytes_maximum: u64) -> u8 {
    let by_memory = (layer_bytes_maximum / 32).checked_ilog2().unwrap_or(0);
    let most = u8::try_from(most_labels.ilog2().min(by_memory)).unwrap_or(LOG2_LABELS);
    most.clamp(LOG2_LABELS, LOG2_DISPATCH_LABELS)
}

fn shape(log2_labels: u8, layers: u8) -> Result<WindowShape, Fault> {
    WindowShape::new(log2_labels, layers).map_err(|error| Fault::Refused { message: error.detail })
}

fn make(
    device: &Device,
    kernels: &Kernels,
    pace: &Pace,
    (shape, key): (WindowShape, &[u8; 32]),
) -> Result<(MadeWindow, Vec<u8>), Fault> {
    let slot = WindowSlot::new(device, shape)?;
    let keep = Keep(RefCell::new(vec![0; crate::tree::at(shape.bytes())]));
    let made = slot.make((device, kernels, pace), key, &keep).map_err(|interruption| match interruption {
        Interruption::Fault(fault) => fault,
        Interruption::Stopped => Fault::Refused { message: "no memory for known answers".to_owned() },
    })?;
    Ok((made, keep.0.take()))
}

fn check_whole(device: &Device, kernels: &Kernels, pace: &Pace, key: &[u8; 32]) -> Result<(), Fault> {
    let shape = shape(LOG2_LABELS, LAYERS)?;
    let (made, bytes) = make(device, kernels, pace, (shape, key))?;
    let expected = processor_layers(shape, key);
    let wrong = |what: String| device.taint(Fault::Wrong { what });
    for (number, (root, layer)) in (1..).zip(made.layer_roots.iter().zip(&expected)) {
        if blake3::hash(layer).as_bytes() != root {
            return Err(wrong(format!("the known root of layer {number}")));
        }
    }
    if expected.last() != Some(&bytes) {
        return Err(wrong("the known bytes of a window".to_owned()));
    }
    Ok(())
}

fn processor_layers(shape: WindowShape, key: &[u8; 32]) -> Vec<Vec<u8>> {
    let backend = select(Choice::Auto).expect("the portable back end is always there");
    let mut layers: Vec<Vec<u8>> = Vec::new();
    for number in 1..=u32::from(shape.layers()) {
        let layer = Layer::derive(key, number, shape.log2_labels());
        let mut bytes = vec![0; crate::tree::at(shape.bytes())];
        match layers.last() {
            None => backend.first_layer(&layer, 0, &mut bytes),
            Some(previous) => backend.next_layer(&layer, previous, 0, &mut bytes),
        }
        layers.push(bytes);
    }
    layers
}

/// Keeps a window in memory.
struct Keep(RefCell<Vec<u8>>);

impl WindowTarget for Keep {
    fn proceed(&self) -> bool {
        true
    }

    fn take(&self, length: usize) -> Option<AlignedBuffer> {
        AlignedBuffer::zeroed(length).ok()
    }

    fn put(&self, offset: u64, buffer: AlignedBuffer) {
        let start = crate::tree::at(offset);
        self.0.borrow_mut()[start..start + buffer.len()].copy_from_slice(&buffer);
    }
}
