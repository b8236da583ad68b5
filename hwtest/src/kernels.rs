//! Every back end that this machine has: known answers at the size of real windows, then rates.

use crate::report::{Figure, Outcome, Row, Section};
use holdfast_engine::backend::{Backend, State, survey};
use holdfast_engine::reference;
use holdfast_engine::space::label::{LABEL_BYTES, Layer};
use std::time::Instant;

/// 2^21 labels, a window of the low-memory size: 64 MiB a layer.
const LOG2_LABELS: u8 = 21;
/// Labels, chunks and parents compared with the reference; odd, so that every vector width has a remainder.
const SAMPLES: usize = 1021;
/// Labels of one timed call.
const TIMED_LABELS: usize = 1 << 18;
/// Timed calls, of which the fastest counts.
const REPEATS: usize = 5;

/// One row for each back end that holdfast has, present or not.
pub(crate) fn section() -> Section {
    let inputs = Inputs::new();
    let row = |name: &str, state: State| Row {
        name: name.into(),
        outcome: match state {
            State::Absent(why) => Outcome::Absent { why: why.into() },
            State::Present(backend) => match inputs.check(backend) {
                Err(why) => Outcome::Failed { why },
                Ok(()) => Outcome::Ran { figures: inputs.measure(backend) },
            },
        },
    };
    let rows = survey().into_iter().map(|presence| row(presence.name, presence.state)).collect();
    Section { name: "kernels of the processor (one thread, 64 MiB window)".into(), rows }
}

struct Inputs {
    layer: Layer,
    previous: Vec<u8>,
}

impl Inputs {
    fn new() -> Inputs {
        let mut previous = vec![0; LABEL_BYTES << LOG2_LABELS];
        blake3::Hasher::new().update(b"hwtest").finalize_xof().fill(&mut previous);
        Inputs { layer: Layer::derive(&[7; 32], 2, LOG2_LABELS), previous }
    }

    /// Compares all four kernels with the reference over the official `blake3` crate.
    fn check(&self, backend: &dyn Backend) -> Result<(), String> {
        let last = (1 << LOG2_LABELS) - SAMPLES;
        // The first nodes, a start that no vector width divides, and the last nodes.
        for first in [0, 4999, last].map(|first| u32::try_from(first).expect("below 2^21")) {
            let nodes: Vec<u32> = (first..).take(SAMPLES).collect();
            let mut labels = vec![0; SAMPLES * LABEL_BYTES];
            backend.first_layer(&self.layer, first, &mut labels);
            let expected = nodes.iter().flat_map(|&node| reference::first_label(&self.layer, node));
            same("first_layer", first, &labels, expected)?;
            backend.next_layer(&self.layer, &self.previous, first, &mut labels);
            let expected =
                nodes.iter().flat_map(|&node| reference::next_label(&self.layer, &self.previous, node));
            same("next_layer", first, &labels, expected)?;
        }
        self.check_tree(backend)
    }

    fn check_tree(&self, backend: &dyn Backend) -> Result<(), String> {
        let chunks: Vec<&[u8; 1024]> = self.previous.as_chunks().0.iter().take(SAMPLES).collect();
        // Counters of more than 32 bits show a kernel that drops the high word.
        let counters: Vec<u64> = (u64::from(u32::MAX) - 500..).take(SAMPLES).collect();
        let mut values = vec![[0; 32]; SAMPLES];
        backend.chunk_values(&chunks, &counters, &mut values);
        let expected =
            chunks.iter().zip(&counters).flat_map(|(chunk, &at)| reference::chunk_value(*chunk, at));
        same("chunk_values", 0, values.as_flattened(), expected)?;

        let pairs = &self.previous.as_chunks::<64>().0[..SAMPLES];
        for root in [false, true] {
            backend.parent_values(pairs, root, &mut values);
            let parent = |pair: &[u8; 64]| {
                let (children, _) = pair.as_chunks::<32>();
                reference::parent_value(&children[0], &children[1], root)
            };
            same("parent_values", 0, values.as_flattened(), pairs.iter().flat_map(parent))?;
        }
        Ok(())
    }

    fn measure(&self, backend: &dyn Backend) -> Vec<Figure> {
        let mut labels = vec![0; TIMED_LABELS * LABEL_BYTES];
        let millions = TIMED_LABELS as f64 / 1e6;
        let first = fastest(|| backend.first_layer(&self.layer, 0, &mut labels));
        let next = fastest(|| backend.next_layer(&self.layer, &self.previous, 0, &mut labels));

        let chunks: Vec<&[u8; 1024]> = self.previous.as_chunks().0.iter().take(16_384).collect();
        let counters: Vec<u64> = (0..chunks.len() as u64).collect();
        let mut values = vec![[0; 32]; chunks.len()];
        let hash = fastest(|| backend.chunk_values(&chunks, &counters, &mut values));
        let chunk_bytes = chunks.len() as f64 * 1024.0;
        vec![
            Figure { name: "first layer", value: millions / first, unit: "M labels/s" },
            Figure { name: "next layer", value: millions / next, unit: "M labels/s" },
            Figure { name: "chunks", value: chunk_bytes / 1e9 / hash, unit: "GB/s" },
        ]
    }
}

/// Seconds of the fastest of a few calls.
fn fastest(mut call: impl FnMut()) -> f64 {
    let timed = |_| {
        let start = Instant::now();
        call();
        start.elapsed().as_secs_f64()
    };
    (0..REPEATS).map(timed).fold(f64::INFINITY, f64::min)
}

/// Items of 32 bytes, compared one by one so that the report says where they differ.
fn same(kernel: &str, first: u32, given: &[u8], expected: impl Iterator<Item = u8>) -> Result<(), String> {
    let expected: Vec<u8> = expected.collect();
    match given.chunks(LABEL_BYTES).zip(expected.chunks(LABEL_BYTES)).position(|(g, e)| g != e) {
        _ if given.len() != expected.len() => Err(format!("{kernel}: {} bytes compared", expected.len())),
        Some(i) => Err(format!("{kernel} from {first}: item {i} differs from the reference")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use holdfast_engine::curve::{Fr, G1Affine, G1Projective, Table};

    /// A back end with one wrong bit in the last label of every call.
    #[derive(Debug)]
    struct OneBitOff(&'static dyn Backend);

    impl Backend for OneBitOff {
        fn name(&self) -> &'static str {
            "one bit off"
        }
        fn first_layer(&self, layer: &Layer, first: u32, out: &mut [u8]) {
            self.0.first_layer(layer, first, out);
        }
        fn next_layer(&self, layer: &Layer, previous: &[u8], first: u32, out: &mut [u8]) {
            self.0.next_layer(layer, previous, first, out);
            if let Some(byte) = out.last_mut() {
                *byte ^= 1;
            }
        }
        fn chunk_values(&self, chunks: &[&[u8; 1024]], counters: &[u64], out: &mut [[u8; 32]]) {
            self.0.chunk_values(chunks, counters, out);
        }
        fn parent_values(&self, pairs: &[[u8; 64]], root: bool, out: &mut [[u8; 32]]) {
            self.0.parent_values(pairs, root, out);
        }
        fn commit(&self, table: &Table, blocks: &[&[u8]], blindings: &[Fr]) -> Vec<G1Projective> {
            self.0.commit(table, blocks, blindings)
        }
        fn fixed_base(&self, table: &Table, scalars: &[Fr]) -> G1Projective {
            self.0.fixed_base(table, scalars)
        }
        fn msm(&self, points: &[G1Affine], scalars: &[Fr], scalar_bits: u32) -> G1Projective {
            self.0.msm(points, scalars, scalar_bits)
        }
    }

    #[test]
    fn every_back_end_gives_the_known_answers_and_one_wrong_bit_is_caught() {
        let inputs = Inputs::new();
        for presence in survey() {
            if let State::Present(backend) = presence.state {
                assert_eq!(inputs.check(backend), Ok(()), "{}", presence.name);
                let wrong = inputs.check(&OneBitOff(backend)).expect_err("one bit is wrong");
                assert!(wrong.contains("item 1020"), "{wrong}");
            }
        }
    }

    #[test]
    fn back_ends_that_are_not_here_are_rows_too() {
        let rows = section().rows;
        assert_eq!(rows.len(), survey().len());
        for (row, presence) in rows.iter().zip(survey()) {
            let is_absent = matches!(presence.state, State::Absent(_));
            assert_eq!(matches!(row.outcome, Outcome::Absent { .. }), is_absent, "{row:?}");
        }
    }
}
