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
