// Digests by a list of places: how the host samples what a kernel wrote without reading all of it.
// Twin: src/twin/pick.rs.

// import shared/blake3.wgsl
// import shared/grid.wgsl

struct Pick {
    // First place of the list in this dispatch and number of places.
    first: u32,
    count: u32,
    reserved: vec2<u32>,
}

@group(0) @binding(0) var<uniform> parameters: Pick;
@group(0) @binding(1) var<storage, read> indices: array<u32>;
@group(0) @binding(2) var<storage, read> source: array<Digest>;
@group(0) @binding(3) var<storage, read_write> picked: array<Digest>;

@compute @workgroup_size(WORKGROUP)
fn pick(
    @builtin(global_invocation_id) invocation: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
) {
    let i = flat_index(invocation, workgroups);
    if i < parameters.count {
        let n = parameters.first + i;
        picked[n] = source[indices[n]];
    }
}
