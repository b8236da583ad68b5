//! Checking many openings together: their chunks and parents share the lanes of the back end, level by level.

use super::opening::{TILE, chunk_bytes, not_under_the_root, sized};
use super::{CHUNK_BYTES, ChainingValue, Climb, chunk_count, chunk_value, root};
use crate::backend::Backend;
use crate::rejection::Rejection;

/// What an opening is claimed to show: chunk `index` of the string of `length` bytes with this root.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    /// Number of the chunk.
    pub index: u64,
    /// Bytes of the string.
    pub length: u64,
    /// Root of the string.
    pub root: &'a [u8; 32],
    /// What was sent.
    pub opening: &'a [u8],
}

/// As [`super::verify_opening`] says of each, of any strings.
pub fn verify_openings<'a>(backend: &dyn Backend, shown: &[Shown<'a>]) -> Vec<Result<&'a [u8], Rejection>> {
    shown.chunks(TILE).flat_map(|tile| verify_tile(backend, tile)).collect()
}

/// A chunk on its way to the root.
struct Way<'a> {
    chunk: &'a [u8],
    siblings: &'a [ChainingValue],
    /// Whether each of them is the right one of the two.
    on_right: Vec<bool>,
    /// Where it is.
    value: ChainingValue,
}

fn verify_tile<'a>(backend: &dyn Backend, tile: &[Shown<'a>]) -> Vec<Result<&'a [u8], Rejection>> {
    let mut ways: Vec<Result<Way<'a>, Rejection>> = tile.iter().map(Way::of).collect();
    let mut sound: Vec<(&Shown<'a>, &mut Way<'a>)> =
        tile.iter().zip(&mut ways).filter_map(|(shown, way)| Some((shown, way.as_mut().ok()?))).collect();
    chunk_values(backend, &mut sound);
    let levels = sound.iter().map(|(_, way)| way.siblings.len()).max().unwrap_or(0);
    for level in 0..levels {
        for is_root in [false, true] {
            join(backend, &mut sound, level, is_root);
        }
    }
    let verdict = |(shown, way): (&Shown<'a>, Result<Way<'a>, Rejection>)| {
        let way = way?;
        if way.value == *shown.root {
            Ok(way.chunk)
        } else {
            Err(not_under_the_root(shown.index, shown.length))
        }
    };
    tile.iter().zip(ways).map(verdict).collect()
}

impl<'a> Way<'a> {
    /// Refused: `malformed`, `wrong-length`, before anything is hashed.
    fn of(shown: &Shown<'a>) -> Result<Way<'a>, Rejection> {
        let Shown { index, length, opening, .. } = *shown;
        let (chunk, siblings) = sized(index, length, opening)?.split_at(chunk_bytes(index, length));
        let on_right = Climb::new(index, chunk_count(length)).siblings().map(|sibling| sibling.on_right);
        Ok(Way { chunk, siblings: siblings.as_chunks().0, on_right: on_right.collect(), value: [0; 32] })
    }
}

/// Lanes take whole chunks that are not the root themselves; there are few others.
fn chunk_values(backend: &dyn Backend, ways: &mut [(&Shown<'_>, &mut Way<'_>)]) {
    let (mut chunks, mut counters) = (Vec::with_capacity(ways.len()), Vec::with_capacity(ways.len()));
    for (shown, way) in &*ways {
        if let Some(chunk) = lane_of(way) {
            chunks.push(chunk);
            counters.push(shown.index);
        }
    }
    let mut values = vec![[0; 32]; chunks.len()];
    backend.chunk_values(&chunks, &counters, &mut values);
    let mut values = values.into_iter();
    for (shown, way) in ways {
        way.value = match lane_of(way) {
            Some(_) => values.next().expect("one for each chunk that was given"),
            None if way.siblings.is_empty() => root(way.chunk),
            None => chunk_value(shown.index, way.chunk),
        };
    }
}

fn lane_of<'a>(way: &Way<'a>) -> Option<&'a [u8; CHUNK_BYTES]> {
    way.chunk.try_into().ok().filter(|_| !way.siblings.is_empty())
}

/// Goes up one level with those whose next parent is the root, or with those whose is not.
fn join(backend: &dyn Backend, ways: &mut [(&Shown<'_>, &mut Way<'_>)], level: usize, is_root: bool) {
    let takes_part = |way: &Way<'_>| {
        let left = way.siblings.len().saturating_sub(level);
        if is_root { left == 1 } else { left > 1 }
    };
    let pair = |way: &Way<'_>| {
        let (sibling, mut pair) = (&way.siblings[level], [0; 64]);
        let (left, right) = if way.on_right[level] { (&way.value, sibling) } else { (sibling, &way.value) };
        pair[..32].copy_from_slice(left);
        pair[32..].copy_from_slice(right);
        pair
    };
    let pairs: Vec<_> = ways.iter().filter(|(_, way)| takes_part(way)).map(|(_, way)| pair(way)).collect();
    if pairs.is_empty() {
        return;
    }
    let mut parents = vec![[0; 32]; pairs.len()];
    backend.parent_values(&pairs, is_root, &mut parents);
    for ((_, way), parent) in ways.iter_mut().filter(|(_, way)| takes_part(way)).zip(parents) {
        way.value = parent;
    }
}
