//! The backward cone: what has to be computed again when nodes of the stored layer are missing.
//!
//! [`cone`] walks the real edges; [`expected_cone`] is the expectation over random permutations, `1 − (1 − x)^8` of a
//! layer for a fraction `x` of the layer above (a node is spared when it and its seven children are). Tests hold one
//! against the other, so that policies and plans can use the second, which costs nothing.

use serde::{Deserialize, Serialize};

use super::inverse::InverseEdges;
use crate::space::label::{EDGE_COUNT, Edges, Layer};

/// Nodes of a 1 KiB chunk, the unit that a space audit samples.
pub const NODES_PER_CHUNK: u32 = 32;
/// Compressions of a label above layer 1; a label of layer 1 takes one.
pub const COMPRESSIONS_PER_LABEL: f64 = 4.0;

/// What one answer drags in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConeEstimate {
    /// Share of a window's compressions, 0 … 1.
    pub compressions_share: f64,
    /// Share of a window's gathers (seven random reads for each label above layer 1), 0 … 1.
    pub gathers_share: f64,
    /// Labels needed in each layer, layer 1 first.
    pub per_layer: Vec<f64>,
}

impl ConeEstimate {
    /// φ: the smaller share, which is what a cheater can count on whatever bounds the device.
    pub fn share(&self) -> f64 {
        self.compressions_share.min(self.gathers_share)
    }

    fn of(per_layer: Vec<f64>, labels: f64) -> ConeEstimate {
        let first = per_layer.first().copied().unwrap_or(0.0);
        let above: f64 = per_layer.iter().skip(1).sum();
        let all_above = labels * per_layer.len().saturating_sub(1) as f64;
        ConeEstimate {
            compressions_share: (first + COMPRESSIONS_PER_LABEL * above)
                / (labels + COMPRESSIONS_PER_LABEL * all_above),
            gathers_share: if all_above > 0.0 { above / all_above } else { 0.0 },
            per_layer,
        }
    }
}

/// The cone of `start_nodes` of layer `layers` in an example window with 2^`log2_labels` labels (at most 30), by walking
/// its edges. Takes two bit sets of 2^k bits; k = 25 takes a second or two on one core.
pub fn cone(log2_labels: u8, layers: u8, start_nodes: &[u32]) -> ConeEstimate {
    cone_of_window(&[0; 32], log2_labels, layers, start_nodes)
}

/// [`cone`] in the window with this key.
pub fn cone_of_window(
    window_key: &[u8; 32],
    log2_labels: u8,
    layers: u8,
    start_nodes: &[u32],
) -> ConeEstimate {
    let mut needed = NodeSet::empty(log2_labels);
    for &node in start_nodes {
        needed.insert(node & ((1 << log2_labels) - 1));
    }
    let mut per_layer = vec![needed.count as f64];
    for number in (2..=u32::from(layers)).rev() {
        let edges = Layer::derive(window_key, number, log2_labels).edges;
        needed.add_parents(&edges);
        per_layer.push(needed.count as f64);
    }
    per_layer.reverse();
    ConeEstimate::of(per_layer, (1u64 << log2_labels) as f64)
}

/// The expected cone of `start_nodes` nodes of layer `layers`, were the edges random permutations.
pub fn expected_cone(log2_labels: u8, layers: u8, start_nodes: f64) -> ConeEstimate {
    expected_cone_through(log2_labels, layers, start_nodes, layers, 1.0)
}

/// The expected cone when the cheater keeps labels of layer `kept_layer` too: of the labels needed there only the fraction
/// `missing` has to be computed.
pub fn expected_cone_through(
    log2_labels: u8,
    layers: u8,
    start_nodes: f64,
    kept_layer: u8,
    missing: f64,
) -> ConeEstimate {
    let labels = (1u64 << log2_labels) as f64;
    let mut fraction = start_nodes / labels;
    let mut per_layer = Vec::with_capacity(usize::from(layers));
    for layer in (1..=layers).rev() {
        if layer == kept_layer {
            fraction *= missing;
        }
        per_layer.push(fraction * labels);
        let spared = (1.0 - fraction) * (1.0 - fraction);
        let spared = spared * spared;
        fraction = 1.0 - spared * spared;
    }
    per_layer.reverse();
    ConeEstimate::of(per_layer, labels)
}

/// A set of nodes of one layer.
struct NodeSet {
    words: Vec<u64>,
    count: u64,
    labels: u64,
}

impl NodeSet {
    fn empty(log2_labels: u8) -> NodeSet {
        let labels = 1u64 << log2_labels;
        let words = usize::try_from(labels.div_ceil(64)).unwrap_or(usize::MAX);
        NodeSet { words: vec![0; words], count: 0, labels }
    }

    fn contains(&self, node: u32) -> bool {
        self.words[(node / 64) as usize] >> (node % 64) & 1 == 1
    }

    fn insert(&mut self, node: u32) {
        let word = &mut self.words[(node / 64) as usize];
        self.count += u64::from(*word >> (node % 64) & 1 == 0);
        *word |= 1 << (node % 64);
    }

    /// Layer j−1's needed nodes from layer j's: the same nodes and the seven parents of each. From the side with fewer
    /// nodes, as in direction-optimising breadth-first search: a spared node is soon met by one of its children.
    fn add_parents(&mut self, edges: &Edges) {
        if self.count == self.labels {
            return;
        }
        let above = self.words.clone();
        if self.count * 3 < self.labels {
            for node in members(&above) {
                (0..EDGE_COUNT).for_each(|edge| self.insert(edges.parent(edge, node)));
            }
            return;
        }
        let above = NodeSet { words: above, count: self.count, labels: self.labels };
        let inverse = InverseEdges::of(edges);
        let last = u32::try_from(self.labels - 1).unwrap_or(u32::MAX);
        let spared: Vec<u64> = above.words.iter().map(|word| !word).collect();
        for node in members(&spared).take_while(|&node| node <= last) {
            if (0..EDGE_COUNT).any(|edge| above.contains(inverse.child(edge, node))) {
                self.insert(node);
            }
        }
    }
}

/// The set bits of these words, ascending.
fn members(words: &[u64]) -> impl Iterator<Item = u32> {
    (0u32..).step_by(64).zip(words).flat_map(|(first, &word)| {
        let mut rest = word;
        std::iter::from_fn(move || {
            (rest != 0).then(|| {
                let bit = rest.trailing_zeros();
                rest &= rest - 1;
                first + bit
            })
        })
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The bit sets and both directions against the definition, over a set of nodes.
    #[test]
    fn cone_is_the_definition() {
        for (k, layers) in [(5, 3), (10, 2), (10, 6), (11, 9)] {
            let mut needed: BTreeSet<u32> = (3..20).collect();
            let mut expected = vec![needed.len() as f64];
            for number in (2..=u32::from(layers)).rev() {
                let edges = Layer::derive(&[7; 32], number, k).edges;
                needed = needed.iter().flat_map(|&node| edges.parents(node)).collect();
                expected.push(needed.len() as f64);
            }
            expected.reverse();
            let start: Vec<u32> = (3..20).collect();
            assert_eq!(cone_of_window(&[7; 32], k, layers, &start).per_layer, expected);
        }
    }

    #[test]
    fn a_whole_layer_costs_a_whole_window() {
        let all: Vec<u32> = (0..1024).collect();
        let estimate = cone(10, 5, &all);
        assert_eq!((estimate.compressions_share, estimate.gathers_share), (1.0, 1.0));
        assert_eq!(expected_cone(10, 5, 1024.0), estimate);
    }

    /// Two layers by hand: 32 nodes of layer 2 (4 compressions, 7 gathers each), at most 256 of layer 1 (1 each).
    #[test]
    fn shares_count_what_the_specification_counts() {
        let chunk: Vec<u32> = (0..32).collect();
        let estimate = cone(20, 2, &chunk);
        let first = estimate.per_layer[0];
        assert!((240.0..=256.0).contains(&first));
        assert_eq!(estimate.gathers_share, 32.0 / 1_048_576.0);
        assert_eq!(estimate.compressions_share, (first + 128.0) / (5.0 * 1_048_576.0));
        assert_eq!(estimate.share(), estimate.gathers_share);
    }

    #[test]
    fn kept_labels_shrink_the_cone() {
        let whole = expected_cone(21, 16, 32.0).share();
        assert_eq!(expected_cone_through(21, 16, 32.0, 8, 0.0).per_layer[..8], [0.0; 8]);
        assert!(expected_cone_through(21, 16, 32.0, 8, 0.5).share() <= whole);
    }

    /// The expectation is the simulation: to 0.2 % at the sizes policies meet, to 5 % where a window has 4,096 labels.
    #[test]
    fn expectation_is_what_the_edges_do() {
        let cases = [
            (12, 4, 0.05),
            (15, 8, 0.01),
            (18, 12, 0.005),
            (21, 12, 0.002),
            (21, 16, 0.002),
            (21, 32, 0.002),
        ];
        for (k, layers, tolerance) in cases {
            let chunk: Vec<u32> = (320..352).collect();
            let (walked, expected) = (cone(k, layers, &chunk), expected_cone(k, layers, 32.0));
            for (walked, expected) in [
                (walked.gathers_share, expected.gathers_share),
                (walked.compressions_share, expected.compressions_share),
            ] {
                let off = (walked / expected - 1.0).abs();
                assert!(off < tolerance, "k {k}, layers {layers}: {walked} against {expected}");
            }
        }
    }

    /// Known figures for windows of 1 GiB (decision 0005), by walking 2^25 nodes a layer: compressions, then gathers.
    #[test]
    fn shares_of_the_profiles() {
        let chunk: Vec<u32> = (0..32).collect();
        let shares = [8, 12, 16, 32].map(|layers| {
            let estimate = cone(25, layers, &chunk);
            format!("{:.3} {:.3}", estimate.compressions_share, estimate.gathers_share)
        });
        assert_eq!(shares, ["0.065 0.037", "0.389 0.375", "0.549 0.541", "0.780 0.778"]);
    }
}
