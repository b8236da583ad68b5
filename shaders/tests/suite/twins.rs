//! Twins equal the official `blake3` crate.

use blake3::hazmat::HasherExt;
use holdfast_shaders::layout::{Digest, LabelFirstLayer};
use holdfast_shaders::registry::LABEL_FIRST_LAYER;
use holdfast_shaders::twin::label_first_layer::label_first_layer;
use holdfast_shaders::twin::{blake3 as twin_blake3, dispatch};

pub(crate) const KEY: [u8; 32] = *b"whats the Elvish word for friend";

/// Label of layer 1 by the official crate (space-v1 §5).
fn reference(key: &[u8; 32], node: u32) -> [u8; 32] {
    blake3::Hasher::new_keyed(key)
        .set_input_offset(u64::from(node) * 1024)
        .update(&[0; 32])
        .finalize_non_root()
}

/// What a buffer holds where no kernel may write.
pub(crate) const UNTOUCHED: Digest = Digest { low: [0xdead_beef; 4], high: [0x0bad_cafe; 4] };

/// The layer from node 0 to the end of the range, as one dispatch leaves it.
pub(crate) fn run_label_first_layer(first: u32, count: u32, workgroups: [u32; 3]) -> Vec<Digest> {
    let parameters = LabelFirstLayer { key: Digest::from_bytes(&KEY), first, count, reserved: [0; 2] };
    let mut labels = vec![UNTOUCHED; (first + count + 1) as usize];
    for invocation in dispatch(LABEL_FIRST_LAYER.variants[0].workgroup, workgroups) {
        label_first_layer(invocation, &parameters, &mut labels);
    }
    labels
}

/// Whole workgroups, a ragged end (the bounds check), two dimensions (the row stride), nodes above 2^16.
pub(crate) const DISPATCHES: [(u32, u32, [u32; 3]); 4] =
    [(0, 128, [2, 1, 1]), (7, 65, [2, 1, 1]), (1000, 200, [2, 2, 1]), (65_530, 64, [1, 1, 1])];

#[test]
fn twin_of_label_first_layer_equals_the_official_crate() {
    for (first, count, workgroups) in DISPATCHES {
        let labels = run_label_first_layer(first, count, workgroups);
        for (node, label) in (0..).zip(labels) {
            if (first..first + count).contains(&node) {
                assert_eq!(label.to_bytes(), reference(&KEY, node), "node {node}");
            } else {
                assert_eq!(label, UNTOUCHED, "node {node} is not in the range");
            }
        }
    }
}

#[test]
fn twin_of_compress_equals_the_official_crate_on_a_full_block() {
    // All sixteen words differ, so a slip in the message permutation shows; layer 1 alone hashes zeros.
    let bytes: [u8; 64] = std::array::from_fn(|i| u8::try_from(i).unwrap() ^ 0xa5);
    let words: Vec<u32> = bytes.chunks_exact(4).map(|b| u32::from_le_bytes(b.try_into().unwrap())).collect();
    let message = std::array::from_fn(|row| std::array::from_fn(|i| words[4 * row + i]));
    let flags = twin_blake3::KEYED_HASH | twin_blake3::CHUNK_START | twin_blake3::CHUNK_END;
    let key = Digest::from_bytes(&KEY);
    let official = |flags_root: bool| {
        let mut hasher = blake3::Hasher::new_keyed(&KEY);
        hasher.update(&bytes);
        if flags_root { *hasher.finalize().as_bytes() } else { hasher.finalize_non_root() }
    };
    assert_eq!(twin_blake3::compress(key, message, [0, 0], 64, flags).to_bytes(), official(false));
    assert_eq!(
        twin_blake3::compress(key, message, [0, 0], 64, flags | twin_blake3::ROOT).to_bytes(),
        official(true)
    );
}

#[test]
fn one_wrong_lane_in_the_twin_is_caught() {
    let mut labels = run_label_first_layer(0, 64, [1, 1, 1]);
    labels[63].high[3] ^= 1;
    assert_ne!(labels[63].to_bytes(), reference(&KEY, 63));
}
