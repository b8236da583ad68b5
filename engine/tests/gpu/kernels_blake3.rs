//! Kernels of labels and trees, every variant, with and without run-time checks, against their twins; the twins are
//! compared with the official crate in `shaders/tests/`.
//!
//! Ranges have whole and ragged workgroups, begin off 0, and are dispatched with workgroups to spare; what lies outside
//! must be as it was. Zeros and ones show wrong flags, counters and lengths, distinct words show wrong places too.

use bytemuck::{Pod, bytes_of, cast_slice};
use holdfast_engine::backend::gpu::label_parameters;
use holdfast_engine::backend::gpu::runner::Contents;
use holdfast_engine::space::label::Layer;
use holdfast_shaders::layout::{Copy, Digest, Label, LabelFirstLayer, Pick, Subtree, TreeFold};
use holdfast_shaders::registry::{
    COPY, GATHER, Kernel, LABEL, LABEL_FIRST_LAYER, PICK, SUBTREE, TREE_FOLD, Variant,
};
use holdfast_shaders::twin::blake3::ROOT;
use holdfast_shaders::twin::{self, Invocation, dispatch, dispatch_workgroups};

use crate::support::{each_variant, run};

/// What a buffer holds where no kernel may write.
const UNTOUCHED: Digest = Digest { low: [0xdead_beef; 4], high: [0x0bad_cafe; 4] };

/// Whole workgroups; a ragged end off 0; one item; a ragged end that needs a last workgroup of 256 for one item.
const RANGES: [(u32, u32); 4] = [(0, 512), (7, 65), (700, 1), (33, 769)];
/// Items of the buffers, a few more than the ranges take.
const END: usize = 810;
/// Items beyond the range for which there are workgroups too.
const SPARE: u32 = 600;

fn distinct(count: usize) -> Vec<Digest> {
    let mut bytes = vec![0; 32 * count];
    blake3::Hasher::new().update(b"kernels").finalize_xof().fill(&mut bytes);
    bytes.as_chunks().0.iter().map(Digest::from_bytes).collect()
}

fn patterns(count: usize) -> [(&'static str, Vec<Digest>); 3] {
    let all = |word| vec![Digest { low: [word; 4], high: [word; 4] }; count];
    [("zeros", all(0)), ("ones", all(u32::MAX)), ("distinct", distinct(count))]
}

/// What one dispatch leaves in the buffer that the kernel writes.
fn written<T: Pod>(
    device: &holdfast_engine::backend::gpu::Device,
    kernel: (&'static Kernel, &'static Variant),
    parameters: &impl Pod,
    inputs: &[&[u8]],
    untouched: &[T],
    items: u32,
) -> Vec<T> {
    let contents: Vec<_> =
        inputs.iter().copied().chain([cast_slice(untouched)]).map(Contents::Bytes).collect();
    let buffers = run(device, kernel, bytes_of(parameters), &contents, items);
    let [buffer] = &buffers[..] else { panic!("{} buffers are written", buffers.len()) };
    bytemuck::pod_collect_to_vec(buffer)
}

/// Every variant of a kernel with one invocation an item, over every range: the device leaves what the twin leaves.
fn compare<P: Pod, T: Pod + PartialEq>(
    kernel: &'static Kernel,
    parameters: impl Fn(u32, u32) -> P,
    inputs: &[&[u8]],
    untouched: &[T],
    twin: impl Fn(Invocation, &P, &mut [T]),
) {
    each_variant(kernel, |device, variant, what| {
        for (first, count) in RANGES {
            let parameters = parameters(first, count);
            let items = count + SPARE;
            let found = written(device, (kernel, variant), &parameters, inputs, untouched, items);
            let mut expected = untouched.to_vec();
            dispatch(variant.workgroup, variant.grid(items))
                .for_each(|i| twin(i, &parameters, &mut expected));
            assert!(expected != untouched, "{what}: the twin does nothing");
            assert!(found == expected, "{what}: {count} items from {first}");
        }
    });
}

#[test]
fn label_first_layer() {
    let parameters = |first, count| LabelFirstLayer { key: distinct(1)[0], first, count, reserved: [0; 2] };
    compare(
        &LABEL_FIRST_LAYER,
        parameters,
        &[],
        &[UNTOUCHED; END],
        twin::label_first_layer::label_first_layer,
    );
}

fn layer(log2_labels: u8) -> Layer {
    Layer::derive(b"the key of a window in this test", 2, log2_labels)
}

#[test]
fn label_and_gather() {
    let layer = layer(10);
    let parameters = |first, count| label_parameters(&layer, first, count);
    for (pattern, previous) in patterns(1 << 10) {
        compare(&LABEL, parameters, &[cast_slice(&previous)], &[UNTOUCHED; END], |i, p, labels| {
            twin::label::label(i, p, &previous, labels);
        });
        // The exclusive or of eight equal labels is zero, which says nothing about places.
        if pattern == "distinct" {
            compare(&GATHER, parameters, &[cast_slice(&previous)], &[UNTOUCHED; END], |i, p, labels| {
                twin::gather::gather(i, p, &previous, labels);
            });
        }
    }
}

/// Places far apart: nodes and parents above 2^16.
#[test]
fn a_layer_of_4_mib() {
    let (layer, count) = (layer(17), 1 << 17);
    let parameters: Label = label_parameters(&layer, 0, count);
    let previous = distinct(1 << 17);
    let mut expected = vec![UNTOUCHED; 1 << 17];
    dispatch([64, 1, 1], LABEL.variants[0].grid(count))
        .for_each(|i| twin::label::label(i, &parameters, &previous, &mut expected));
    each_variant(&LABEL, |device, variant, what| {
        let untouched = vec![UNTOUCHED; 1 << 17];
        let inputs = [cast_slice(&previous)];
        let found = written(device, (&LABEL, variant), &parameters, &inputs, &untouched, count);
        assert!(found == expected, "{what}");
    });
}

/// 128 MiB of rows are 131,072 workgroups of 64, more than one dimension of a grid has; all kernels number their items by
/// the same function.
#[test]
fn ranges_beyond_one_dimension() {
    let rows: Vec<[u32; 4]> = (0..1 << 23).map(|i| [i, !i, i ^ 0x5555_5555, 7]).collect();
    let count = 1 << 23;
    let parameters = Copy { first: 0, count, reserved: [0; 2] };
    each_variant(&COPY, |device, variant, what| {
        // With 256 invocations a workgroup one dimension is enough.
        assert_eq!(variant.grid(count)[1], if variant.workgroup[0] == 64 { 3 } else { 1 });
        let untouched = vec![[9; 4]; 1 << 23];
        let found = written(device, (&COPY, variant), &parameters, &[cast_slice(&rows)], &untouched, count);
        assert!(found == rows, "{what}");
    });
}

/// First block, number of blocks and first chunk's counter: whole and ragged workgroups; the carry into the high word of
/// the counter between two blocks and within one; a high word that wraps to zero.
const BLOCKS: [(u32, u32, [u32; 2]); 5] = [
    (0, 16, [0, 0]),
    (0, 37, [u32::MAX - 63, 0]),
    (3, 1, [u32::MAX - 52, 5]),
    (2, 29, [0xffff_fff1, u32::MAX]),
    (36, 1, [16, 1]),
];

#[test]
fn subtree() {
    each_variant(&SUBTREE, |device, variant, what| {
        for (pattern, content) in patterns(37 * 32 * variant.lanes as usize) {
            let rows: &[[u32; 4]] = cast_slice(&content);
            for (first, count, counter) in BLOCKS {
                let parameters = Subtree { first, count, counter };
                let items = count + 9;
                let untouched = [UNTOUCHED; 38];
                let found =
                    written(device, (&SUBTREE, variant), &parameters, &[cast_slice(rows)], &untouched, items);
                let expected = subtree_twin(variant, &parameters, rows, items);
                assert!(found == expected, "{what}: {pattern}, {count} blocks from {first}");
            }
        }
    });
}

fn subtree_twin(variant: &Variant, parameters: &Subtree, rows: &[[u32; 4]], items: u32) -> Vec<Digest> {
    let mut values = vec![UNTOUCHED; 38];
    let levels = variant.lanes.ilog2();
    dispatch_workgroups(variant.workgroup, variant.grid(items * variant.lanes))
        .for_each(|workgroup| twin::subtree::subtree(workgroup, levels, parameters, rows, &mut values));
    values
}

#[test]
fn tree_fold() {
    for (flags, (_, values)) in
        patterns(2 * END).into_iter().flat_map(|pattern| [(0, pattern.clone()), (ROOT, pattern)])
    {
        let parameters = |first, count| TreeFold { first, count, flags, reserved: 0 };
        compare(&TREE_FOLD, parameters, &[cast_slice(&values)], &[UNTOUCHED; END], |i, p, parents| {
            twin::tree_fold::tree_fold(i, p, &values, parents);
        });
    }
}

#[test]
fn pick() {
    let source = distinct(97);
    let indices: Vec<u32> = (0..).map(|i| (7 * i + 3) % 97).take(END).collect();
    let parameters = |first, count| Pick { first, count, reserved: [0; 2] };
    let inputs = [cast_slice(&indices), cast_slice(&source)];
    compare(&PICK, parameters, &inputs, &[UNTOUCHED; END], |i, p, picked| {
        twin::pick::pick(i, p, &indices, &source, picked);
    });
}

#[test]
fn copy() {
    let source: Vec<[u32; 4]> = cast_slice(&distinct(END)).to_vec();
    let parameters = |first, count| Copy { first, count, reserved: [0; 2] };
    compare(&COPY, parameters, &[cast_slice(&source)], &[UNTOUCHED.low; END], |i, p, copied| {
        twin::copy::copy(i, p, &source, copied);
    });
}

/// What the comparisons would see: an edge's constant, a carry, a flag and a bit of the data that are not the twin's.
#[test]
fn slips_are_caught() {
    let layer = layer(10);
    let previous = distinct(1 << 10);
    let right = label_parameters(&layer, 0, 512);
    let mut expected = vec![UNTOUCHED; END];
    dispatch([64, 1, 1], [8, 1, 1]).for_each(|i| twin::label::label(i, &right, &previous, &mut expected));
    each_variant(&LABEL, |device, variant, what| {
        let labels = |parameters: &Label, previous: &[Digest]| {
            written(device, (&LABEL, variant), parameters, &[cast_slice(previous)], &[UNTOUCHED; END], 512)
        };
        assert!(labels(&right, &previous) == expected, "{what}");
        let mut edges = right;
        edges.edges[20][3] ^= 1;
        assert!(labels(&edges, &previous) != expected, "{what}: another edge");
        let mut changed = previous.clone();
        changed[511].high[3] ^= 1 << 31;
        assert!(labels(&right, &changed) != expected, "{what}: another bit");
    });

    let content = distinct(37 * 32 * 64);
    let rows: &[[u32; 4]] = cast_slice(&content);
    each_variant(&SUBTREE, |device, variant, what| {
        let values = |counter| {
            let parameters = Subtree { first: 0, count: 37, counter };
            written(device, (&SUBTREE, variant), &parameters, &[cast_slice(rows)], &[UNTOUCHED; 38], 37)
        };
        let expected = |counter| subtree_twin(variant, &Subtree { first: 0, count: 37, counter }, rows, 37);
        assert!(values([u32::MAX, 0]) == expected([u32::MAX, 0]), "{what}");
        assert!(values([u32::MAX, 0]) != expected([u32::MAX, 1]), "{what}: another counter");
    });
}
