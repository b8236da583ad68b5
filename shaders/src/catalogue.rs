//! Every kernel and every variant, declared once. The build script reads this file too: it assembles, checks and
//! writes one module for each variant, and [`crate::registry`] is what comes out.

use crate::layout::{Digest, LabelFirstLayer};

/// A kernel as declared.
#[derive(Clone, Copy, Debug)]
pub struct Declaration {
    /// Name of the kernel, of its entry point, of its file in `wgsl/` and of its twin.
    pub name: &'static str,
    /// One sentence for the documentation.
    pub summary: &'static str,
    /// The bindings of group 0, in the order of their numbers.
    pub bindings: &'static [Binding],
    /// At least one; the first is the default.
    pub variants: &'static [VariantDeclaration],
}

/// A variant as declared: what the build puts before the kernel's text.
#[derive(Clone, Copy, Debug)]
pub struct VariantDeclaration {
    /// Name of the variant, unique within its kernel.
    pub name: &'static str,
    /// Invocations of a workgroup, all in the first dimension; WGSL sees it as `WORKGROUP`.
    pub workgroup: u32,
    /// Invocations that work together on one item of the range.
    pub lanes: u32,
    /// Whether the module uses 64-bit integers.
    pub needs_int64: bool,
    /// Constants of the module, each `const NAME: u32 = value;`.
    pub constants: &'static [(&'static str, u32)],
    /// What `{name}` stands for in import lines and what generators are told.
    pub options: &'static [(&'static str, &'static str)],
}

impl VariantDeclaration {
    /// One invocation an item, no 64-bit integers, no constants, no options.
    pub const fn plain(name: &'static str, workgroup: u32) -> VariantDeclaration {
        VariantDeclaration { name, workgroup, lanes: 1, needs_int64: false, constants: &[], options: &[] }
    }

    /// The value of an option.
    pub fn option(&self, name: &str) -> Option<&'static str> {
        self.options.iter().find(|(option, _)| *option == name).map(|&(_, value)| value)
    }
}

/// One buffer of group 0; its number is its place among the kernel's bindings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Binding {
    /// Name of the variable in the module.
    pub name: &'static str,
    /// How the kernel sees the buffer.
    pub access: Access,
    /// Bytes of the uniform, or of one element of a storage array.
    pub unit_bytes: usize,
}

impl Binding {
    /// The uniform `parameters`.
    pub const fn parameters<T>() -> Binding {
        Binding { name: "parameters", access: Access::Uniform, unit_bytes: size_of::<T>() }
    }

    /// A storage array that is only read.
    pub const fn read<T>(name: &'static str) -> Binding {
        Binding { name, access: Access::Read, unit_bytes: size_of::<T>() }
    }

    /// A storage array that is written.
    pub const fn write<T>(name: &'static str) -> Binding {
        Binding { name, access: Access::ReadWrite, unit_bytes: size_of::<T>() }
    }
}

/// How a kernel sees a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// One struct, the same for all invocations.
    Uniform,
    /// An array that is only read.
    Read,
    /// An array that is written and may be read.
    ReadWrite,
}

/// All kernels of this version.
pub const CATALOGUE: &[Declaration] = &[Declaration {
    name: "label_first_layer",
    summary: "Labels of layer 1 (space-v1 §5), one invocation a node.",
    bindings: &[Binding::parameters::<LabelFirstLayer>(), Binding::write::<Digest>("labels")],
    variants: &[VariantDeclaration::plain("workgroup_64", 64)],
}];
