//! The WGSL, evaluated from naga's representation, equals the twins.

use crate::evaluate::{Machine, Value};
use crate::module;
use crate::twins::{DISPATCHES, KEY, UNTOUCHED, run_label_first_layer};
use holdfast_shaders::layout::Digest;
use holdfast_shaders::registry::LABEL_FIRST_LAYER;
use holdfast_shaders::twin::{Invocation, dispatch};

/// Runs the WGSL of a module over one dispatch.
fn evaluate(wgsl: &str, first: u32, count: u32, workgroups: [u32; 3]) -> Vec<u32> {
    let (module, _) = module(wgsl, false);
    let key = Digest::from_bytes(&KEY);
    let digest = |low: &[u32], high: &[u32]| Value::Many(vec![Value::words(low), Value::words(high)]);
    let parameters = Value::Many(vec![
        digest(&key.low, &key.high),
        Value::Word(first),
        Value::Word(count),
        Value::words(&[0, 0]),
    ]);
    let untouched = digest(&UNTOUCHED.low, &UNTOUCHED.high);
    let labels = Value::Many(vec![untouched; (first + count + 1) as usize]);
    let mut machine = Machine::new(&module, &[("parameters", parameters), ("labels", labels)]);
    for Invocation { global, workgroups, .. } in dispatch(LABEL_FIRST_LAYER.variants[0].workgroup, workgroups)
    {
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
        let wgsl = evaluate(LABEL_FIRST_LAYER.variants[0].wgsl, first, count, workgroups);
        assert_eq!(wgsl, words(&run_label_first_layer(first, count, workgroups)), "first {first}");
    }
}

#[test]
fn one_wrong_rotation_in_the_wgsl_is_caught() {
    let broken =
        LABEL_FIRST_LAYER.variants[0].wgsl.replacen("rotate_right(b ^ c, 7u)", "rotate_right(b ^ c, 8u)", 1);
    assert_ne!(broken, LABEL_FIRST_LAYER.variants[0].wgsl);
    assert_ne!(evaluate(&broken, 0, 64, [1, 1, 1]), words(&run_label_first_layer(0, 64, [1, 1, 1])));
}
