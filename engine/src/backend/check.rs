//! The callers' preconditions, which the kernels' memory safety rests on.

use ark_ff::{BigInteger, PrimeField};

use crate::curve::{Fr, G1Affine, LIMB_BYTES, SCALAR_BITS, Table};
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

/// A blinding scalar a block, and a base for every limb and for the blinding.
pub(super) fn blocks(table: &Table, blocks: &[&[u8]], blindings: &[Fr]) {
    same_count(blocks.len(), blindings.len());
    let limbs = table.base_count().checked_sub(1).expect("a table has a base for the blinding");
    let longest = blocks.iter().map(|block| block.len()).max().unwrap_or(0);
    assert!(longest <= limbs * LIMB_BYTES, "a block of {longest} bytes on {limbs} bases");
}

/// A scalar a point, none longer than said.
pub(super) fn scalars(points: &[G1Affine], scalars: &[Fr], scalar_bits: u32) {
    same_count(points.len(), scalars.len());
    assert!((1..=SCALAR_BITS).contains(&scalar_bits), "scalars of {scalar_bits} bits");
    let longest = scalars.iter().map(|scalar| scalar.into_bigint().num_bits()).max().unwrap_or(0);
    assert!(longest <= scalar_bits, "a scalar of {longest} bits among scalars of {scalar_bits}");
}

/// 2^k.
fn label_count(layer: &Layer) -> u64 {
    let log2_labels = layer.edges.log2_labels;
    assert!(log2_labels <= 30, "k = {log2_labels} is larger than 30");
    1 << log2_labels
}
