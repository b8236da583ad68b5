//! The miner's side: collects openings while a window is made again.

use super::{LayerObserver, plan};
use crate::challenge::{Challenge, SealNode};
use crate::tree::Outboard;

/// Collects what shows one window of a seal challenge. Fed with its layers, in order.
#[derive(Clone, Debug)]
pub struct WindowProver {
    layer_roots: Vec<[u8; 32]>,
    /// The labels to open in the order of the response, and their openings as far as their layers were seen.
    opened: Vec<(SealNode, Vec<u8>)>,
}

impl WindowProver {
    /// For this window of the challenge; its key is `registration.window_key(window)`.
    pub fn new(challenge: &Challenge, window: u64, window_key: &[u8; 32]) -> WindowProver {
        let checks = plan(challenge, window, window_key);
        let opened = checks.iter().flat_map(|check| check.opened()).map(|node| (node, Vec::new())).collect();
        WindowProver { layer_roots: Vec::new(), opened }
    }

    /// What shows the window, once all layers were seen: one sample of [`crate::space::response::encode_response`].
    pub fn finish(self) -> Vec<u8> {
        let roots = self.layer_roots.into_iter().flatten();
        roots.chain(self.opened.into_iter().flat_map(|(_, opening)| opening)).collect()
    }
}

impl LayerObserver for WindowProver {
    fn layer(&mut self, number: u32, bytes: &[u8], outboard: &Outboard) {
        self.layer_roots.push(outboard.root());
        for (node, opening) in self.opened.iter_mut().filter(|(node, _)| u32::from(node.layer) == number) {
            *opening = outboard.open(bytes, node.chunk());
        }
    }
}
