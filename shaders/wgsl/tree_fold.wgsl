// One level of BLAKE3's tree: parent n is that of values 2n and 2n + 1; the topmost is made with ROOT.
// Twin: src/twin/tree_fold.rs.

// import shared/tree.wgsl
// import shared/grid.wgsl

struct TreeFold {
    // First parent of this dispatch and number of parents.
    first: u32,
    count: u32,
    // 0 or ROOT.
    flags: u32,
    reserved: u32,
}

@group(0) @binding(0) var<uniform> parameters: TreeFold;
@group(0) @binding(1) var<storage, read> values: array<Digest>;
@group(0) @binding(2) var<storage, read_write> parents: array<Digest>;

@compute @workgroup_size(WORKGROUP)
fn tree_fold(
    @builtin(global_invocation_id) invocation: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
) {
    let i = flat_index(invocation, workgroups);
    if i < parameters.count {
        let n = parameters.first + i;
        parents[n] = parent_value(values[2u * n], values[2u * n + 1u], parameters.flags);
    }
}
