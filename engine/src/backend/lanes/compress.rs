//! BLAKE3's compression function on N blocks at once.

use super::Lanes;
use crate::backend::constants::{IV, SCHEDULE};

/// What a compression mixes in beside chaining values and blocks.
#[derive(Clone, Copy)]
pub(crate) struct Parameters<V> {
    /// Low and high words of the chunk counters.
    pub(crate) counters: [V; 2],
    /// Message bytes of every block.
    pub(crate) block_bytes: u32,
    /// Domain flags.
    pub(crate) flags: u32,
}

/// Rounds of the compression function.
pub(crate) const ROUNDS: usize = SCHEDULE.len();

/// Replaces the chaining values by the next ones. `after_round` runs after each round, so that a caller can spread
/// other work (prefetches) evenly over the arithmetic.
#[inline(always)]
pub(crate) fn compress<const N: usize, V: Lanes<N>>(
    proof: V::Proof,
    values: &mut [V; 8],
    blocks: &[V; 16],
    parameters: Parameters<V>,
    after_round: impl Fn(usize),
) {
    let splat = |word| V::splat(proof, word);
    let [a, b, c, d, e, f, g, h] = *values;
    let [low, high] = parameters.counters;
    let mut v = [
        a,
        b,
        c,
        d,
        e,
        f,
        g,
        h,
        splat(IV[0]),
        splat(IV[1]),
        splat(IV[2]),
        splat(IV[3]),
        low,
        high,
        splat(parameters.block_bytes),
        splat(parameters.flags),
    ];
    round::<0, N, V>(proof, &mut v, blocks);
    after_round(0);
    round::<1, N, V>(proof, &mut v, blocks);
    after_round(1);
    round::<2, N, V>(proof, &mut v, blocks);
    after_round(2);
    round::<3, N, V>(proof, &mut v, blocks);
    after_round(3);
    round::<4, N, V>(proof, &mut v, blocks);
    after_round(4);
    round::<5, N, V>(proof, &mut v, blocks);
    after_round(5);
    round::<6, N, V>(proof, &mut v, blocks);
    after_round(6);
    for i in 0..8 {
        values[i] = v[i].xor(v[i + 8]);
    }
}

const COLUMNS: [[usize; 4]; 4] = [[0, 4, 8, 12], [1, 5, 9, 13], [2, 6, 10, 14], [3, 7, 11, 15]];
const DIAGONALS: [[usize; 4]; 4] = [[0, 5, 10, 15], [1, 6, 11, 12], [2, 7, 8, 13], [3, 4, 9, 14]];

/// Round R on columns, then on diagonals.
#[inline(always)]
fn round<const R: usize, const N: usize, V: Lanes<N>>(proof: V::Proof, v: &mut [V; 16], m: &[V; 16]) {
    let s = &const { SCHEDULE[R] };
    first_half(proof, v, &COLUMNS, [m[s[0]], m[s[2]], m[s[4]], m[s[6]]]);
    second_half(proof, v, &COLUMNS, [m[s[1]], m[s[3]], m[s[5]], m[s[7]]]);
    first_half(proof, v, &DIAGONALS, [m[s[8]], m[s[10]], m[s[12]], m[s[14]]]);
    second_half(proof, v, &DIAGONALS, [m[s[9]], m[s[11]], m[s[13]], m[s[15]]]);
}

/// First half of four independent Gs, step by step side by side: each step waits for the one before it.
#[inline(always)]
fn first_half<const N: usize, V: Lanes<N>>(
    proof: V::Proof,
    v: &mut [V; 16],
    quads: &[[usize; 4]; 4],
    m: [V; 4],
) {
    for ([a, b, _, _], m) in quads.iter().zip(m) {
        v[*a] = v[*a].add(m).add(v[*b]);
    }
    for [a, _, _, d] in quads {
        v[*d] = v[*d].xor(v[*a]).rotate_16(proof);
    }
    for [_, _, c, d] in quads {
        v[*c] = v[*c].add(v[*d]);
    }
    for [_, b, c, _] in quads {
        v[*b] = v[*b].xor(v[*c]).rotate_12(proof);
    }
}

/// Second half of four independent Gs.
#[inline(always)]
fn second_half<const N: usize, V: Lanes<N>>(
    proof: V::Proof,
    v: &mut [V; 16],
    quads: &[[usize; 4]; 4],
    m: [V; 4],
) {
    for ([a, b, _, _], m) in quads.iter().zip(m) {
        v[*a] = v[*a].add(m).add(v[*b]);
    }
    for [a, _, _, d] in quads {
        v[*d] = v[*d].xor(v[*a]).rotate_8(proof);
    }
    for [_, _, c, d] in quads {
        v[*c] = v[*c].add(v[*d]);
    }
    for [_, b, c, _] in quads {
        v[*b] = v[*b].xor(v[*c]).rotate_7(proof);
    }
}
