//! What is checked of a window that another machine makes, before any of it counts.
//!
//! The worker says the root of a layer; only then is drawn, from this machine's randomness, which labels of it are to be shown: one
//! in each of [`LABELS_PER_LAYER`] equal parts. Each comes with its parents in the layer before, all opened up to the two roots, and
//! must be the function of its parents. Of a layer in which a share f of the labels does not follow from the layer before, a wrong
//! one is among those shown with 1 − (1 − f)^704: 99.9 % for f = 1 %. The bytes that come at the end are hashed, all of them,
//! and must come to the root of the last layer.

use holdfast_engine::accelerator::Fault;
use holdfast_engine::backend::Backend;
use holdfast_engine::registration::WindowShape;
use holdfast_engine::rejection::{Class, Rejection};
use holdfast_engine::space::seal::{LayerQuestion, NODES_PER_ANSWER};
use holdfast_engine::space::strata::one_in_each;
use holdfast_engine::space::window::{MadeWindow, TILE_BYTES};
use holdfast_engine::tree::{BLOCK_BYTES, ChainingValue, Outboard, block_value};

/// Labels of each layer that are shown: 0.99^704 < 0.001.
pub const LABELS_PER_LAYER: u32 = 704;

/// One window, from the first root to the last byte. Whatever is out of turn is refused as `malformed`.
#[derive(Debug)]
pub struct WindowCheck {
    shape: WindowShape,
    window_key: [u8; 32],
    /// From it all labels to show are drawn; nobody else learns it.
    seed: [u8; 32],
    labels_per_layer: u32,
    roots: Vec<[u8; 32]>,
    /// Nodes of the last layer that came whose labels are not shown yet, in the order in which they are.
    unanswered: Vec<u32>,
    /// Of the blocks that came.
    values: Vec<ChainingValue>,
}

impl WindowCheck {
    /// Nothing has come yet.
    ///
    /// # Errors
    /// The system has no randomness.
    pub fn new(
        shape: WindowShape,
        window_key: &[u8; 32],
        labels_per_layer: u32,
    ) -> Result<WindowCheck, Fault> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed)
            .map_err(|error| Fault::Refused { message: format!("no randomness from the system: {error}") })?;
        Ok(WindowCheck::with_seed(shape, window_key, labels_per_layer, seed))
    }

    fn with_seed(
        shape: WindowShape,
        window_key: &[u8; 32],
        labels_per_layer: u32,
        seed: [u8; 32],
    ) -> WindowCheck {
        WindowCheck {
            shape,
            window_key: *window_key,
            seed,
            labels_per_layer,
            roots: Vec::with_capacity(shape.layers().into()),
            unanswered: Vec::new(),
            values: Vec::new(),
        }
    }

    /// The next layer has this root; returns the nodes whose labels are to be shown.
    ///
    /// Refused: `malformed`.
    pub fn layer(&mut self, number: u32, root: &[u8]) -> Result<Vec<u32>, Rejection> {
        let expected = self.roots.len() + 1;
        if !self.unanswered.is_empty() || expected > usize::from(self.shape.layers()) {
            return Err(Class::Malformed.because(format!("layer {number} out of turn")));
        }
        if usize::try_from(number) != Ok(expected) {
            return Err(Class::Malformed.because(format!("layer {number} where {expected} was due")));
        }
        let length = root.len();
        let root = <[u8; 32]>::try_from(root)
            .map_err(|_| Class::Malformed.because(format!("a root of {length} bytes")))?;
        self.roots.push(root);
        let labels = u32::try_from(self.shape.labels()).unwrap_or(u32::MAX);
        self.unanswered = one_in_each(&self.seed, [number, 0], labels, self.labels_per_layer);
        Ok(self.unanswered.clone())
    }

    /// What shows the next labels of the layer that was asked about last.
    ///
    /// Refused: `malformed`, `wrong-length` (before anything is hashed), `wrong-root`, `wrong-label`.
    pub fn answer(&mut self, backend: &dyn Backend, number: u32, openings: &[u8]) -> Result<(), Rejection> {
        let [.., root] = self.roots.as_slice() else {
            return Err(Class::Malformed.because("an answer before any layer"));
        };
        if usize::try_from(number) != Ok(self.roots.len()) || self.unanswered.is_empty() {
            return Err(Class::Malformed.because(format!("an answer about layer {number} out of turn")));
        }
        let count = self.unanswered.len().min(NODES_PER_ANSWER);
        let nodes: Vec<u32> = self.unanswered.drain(..count).collect();
        let question = LayerQuestion::new(self.shape, &self.window_key, number, &nodes)?;
        // Layer 1 has none before it, and nothing of it is opened.
        let before = self.roots.iter().rev().nth(1).unwrap_or(root);
        question.verify(backend, root, before, openings)
    }

    /// Whether all layers were shown, so that bytes of the window may come.
    pub fn is_shown(&self) -> bool {
        self.roots.len() == usize::from(self.shape.layers()) && self.unanswered.is_empty()
    }

    /// Whether all bytes came.
    pub fn is_complete(&self) -> bool {
        self.values.len() as u64 == self.shape.blocks()
    }

    /// The next bytes of the last layer: 1 MiB, or all of a smaller window.
    ///
    /// Refused: `malformed`, `wrong-length`.
    pub fn part(&mut self, offset_bytes: u64, bytes: &[u8]) -> Result<(), Rejection> {
        let (window, have) = (self.shape.bytes(), self.values.len() as u64 * BLOCK_BYTES as u64);
        if !self.is_shown() || offset_bytes != have || have == window {
            return Err(
                Class::Malformed.because(format!("a part at {offset_bytes} of {window} bytes out of turn"))
            );
        }
        let (expected, found) = (window.min(TILE_BYTES as u64), bytes.len());
        if found as u64 != expected {
            return Err(Class::WrongLength.because(format!("a part of {found} bytes, not {expected}")));
        }
        let first = self.values.len() as u64;
        let values = (first..).zip(bytes.chunks(BLOCK_BYTES)).map(|(block, bytes)| block_value(block, bytes));
        self.values.extend(values);
        Ok(())
    }

    /// What is known of the window, once it is complete.
    ///
    /// Refused: `wrong-length` (not complete), `wrong-root` (the bytes are not those of the last root).
    pub fn finish(self) -> Result<MadeWindow, Rejection> {
        if !self.is_complete() {
            let (found, expected) = (self.values.len(), self.shape.blocks());
            return Err(Class::WrongLength.because(format!("{found} of {expected} blocks came")));
        }
        let outboard = Outboard::from_block_values(self.shape.bytes(), self.values);
        if self.roots.last() != Some(&outboard.root()) {
            return Err(
                Class::WrongRoot.because("the bytes that came are not under the root of the last layer")
            );
        }
        Ok(MadeWindow { layer_roots: self.roots, outboard })
    }
}

#[cfg(test)]
mod tests;
