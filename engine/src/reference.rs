//! The specification as plain code over the official `blake3` crate and arkworks: slow, obvious, the oracle of every test.

pub mod possession;

use ark_ec::AdditiveGroup;
use ark_ff::{BigInteger, PrimeField, Zero};
use blake3::hazmat::{HasherExt, Mode, merge_subtrees_non_root, merge_subtrees_root};

use crate::curve::{Fr, G1Affine, G1Projective, LIMB_BYTES};
use crate::space::label::{LABEL_BYTES, Layer};

/// BLAKE3's chaining value of a chunk of at most 1,024 bytes, without ROOT; keyed mode with a key (space-v1 §5).
fn chunk_chaining_value(mut hasher: blake3::Hasher, counter: u64, message: &[u8]) -> [u8; 32] {
    let offset = counter * blake3::CHUNK_LEN as u64;
    hasher.set_input_offset(offset).update(message).finalize_non_root()
}

/// `L[1][node]` (space-v1 §5).
pub fn first_label(layer: &Layer, node: u32) -> [u8; 32] {
    chunk_chaining_value(blake3::Hasher::new_keyed(&layer.key), u64::from(node), &[0; LABEL_BYTES])
}

/// `L[j][node]` for j > 1, from all labels of the layer before (space-v1 §5).
pub fn next_label(layer: &Layer, previous: &[u8], node: u32) -> [u8; 32] {
    let (labels, _) = previous.as_chunks::<LABEL_BYTES>();
    let message = layer.edges.parents(node).map(|parent| labels[parent as usize]);
    chunk_chaining_value(blake3::Hasher::new_keyed(&layer.key), u64::from(node), message.as_flattened())
}

/// All labels of layer 1.
pub fn first_layer(layer: &Layer) -> Vec<u8> {
    (0..=layer.edges.mask()).flat_map(|node| first_label(layer, node)).collect()
}

/// All labels of layer j > 1.
pub fn next_layer(layer: &Layer, previous: &[u8]) -> Vec<u8> {
    (0..=layer.edges.mask()).flat_map(|node| next_label(layer, previous, node)).collect()
}

/// Chaining value of chunk number `counter` of a byte string (tree-v1 §2). `counter` is below 2^54.
pub fn chunk_value(chunk: &[u8], counter: u64) -> [u8; 32] {
    chunk_chaining_value(blake3::Hasher::new(), counter, chunk)
}

/// Parent of two chaining values; `root` computes it with ROOT (tree-v1 §2).
pub fn parent_value(left: &[u8; 32], right: &[u8; 32], root: bool) -> [u8; 32] {
    if root {
        *merge_subtrees_root(left, right, Mode::Hash).as_bytes()
    } else {
        merge_subtrees_non_root(left, right, Mode::Hash)
    }
}

/// `scalar`·`point` by doubling and adding, for any point of the curve.
fn multiple(point: &G1Affine, scalar: &Fr) -> G1Projective {
    scalar.into_bigint().to_bits_be().into_iter().fold(G1Projective::zero(), |sum, bit| {
        let doubled = sum.double();
        if bit { doubled + point } else { doubled }
    })
}

/// Σ `scalars[i]`·`points[i]`.
pub fn linear_combination(points: &[G1Affine], scalars: &[Fr]) -> G1Projective {
    points.iter().zip(scalars).map(|(point, scalar)| multiple(point, scalar)).sum()
}

/// Limbs of 31 bytes on the bases but the last, which takes `blinding` (commitment-v1 §4).
pub fn commitment(bases: &[G1Affine], block: &[u8], blinding: &Fr) -> G1Projective {
    let limbs: Vec<Fr> = block.chunks(LIMB_BYTES).map(Fr::from_le_bytes_mod_order).collect();
    let last = bases.last().map_or(G1Projective::zero(), |last| multiple(last, blinding));
    linear_combination(bases, &limbs) + last
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two chunks and their parent make the plain hash, so counters, flags and ROOT are those of BLAKE3.
    #[test]
    fn two_chunks_and_a_parent_are_the_plain_hash() {
        let bytes: Vec<u8> = (0..1500u32).map(|i| (i % 251) as u8).collect();
        let root = parent_value(&chunk_value(&bytes[..1024], 0), &chunk_value(&bytes[1024..], 1), true);
        assert_eq!(root, *blake3::hash(&bytes).as_bytes());
    }
}
