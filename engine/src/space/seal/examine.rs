//! Examining a window while somebody else makes it: labels of each layer are asked for once the layer's root stands, when only
//! that layer and the one before have to be in memory.
//!
//! The maker has bound itself to a layer by its root before it learns which labels are asked for. So a layer in which a share f of
//! all labels does not follow from the labels before gets past s random ones with (1 − f)^s at most.

use super::labels::OpenedLabels;
use super::{Check, opening_bytes};
use crate::accelerator::{Fault, Interruption};
use crate::backend::Backend;
use crate::challenge::SealNode;
use crate::registration::WindowShape;
use crate::rejection::{Class, Rejection};
use crate::space::label::Layer;
use crate::space::response::log2_chunks;

/// Most labels of one answer, which has less than 1.1 MiB for the largest windows.
pub const NODES_PER_ANSWER: usize = 64;

/// Who wants to see labels of a window while it is made. Called from the thread that makes it, layer by layer.
pub trait Examiner {
    /// Layer `number` (1 … ℓ) has this root: the nodes whose labels are to be shown. `None`: stop.
    fn ask(&self, number: u32, root: &[u8; 32]) -> Option<Vec<u32>>;

    /// The answer to [`NODES_PER_ANSWER`] of the nodes asked for last, or to what is left of them; in order.
    fn show(&self, number: u32, answer: Vec<u8>);
}

/// Labels of one layer of a window, to be shown with their parents.
#[derive(Clone, Debug)]
pub struct LayerQuestion {
    shape: WindowShape,
    number: u8,
    checks: Vec<Check>,
}

impl LayerQuestion {
    /// The labels of these nodes of layer `number` of the window with this key.
    ///
    /// Refused: `malformed` (no such layer or node).
    pub fn new(
        shape: WindowShape,
        window_key: &[u8; 32],
        number: u32,
        nodes: &[u32],
    ) -> Result<LayerQuestion, Rejection> {
        let layers = shape.layers();
        let layer = u8::try_from(number).ok().filter(|layer| (1..=layers).contains(layer));
        let layer = layer.ok_or_else(|| Class::Malformed.because(format!("layer {number} of {layers}")))?;
        if let Some(node) = nodes.iter().find(|node| u64::from(**node) >= shape.labels()) {
            return Err(Class::Malformed.because(format!("label {node} of {}", shape.labels())));
        }
        let derived = Layer::derive(window_key, number, shape.log2_labels());
        let check = |&node: &u32| Check::in_layer(derived.clone(), SealNode { layer, node });
        Ok(LayerQuestion { shape, number: layer, checks: nodes.iter().map(check).collect() })
    }

    /// Every label to open, in the order of the answer: each with its parents in the layer before, which layer 1 has not.
    pub fn opened(&self) -> Vec<SealNode> {
        self.checks.iter().flat_map(Check::opened).collect()
    }

    /// Exact bytes of the answer: the openings of the chunks that hold these labels, one after another.
    pub fn answer_bytes(&self) -> usize {
        let openings: usize = self.checks.iter().map(|check| 1 + check.parents.len()).sum();
        openings * opening_bytes(self.shape)
    }

    /// Checks an answer under the root of the layer and that of the layer before (any for layer 1).
    ///
    /// Refused: `wrong-length` (before anything is hashed), `wrong-root`, `wrong-label`.
    pub fn verify(
        &self,
        backend: &dyn Backend,
        root: &[u8; 32],
        root_before: &[u8; 32],
        answer: &[u8],
    ) -> Result<(), Rejection> {
        let expected = self.answer_bytes();
        let wrong_length = || {
            let (found, number) = (answer.len(), self.number);
            Class::WrongLength
                .because(format!("an answer of {found} bytes, not {expected}, about layer {number}"))
        };
        if answer.len() != expected {
            return Err(wrong_length());
        }
        let root_of = |node: SealNode| Some(if node.layer == self.number { root } else { root_before });
        let mut openings = answer;
        OpenedLabels::take(self.checks.clone(), log2_chunks(self.shape), root_of, &mut openings)
            .ok_or_else(wrong_length)?
            .check(backend)
    }
}

/// Asks the examiner about a layer that was just made, and shows it what it wants to see. `open` gives the openings of the chunks
/// that hold these labels, one after another.
///
/// # Errors
/// The examiner stops or asks for what there is not, or `open` fails.
pub fn answer_examiner(
    examiner: &dyn Examiner,
    (shape, window_key): (WindowShape, &[u8; 32]),
    (number, root): (u32, &[u8; 32]),
    mut open: impl FnMut(&[SealNode]) -> Result<Vec<u8>, Interruption>,
) -> Result<(), Interruption> {
    let nodes = examiner.ask(number, root).ok_or(Interruption::Stopped)?;
    for nodes in nodes.chunks(NODES_PER_ANSWER) {
        let question = LayerQuestion::new(shape, window_key, number, nodes)
            .map_err(|refused| Fault::Refused { message: refused.to_string() })?;
        examiner.show(number, open(&question.opened())?);
    }
    Ok(())
}
