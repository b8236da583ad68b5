//! Every back end agrees with the reference on any chunks and counters.

use holdfast_engine::backend::{State, survey};
use holdfast_engine::reference;

/// 8 bytes that place the first counter, then chunks.
pub(crate) fn run(bytes: &[u8]) -> bool {
    let Some((head, rest)) = bytes.split_first_chunk() else { return false };
    // Chunk counters are below 2^54.
    let first = u64::from_le_bytes(*head) >> 11;
    let chunks: Vec<&[u8; 1024]> = rest.as_chunks().0.iter().collect();
    let counters: Vec<u64> = (first..).take(chunks.len()).collect();
    let reference = |(chunk, &counter): (&&[u8; 1024], _)| reference::chunk_value(*chunk, counter);
    let expected: Vec<[u8; 32]> = chunks.iter().zip(&counters).map(reference).collect();
    for presence in survey() {
        if let State::Present(backend) = presence.state {
            let mut values = vec![[0; 32]; chunks.len()];
            backend.chunk_values(&chunks, &counters, &mut values);
            assert_eq!(values, expected, "{}", presence.name);
        }
    }
    true
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let chunks = |count: usize| (0..=250).cycle().take(8 + 1024 * count).collect();
    vec![chunks(1), chunks(17)]
}
