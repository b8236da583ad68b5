// Chaining values of whole blocks of 16 KiB or 64 KiB, without ROOT (tree-v1 §2): one invocation a chunk of 1 KiB, then the
// levels above inside the workgroup, so that no inner node travels through the device's memory. A workgroup has one
// block or several; its nodes lie side by side, so that the lanes of a level stay together whatever the block is.
// Twin: src/twin/subtree.rs.

// import shared/tree.wgsl
// import shared/chunk_{chunk}.wgsl
// import shared/grid.wgsl

struct Subtree {
    // First block of this dispatch and number of blocks.
    first: u32,
    count: u32,
    // Chunk counter of the first chunk of block 0 of the buffer: low and high word.
    counter: vec2<u32>,
}

const CHUNKS: u32 = 1u << LEVELS;

@group(0) @binding(0) var<uniform> parameters: Subtree;
@group(0) @binding(1) var<storage, read> blocks: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read_write> values: array<Digest>;

// Level by level: WORKGROUP chunks, then half as many, and so on. Every node is written before it is read.
var<workgroup> nodes: array<Digest, 2u * WORKGROUP>;

// Counters have 64 bits: the sum may carry into the high word.
fn counter_of(chunk: u32) -> vec2<u32> {
    let low = parameters.counter.x + chunk;
    return vec2<u32>(low, parameters.counter.y + select(0u, 1u, low < chunk));
}

@compute @workgroup_size(WORKGROUP)
fn subtree(
    @builtin(global_invocation_id) invocation: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = flat_index(invocation, workgroups);
    let chunk = parameters.first * CHUNKS + i;
    nodes[lane] = chunk_value(chunk, counter_of(chunk), lane, i / CHUNKS < parameters.count);
    for (var level = 0u; level < LEVELS; level += 1u) {
        let children = 2u * WORKGROUP - ((2u * WORKGROUP) >> level);
        let width = WORKGROUP >> level;
        workgroupBarrier();
        if lane < width / 2u {
            let left = nodes[children + 2u * lane];
            let right = nodes[children + 2u * lane + 1u];
            nodes[children + width + lane] = parent_value(left, right, 0u);
        }
    }
    // The roots of the workgroup's blocks, each by the lane that made it.
    let block = (i - lane) / CHUNKS + lane;
    if lane < WORKGROUP / CHUNKS && block < parameters.count {
        values[parameters.first + block] = nodes[2u * WORKGROUP - ((2u * WORKGROUP) >> LEVELS) + lane];
    }
}
