//! Every kernel and every variant, declared once. The build script reads this file too: it assembles, checks and
//! writes one module for each variant, and [`crate::registry`] is what comes out.

use crate::layout::{Copy as CopyParameters, Digest, Label, LabelFirstLayer, Pick, Subtree, TreeFold};

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

/// One row of a message or of raw data, WGSL `vec4<u32>`.
type Row = [u32; 4];

/// What `label` and `gather` are bound to.
const LAYER_BINDINGS: &[Binding] = &[
    Binding::parameters::<Label>(),
    Binding::read::<Digest>("previous"),
    Binding::write::<Digest>("labels"),
];

/// `shared/chain_….wgsl`: how the eight parents of a node reach the compressions.
const fn chain(
    name: &'static str,
    options: &'static [(&'static str, &'static str)],
    workgroup: u32,
) -> VariantDeclaration {
    VariantDeclaration { options, ..VariantDeclaration::plain(name, workgroup) }
}
const STRAIGHT: &[(&str, &str)] = &[("chain", "straight")];
const LOOPED: &[(&str, &str)] = &[("chain", "looped")];

/// `shared/chunk_….wgsl`: how a block of 2^levels chunks reaches its lanes.
const fn block(
    name: &'static str,
    options: &'static [(&'static str, &'static str)],
    constants: &'static [(&'static str, u32)],
    workgroup: u32,
) -> VariantDeclaration {
    let lanes = 1 << constants[0].1;
    VariantDeclaration { lanes, constants, options, ..VariantDeclaration::plain(name, workgroup) }
}
const DIRECT: &[(&str, &str)] = &[("chunk", "direct")];
const STAGED: &[(&str, &str)] = &[("chunk", "staged")];
const KIB_16: &[(&str, u32)] = &[("LEVELS", 4)];
const KIB_64: &[(&str, u32)] = &[("LEVELS", 6)];

/// All kernels of this version.
pub const CATALOGUE: &[Declaration] = &[
    Declaration {
        name: "label_first_layer",
        summary: "Labels of layer 1 (space-v1 §5), one invocation a node.",
        bindings: &[Binding::parameters::<LabelFirstLayer>(), Binding::write::<Digest>("labels")],
        variants: &[
            VariantDeclaration::plain("workgroup_64", 64),
            VariantDeclaration::plain("workgroup_256", 256),
        ],
    },
    Declaration {
        name: "label",
        summary: "Labels of layers 2 … ℓ (space-v1 §5), one invocation a node.",
        bindings: LAYER_BINDINGS,
        variants: &[
            chain("straight_64", STRAIGHT, 64),
            chain("straight_128", STRAIGHT, 128),
            chain("straight_256", STRAIGHT, 256),
            chain("looped_64", LOOPED, 64),
            chain("looped_128", LOOPED, 128),
            chain("looped_256", LOOPED, 256),
        ],
    },
    Declaration {
        name: "subtree",
        summary: "Chaining values of whole blocks, one invocation a chunk; `lanes` chunks a block.",
        bindings: &[
            Binding::parameters::<Subtree>(),
            Binding::read::<Row>("blocks"),
            Binding::write::<Digest>("values"),
        ],
        variants: &[
            block("direct_16k_64", DIRECT, KIB_16, 64),
            block("direct_16k_128", DIRECT, KIB_16, 128),
            block("direct_16k_256", DIRECT, KIB_16, 256),
            block("direct_64k_64", DIRECT, KIB_64, 64),
            block("direct_64k_256", DIRECT, KIB_64, 256),
            block("staged_16k_64", STAGED, KIB_16, 64),
            block("staged_64k_64", STAGED, KIB_64, 64),
        ],
    },
    Declaration {
        name: "tree_fold",
        summary: "One level of a BLAKE3 tree, one invocation a parent.",
        bindings: &[
            Binding::parameters::<TreeFold>(),
            Binding::read::<Digest>("values"),
            Binding::write::<Digest>("parents"),
        ],
        variants: &[
            VariantDeclaration::plain("workgroup_64", 64),
            VariantDeclaration::plain("workgroup_256", 256),
        ],
    },
    Declaration {
        name: "pick",
        summary: "Digests by a list of places, one invocation a place.",
        bindings: &[
            Binding::parameters::<Pick>(),
            Binding::read::<u32>("indices"),
            Binding::read::<Digest>("source"),
            Binding::write::<Digest>("picked"),
        ],
        variants: &[VariantDeclaration::plain("workgroup_64", 64)],
    },
    Declaration {
        name: "copy",
        summary: "A copy in order, one invocation a row of 16 bytes: the bandwidth bound of sequential traffic.",
        bindings: &[
            Binding::parameters::<CopyParameters>(),
            Binding::read::<Row>("source"),
            Binding::write::<Row>("copied"),
        ],
        variants: &[
            VariantDeclaration::plain("workgroup_64", 64),
            VariantDeclaration::plain("workgroup_256", 256),
        ],
    },
    Declaration {
        name: "gather",
        summary: "The loads and stores of `label` without its compressions: the bandwidth bound of random sectors.",
        bindings: LAYER_BINDINGS,
        variants: &[
            VariantDeclaration::plain("workgroup_64", 64),
            VariantDeclaration::plain("workgroup_256", 256),
        ],
    },
];
