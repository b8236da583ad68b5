// Joins the sums of kernel `commit` to one point a block, by Horner's rule from the top window down: w doublings, then the sums
// of all segments, window after window; at the end the correction that the odd digits leave. Every step is the same complete
// addition (a doubling adds the point to itself), so that its text stands here once. Twin: src/twin/commit_fold.rs.

// import shared/curve.wgsl
// import shared/grid.wgsl

struct CommitFold {
    // First block of this dispatch and number of blocks.
    first: u32,
    count: u32,
    windows: u32,
    segments: u32,
    width_bits: u32,
    // windows · (width_bits + segments) − width_bits + 1.
    steps: u32,
    reserved: vec2<u32>,
    // What the odd digits leave out.
    correction: AffinePoint,
}

@group(0) @binding(0) var<uniform> parameters: CommitFold;
// sums[((block · segments) + segment) · windows + window].
@group(0) @binding(1) var<storage, read> sums: array<Point>;
// By block.
@group(0) @binding(2) var<storage, read_write> points: array<Point>;

@compute @workgroup_size(WORKGROUP)
fn commit_fold(
    @builtin(global_invocation_id) invocation: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
) {
    let i = flat_index(invocation, workgroups);
    if i < parameters.count {
        let block = parameters.first + i;
        var window = parameters.windows - 1u;
        // Doublings of the window are its phases 0 … w − 1, then come the segments. The top window needs no doublings.
        var phase = parameters.width_bits;
        var sum = infinity();
        for (var step = 0u; step < parameters.steps; step += 1u) {
            var addend = sum;
            let is_last = step + 1u == parameters.steps;
            if is_last || phase >= parameters.width_bits {
                var point = Point(parameters.correction.x, parameters.correction.y, field_one());
                if !is_last {
                    let segment = phase - parameters.width_bits;
                    point = sums[(block * parameters.segments + segment) * parameters.windows + window];
                }
                addend = load_point(point);
            }
            sum = add_full(sum, addend);
            phase += 1u;
            if phase == parameters.width_bits + parameters.segments {
                phase = 0u;
                window -= 1u;
            }
        }
        points[block] = store_point(sum);
    }
}
