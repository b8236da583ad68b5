//! Every kernel and every variant, declared once. The build script reads this file too: it assembles, checks and
//! writes one module for each variant, and [`crate::registry`] is what comes out.

use crate::layout::{
    AffinePoint, Commit, CommitFold, Copy as CopyParameters, CurveTest, Digest, FieldElement, FieldTest,
    Label, LabelFirstLayer, Pick, Point, Subtree, TreeFold,
};

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

/// `shared/field.wgsl`: the form of residues, where carries come from, and how far the loop over an operand's limbs is unrolled.
const fn field(
    name: &'static str,
    options: &'static [(&'static str, &'static str)],
    workgroup: u32,
) -> VariantDeclaration {
    VariantDeclaration { options, ..VariantDeclaration::plain(name, workgroup) }
}
/// The same with 64-bit integers.
const fn wide(
    name: &'static str,
    options: &'static [(&'static str, &'static str)],
    workgroup: u32,
) -> VariantDeclaration {
    VariantDeclaration { needs_int64: true, ..field(name, options, workgroup) }
}
const COLUMNS_LOOPED: &[(&str, &str)] = &[("residue", "columns"), ("words", "wide"), ("limb_loop", "looped")];
const COLUMNS_UNROLLED: &[(&str, &str)] =
    &[("residue", "columns"), ("words", "wide"), ("limb_loop", "unrolled")];
const WIDE_LOOPED: &[(&str, &str)] = &[("residue", "carried"), ("words", "wide"), ("limb_loop", "looped")];
const WIDE_LIMBWISE: &[(&str, &str)] =
    &[("residue", "carried"), ("words", "wide"), ("limb_loop", "limbwise")];
const WIDE_UNROLLED: &[(&str, &str)] =
    &[("residue", "carried"), ("words", "wide"), ("limb_loop", "unrolled")];
const SPLIT_LIMBWISE: &[(&str, &str)] =
    &[("residue", "carried"), ("words", "split"), ("limb_loop", "limbwise")];
const SPLIT_UNROLLED: &[(&str, &str)] =
    &[("residue", "carried"), ("words", "split"), ("limb_loop", "unrolled")];

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
    Declaration {
        name: "commit",
        summary: "Sums of table entries for commitments of blocks (commitment-v1 §4), one invocation a window of a segment.",
        bindings: &[
            Binding::parameters::<Commit>(),
            Binding::read::<AffinePoint>("table"),
            Binding::read::<u32>("blocks"),
            Binding::read::<u32>("blindings"),
            Binding::write::<Point>("sums"),
        ],
        variants: &[
            wide("columns_looped_64", COLUMNS_LOOPED, 64),
            wide("columns_looped_32", COLUMNS_LOOPED, 32),
            wide("columns_looped_128", COLUMNS_LOOPED, 128),
            wide("columns_unrolled_64", COLUMNS_UNROLLED, 64),
            wide("wide_looped_64", WIDE_LOOPED, 64),
            field("split_limbwise_64", SPLIT_LIMBWISE, 64),
        ],
    },
    Declaration {
        name: "commit_fold",
        summary: "Joins the sums of `commit` to one point a block by Horner's rule, one invocation a block.",
        bindings: &[
            Binding::parameters::<CommitFold>(),
            Binding::read::<Point>("sums"),
            Binding::write::<Point>("points"),
        ],
        variants: &[
            wide("columns_looped_64", COLUMNS_LOOPED, 64),
            wide("columns_looped_32", COLUMNS_LOOPED, 32),
            wide("wide_looped_64", WIDE_LOOPED, 64),
            field("split_limbwise_64", SPLIT_LIMBWISE, 64),
        ],
    },
    Declaration {
        name: "field_test",
        summary: "The field alone, one invocation an element: known answers, and the speed of products.",
        bindings: &[
            Binding::parameters::<FieldTest>(),
            Binding::read::<FieldElement>("left"),
            Binding::read::<FieldElement>("right"),
            Binding::write::<FieldElement>("result"),
        ],
        variants: &[
            wide("columns_looped_64", COLUMNS_LOOPED, 64),
            wide("columns_looped_32", COLUMNS_LOOPED, 32),
            wide("columns_looped_128", COLUMNS_LOOPED, 128),
            wide("columns_unrolled_64", COLUMNS_UNROLLED, 64),
            wide("wide_looped_64", WIDE_LOOPED, 64),
            wide("wide_limbwise_64", WIDE_LIMBWISE, 64),
            wide("wide_unrolled_64", WIDE_UNROLLED, 64),
            field("split_limbwise_64", SPLIT_LIMBWISE, 64),
            field("split_unrolled_64", SPLIT_UNROLLED, 64),
        ],
    },
    Declaration {
        name: "curve_test",
        summary: "The complete additions alone, one invocation a point: known answers, and their speed.",
        bindings: &[
            Binding::parameters::<CurveTest>(),
            Binding::read::<Point>("left"),
            Binding::read::<Point>("right"),
            Binding::write::<Point>("result"),
        ],
        variants: &[
            wide("columns_looped_64", COLUMNS_LOOPED, 64),
            wide("wide_looped_64", WIDE_LOOPED, 64),
            field("split_limbwise_64", SPLIT_LIMBWISE, 64),
        ],
    },
];
