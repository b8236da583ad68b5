//! Twins equal the official `blake3` crate; the WGSL, evaluated from naga's representation, equals the twins.

use crate::evaluate::{Machine, Value};
use crate::module;
use blake3::hazmat::HasherExt;
use holdfast_shaders::layout::{Digest, LabelFirstLayer};
use holdfast_shaders::registry::LABEL_FIRST_LAYER;
use holdfast_shaders::twin::label_first_layer::label_first_layer;
use holdfast_shaders::twin::{Invocation, blake3 as twin_blake3, dispatch};

const KEY: [u8; 32] = *b"whats the Elvish word for friend";

/// Label of layer 1 by the official crate (space-v1 §5).
fn reference(key: &[u8; 32], node: u32) -> [u8; 32] {
    blake3::Hasher::new_keyed(key)
        .set_input_offset(u64::from(node) * 1024)
        .update(&[0; 32])
        .finalize_non_root()
}

fn run_twin(first: u32, count: u32, workgroups: [u32; 3]) -> Vec<Digest> {
    let parameters = LabelFirstLayer { key: Digest::from_bytes(&KEY), first, count, reserved: [0; 2] };
    let mut labels = vec![Digest::default(); count as usize];
    for invocation in dispatch(LABEL_FIRST_LAYER.workgroup, workgroups) {
        label_first_layer(invocation, &parameters, &mut labels);
    }
    labels
}

/// Whole workgroups, a ragged end (the bounds check), two dimensions (the row stride), and the top of the node range.
const DISPATCHES: [(u32, u32, [u32; 3]); 4] =
    [(0, 128, [2, 1, 1]), (7, 65, [2, 1, 1]), (1000, 200, [2, 2, 1]), ((1 << 30) - 64, 64, [1, 1, 1])];

#[test]
fn twin_of_label_first_layer_equals_the_official_crate() {
    for (first, count, workgroups) in DISPATCHES {
        for (node, label) in (first..).zip(run_twin(first, count, workgroups)) {
            assert_eq!(label.to_bytes(), reference(&KEY, node), "node {node}");
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

/// Runs the WGSL of a module over one dispatch.
fn evaluate(wgsl: &str, first: u32, count: u32, workgroups: [u32; 3]) -> Vec<u32> {
    let (module, _) = module(wgsl).expect("a valid module");
    let key = Digest::from_bytes(&KEY);
    let digest = |low: &[u32], high: &[u32]| Value::Many(vec![Value::words(low), Value::words(high)]);
    let parameters = Value::Many(vec![
        digest(&key.low, &key.high),
        Value::Word(first),
        Value::Word(count),
        Value::words(&[0, 0]),
    ]);
    let labels = Value::Many(vec![digest(&[0; 4], &[0; 4]); count as usize]);
    let mut machine = Machine::new(&module, &[("parameters", parameters), ("labels", labels)]);
    for Invocation { global, workgroups } in dispatch(LABEL_FIRST_LAYER.workgroup, workgroups) {
        machine.invoke(vec![Value::words(&global), Value::words(&workgroups)]);
    }
    machine.buffer("labels").flatten()
}

fn words(labels: &[Digest]) -> Vec<u32> {
    labels.iter().flat_map(|label| label.low.into_iter().chain(label.high)).collect()
}

#[test]
fn wgsl_of_label_first_layer_equals_its_twin() {
    for (first, count, workgroups) in DISPATCHES {
        let wgsl = evaluate(LABEL_FIRST_LAYER.wgsl, first, count, workgroups);
        assert_eq!(wgsl, words(&run_twin(first, count, workgroups)), "first {first}");
    }
}

#[test]
fn one_wrong_rotation_in_the_wgsl_is_caught() {
    let broken = LABEL_FIRST_LAYER.wgsl.replacen("rotate_right(b ^ c, 7u)", "rotate_right(b ^ c, 8u)", 1);
    assert_ne!(broken, LABEL_FIRST_LAYER.wgsl);
    assert_ne!(evaluate(&broken, 0, 64, [1, 1, 1]), words(&run_twin(0, 64, [1, 1, 1])));
}

#[test]
fn one_wrong_lane_in_the_twin_is_caught() {
    let mut labels = run_twin(0, 64, [1, 1, 1]);
    labels[63].high[3] ^= 1;
    assert_ne!(labels[63].to_bytes(), reference(&KEY, 63));
}
