// A grid has at most 65,535 workgroups a dimension, so large ranges take two dimensions; invocations are numbered row by
// row. Twin: Invocation::index in src/twin.rs.
fn flat_index(invocation: vec3<u32>, workgroups: vec3<u32>) -> u32 {
    return invocation.y * (workgroups.x * WORKGROUP) + invocation.x;
}
