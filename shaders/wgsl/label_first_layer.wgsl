// Labels of layer 1 (space-v1 §5): one keyed compression a node, chunk counter = node, 32 zero bytes, without ROOT.
// Twin: src/twin/label_first_layer.rs.

// import shared/blake3.wgsl
// import shared/grid.wgsl

struct LabelFirstLayer {
    key: Digest,
    // First node of this dispatch and number of nodes; the host splits large layers.
    first: u32,
    count: u32,
    reserved: vec2<u32>,
}

@group(0) @binding(0) var<uniform> parameters: LabelFirstLayer;
// The whole layer, by node.
@group(0) @binding(1) var<storage, read_write> labels: array<Digest>;

@compute @workgroup_size(WORKGROUP)
fn label_first_layer(
    @builtin(global_invocation_id) invocation: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
) {
    let i = flat_index(invocation, workgroups);
    if i < parameters.count {
        let node = parameters.first + i;
        let zeros = Message(vec4<u32>(), vec4<u32>(), vec4<u32>(), vec4<u32>());
        let flags = KEYED_HASH | CHUNK_START | CHUNK_END;
        labels[node] = compress(parameters.key, zeros, vec2<u32>(node, 0u), 32u, flags);
    }
}
