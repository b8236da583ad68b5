//! What one layer of one window is made of: its key and its edges (space-v1 §4).

use blake3::hazmat::HasherExt;

use crate::transcript::Context;
use crate::tree::CHUNK_BYTES;

/// Bytes of a label.
pub const LABEL_BYTES: usize = 32;
/// Edges of a node besides the one to itself.
pub const EDGE_COUNT: usize = 7;
/// Rounds of the edge mixer.
pub const EDGE_ROUNDS: usize = 6;

/// The seven keyed bijections π of [0, 2^k): six rounds of `x ← (a·x + c) mod 2^k`, `x ← x xor (x >> ⌈k/3⌉)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edges {
    /// `(a, c)` by edge and round; `a` is odd.
    pub constants: [[(u32, u32); EDGE_ROUNDS]; EDGE_COUNT],
    /// k: the logarithm of the number of labels.
    pub log2_labels: u8,
}

impl Edges {
    /// The edges that a layer key stands for. `log2_labels` is at most 30.
    pub fn derive(layer_key: &[u8; 32], log2_labels: u8) -> Edges {
        let mut stream = Context::EDGES.stream(&[layer_key]);
        let mut word = || {
            let mut bytes = [0; 4];
            stream.fill(&mut bytes);
            u32::from_le_bytes(bytes)
        };
        let constants = std::array::from_fn(|_| std::array::from_fn(|_| (word() | 1, word())));
        Edges { constants, log2_labels }
    }

    /// 2^k − 1.
    pub fn mask(&self) -> u32 {
        (1u32 << self.log2_labels) - 1
    }

    /// ⌈k/3⌉, the shift of every round.
    pub fn shift(&self) -> u32 {
        u32::from(self.log2_labels).div_ceil(3)
    }

    /// `π_edge(node)`.
    pub fn parent(&self, edge: usize, node: u32) -> u32 {
        self.constants[edge].iter().fold(node, |x, &(a, c)| {
            let x = a.wrapping_mul(x).wrapping_add(c) & self.mask();
            x ^ (x >> self.shift())
        })
    }

    /// All eight parents of a node, itself first.
    pub fn parents(&self, node: u32) -> [u32; EDGE_COUNT + 1] {
        std::array::from_fn(|p| if p == 0 { node } else { self.parent(p - 1, node) })
    }
}

/// Key and edges of one layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// `layer key(w, j)`.
    pub key: [u8; 32],
    /// The edges from the layer before (unused for layer 1).
    pub edges: Edges,
}

impl Layer {
    /// Layer `number` (1 … ℓ) of the window with this key.
    pub fn derive(window_key: &[u8; 32], number: u32, log2_labels: u8) -> Layer {
        let key = Context::LAYER_KEY.derive(&[window_key, &number.to_le_bytes()]);
        Layer { key, edges: Edges::derive(&key, log2_labels) }
    }

    /// The label of a node from the labels of its parents, in their order; layer 1 has none (space-v1 §5).
    pub fn label(&self, node: u32, parents: &[[u8; LABEL_BYTES]]) -> [u8; LABEL_BYTES] {
        let message = if parents.is_empty() { &[0; LABEL_BYTES] } else { parents.as_flattened() };
        let offset = u64::from(node) * CHUNK_BYTES as u64;
        blake3::Hasher::new_keyed(&self.key).set_input_offset(offset).update(message).finalize_non_root()
    }
}
