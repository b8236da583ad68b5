//! Kernels of labels and trees, over a layer of 2^k labels or what belongs to one.

use bytemuck::{cast_slice, cast_slice_mut};
use holdfast_engine::backend::gpu::label_parameters;
use holdfast_engine::space::label::Layer;
use holdfast_shaders::layout::{Copy, Digest, Label, LabelFirstLayer, Pick, Subtree, TreeFold};
use holdfast_shaders::registry::{Kernel, Variant};
use holdfast_shaders::twin::{self, Workgroup};

use super::{Case, bytes, invocation};
use crate::gpu::contents::Contents;
use crate::report::real;

const DIGEST_WORDS: usize = 8;
const ROW_WORDS: usize = 4;
const CHUNK_WORDS: usize = 256;
const KEY: [u8; 32] = *b"the key of a window of hwtest...";
/// The counter's low word wraps within the first blocks, and the carry changes the high word.
const COUNTER: [u32; 2] = [u32::MAX - 40, 5];

/// The case of a kernel for layers of 2^`log2_labels` labels; `None` if the kernel is none of these.
pub(super) fn case(
    kernel: &Kernel,
    variant: &Variant,
    log2_labels: u8,
    contents: &mut Contents,
) -> Option<Case> {
    let labels = 1 << log2_labels;
    let case = match kernel.name {
        "label_first_layer" => label_first_layer(labels),
        "label" => layer(log2_labels, contents, twin::label::label),
        "gather" => layer(log2_labels, contents, twin::gather::gather),
        "subtree" => subtree(variant.lanes, labels, contents),
        "tree_fold" => tree_fold(labels / 16, contents),
        "pick" => pick(labels / 4, labels, contents),
        "copy" => copy(2 * labels, contents),
        _ => return None,
    };
    Some(Case { size: super::layer_size(log2_labels), ..case })
}

/// Millions of items, and the memory that they read and write.
fn millions(unit: &'static str, traffic_bytes: f64) -> Vec<(f64, &'static str)> {
    vec![(1e-6, unit), (traffic_bytes * 1e-9, "GB/s moved")]
}

fn label_first_layer(items: u32) -> Case {
    let parameters = |range: super::Range| LabelFirstLayer {
        key: Digest::from_bytes(&KEY),
        first: range.first,
        count: range.count,
        reserved: [0; 2],
    };
    Case {
        size: String::new(),
        inputs: vec![],
        items,
        unit_words: DIGEST_WORDS,
        control: None,
        rates: millions("M labels/s", 32.0),
        parameters: Box::new(move |range| bytes(parameters(range))),
        twin: Box::new(move |item, range, _, output| {
            twin::label_first_layer::label_first_layer(
                invocation(item),
                &parameters(range),
                cast_slice_mut(output),
            );
        }),
    }
}

fn layer(
    log2_labels: u8,
    contents: &mut Contents,
    twin: fn(twin::Invocation, &Label, &[Digest], &mut [Digest]),
) -> Case {
    let layer = Layer::derive(&KEY, 2, log2_labels);
    let parameters = move |range: super::Range| label_parameters(&layer, range.first, range.count);
    let also = parameters.clone();
    let items = 1 << log2_labels;
    Case {
        size: String::new(),
        inputs: vec![contents.words(DIGEST_WORDS * items as usize)],
        items,
        unit_words: DIGEST_WORDS,
        control: Some((0, DIGEST_WORDS * (items / 2) as usize)),
        // Itself and seven parents, and what is written.
        rates: millions("M labels/s", 288.0),
        parameters: Box::new(move |range| bytes(parameters(range))),
        twin: Box::new(move |item, range, inputs, output| {
            twin(invocation(item), &also(range), cast_slice(&inputs[0]), cast_slice_mut(output));
        }),
    }
}

fn subtree(lanes: u32, labels: u32, contents: &mut Contents) -> Case {
    let block_words = CHUNK_WORDS * lanes as usize;
    let layer_words = DIGEST_WORDS * labels as usize;
    // Three blocks at least: ends that fill no workgroup.
    let items = (layer_words / block_words).max(37);
    let parameters =
        |range: super::Range| Subtree { first: range.first, count: range.count, counter: COUNTER };
    let block_bytes = real(4 * block_words as u64);
    Case {
        size: String::new(),
        inputs: vec![contents.words(items * block_words)],
        items: u32::try_from(items).expect("blocks of a layer"),
        unit_words: DIGEST_WORDS,
        control: Some((0, items / 2 * block_words)),
        rates: vec![(block_bytes * 1e-9, "GB/s")],
        parameters: Box::new(move |range| bytes(parameters(range))),
        twin: Box::new(move |item, range, inputs, output| {
            // A workgroup a block.
            let workgroup = Workgroup { id: [item, 0, 0], workgroups: [u32::MAX, 1, 1], size: lanes };
            let (rows, levels) = (cast_slice(&inputs[0]), lanes.ilog2());
            twin::subtree::subtree(workgroup, levels, &parameters(range), rows, cast_slice_mut(output));
        }),
    }
}

fn tree_fold(items: u32, contents: &mut Contents) -> Case {
    let parameters =
        |range: super::Range| TreeFold { first: range.first, count: range.count, flags: 0, reserved: 0 };
    Case {
        size: String::new(),
        inputs: vec![contents.words(2 * DIGEST_WORDS * items as usize)],
        items,
        unit_words: DIGEST_WORDS,
        control: Some((0, 2 * DIGEST_WORDS * (items / 2) as usize)),
        rates: millions("M parents/s", 96.0),
        parameters: Box::new(move |range| bytes(parameters(range))),
        twin: Box::new(move |item, range, inputs, output| {
            let values = cast_slice(&inputs[0]);
            twin::tree_fold::tree_fold(invocation(item), &parameters(range), values, cast_slice_mut(output));
        }),
    }
}

fn pick(items: u32, source: u32, contents: &mut Contents) -> Case {
    let parameters = |range: super::Range| Pick { first: range.first, count: range.count, reserved: [0; 2] };
    Case {
        size: String::new(),
        inputs: vec![
            contents.numbers(items as usize, source),
            contents.words(DIGEST_WORDS * source as usize),
        ],
        items,
        unit_words: DIGEST_WORDS,
        // Another index of the source, which has a power of two of digests.
        control: Some((0, (items / 2) as usize)),
        rates: millions("M digests/s", 68.0),
        parameters: Box::new(move |range| bytes(parameters(range))),
        twin: Box::new(move |item, range, inputs, output| {
            let source = cast_slice(&inputs[1]);
            twin::pick::pick(
                invocation(item),
                &parameters(range),
                &inputs[0],
                source,
                cast_slice_mut(output),
            );
        }),
    }
}

fn copy(items: u32, contents: &mut Contents) -> Case {
    let parameters = |range: super::Range| Copy { first: range.first, count: range.count, reserved: [0; 2] };
    Case {
        size: String::new(),
        inputs: vec![contents.words(ROW_WORDS * items as usize)],
        items,
        unit_words: ROW_WORDS,
        control: Some((0, ROW_WORDS * (items / 2) as usize)),
        rates: vec![(32.0 * 1e-9, "GB/s moved")],
        parameters: Box::new(move |range| bytes(parameters(range))),
        twin: Box::new(move |item, range, inputs, output| {
            twin::copy::copy(
                invocation(item),
                &parameters(range),
                cast_slice(&inputs[0]),
                cast_slice_mut(output),
            );
        }),
    }
}
