//! The callers' preconditions, which the kernels' memory safety rests on.

use crate::space::label::{LABEL_BYTES, Layer};

/// Whole labels, of nodes that the window has.
pub(super) fn range(layer: &Layer, first: u32, out: &[u8]) {
    let count = out.len() / LABEL_BYTES;
    assert_eq!(out.len() % LABEL_BYTES, 0, "{} bytes are not whole labels of {LABEL_BYTES}", out.len());
    let end = u64::from(first) + count as u64;
    assert!(
        end <= label_count(layer),
        "nodes {first} … {end} lie outside a window of {} labels",
        label_count(layer)
    );
}

/// All labels of the layer before.
pub(super) fn previous(layer: &Layer, previous: &[u8]) {
    let expected = label_count(layer) * LABEL_BYTES as u64;
    assert_eq!(previous.len() as u64, expected, "bytes of the layer before");
}

/// As many results as inputs.
pub(super) fn same_count(expected: usize, given: usize) {
    assert_eq!(expected, given, "the slices of one call have different lengths");
}

/// 2^k.
fn label_count(layer: &Layer) -> u64 {
    let log2_labels = layer.edges.log2_labels;
    assert!(log2_labels <= 30, "k = {log2_labels} is larger than 30");
    1 << log2_labels
}
