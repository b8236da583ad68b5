//! Labels (space-v1 §5), N at a time.
#![allow(unsafe_code)]

use std::mem::swap;

use super::compress::{Parameters, ROUNDS, compress};
use super::{Lanes, store_values};
use crate::backend::constants::{BLOCK_BYTES, CHUNK_END, CHUNK_START, FIRST_LABEL_BYTES, KEYED_HASH};
use crate::backend::portable::compress::words;
use crate::space::label::{EDGE_COUNT, Edges, LABEL_BYTES, Layer};

/// See [`crate::backend::Backend::first_layer`].
#[inline(always)]
pub(crate) fn first_layer<const N: usize, V: Lanes<N>>(
    proof: V::Proof,
    layer: &Layer,
    first: u32,
    out: &mut [u8],
) {
    let key = splat_key::<N, V>(proof, &layer.key);
    let blocks = [V::splat(proof, 0); 16];
    for (first, labels) in batches::<N>(first).zip(out.as_chunks_mut().0.chunks_mut(N)) {
        let mut values = key;
        let parameters = Parameters {
            counters: [count_up::<N, V>(proof, first), V::splat(proof, 0)],
            block_bytes: FIRST_LABEL_BYTES,
            flags: KEYED_HASH | CHUNK_START | CHUNK_END,
        };
        compress(proof, &mut values, &blocks, parameters, |_| ());
        store_values(values, labels);
    }
}

/// See [`crate::backend::Backend::next_layer`].
#[inline(always)]
pub(crate) fn next_layer<const N: usize, V: Lanes<N>>(
    proof: V::Proof,
    layer: &Layer,
    previous: &[u8],
    first: u32,
    out: &mut [u8],
) {
    let key = splat_key::<N, V>(proof, &layer.key);
    let edges = &layer.edges;
    let mut both = [Parents::of::<V>(proof, edges, first), Parents::NONE];
    let [here, next] = &mut both;
    let (mut here, mut next) = (here, next);
    let mut rest = out.as_chunks_mut().0.chunks_mut(N);
    for first in batches::<N>(first) {
        let Some(labels) = rest.next() else { break };
        let more = rest.len() > 0;
        // After the last batch there is none, and this is in vain: a branch here made the whole loop a tenth slower.
        *next = Parents::of::<V>(proof, edges, first + lane_count::<N>());
        let mut values = key;
        let counters = [count_up::<N, V>(proof, first), V::splat(proof, 0)];
        for block in 0..4 {
            let (low, high) = (&here.0[2 * block], &here.0[2 * block + 1]);
            let blocks =
                V::load_blocks(proof, |lane| label(previous, low[lane]), |lane| label(previous, high[lane]));
            let start = if block == 0 { CHUNK_START } else { 0 };
            let end = if block == 3 { CHUNK_END } else { 0 };
            let parameters =
                Parameters { counters, block_bytes: BLOCK_BYTES, flags: KEYED_HASH | start | end };
            // The next batch has 7 · N parents beside its own nodes, and this one 4 · 7 rounds: N / 4 after each round,
            // in the order of their use. The condition is also what keeps the compiler from moving them all to one
            // place, where they would fill the processor's miss buffers and stall it.
            let places = &next.0.as_flattened()[N + block * ROUNDS * (N / 4)..];
            compress(proof, &mut values, &blocks, parameters, |round| {
                if more {
                    for &place in &places[round * (N / 4)..(round + 1) * (N / 4)] {
                        V::prefetch(proof, address(previous, place));
                    }
                }
            });
        }
        store_values(values, labels);
        swap(&mut here, &mut next);
    }
}

/// The first node of every batch. (k is at most 30, so that nothing overflows.)
#[inline(always)]
fn batches<const N: usize>(first: u32) -> impl Iterator<Item = u32> {
    (first..).step_by(N)
}

#[expect(clippy::cast_possible_truncation, reason = "a vector has few lanes")]
const fn lane_count<const N: usize>() -> u32 {
    N as u32
}

/// The nodes `first …`, one a lane.
#[inline(always)]
fn count_up<const N: usize, V: Lanes<N>>(proof: V::Proof, first: u32) -> V {
    let mut numbers = [0; N];
    for (lane, number) in (0..).zip(&mut numbers) {
        *number = lane;
    }
    V::load(proof, &numbers).add(V::splat(proof, first))
}

#[inline(always)]
fn splat_key<const N: usize, V: Lanes<N>>(proof: V::Proof, key: &[u8; 32]) -> [V; 8] {
    let mut vectors = [V::splat(proof, 0); 8];
    for (vector, word) in vectors.iter_mut().zip(words::<8>(key)) {
        *vector = V::splat(proof, word);
    }
    vectors
}

/// Where the parents of N nodes lie: 4 · label number, so that the eightfold, which x86-64 adds to an address at no cost,
/// is the byte offset. (k is at most 30.) Every place is that of a label of the window the edges are for.
#[derive(Clone, Copy)]
struct Parents<const N: usize>([[u32; N]; EDGE_COUNT + 1]);

impl<const N: usize> Parents<N> {
    const NONE: Parents<N> = Parents([[0; N]; EDGE_COUNT + 1]);

    #[inline(always)]
    fn of<V: Lanes<N>>(proof: V::Proof, edges: &Edges, first: u32) -> Parents<N> {
        let mask = V::splat(proof, edges.mask());
        let four = V::splat(proof, 4);
        let shift = edges.shift();
        let nodes = count_up::<N, V>(proof, first).and(mask);
        let mut parents = Parents::NONE;
        nodes.mul(four).store(&mut parents.0[0]);
        for (places, constants) in parents.0[1..].iter_mut().zip(&edges.constants) {
            let mut x = nodes;
            for &(a, c) in constants {
                x = x.mul(V::splat(proof, a)).add(V::splat(proof, c)).and(mask);
                x = x.xor(x.shift_right(shift));
            }
            x.mul(four).store(places);
        }
        parents
    }
}

#[inline(always)]
fn address(previous: &[u8], place: u32) -> *const u8 {
    previous.as_ptr().wrapping_add(place as usize * 8)
}

#[inline(always)]
fn label(previous: &[u8], place: u32) -> &[u8; LABEL_BYTES] {
    debug_assert!(place as usize * 8 + LABEL_BYTES <= previous.len());
    // SAFETY: places are those of labels of the window (`Parents`), and `previous` holds all of them
    // (`check::previous`). Bytes need no alignment.
    unsafe { &*address(previous, place).cast() }
}
