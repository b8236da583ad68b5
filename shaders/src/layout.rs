//! The bytes of uniform and storage buffers, as host types. The tests compare them with what naga reflects.

use bytemuck::{Pod, Zeroable};

/// A chaining value or key as eight little-endian words; WGSL `Digest`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Digest {
    /// Words 0 … 3.
    pub low: [u32; 4],
    /// Words 4 … 7.
    pub high: [u32; 4],
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

/// Parameters of kernel `label_first_layer`; WGSL `LabelFirstLayer`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
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
