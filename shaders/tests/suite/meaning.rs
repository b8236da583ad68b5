//! The WGSL, evaluated from naga's representation, equals the twins; so the modules mean what the twins do before any
//! device is asked. `subtree` needs workgroup memory and is compared on devices.

mod curve;

use crate::evaluate::{Machine, Value};
use crate::fixture::{KEY, PlainLayer, Range, UNTOUCHED, distinct, rows};
use crate::module;
use holdfast_shaders::layout::{Copy, Digest, LabelFirstLayer, Pick, TreeFold};
use holdfast_shaders::registry::{COPY, GATHER, Kernel, LABEL, LABEL_FIRST_LAYER, PICK, TREE_FOLD};
use holdfast_shaders::twin::{self, Invocation, blake3::ROOT, dispatch};

/// Runs the WGSL over one dispatch; what the last binding holds then.
fn evaluate(wgsl: &str, workgroup: [u32; 3], grid: [u32; 3], buffers: &[&[u32]]) -> Vec<u32> {
    let (module, _) = module(wgsl, false);
    let mut machine = Machine::new(&module, buffers);
    for Invocation { global, workgroups, .. } in dispatch(workgroup, grid) {
        machine.invoke(vec![Value::words(&global), Value::words(&workgroups)]);
    }
    machine.buffer(buffers.len() - 1)
}

/// A ragged end off 0, and two rows; smaller than the twins' ranges, for the evaluation is slow.
const RANGES: [Range; 2] = [Range::ALL[1], Range::new(130, 150, 2)];
const END: usize = 281;

/// Every variant over every range: `parameters` and the inputs, then what one invocation of the twin does to the result.
fn compare<P: bytemuck::Pod, T: bytemuck::Pod>(
    kernel: &Kernel,
    parameters: impl Fn(Range) -> P,
    inputs: &[&[u32]],
    untouched: &[T],
    twin: impl Fn(Invocation, &P, &mut [T]),
) {
    for (variant, range) in kernel.variants.iter().flat_map(|variant| RANGES.map(|range| (variant, range))) {
        let grid = range.grid(variant.workgroup);
        let parameters = parameters(range);
        let mut expected = untouched.to_vec();
        dispatch(variant.workgroup, grid).for_each(|i| twin(i, &parameters, &mut expected));
        let words = [bytemuck::cast_slice(std::slice::from_ref(&parameters))];
        let buffers: Vec<&[u32]> =
            words.iter().chain(inputs).copied().chain([bytemuck::cast_slice(untouched)]).collect();
        let found = evaluate(variant.wgsl, variant.workgroup, grid, &buffers);
        assert!(
            found == bytemuck::cast_slice::<T, u32>(&expected),
            "{}.{} {range:?}",
            kernel.name,
            variant.name
        );
        assert!(found != bytemuck::cast_slice::<T, u32>(untouched), "{} does nothing", kernel.name);
    }
}

#[test]
fn label_first_layer() {
    let parameters = |Range { first, count, .. }: Range| LabelFirstLayer {
        key: Digest::from_bytes(&KEY),
        first,
        count,
        reserved: [0; 2],
    };
    compare(
        &LABEL_FIRST_LAYER,
        parameters,
        &[],
        &[UNTOUCHED; END],
        twin::label_first_layer::label_first_layer,
    );
}

#[test]
fn label_and_gather() {
    let plain = PlainLayer::derive(KEY, 10);
    let previous = distinct(1 << 10);
    let words = bytemuck::cast_slice(&previous);
    let parameters = |range: Range| plain.parameters(range.first, range.count);
    compare(&LABEL, parameters, &[words], &[UNTOUCHED; END], |i, p, labels| {
        twin::label::label(i, p, &previous, labels);
    });
    compare(&GATHER, parameters, &[words], &[UNTOUCHED; END], |i, p, labels| {
        twin::gather::gather(i, p, &previous, labels);
    });
}

#[test]
fn tree_fold() {
    let values = distinct(2 * END);
    for flags in [0, ROOT] {
        let parameters = |Range { first, count, .. }: Range| TreeFold { first, count, flags, reserved: 0 };
        compare(
            &TREE_FOLD,
            parameters,
            &[bytemuck::cast_slice(&values)],
            &[UNTOUCHED; END],
            |i, p, parents| {
                twin::tree_fold::tree_fold(i, p, &values, parents);
            },
        );
    }
}

#[test]
fn pick_and_copy() {
    let source = distinct(END);
    let indices: Vec<u32> = (0..).map(|i| (7 * i + 3) % 97).take(END).collect();
    let words = bytemuck::cast_slice(&source);
    let parameters = |Range { first, count, .. }: Range| Pick { first, count, reserved: [0; 2] };
    compare(&PICK, parameters, &[&indices, words], &[UNTOUCHED; END], |i, p, picked| {
        twin::pick::pick(i, p, &indices, &source, picked);
    });
    let source = rows(&source);
    let parameters = |Range { first, count, .. }: Range| Copy { first, count, reserved: [0; 2] };
    compare(&COPY, parameters, &[bytemuck::cast_slice(&source)], &[UNTOUCHED.low; END], |i, p, copied| {
        twin::copy::copy(i, p, &source, copied);
    });
}

/// One slip in each piece of text, and the comparison sees it.
#[test]
fn slips_in_the_wgsl_are_caught() {
    let plain = PlainLayer::derive(KEY, 10);
    let previous = distinct(1 << 10);
    let parameters = plain.parameters(0, 64);
    let words: [&[u32]; 3] = [
        bytemuck::cast_slice(std::slice::from_ref(&parameters)),
        bytemuck::cast_slice(&previous),
        bytemuck::cast_slice(&[UNTOUCHED; 64]),
    ];
    let mut expected = vec![UNTOUCHED; 64];
    dispatch([64, 1, 1], [1, 1, 1])
        .for_each(|i| twin::label::label(i, &parameters, &previous, &mut expected));
    let expected: &[u32] = bytemuck::cast_slice(&expected);
    let run = |wgsl: &str| evaluate(wgsl, [64, 1, 1], [1, 1, 1], &words);
    let slips = [
        ("straight_64", "rotate_right(b ^ c, 7u)", "rotate_right(b ^ c, 8u)"),
        ("straight_64", "parent(6u, node)", "parent(5u, node)"),
        ("straight_64", "rounds23.z, rounds23.w", "rounds23.w, rounds23.z"),
        ("looped_64", "block == 3u", "block == 2u"),
        ("looped_64", "2u * block + 1u", "2u * block"),
    ];
    for (variant, right, wrong) in slips {
        let wgsl = LABEL.variant(variant).unwrap().wgsl;
        let broken = wgsl.replacen(right, wrong, 1);
        assert_ne!(broken, wgsl, "{right}");
        assert!(run(wgsl) == expected && run(&broken) != expected, "{wrong} is not noticed");
    }
}
