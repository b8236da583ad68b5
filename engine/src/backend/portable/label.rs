//! Labels (space-v1 §5), one after another.

use super::compress::{Parameters, bytes, compress, words};
use crate::backend::constants::{BLOCK_BYTES, CHUNK_END, CHUNK_START, FIRST_LABEL_BYTES, KEYED_HASH};
use crate::space::label::{LABEL_BYTES, Layer};

pub(super) fn first_layer(layer: &Layer, first: u32, out: &mut [u8]) {
    let key = words(&layer.key);
    for (node, label) in (first..).zip(out.as_chunks_mut().0) {
        let parameters = Parameters {
            counter: u64::from(node),
            block_bytes: FIRST_LABEL_BYTES,
            flags: KEYED_HASH | CHUNK_START | CHUNK_END,
        };
        bytes(compress(&key, &[0; 16], parameters), label);
    }
}

pub(super) fn next_layer(layer: &Layer, previous: &[u8], first: u32, out: &mut [u8]) {
    let key = words(&layer.key);
    let (labels, _) = previous.as_chunks::<LABEL_BYTES>();
    for (node, label) in (first..).zip(out.as_chunks_mut().0) {
        let message = layer.edges.parents(node).map(|parent| labels[parent as usize]);
        bytes(chunk(&key, u64::from(node), message.as_flattened(), KEYED_HASH), label);
    }
}

/// Chaining value of a chunk made of whole blocks.
pub(super) fn chunk(key: &[u32; 8], counter: u64, message: &[u8], mode: u32) -> [u32; 8] {
    let (blocks, _) = message.as_chunks::<64>();
    let mut value = *key;
    for (i, block) in blocks.iter().enumerate() {
        let start = if i == 0 { CHUNK_START } else { 0 };
        let end = if i + 1 == blocks.len() { CHUNK_END } else { 0 };
        let parameters = Parameters { counter, block_bytes: BLOCK_BYTES, flags: mode | start | end };
        value = compress(&value, &words(block), parameters);
    }
    value
}
