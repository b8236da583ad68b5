//! The kernels that a device runs for jobs, compiled once when it opens.

use holdfast_shaders::registry::{self, Kernel};

use super::device::{Device, Pipeline};
use crate::accelerator::Fault;

/// Compiled kernels; the drivers compile some of them for seconds, so those of commitments wait until they are wanted.
#[derive(Debug)]
pub(super) struct Kernels {
    pub(super) label_first_layer: Pipeline,
    pub(super) label: Pipeline,
    pub(super) subtree: Pipeline,
    pub(super) tree_fold: Pipeline,
    pub(super) pick: Pipeline,
}

impl Kernels {
    pub(super) fn compile(device: &Device) -> Result<Kernels, Fault> {
        Ok(Kernels {
            label_first_layer: default(device, &registry::LABEL_FIRST_LAYER)?,
            label: default(device, &registry::LABEL)?,
            subtree: default(device, &registry::SUBTREE)?,
            tree_fold: default(device, &registry::TREE_FOLD)?,
            pick: default(device, &registry::PICK)?,
        })
    }
}

/// The default variant of a kernel.
pub(super) fn default(device: &Device, kernel: &'static Kernel) -> Result<Pipeline, Fault> {
    let variant =
        kernel.variants.first().ok_or_else(|| Fault::Refused { message: kernel.name.to_owned() })?;
    device.pipeline(kernel, variant)
}
