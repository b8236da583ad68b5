//! All kernels: name, module text, workgroup, bindings.

use crate::layout::{Digest, LabelFirstLayer};

/// One kernel. Its entry point in the module has the same name.
#[derive(Clone, Copy, Debug)]
pub struct Kernel {
    /// Name of the kernel, its entry point, its WGSL file and its twin.
    pub name: &'static str,
    /// The whole module: the shared pieces, then the kernel.
    pub wgsl: &'static str,
    /// Invocations of a workgroup by dimension.
    pub workgroup: [u32; 3],
    /// The bindings of group 0, in the order of their numbers.
    pub bindings: &'static [Binding],
}

/// One buffer of group 0; its number is its place in [`Kernel::bindings`].
#[derive(Clone, Copy, Debug)]
pub struct Binding {
    /// Name of the variable in the module.
    pub name: &'static str,
    /// How the kernel sees the buffer.
    pub access: Access,
    /// Bytes of the uniform, or of one element of a storage array.
    pub unit_bytes: usize,
}

/// How a kernel sees a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// One struct, the same for all invocations.
    Uniform,
    /// An array that is written and may be read.
    ReadWrite,
}

/// All kernels of this version.
pub const KERNELS: &[Kernel] = &[LABEL_FIRST_LAYER];

/// Labels of layer 1 (space-v1 §5), one invocation a node.
pub const LABEL_FIRST_LAYER: Kernel = Kernel {
    name: "label_first_layer",
    wgsl: concat!(include_str!("../wgsl/shared/blake3.wgsl"), include_str!("../wgsl/label_first_layer.wgsl")),
    workgroup: [64, 1, 1],
    bindings: &[
        Binding { name: "parameters", access: Access::Uniform, unit_bytes: size_of::<LabelFirstLayer>() },
        Binding { name: "labels", access: Access::ReadWrite, unit_bytes: size_of::<Digest>() },
    ],
};
