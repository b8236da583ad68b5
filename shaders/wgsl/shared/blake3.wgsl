// BLAKE3's compression function, in rows of four words, without arrays and without loops: a private array indexed at
// run time would live in slow memory. The rounds are unrolled, and each takes its message words where they lie, so that
// the message permutation costs nothing.
// Twin: src/twin/blake3.rs. Source: the BLAKE3 paper, §2.2 and §2.3.

// import generated/blake3_rounds.wgsl

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
