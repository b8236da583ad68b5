// The loads and stores of kernel label without its compressions: what random sectors of 32 bytes cost on a device, the
// bound that label is measured against. Each result is the exclusive or of the eight labels, so that no load is idle.
// Twin: src/twin/gather.rs.

// import shared/layer.wgsl
// import shared/grid.wgsl

fn both(left: Message, right: Message) -> Message {
    return Message(left.a ^ right.a, left.b ^ right.b, left.c ^ right.c, left.d ^ right.d);
}

@compute @workgroup_size(WORKGROUP)
fn gather(
    @builtin(global_invocation_id) invocation: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
) {
    let i = flat_index(invocation, workgroups);
    if i < parameters.count {
        let node = parameters.first + i;
        let block0 = label_pair(node, parent(0u, node));
        let block1 = label_pair(parent(1u, node), parent(2u, node));
        let block2 = label_pair(parent(3u, node), parent(4u, node));
        let block3 = label_pair(parent(5u, node), parent(6u, node));
        let sum = both(both(block0, block1), both(block2, block3));
        labels[node] = Digest(sum.a ^ sum.c, sum.b ^ sum.d);
    }
}
