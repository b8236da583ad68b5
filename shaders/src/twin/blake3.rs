//! Twin of `wgsl/shared/blake3.wgsl`: BLAKE3's compression function in rows of four words.

use crate::layout::Digest;

/// First block of a chunk.
pub const CHUNK_START: u32 = 1;
/// Last block of a chunk.
pub const CHUNK_END: u32 = 2;
/// A parent node.
pub const PARENT: u32 = 4;
/// The topmost node.
pub const ROOT: u32 = 8;
/// Keyed mode.
pub const KEYED_HASH: u32 = 16;

/// The initial value, which is the key where there is none.
pub const IV: Digest = Digest {
    low: [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a],
    high: [0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19],
};

type Row = [u32; 4];
/// A block of 16 words, four to a row.
pub type Message = [Row; 4];

fn add(x: Row, y: Row) -> Row {
    std::array::from_fn(|i| x[i].wrapping_add(y[i]))
}

/// `(x xor y)` with every word turned right.
fn xor_rotate(x: Row, y: Row, bits: u32) -> Row {
    std::array::from_fn(|i| (x[i] ^ y[i]).rotate_right(bits))
}

/// Word i becomes word i + `by`, within the row.
fn turn(x: Row, by: usize) -> Row {
    std::array::from_fn(|i| x[(i + by) % 4])
}

fn mix([a, b, c, d]: [Row; 4], x: Row, y: Row) -> [Row; 4] {
    let a = add(add(a, b), x);
    let d = xor_rotate(d, a, 16);
    let c = add(c, d);
    let b = xor_rotate(b, c, 12);
    let a = add(add(a, b), y);
    let d = xor_rotate(d, a, 8);
    let c = add(c, d);
    let b = xor_rotate(b, c, 7);
    [a, b, c, d]
}

fn full_round(state: [Row; 4], m: &Message) -> [Row; 4] {
    let pick = |rows: [Row; 2], odd: usize| [rows[0][odd], rows[0][2 + odd], rows[1][odd], rows[1][2 + odd]];
    let [a, b, c, d] = mix(state, pick([m[0], m[1]], 0), pick([m[0], m[1]], 1));
    let turned = [a, turn(b, 1), turn(c, 2), turn(d, 3)];
    let [a, b, c, d] = mix(turned, pick([m[2], m[3]], 0), pick([m[2], m[3]], 1));
    [a, turn(b, 3), turn(c, 2), turn(d, 1)]
}

fn permute([a, b, c, d]: Message) -> Message {
    [[a[2], b[2], a[3], c[2]], [b[3], a[0], b[0], d[1]], [a[1], c[3], d[0], b[1]], [c[1], d[2], d[3], c[0]]]
}

/// One compression; the first eight words of its output. `counter` is the low and the high word.
pub fn compress(key: Digest, block: Message, counter: [u32; 2], block_bytes: u32, flags: u32) -> Digest {
    let mut message = block;
    let mut state = [key.low, key.high, IV.low, [counter[0], counter[1], block_bytes, flags]];
    for round in 0..7 {
        if round > 0 {
            message = permute(message);
        }
        state = full_round(state, &message);
    }
    let [a, b, c, d] = state;
    let xor = |x: Row, y: Row| std::array::from_fn(|i| x[i] ^ y[i]);
    Digest { low: xor(a, c), high: xor(b, d) }
}
