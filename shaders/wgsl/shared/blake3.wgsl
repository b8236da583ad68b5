// BLAKE3's compression function, in rows of four words, without arrays and without loops: a private array indexed at
// run time would live in slow memory, and the seven rounds are the same text seven times over.
// Twin: src/twin/blake3.rs. Source: the BLAKE3 paper, §2.2 and §2.3.

const CHUNK_START: u32 = 1u;
const CHUNK_END: u32 = 2u;
const PARENT: u32 = 4u;
const ROOT: u32 = 8u;
const KEYED_HASH: u32 = 16u;

const IV_LOW: vec4<u32> = vec4<u32>(0x6a09e667u, 0xbb67ae85u, 0x3c6ef372u, 0xa54ff53au);

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

// Columns, then diagonals.
fn full_round(s: State, m: Message) -> State {
    let columns = mix(s, vec4<u32>(m.a.xz, m.b.xz), vec4<u32>(m.a.yw, m.b.yw));
    let turned = State(columns.a, columns.b.yzwx, columns.c.zwxy, columns.d.wxyz);
    let diagonals = mix(turned, vec4<u32>(m.c.xz, m.d.xz), vec4<u32>(m.c.yw, m.d.yw));
    return State(diagonals.a, diagonals.b.wxyz, diagonals.c.zwxy, diagonals.d.yzwx);
}

// The message permutation 2 6 3 10 7 0 4 13 1 11 12 5 9 14 15 8.
fn permute(m: Message) -> Message {
    return Message(
        vec4<u32>(m.a.z, m.b.z, m.a.w, m.c.z),
        vec4<u32>(m.b.w, m.a.x, m.b.x, m.d.y),
        vec4<u32>(m.a.y, m.c.w, m.d.x, m.b.y),
        vec4<u32>(m.c.y, m.d.z, m.d.w, m.c.x),
    );
}

// One compression; the first eight words of its output.
fn compress(key: Digest, block: Message, counter_low: u32, counter_high: u32, block_bytes: u32, flags: u32) -> Digest {
    let m0 = block;
    let s0 = State(key.low, key.high, IV_LOW, vec4<u32>(counter_low, counter_high, block_bytes, flags));
    let s1 = full_round(s0, m0);
    let m1 = permute(m0);
    let s2 = full_round(s1, m1);
    let m2 = permute(m1);
    let s3 = full_round(s2, m2);
    let m3 = permute(m2);
    let s4 = full_round(s3, m3);
    let m4 = permute(m3);
    let s5 = full_round(s4, m4);
    let m5 = permute(m4);
    let s6 = full_round(s5, m5);
    let m6 = permute(m5);
    let s7 = full_round(s6, m6);
    return Digest(s7.a ^ s7.c, s7.b ^ s7.d);
}
