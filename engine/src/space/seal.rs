//! The seal audit: windows were made as space-v1 §5 says (space-v1 §8, challenge-v1 §5).

mod examine;
mod labels;
mod prove;
mod verify;

use super::label::{LABEL_BYTES, Layer};
use super::response::opening_bytes;
use crate::challenge::{Challenge, SealNode};
use crate::registration::WindowShape;
use crate::tree::{CHUNK_BYTES, Outboard};

pub use examine::{Examiner, LayerQuestion, NODES_PER_ANSWER, answer_examiner};
pub use prove::WindowProver;
pub use verify::verify_seal;

const LABELS_PER_CHUNK: u32 = 32;
const _: () = assert!(LABELS_PER_CHUNK as usize * LABEL_BYTES == CHUNK_BYTES);

/// Who looks at whole layers of a window as they are made.
pub trait LayerObserver {
    /// Layer `number` (1 … ℓ): all its bytes, and its tree.
    fn layer(&mut self, number: u32, bytes: &[u8], outboard: &Outboard);
}

/// Bytes that show one window: ℓ layer roots, then openings.
pub(super) fn window_proof_bytes(shape: WindowShape) -> usize {
    let layers = usize::from(shape.layers());
    // One opening for the label of a node, eight for its parents. All layers but two have one node; with only two
    // layers the first, whose nodes have no parents, has two.
    let first_layer_nodes = if layers == 2 { 2 } else { 1 };
    let openings = first_layer_nodes + 9 * (layers + 2 - first_layer_nodes);
    32 * layers + openings * opening_bytes(shape)
}

/// A label to check: where it is, what it is made with, and where its parents are.
#[derive(Clone, Debug)]
struct Check {
    at: SealNode,
    layer: Layer,
    /// None for layer 1; else eight, in the layer before, the node itself first.
    parents: Vec<SealNode>,
}

impl Check {
    fn new(shape: WindowShape, window_key: &[u8; 32], at: SealNode) -> Check {
        let layer = Layer::derive(window_key, u32::from(at.layer), shape.log2_labels());
        Check::in_layer(layer, at)
    }

    fn in_layer(layer: Layer, at: SealNode) -> Check {
        let parent = |node| SealNode { layer: at.layer - 1, node };
        let parents = match at.layer {
            1 => Vec::new(),
            _ => layer.edges.parents(at.node).map(parent).to_vec(),
        };
        Check { at, layer, parents }
    }

    /// The labels to open, in the order of the response.
    fn opened(&self) -> impl Iterator<Item = SealNode> + '_ {
        std::iter::once(self.at).chain(self.parents.iter().copied())
    }
}

impl SealNode {
    /// The chunk that holds the label.
    pub fn chunk(self) -> u64 {
        u64::from(self.node / LABELS_PER_CHUNK)
    }

    /// The label, in its chunk.
    fn label_in(self, chunk: &[u8; CHUNK_BYTES]) -> [u8; LABEL_BYTES] {
        let (labels, _) = chunk.as_chunks();
        labels[(self.node % LABELS_PER_CHUNK) as usize]
    }
}

/// What a seal challenge checks of one window, in the order of the response.
fn plan(challenge: &Challenge, window: u64, window_key: &[u8; 32]) -> Vec<Check> {
    let check = |at| Check::new(challenge.shape, window_key, at);
    challenge.seal_nodes(window).into_iter().map(check).collect()
}
