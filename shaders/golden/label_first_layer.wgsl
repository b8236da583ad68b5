// Kernel label_first_layer, variant workgroup_64: assembled by the build.

const WORKGROUP: u32 = 64u;

// ---- generated/blake3_rounds.wgsl

// The seven rounds, each with its message words where they lie (build/generate/blake3.rs).
fn seven_rounds(s0: State, m: Message) -> State {
    let s1 = full_round(
        s0,
        vec4<u32>(m.a.x, m.a.z, m.b.x, m.b.z),
        vec4<u32>(m.a.y, m.a.w, m.b.y, m.b.w),
        vec4<u32>(m.c.x, m.c.z, m.d.x, m.d.z),
        vec4<u32>(m.c.y, m.c.w, m.d.y, m.d.w),
    );
    let s2 = full_round(
        s1,
        vec4<u32>(m.a.z, m.a.w, m.b.w, m.b.x),
        vec4<u32>(m.b.z, m.c.z, m.a.x, m.d.y),
        vec4<u32>(m.a.y, m.d.x, m.c.y, m.d.w),
        vec4<u32>(m.c.w, m.b.y, m.d.z, m.c.x),
    );
    let s3 = full_round(
        s2,
        vec4<u32>(m.a.w, m.c.z, m.d.y, m.b.w),
        vec4<u32>(m.b.x, m.d.x, m.a.z, m.d.z),
        vec4<u32>(m.b.z, m.c.y, m.c.w, m.c.x),
        vec4<u32>(m.b.y, m.a.x, m.d.w, m.a.y),
    );
    let s4 = full_round(
        s3,
        vec4<u32>(m.c.z, m.d.x, m.d.z, m.d.y),
        vec4<u32>(m.b.w, m.c.y, m.a.w, m.d.w),
        vec4<u32>(m.b.x, m.c.w, m.b.y, m.a.y),
        vec4<u32>(m.a.x, m.a.z, m.c.x, m.b.z),
    );
    let s5 = full_round(
        s4,
        vec4<u32>(m.d.x, m.c.y, m.d.w, m.d.z),
        vec4<u32>(m.d.y, m.c.w, m.c.z, m.c.x),
        vec4<u32>(m.b.w, m.b.y, m.a.x, m.b.z),
        vec4<u32>(m.a.z, m.a.w, m.a.y, m.b.x),
    );
    let s6 = full_round(
        s5,
        vec4<u32>(m.c.y, m.c.w, m.c.x, m.d.w),
        vec4<u32>(m.d.z, m.b.y, m.d.x, m.a.y),
        vec4<u32>(m.d.y, m.a.x, m.a.z, m.b.x),
        vec4<u32>(m.a.w, m.c.z, m.b.z, m.b.w),
    );
    let s7 = full_round(
        s6,
        vec4<u32>(m.c.w, m.b.y, m.a.y, m.c.x),
        vec4<u32>(m.d.w, m.a.x, m.c.y, m.b.z),
        vec4<u32>(m.d.z, m.a.z, m.a.w, m.b.w),
        vec4<u32>(m.c.z, m.d.x, m.b.x, m.d.y),
    );
    return s7;
}

// ---- shared/blake3.wgsl

// BLAKE3's compression function, in rows of four words, without arrays and without loops: a private array indexed at
// run time would live in slow memory. The rounds are unrolled, and each takes its message words where they lie, so that
// the message permutation costs nothing.
// Twin: src/twin/blake3.rs. Source: the BLAKE3 paper, §2.2 and §2.3.

const CHUNK_START: u32 = 1u;
const CHUNK_END: u32 = 2u;
const PARENT: u32 = 4u;
const ROOT: u32 = 8u;
const KEYED_HASH: u32 = 16u;

const IV_LOW: vec4<u32> = vec4<u32>(0x6a09e667u, 0xbb67ae85u, 0x3c6ef372u, 0xa54ff53au);
const IV_HIGH: vec4<u32> = vec4<u32>(0x510e527fu, 0x9b05688cu, 0x1f83d9abu, 0x5be0cd19u);

// A chaining value or a key: words 0 … 3 and 4 … 7.
struct Digest {
    low: vec4<u32>,
    high: vec4<u32>,
}

// A block of 16 words, four to a row.
struct Message {
    a: vec4<u32>,
    b: vec4<u32>,
    c: vec4<u32>,
    d: vec4<u32>,
}

struct State {
    a: vec4<u32>,
    b: vec4<u32>,
    c: vec4<u32>,
    d: vec4<u32>,
}

fn rotate_right(x: vec4<u32>, bits: u32) -> vec4<u32> {
    return (x >> vec4<u32>(bits)) | (x << vec4<u32>(32u - bits));
}

// Four quarter rounds side by side.
fn mix(s: State, x: vec4<u32>, y: vec4<u32>) -> State {
    var a = s.a + s.b + x;
    var d = rotate_right(s.d ^ a, 16u);
    var c = s.c + d;
    var b = rotate_right(s.b ^ c, 12u);
    a = a + b + y;
    d = rotate_right(d ^ a, 8u);
    c = c + d;
    b = rotate_right(b ^ c, 7u);
    return State(a, b, c, d);
}

// Columns with message words x0 and y0, then diagonals with x1 and y1.
fn full_round(s: State, x0: vec4<u32>, y0: vec4<u32>, x1: vec4<u32>, y1: vec4<u32>) -> State {
    let columns = mix(s, x0, y0);
    let turned = State(columns.a, columns.b.yzwx, columns.c.zwxy, columns.d.wxyz);
    let diagonals = mix(turned, x1, y1);
    return State(diagonals.a, diagonals.b.wxyz, diagonals.c.zwxy, diagonals.d.yzwx);
}

// One compression; the first eight words of its output. The counter is given by its low and its high word.
fn compress(key: Digest, block: Message, counter: vec2<u32>, block_bytes: u32, flags: u32) -> Digest {
    let s = seven_rounds(State(key.low, key.high, IV_LOW, vec4<u32>(counter, block_bytes, flags)), block);
    return Digest(s.a ^ s.c, s.b ^ s.d);
}

// ---- shared/grid.wgsl

// A grid has at most 65,535 workgroups a dimension, so large ranges take two dimensions; invocations are numbered row by
// row. Twin: Invocation::index in src/twin.rs.
fn flat_index(invocation: vec3<u32>, workgroups: vec3<u32>) -> u32 {
    return invocation.y * (workgroups.x * WORKGROUP) + invocation.x;
}

// ---- label_first_layer.wgsl

// Labels of layer 1 (space-v1 §5): one keyed compression a node, chunk counter = node, 32 zero bytes, without ROOT.
// Twin: src/twin/label_first_layer.rs.

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
