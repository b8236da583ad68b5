// The complete additions alone: known answers and their speed. Point i takes left[i], then `rounds` times adds right[i]. Twin:
// src/twin/curve_test.rs.

// import shared/curve.wgsl
// import shared/grid.wgsl

const ADD_MIXED: u32 = 0u;
const ADD_FULL: u32 = 1u;
// Even points take ADD_MIXED, odd ones ADD_FULL.
const IN_TURN: u32 = 2u;

struct CurveTest {
    // First point of this dispatch and number of points.
    first: u32,
    count: u32,
    rounds: u32,
    operation: u32,
}

@group(0) @binding(0) var<uniform> parameters: CurveTest;
// ADD_MIXED takes Z of the right point as one, whatever it is.
@group(0) @binding(1) var<storage, read> left: array<Point>;
@group(0) @binding(2) var<storage, read> right: array<Point>;
@group(0) @binding(3) var<storage, read_write> result: array<Point>;

@compute @workgroup_size(WORKGROUP)
fn curve_test(
    @builtin(global_invocation_id) invocation: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
) {
    let i = flat_index(invocation, workgroups);
    if i < parameters.count {
        let n = parameters.first + i;
        var sum = load_point(left[n]);
        let entry = right[n];
        let addend = load_point(entry);
        let affine = Addend(load_entry(entry.x), load_entry(entry.y));
        let in_turn = parameters.operation == IN_TURN;
        let operation = select(parameters.operation, n % IN_TURN, in_turn);
        for (var round = 0u; round < parameters.rounds; round += 1u) {
            if operation == ADD_MIXED {
                sum = add_mixed(sum, affine);
            } else {
                sum = add_full(sum, addend);
            }
        }
        result[n] = store_point(sum);
    }
}
