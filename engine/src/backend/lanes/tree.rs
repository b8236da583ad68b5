//! Chunk and parent values of the tree (tree-v1 §2), N at a time.

use super::compress::{Parameters, compress};
use super::{Lanes, store_values};
use crate::backend::constants::{BLOCK_BYTES, CHUNK_END, CHUNK_START, IV, PARENT, ROOT};

/// See [`crate::backend::Backend::chunk_values`].
#[inline(always)]
pub(crate) fn chunk_values<const N: usize, V: Lanes<N>>(
    proof: V::Proof,
    chunks: &[&[u8; 1024]],
    counters: &[u64],
    out: &mut [[u8; 32]],
) {
    for ((chunks, counters), out) in chunks.chunks(N).zip(counters.chunks(N)).zip(out.chunks_mut(N)) {
        let lanes = fill_lanes::<N, _>(chunks);
        let mut words = [[0; N]; 2];
        for (lane, &counter) in counters.iter().enumerate() {
            #[expect(clippy::cast_possible_truncation, reason = "the counter's two halves are two words")]
            let halves = (counter as u32, (counter >> 32) as u32);
            (words[0][lane], words[1][lane]) = halves;
        }
        let counters = [V::load(proof, &words[0]), V::load(proof, &words[1])];
        let mut values = iv::<N, V>(proof);
        for block in 0..16 {
            // Lanes without a chunk of their own repeat the last one.
            let half = |lane: usize, half: usize| &lanes[lane].as_chunks::<32>().0[2 * block + half];
            let blocks = V::load_blocks(proof, |lane| half(lane, 0), |lane| half(lane, 1));
            let start = if block == 0 { CHUNK_START } else { 0 };
            let end = if block == 15 { CHUNK_END } else { 0 };
            let parameters = Parameters { counters, block_bytes: BLOCK_BYTES, flags: start | end };
            compress(proof, &mut values, &blocks, parameters, |_| ());
        }
        store_values(values, out);
    }
}

/// See [`crate::backend::Backend::parent_values`].
#[inline(always)]
pub(crate) fn parent_values<const N: usize, V: Lanes<N>>(
    proof: V::Proof,
    pairs: &[[u8; 64]],
    root: bool,
    out: &mut [[u8; 32]],
) {
    let flags = if root { PARENT | ROOT } else { PARENT };
    let counters = [V::splat(proof, 0); 2];
    for (pairs, out) in pairs.chunks(N).zip(out.chunks_mut(N)) {
        let own = |lane: usize| &pairs[lane.min(pairs.len() - 1)];
        let half = |lane: usize, half: usize| &own(lane).as_chunks::<32>().0[half];
        let blocks = V::load_blocks(proof, |lane| half(lane, 0), |lane| half(lane, 1));
        let mut values = iv::<N, V>(proof);
        compress(
            proof,
            &mut values,
            &blocks,
            Parameters { counters, block_bytes: BLOCK_BYTES, flags },
            |_| (),
        );
        store_values(values, out);
    }
}

/// One item a lane; lanes without one of their own repeat the first.
#[inline(always)]
fn fill_lanes<const N: usize, T: Copy>(items: &[T]) -> [T; N] {
    let mut lanes = [items[0]; N];
    lanes[..items.len()].copy_from_slice(items);
    lanes
}

#[inline(always)]
fn iv<const N: usize, V: Lanes<N>>(proof: V::Proof) -> [V; 8] {
    let mut vectors = [V::splat(proof, 0); 8];
    for (vector, word) in vectors.iter_mut().zip(IV) {
        *vector = V::splat(proof, word);
    }
    vectors
}
