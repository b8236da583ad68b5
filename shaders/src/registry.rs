//! All kernels with the text of their modules, as the build made them from [`crate::catalogue`].

pub use crate::catalogue::{Access, Binding};
use crate::limits::WORKGROUPS_PER_DIMENSION_MAX;

/// One kernel. Its entry point in every module has the same name.
#[derive(Clone, Copy, Debug)]
pub struct Kernel {
    /// Name of the kernel, its entry point, its WGSL file and its twin.
    pub name: &'static str,
    /// The bindings of group 0, in the order of their numbers; the same for all variants.
    pub bindings: &'static [Binding],
    /// The ways of computing it; the first is the default.
    pub variants: &'static [Variant],
}

impl Kernel {
    /// The variant of this name.
    pub fn variant(&self, name: &str) -> Option<&'static Variant> {
        self.variants.iter().find(|variant| variant.name == name)
    }
}

/// One way of computing a kernel.
#[derive(Clone, Copy, Debug)]
pub struct Variant {
    /// Name of the variant, unique within its kernel.
    pub name: &'static str,
    /// The whole module: constants, shared pieces, kernel.
    pub wgsl: &'static str,
    /// Invocations of a workgroup by dimension; only the first is not 1.
    pub workgroup: [u32; 3],
    /// Invocations that work together on one item of the range: `count` items take `count · lanes` invocations.
    pub lanes: u32,
    /// Whether the module uses 64-bit integers.
    pub needs_int64: bool,
}

impl Variant {
    /// Workgroups of a dispatch with at least this many invocations, at most 2^31. Above 65,535 workgroups the grid has
    /// two dimensions, and kernels number their invocations row by row.
    pub fn grid(&self, invocations: u32) -> [u32; 3] {
        let workgroups = invocations.div_ceil(self.workgroup[0]);
        let rows = workgroups.div_ceil(WORKGROUPS_PER_DIMENSION_MAX).max(1);
        [workgroups.div_ceil(rows), rows, 1]
    }
}

include!(concat!(env!("OUT_DIR"), "/registry.rs"));
