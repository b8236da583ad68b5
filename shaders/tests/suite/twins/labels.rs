//! Kernels `label_first_layer`, `label`, `gather`.

use crate::fixture::{KEY, PlainLayer, Range, UNTOUCHED, bytes, distinct, patterns};
use blake3::hazmat::HasherExt;
use holdfast_shaders::layout::{Digest, Label, LabelFirstLayer};
use holdfast_shaders::registry::{GATHER, LABEL, LABEL_FIRST_LAYER};
use holdfast_shaders::twin::gather::gather;
use holdfast_shaders::twin::label::label;
use holdfast_shaders::twin::label_first_layer::label_first_layer;
use holdfast_shaders::twin::{dispatch, layer};

const K: u32 = 10;

/// A label by the official crate (space-v1 §5).
fn reference(key: &[u8; 32], node: u32, message: &[u8]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_keyed(key);
    hasher.set_input_offset(u64::from(node) * 1024).update(message).finalize_non_root()
}

fn next_reference(layer: &PlainLayer, previous: &[Digest], node: u32) -> [u8; 32] {
    let parents = layer.parents(node).map(|parent| previous[parent as usize]);
    reference(&layer.key, node, &bytes(&parents))
}

fn run_first(range: Range, workgroup: [u32; 3], end: usize) -> Vec<Digest> {
    let Range { first, count, .. } = range;
    let parameters = LabelFirstLayer { key: Digest::from_bytes(&KEY), first, count, reserved: [0; 2] };
    let mut labels = vec![UNTOUCHED; end];
    dispatch(workgroup, range.grid(workgroup)).for_each(|i| label_first_layer(i, &parameters, &mut labels));
    labels
}

fn run_label(parameters: &Label, range: Range, workgroup: [u32; 3], previous: &[Digest]) -> Vec<Digest> {
    let mut labels = vec![UNTOUCHED; previous.len()];
    dispatch(workgroup, range.grid(workgroup)).for_each(|i| label(i, parameters, previous, &mut labels));
    labels
}

#[test]
fn label_first_layer_equals_the_official_crate() {
    for variant in LABEL_FIRST_LAYER.variants {
        for range in Range::ALL {
            let labels = run_first(range, variant.workgroup, Range::END);
            for (node, found) in labels.into_iter().enumerate() {
                if range.contains(node) {
                    let node = u32::try_from(node).unwrap();
                    assert_eq!(found.to_bytes(), reference(&KEY, node, &[0; 32]), "{range:?} node {node}");
                } else {
                    assert_eq!(found, UNTOUCHED, "{range:?} does not have node {node}");
                }
            }
        }
    }
}

#[test]
fn label_equals_the_official_crate_and_the_plain_edges() {
    let plain = PlainLayer::derive(KEY, K);
    for (pattern, previous) in patterns(1 << K) {
        for (variant, range) in LABEL.variants.iter().flat_map(|v| Range::ALL.map(|range| (v, range))) {
            let parameters = plain.parameters(range.first, range.count);
            for (node, found) in
                run_label(&parameters, range, variant.workgroup, &previous).into_iter().enumerate()
            {
                if range.contains(node) {
                    let expected = next_reference(&plain, &previous, u32::try_from(node).unwrap());
                    assert_eq!(found.to_bytes(), expected, "{pattern}, {range:?}, node {node}");
                } else {
                    assert_eq!(found, UNTOUCHED, "{pattern}, {range:?} does not have node {node}");
                }
            }
        }
    }
}

/// Every k of the specification, since mask and shift change with it; nodes at both ends and far apart, since products
/// wrap past 2^32.
#[test]
fn parents_equal_the_plain_edges_for_every_window_size() {
    for k in 10..=30 {
        let plain = PlainLayer::derive(KEY, k);
        let parameters = plain.parameters(0, 0);
        let top = (1 << k) - 1;
        let far = (0..200u32).map(|i| i.wrapping_mul(0x9e37_79b9) & top);
        for node in [0, 1, top - 1, top].into_iter().chain(far) {
            for edge in 0..7 {
                assert_eq!(
                    layer::parent(&parameters, edge, node),
                    plain.parent(edge, node),
                    "k {k} node {node}"
                );
            }
        }
    }
}

#[test]
fn gather_is_the_exclusive_or_of_the_plain_parents() {
    let plain = PlainLayer::derive(KEY, K);
    let previous = distinct(1 << K);
    for (variant, range) in GATHER.variants.iter().flat_map(|v| Range::ALL.map(|range| (v, range))) {
        let parameters = plain.parameters(range.first, range.count);
        let mut found = vec![UNTOUCHED; previous.len()];
        let grid = range.grid(variant.workgroup);
        dispatch(variant.workgroup, grid).for_each(|i| gather(i, &parameters, &previous, &mut found));
        for (node, found) in found.into_iter().enumerate() {
            let expected = if range.contains(node) {
                let mut sum = [0; 32];
                for parent in plain.parents(u32::try_from(node).unwrap()) {
                    let bytes = previous[parent as usize].to_bytes();
                    sum.iter_mut().zip(bytes).for_each(|(sum, byte)| *sum ^= byte);
                }
                sum
            } else {
                UNTOUCHED.to_bytes()
            };
            assert_eq!(found.to_bytes(), expected, "{range:?} node {node}");
        }
    }
}

/// The published layers of two whole windows: keys to constants, constants to parents, parents to labels, labels to
/// roots, by twins alone.
#[test]
fn whole_layers_are_those_of_the_published_vectors() {
    let text = include_str!("../../../../tests/vectors/space-v1.json");
    let vectors: serde_json::Value = serde_json::from_str(text).unwrap();
    let layers = vectors["layer"].as_array().unwrap();
    let mut labels = Vec::new();
    for vector in layers {
        let digest = |name: &str| -> [u8; 32] {
            hex::decode(vector[name].as_str().unwrap()).unwrap().try_into().unwrap()
        };
        let k = u32::try_from(vector["k"].as_u64().unwrap()).unwrap();
        let plain = PlainLayer::derive(digest("layer_key"), k);
        let parameters = plain.parameters(0, 1 << k);
        let (a, c) = plain.constants[6][5];
        assert_eq!(serde_json::json!([a, c]), vector["last_edge_constants"]);
        let parents: Vec<u32> =
            [1000].into_iter().chain((0..7).map(|edge| layer::parent(&parameters, edge, 1000))).collect();
        assert_eq!(serde_json::json!(parents), vector["parents_of_1000"]);

        labels = if vector["layer"] == 1 { first_layer(&plain) } else { next_layer(&parameters, &labels) };
        assert_eq!(labels[0].to_bytes(), digest("label_0"), "{}", vector["name"]);
        assert_eq!(*blake3::hash(&bytes(&labels)).as_bytes(), digest("root"), "{}", vector["name"]);
    }
    assert!(layers.len() >= 6);
}

fn first_layer(plain: &PlainLayer) -> Vec<Digest> {
    let parameters = LabelFirstLayer {
        key: Digest::from_bytes(&plain.key),
        count: 1 << plain.k,
        ..LabelFirstLayer::default()
    };
    let variant = &LABEL_FIRST_LAYER.variants[0];
    let mut labels = vec![UNTOUCHED; 1 << plain.k];
    dispatch(variant.workgroup, variant.grid(1 << plain.k))
        .for_each(|i| label_first_layer(i, &parameters, &mut labels));
    labels
}

fn next_layer(parameters: &Label, previous: &[Digest]) -> Vec<Digest> {
    let variant = &LABEL.variants[0];
    let mut labels = vec![UNTOUCHED; previous.len()];
    dispatch(variant.workgroup, variant.grid(parameters.count))
        .for_each(|i| label(i, parameters, previous, &mut labels));
    labels
}

/// The comparisons above see one wrong parent, one wrong bit and one skipped node.
#[test]
fn slips_are_caught() {
    let plain = PlainLayer::derive(KEY, K);
    let previous = distinct(1 << K);
    let range = Range::ALL[0];
    let right = run_label(&plain.parameters(0, 512), range, [64, 1, 1], &previous);
    let mut wrong_edge = plain.parameters(0, 512);
    wrong_edge.edges[20][3] ^= 1;
    assert_ne!(run_label(&wrong_edge, range, [64, 1, 1], &previous), right);
    let skipped = run_label(&plain.parameters(0, 511), range, [64, 1, 1], &previous);
    assert_ne!(skipped[511].to_bytes(), next_reference(&plain, &previous, 511));
    let mut flipped = right[63];
    flipped.high[3] ^= 1;
    assert_ne!(flipped.to_bytes(), next_reference(&plain, &previous, 63));
}
