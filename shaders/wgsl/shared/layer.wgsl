// One layer from the layer before: parameters, buffers, and the eight parents of a node (space-v1 §4). Kernels label and
// gather share it, so that the second makes exactly the loads of the first. Twin: src/twin/layer.rs.

// import shared/blake3.wgsl

struct Label {
    key: Digest,
    // As words: 2·(6·edge + round) is the factor a of that round, the next is its addend c. So an edge has three rows.
    edges: array<vec4<u32>, 21>,
    // First node of this dispatch and number of nodes.
    first: u32,
    count: u32,
    // 2^k − 1 and ⌈k/3⌉.
    mask: u32,
    shift: u32,
}

@group(0) @binding(0) var<uniform> parameters: Label;
// Both are whole layers, by node.
@group(0) @binding(1) var<storage, read> previous: array<Digest>;
@group(0) @binding(2) var<storage, read_write> labels: array<Digest>;

fn edge_round(x: u32, a: u32, c: u32) -> u32 {
    let y = (a * x + c) & parameters.mask;
    return y ^ (y >> parameters.shift);
}

// π of this edge: six rounds.
fn parent(edge: u32, node: u32) -> u32 {
    let rounds01 = parameters.edges[3u * edge];
    let rounds23 = parameters.edges[3u * edge + 1u];
    let rounds45 = parameters.edges[3u * edge + 2u];
    let x1 = edge_round(node, rounds01.x, rounds01.y);
    let x2 = edge_round(x1, rounds01.z, rounds01.w);
    let x3 = edge_round(x2, rounds23.x, rounds23.y);
    let x4 = edge_round(x3, rounds23.z, rounds23.w);
    let x5 = edge_round(x4, rounds45.x, rounds45.y);
    return edge_round(x5, rounds45.z, rounds45.w);
}

// Two labels side by side: one block of the node's message.
fn label_pair(left: u32, right: u32) -> Message {
    return Message(previous[left].low, previous[left].high, previous[right].low, previous[right].high);
}
