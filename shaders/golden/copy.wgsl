// Kernel copy, variant workgroup_64: assembled by the build.

const WORKGROUP: u32 = 64u;

// ---- shared/grid.wgsl

// A grid has at most 65,535 workgroups a dimension, so large ranges take two dimensions; invocations are numbered row by
// row. Twin: Invocation::index in src/twin.rs.
fn flat_index(invocation: vec3<u32>, workgroups: vec3<u32>) -> u32 {
    return invocation.y * (workgroups.x * WORKGROUP) + invocation.x;
}

// ---- copy.wgsl

// A copy in order: what sequential traffic costs on a device, a bound for everything else.
// Twin: src/twin/copy.rs.

struct Copy {
    // First row of 16 bytes of this dispatch and number of rows.
    first: u32,
    count: u32,
    reserved: vec2<u32>,
}

@group(0) @binding(0) var<uniform> parameters: Copy;
@group(0) @binding(1) var<storage, read> source: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read_write> copied: array<vec4<u32>>;

@compute @workgroup_size(WORKGROUP)
fn copy(
    @builtin(global_invocation_id) invocation: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
) {
    let i = flat_index(invocation, workgroups);
    if i < parameters.count {
        let n = parameters.first + i;
        copied[n] = source[n];
    }
}
