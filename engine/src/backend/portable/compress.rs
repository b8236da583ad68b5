//! BLAKE3's compression function on one block.

use crate::backend::constants::{IV, SCHEDULE};

/// What a compression mixes in beside the chaining value and the block.
#[derive(Clone, Copy)]
pub(crate) struct Parameters {
    /// Chunk counter; zero for a parent.
    pub(crate) counter: u64,
    /// Bytes of the block that are message; the rest is zero.
    pub(crate) block_bytes: u32,
    /// Domain flags.
    pub(crate) flags: u32,
}

/// Words of 4·N bytes, little-endian. Bytes that are missing count as zero.
pub(crate) fn words<const N: usize>(bytes: &[u8]) -> [u32; N] {
    let mut words = [0; N];
    for (word, bytes) in words.iter_mut().zip(bytes.as_chunks::<4>().0) {
        *word = u32::from_le_bytes(*bytes);
    }
    words
}

/// The bytes of a chaining value.
pub(crate) fn bytes(words: [u32; 8], out: &mut [u8; 32]) {
    for (bytes, word) in out.as_chunks_mut::<4>().0.iter_mut().zip(words) {
        *bytes = word.to_le_bytes();
    }
}

/// The next chaining value.
pub(crate) fn compress(value: &[u32; 8], block: &[u32; 16], parameters: Parameters) -> [u32; 8] {
    let Parameters { counter, block_bytes, flags } = parameters;
    #[expect(clippy::cast_possible_truncation, reason = "the counter's two halves are two words")]
    let (low, high) = (counter as u32, (counter >> 32) as u32);
    let [a, b, c, d, e, f, g, h] = *value;
    let mut v = [a, b, c, d, e, f, g, h, IV[0], IV[1], IV[2], IV[3], low, high, block_bytes, flags];
    for order in &SCHEDULE {
        round(&mut v, block, order);
    }
    std::array::from_fn(|i| v[i] ^ v[i + 8])
}

#[inline(always)]
fn round(v: &mut [u32; 16], block: &[u32; 16], order: &[usize; 16]) {
    let m = |i: usize| block[order[i]];
    mix(v, [0, 4, 8, 12], m(0), m(1));
    mix(v, [1, 5, 9, 13], m(2), m(3));
    mix(v, [2, 6, 10, 14], m(4), m(5));
    mix(v, [3, 7, 11, 15], m(6), m(7));
    mix(v, [0, 5, 10, 15], m(8), m(9));
    mix(v, [1, 6, 11, 12], m(10), m(11));
    mix(v, [2, 7, 8, 13], m(12), m(13));
    mix(v, [3, 4, 9, 14], m(14), m(15));
}

/// BLAKE3's G.
#[inline(always)]
fn mix(v: &mut [u32; 16], [a, b, c, d]: [usize; 4], x: u32, y: u32) {
    v[a] = v[a].wrapping_add(v[b]).wrapping_add(x);
    v[d] = (v[d] ^ v[a]).rotate_right(16);
    v[c] = v[c].wrapping_add(v[d]);
    v[b] = (v[b] ^ v[c]).rotate_right(12);
    v[a] = v[a].wrapping_add(v[b]).wrapping_add(y);
    v[d] = (v[d] ^ v[a]).rotate_right(8);
    v[c] = v[c].wrapping_add(v[d]);
    v[b] = (v[b] ^ v[c]).rotate_right(7);
}
