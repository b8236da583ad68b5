// Labels of layer j > 1 (space-v1 §5): a node's own label and those of its seven parents in the layer before, hashed as
// one keyed chunk of 256 bytes, chunk counter = node, without ROOT: four compressions.
// Twin: src/twin/label.rs.

// import shared/layer.wgsl
// import shared/chain_{chain}.wgsl
// import shared/grid.wgsl

@compute @workgroup_size(WORKGROUP)
fn label(
    @builtin(global_invocation_id) invocation: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
) {
    let i = flat_index(invocation, workgroups);
    if i < parameters.count {
        let node = parameters.first + i;
        labels[node] = chain(node);
    }
}
