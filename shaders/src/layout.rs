//! The bytes of uniform and storage buffers, as host types. The build compares them with what naga reflects.

use bytemuck::{Pod, Zeroable};
use std::mem::offset_of;

/// Size and member offsets of a host struct, to compare with the WGSL struct of the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StructLayout {
    /// Name of the struct here and in WGSL.
    pub name: &'static str,
    /// Size of the whole.
    pub bytes: usize,
    /// Members with their offsets in bytes, in order.
    pub members: &'static [(&'static str, usize)],
}

/// Declares the structs, and their table [`STRUCTS`] with them, so that none can be forgotten there.
macro_rules! structs {
    ($($(#[$about:meta])* pub struct $name:ident { $($(#[$member_about:meta])* pub $member:ident: $type:ty,)* })*) => {
        $(
            $(#[$about])*
            #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
            #[repr(C)]
            pub struct $name { $($(#[$member_about])* pub $member: $type,)* }
        )*

        /// All structs of this module.
        pub const STRUCTS: &[StructLayout] = &[$(StructLayout {
            name: stringify!($name),
            bytes: size_of::<$name>(),
            members: &[$((stringify!($member), offset_of!($name, $member))),*],
        }),*];
    };
}

structs! {
    /// A chaining value, key or label as eight little-endian words; WGSL `Digest`.
    pub struct Digest {
        /// Words 0 … 3.
        pub low: [u32; 4],
        /// Words 4 … 7.
        pub high: [u32; 4],
    }

    /// Parameters of kernel `label_first_layer`.
    pub struct LabelFirstLayer {
        /// Layer key of layer 1.
        pub key: Digest,
        /// First node of this dispatch.
        pub first: u32,
        /// Nodes of this dispatch.
        pub count: u32,
        /// Zero: uniform structs are multiples of 16 bytes.
        pub reserved: [u32; 2],
    }

    /// Parameters of kernels `label` and `gather`.
    pub struct Label {
        /// Layer key.
        pub key: Digest,
        /// The edges (space-v1 §4) as words: 2·(6·edge + round) is the factor a of that round, the next its addend c.
        pub edges: [[u32; 4]; 21],
        /// First node of this dispatch.
        pub first: u32,
        /// Nodes of this dispatch.
        pub count: u32,
        /// 2^k − 1.
        pub mask: u32,
        /// ⌈k/3⌉.
        pub shift: u32,
    }

    /// Parameters of kernel `subtree`.
    pub struct Subtree {
        /// First block of this dispatch.
        pub first: u32,
        /// Blocks of this dispatch.
        pub count: u32,
        /// Chunk counter of the first chunk of block 0 of the buffer: low word, high word.
        pub counter: [u32; 2],
    }

    /// Parameters of kernel `tree_fold`.
    pub struct TreeFold {
        /// First parent of this dispatch.
        pub first: u32,
        /// Parents of this dispatch.
        pub count: u32,
        /// 0, or [`crate::twin::blake3::ROOT`] for the topmost node.
        pub flags: u32,
        /// Zero.
        pub reserved: u32,
    }

    /// Parameters of kernel `pick`.
    pub struct Pick {
        /// First place of the list in this dispatch.
        pub first: u32,
        /// Places of this dispatch.
        pub count: u32,
        /// Zero.
        pub reserved: [u32; 2],
    }

    /// Parameters of kernel `copy`.
    pub struct Copy {
        /// First row of 16 bytes of this dispatch.
        pub first: u32,
        /// Rows of this dispatch.
        pub count: u32,
        /// Zero.
        pub reserved: [u32; 2],
    }

    /// An element of the base field of BLS12-381 in Montgomery form with factor 2^384: 12 limbs, least significant first.
    pub struct FieldElement {
        /// Limbs 0 … 3.
        pub a: [u32; 4],
        /// Limbs 4 … 7.
        pub b: [u32; 4],
        /// Limbs 8 … 11.
        pub c: [u32; 4],
    }

    /// A point of E other than infinity; an entry of a table of multiples.
    pub struct AffinePoint {
        /// x.
        pub x: FieldElement,
        /// y.
        pub y: FieldElement,
    }

    /// A point of E in homogeneous coordinates: x = X/Z and y = Y/Z, and (0 : Y : 0) is infinity.
    pub struct Point {
        /// X.
        pub x: FieldElement,
        /// Y.
        pub y: FieldElement,
        /// Z.
        pub z: FieldElement,
    }

    /// Parameters of kernel `field_test`.
    pub struct FieldTest {
        /// First element of this dispatch.
        pub first: u32,
        /// Elements of this dispatch.
        pub count: u32,
        /// How often the operation is applied.
        pub rounds: u32,
        /// [`crate::twin::field_test::MULTIPLY`] or one of its neighbours.
        pub operation: u32,
    }

    /// Parameters of kernel `curve_test`.
    pub struct CurveTest {
        /// First point of this dispatch.
        pub first: u32,
        /// Points of this dispatch.
        pub count: u32,
        /// How often the right point is added.
        pub rounds: u32,
        /// [`crate::twin::curve_test::ADD_MIXED`] or one of its neighbours.
        pub operation: u32,
    }

    /// Parameters of kernel `commit`; [`crate::commitment::CommitShape`] makes them.
    pub struct Commit {
        /// First invocation of this dispatch.
        pub first: u32,
        /// Invocations of this dispatch; in all there are blocks · segments · windows.
        pub count: u32,
        /// Windows of a blinding scalar.
        pub windows: u32,
        /// Windows of a limb of a block; at most `windows`.
        pub limb_windows: u32,
        /// w.
        pub width_bits: u32,
        /// Bases, the blinding's last.
        pub bases: u32,
        /// Segments of the bases.
        pub segments: u32,
        /// Bases of a segment; the last may have fewer.
        pub segment_bases: u32,
        /// Words from one block to the next.
        pub block_words: u32,
        /// Zero.
        pub reserved_word: u32,
        /// Zero.
        pub reserved: [u32; 2],
    }

    /// Parameters of kernel `commit_fold`; [`crate::commitment::CommitShape`] makes them.
    pub struct CommitFold {
        /// First block of this dispatch.
        pub first: u32,
        /// Blocks of this dispatch.
        pub count: u32,
        /// Windows of a blinding scalar.
        pub windows: u32,
        /// Segments of the bases.
        pub segments: u32,
        /// w.
        pub width_bits: u32,
        /// windows · (w + segments) − w + 1.
        pub steps: u32,
        /// Zero.
        pub reserved: [u32; 2],
        /// What the odd digits leave out: Σ (2^(w·windows) − 1)·H over all bases, by the windows of each.
        pub correction: AffinePoint,
    }
}

impl Digest {
    /// From the 32 bytes that formats carry.
    pub fn from_bytes(bytes: &[u8; 32]) -> Digest {
        let word = |i: usize| u32::from_le_bytes([bytes[i], bytes[i + 1], bytes[i + 2], bytes[i + 3]]);
        let row = |first: usize| std::array::from_fn(|i| word(first + 4 * i));
        Digest { low: row(0), high: row(16) }
    }

    /// The 32 bytes.
    pub fn to_bytes(self) -> [u8; 32] {
        let mut bytes = [0; 32];
        for (out, word) in bytes.chunks_exact_mut(4).zip(self.low.iter().chain(&self.high)) {
            out.copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }
}
