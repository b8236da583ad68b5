//! From a challenge to places (challenge-v1 §2).

use super::{Challenge, Kind};
use crate::registration::WindowShape;
use crate::transcript::{Context, Stream};

/// A chunk that a space challenge asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SpaceSample {
    /// Index of the window in its partition.
    pub window: u64,
    /// Index of the chunk in the window.
    pub chunk: u64,
}

/// A label that a seal challenge asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SealNode {
    /// Layer, 1 … ℓ.
    pub layer: u8,
    /// Index of the label in its layer.
    pub node: u32,
}

impl Challenge {
    /// The windows that are asked for, in order.
    pub fn windows(&self) -> Vec<u64> {
        self.windows_from(&self.seed())
    }

    fn windows_from(&self, seed: &[u8; 32]) -> Vec<u64> {
        let drawn =
            Context::SPACE_WINDOWS.stream(&[seed]).distinct_below(self.window_count, self.sample_count());
        drawn.into_iter().map(|window| self.first_window + window).collect()
    }

    /// q as a count of things in memory; at most 2^20.
    pub(crate) fn sample_count(&self) -> usize {
        self.samples as usize
    }

    /// The chunks that a space challenge asks for, in order; none for other kinds.
    pub fn space_samples(&self) -> Vec<SpaceSample> {
        if self.kind != Kind::Space {
            return Vec::new();
        }
        let seed = self.seed();
        let mut chunks = Context::SPACE_CHUNKS.stream(&[&seed]);
        let sample = |window| SpaceSample { window, chunk: chunks.below(self.shape.chunks()) };
        self.windows_from(&seed).into_iter().map(sample).collect()
    }

    /// The labels of this window that a seal challenge asks for, in order; none for other kinds.
    pub fn seal_nodes(&self, window: u64) -> Vec<SealNode> {
        if self.kind != Kind::Seal {
            return Vec::new();
        }
        let mut stream = Context::SEAL_NODES.stream(&[&self.seed(), &window.to_le_bytes()]);
        (1..=self.shape.layers()).flat_map(|layer| layer_nodes(self.shape, &mut stream, layer)).collect()
    }
}

/// Two labels of each of the two top layers, one of every other: what is wrong there costs a cheater least.
fn layer_nodes(shape: WindowShape, stream: &mut Stream, layer: u8) -> Vec<SealNode> {
    let count = if layer + 1 >= shape.layers() { 2 } else { 1 };
    let nodes = stream.distinct_below(shape.labels(), count).into_iter();
    nodes.map(|node| SealNode { layer, node: u32::try_from(node).expect("k is at most 30") }).collect()
}
