// The field alone: known answers and the speed of products. Element i takes left[i], then `rounds` times the operation with
// right[i]; a chain, so that no product can be left out. Twin: src/twin/field_test.rs.

// import shared/field.wgsl
// import shared/grid.wgsl

const MULTIPLY: u32 = 0u;
const ADD: u32 = 1u;
const SUBTRACT: u32 = 2u;
const SUM_OF_PRODUCTS: u32 = 3u;
const TIMES_TWELVE: u32 = 4u;
// Element n takes operation n mod 5.
const IN_TURN: u32 = 5u;

struct FieldTest {
    // First element of this dispatch and number of elements.
    first: u32,
    count: u32,
    rounds: u32,
    operation: u32,
}

@group(0) @binding(0) var<uniform> parameters: FieldTest;
// Every element is below p.
@group(0) @binding(1) var<storage, read> left: array<FieldElement>;
@group(0) @binding(2) var<storage, read> right: array<FieldElement>;
@group(0) @binding(3) var<storage, read_write> result: array<FieldElement>;

fn operate(operation: u32, x: Residue, start: Residue, y: Residue) -> Residue {
    switch operation {
        case ADD: {
            return load(store(add_unreduced(x, y)));
        }
        case SUBTRACT: {
            return load(store(subtract_unreduced(x, y)));
        }
        // x·y + left·x
        case SUM_OF_PRODUCTS: {
            return sum_of_products(x, y, start, x);
        }
        case TIMES_TWELVE: {
            return load(store(times_twelve(x)));
        }
        default: {
            return multiply(x, y);
        }
    }
}

@compute @workgroup_size(WORKGROUP)
fn field_test(
    @builtin(global_invocation_id) invocation: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
) {
    let i = flat_index(invocation, workgroups);
    if i < parameters.count {
        let n = parameters.first + i;
        let start = load(left[n]);
        let y = load(right[n]);
        let in_turn = parameters.operation == IN_TURN;
        let operation = select(parameters.operation, n % IN_TURN, in_turn);
        var x = start;
        for (var round = 0u; round < parameters.rounds; round += 1u) {
            x = operate(operation, x, start, y);
        }
        result[n] = store(x);
    }
}
