//! Every module keeps the rules that validation does not know, and the rules refuse what they should.

use crate::{module, rules, variants};
use holdfast_shaders::catalogue::{Binding, CATALOGUE};
use holdfast_shaders::layout::STRUCTS;
use holdfast_shaders::limits::{
    BINDING_ALIGNMENT_BYTES, BINDING_BYTES_MAX, STORAGE_BUFFERS_MAX, WORKGROUP_INVOCATIONS_MAX,
    WORKGROUPS_PER_DIMENSION_MAX, aligned, units_max,
};
use holdfast_shaders::registry::{Access, KERNELS, Variant};
use naga::valid::Capabilities;

#[test]
fn every_module_keeps_the_rules() {
    for (kernel, variant) in variants() {
        let (module, info) = module(variant.wgsl, variant.needs_int64);
        let kept = rules::all(&module, &info);
        kept.unwrap_or_else(|offence| panic!("{}.{}: {offence}", kernel.name, variant.name));
    }
}

/// A variant that asks for 64-bit integers without using them would be refused by devices that could run it.
#[test]
fn capabilities_are_declared_where_they_are_needed_and_nowhere_else() {
    for (kernel, variant) in variants() {
        let without = crate::check::validate(variant.wgsl, Capabilities::empty());
        assert_eq!(without.is_err(), variant.needs_int64, "{}.{}", kernel.name, variant.name);
    }
}

#[test]
fn sizes_stay_within_the_limits() {
    for (kernel, variant) in variants() {
        let [width, height, depth] = variant.workgroup;
        assert!(
            (1..=WORKGROUP_INVOCATIONS_MAX).contains(&width) && [height, depth] == [1, 1],
            "{}",
            kernel.name
        );
        // Otherwise an item would be cut by the edge of a workgroup.
        assert!(variant.lanes > 0 && width % variant.lanes == 0, "{}.{}", kernel.name, variant.name);
    }
    for kernel in KERNELS {
        let (uniforms, buffers): (Vec<&Binding>, Vec<&Binding>) =
            kernel.bindings.iter().partition(|binding| binding.access == Access::Uniform);
        // One uniform, of whole vectors, and small.
        let [parameters] = uniforms[..] else { panic!("{}: not one uniform", kernel.name) };
        assert!(parameters.unit_bytes % 16 == 0 && parameters.unit_bytes <= 1024, "{}", kernel.name);
        assert!(buffers.len() <= STORAGE_BUFFERS_MAX, "{}", kernel.name);
    }
}

#[test]
fn names_are_unique_and_every_struct_is_used() {
    let mut names: Vec<_> = variants().map(|(kernel, variant)| (kernel.name, variant.name)).collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
    assert_eq!(CATALOGUE.len(), KERNELS.len());
    for host in STRUCTS {
        let declared = format!("struct {} {{", host.name);
        assert!(
            variants().any(|(_, variant)| variant.wgsl.contains(&declared)),
            "no module has a {}",
            host.name
        );
    }
}

#[test]
fn bindings_hold_whole_units_and_begin_aligned() {
    assert_eq!(units_max(32), (1 << 26) - 1, "2 GiB exactly is one byte too many");
    assert!(units_max(96) * 96 <= BINDING_BYTES_MAX && (units_max(96) + 1) * 96 > BINDING_BYTES_MAX);
    assert_eq!([0, 1, 255, 256, 257].map(aligned), [0, 256, 256, 256, 512]);
    assert_eq!(aligned(BINDING_BYTES_MAX) % BINDING_ALIGNMENT_BYTES, 0);
}

/// One workgroup more than a dimension has, and ranges so large that rows are needed: enough invocations, few too many.
#[test]
fn grids_cover_their_range_within_the_limits() {
    let variant = Variant { name: "", wgsl: "", workgroup: [64, 1, 1], lanes: 1, needs_int64: false };
    let row = WORKGROUPS_PER_DIMENSION_MAX * 64;
    assert_eq!(variant.grid(0), [0, 1, 1]);
    assert_eq!(variant.grid(1), [1, 1, 1]);
    assert_eq!(variant.grid(65), [2, 1, 1]);
    assert_eq!(variant.grid(row), [WORKGROUPS_PER_DIMENSION_MAX, 1, 1]);
    assert_eq!(variant.grid(row + 1), [32_768, 2, 1]);
    for invocations in [row + 1, 3 * row - 1, 3 * row + 1, 1 << 30, 1 << 31] {
        let [columns, rows, layers] = variant.grid(invocations);
        let covered = u64::from(columns) * u64::from(rows) * 64;
        assert!(
            columns <= WORKGROUPS_PER_DIMENSION_MAX && rows <= WORKGROUPS_PER_DIMENSION_MAX && layers == 1
        );
        assert!(covered >= u64::from(invocations) && covered < u64::from(invocations) + u64::from(rows) * 64);
        assert!(u32::try_from(covered - 1).is_ok(), "the number of an invocation is one word");
    }
}

fn body(text: &str) -> String {
    format!(
        "var<workgroup> shared_words: array<u32, 64>; var<workgroup> shared_sum: atomic<u32>; \
         @compute @workgroup_size(1) fn main(@builtin(global_invocation_id) id: vec3<u32>) {{ {text} }}"
    )
}

#[test]
fn private_memory_indexed_at_run_time_is_refused() {
    let (dynamic, info) = module(&body("var words: array<u32, 4>; let i = id.x & 3u; words[i] = 1u;"), false);
    rules::no_dynamic_private_index(&dynamic, &info).unwrap_err();
    let (component, info) = module(&body("var row: vec4<u32>; let i = id.x & 3u; row[i] = 1u;"), false);
    rules::no_dynamic_private_index(&component, &info).unwrap_err();
    let (fixed, info) =
        module(&body("var words: array<u32, 4>; words[3] = 1u; shared_words[id.x] = 1u;"), false);
    rules::no_dynamic_private_index(&fixed, &info).unwrap();
}

#[test]
fn loops_without_a_bound_are_refused() {
    for endless in [
        "loop { }",
        "for (var i = 0u; i < 7u; i += 0u) { }",
        "for (var i = 0u; i < 7u; i += 1u) { i = 0u; }",
        "var n = 7u; for (var i = 0u; i < n; i += 1u) { n += 1u; }",
    ] {
        // naga itself refuses some of them.
        let offence = crate::check::validate(&body(endless), Capabilities::empty())
            .map_err(|error| error.to_string())
            .and_then(|(module, _)| rules::loops_are_bounded(&module));
        assert!(offence.is_err(), "{endless}");
    }
    let (bounded, _) = module(&body("for (var i = 0u; i < 7u; i += 1u) { }"), false);
    rules::loops_are_bounded(&bounded).unwrap();
}

#[test]
fn subgroups_and_atomics_are_refused() {
    let (atomic, _) = module(&body("let old = atomicAdd(&shared_sum, 1u);"), false);
    rules::no_subgroups_no_atomics(&atomic).unwrap_err();
    let grouped = body("let sum = subgroupAdd(id.x);");
    let (grouped, _) = crate::check::validate(&grouped, Capabilities::all()).unwrap();
    rules::no_subgroups_no_atomics(&grouped).unwrap_err();
}

#[test]
fn workgroup_memory_beyond_the_default_limit_is_refused() {
    let sized = |words: u32| {
        format!(
            "var<workgroup> words: array<u32, {words}>; @compute @workgroup_size(1) fn main() {{ words[0] = 1u; }}"
        )
    };
    rules::workgroup_memory_is_small(&module(&sized(4096), false).0).unwrap();
    rules::workgroup_memory_is_small(&module(&sized(4097), false).0).unwrap_err();
}
