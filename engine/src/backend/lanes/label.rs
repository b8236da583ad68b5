//! Labels (space-v1 §5), N at a time.
#![allow(unsafe_code)]

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
    let gather = Gather { labels: previous.as_chunks().0, mask: layer.edges.mask() as usize };
    let mut parents = Parents::of::<V>(proof, &layer.edges, first);
    for (first, labels) in batches::<N>(first).zip(out.as_chunks_mut().0.chunks_mut(N)) {
        // Beyond the last node the edges still lead to nodes of the window: the last prefetches are only in vain.
        let next = Parents::of::<V>(proof, &layer.edges, first + lane_count::<N>());
        let mut values = key;
        let counters = [count_up::<N, V>(proof, first), V::splat(proof, 0)];
        for block in 0..4 {
            let blocks = V::load_blocks(
                proof,
                |lane| match block {
                    0 => gather.label(first as usize + lane),
                    _ => gather.label(parents.0[2 * block - 1][lane] as usize),
                },
                |lane| gather.label(parents.0[2 * block][lane] as usize),
            );
            let start = if block == 0 { CHUNK_START } else { 0 };
            let end = if block == 3 { CHUNK_END } else { 0 };
            let parameters =
                Parameters { counters, block_bytes: BLOCK_BYTES, flags: KEYED_HASH | start | end };
            compress(proof, &mut values, &blocks, parameters, |round| {
                // 4 · 7 rounds a batch and N · 7 parents: a quarter of N after each round, in the order of their use.
                let asked = N / 4 * (ROUNDS * block + round);
                for parent in &next.0.as_flattened()[asked..asked + N / 4] {
                    V::prefetch(proof, gather.label(*parent as usize).as_ptr());
                }
            });
        }
        store_values(values, labels);
        parents = next;
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

/// The labels of the layer before.
#[derive(Clone, Copy)]
struct Gather<'a> {
    labels: &'a [[u8; LABEL_BYTES]],
    mask: usize,
}

impl<'a> Gather<'a> {
    #[inline(always)]
    fn label(self, node: usize) -> &'a [u8; 32] {
        debug_assert!(self.mask < self.labels.len());
        // SAFETY: `check::previous` made sure that there are mask + 1 labels.
        unsafe { self.labels.get_unchecked(node & self.mask) }
    }
}

/// The parents of N nodes over the seven permutations.
#[derive(Clone, Copy)]
struct Parents<const N: usize>([[u32; N]; EDGE_COUNT]);

impl<const N: usize> Parents<N> {
    #[inline(always)]
    fn of<V: Lanes<N>>(proof: V::Proof, edges: &Edges, first: u32) -> Parents<N> {
        let nodes = count_up::<N, V>(proof, first);
        let mask = V::splat(proof, edges.mask());
        let shift = edges.shift();
        let mut parents = [[0; N]; EDGE_COUNT];
        for (parents, constants) in parents.iter_mut().zip(&edges.constants) {
            let mut x = nodes;
            for &(a, c) in constants {
                x = x.mul(V::splat(proof, a)).add(V::splat(proof, c)).and(mask);
                x = x.xor(x.shift_right(shift));
            }
            x.store(parents);
        }
        Parents(parents)
    }
}
