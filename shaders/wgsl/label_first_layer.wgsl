// Labels of layer 1 (space-v1 §5): one keyed compression a node, chunk counter = node, 32 zero bytes, without ROOT.
// Twin: src/twin/label_first_layer.rs. Prepended: shared/blake3.wgsl.

struct LabelFirstLayer {
    key: Digest,
    // First node of this dispatch and number of nodes; the host splits large layers.
    first: u32,
    count: u32,
    reserved: vec2<u32>,
}

@group(0) @binding(0) var<uniform> parameters: LabelFirstLayer;
// Label i of this dispatch is node first + i.
@group(0) @binding(1) var<storage, read_write> labels: array<Digest>;

@compute @workgroup_size(64)
fn label_first_layer(
    @builtin(global_invocation_id) invocation: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
) {
    // A grid has at most 65,535 workgroups a dimension, so large layers take two dimensions.
    let i = invocation.y * (workgroups.x * 64u) + invocation.x;
    if i < parameters.count {
        let zeros = Message(vec4<u32>(), vec4<u32>(), vec4<u32>(), vec4<u32>());
        let flags = KEYED_HASH | CHUNK_START | CHUNK_END;
        labels[i] = compress(parameters.key, zeros, parameters.first + i, 0u, 32u, flags);
    }
}
