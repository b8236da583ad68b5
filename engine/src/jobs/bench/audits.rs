//! How fast space answers are verified: real openings of one tree, hashed as the verifier hashes them.

use std::hint::black_box;
use std::time::Duration;

use serde::Serialize;

use super::labels::repeat;
use super::real;
use crate::backend::Backend;
use crate::transcript::Context;
use crate::tree::{
    CHUNK_BYTES, ChainingValue, Claim, Opening, chunk_value, leads_to_root, parent_value, root_value,
};

/// How fast one core verifies space answers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct VerifyRate {
    /// The back end.
    pub backend: &'static str,
    /// Openings in an answer.
    pub samples: u32,
    /// Answers per second, one at a time.
    pub single_per_second: f64,
    /// Answers per second in calls of many.
    pub batched_per_second: f64,
}

/// Answers in one call of the batched measurement.
const BATCH: usize = 32;

/// Measures verifying answers of `samples` openings (at least one) from windows of 2^`log2_labels` labels.
pub fn measure_verifying(
    backend: &'static dyn Backend,
    log2_labels: u8,
    samples: u32,
    span: Duration,
) -> VerifyRate {
    let log2_chunks = u32::from(log2_labels) - 5;
    let openings: Vec<MadeUp> =
        (0..u64::from(samples)).map(|number| MadeUp::new(number, log2_chunks)).collect();
    let answer: Vec<Claim<'_>> = openings.iter().map(MadeUp::claim).collect();
    let many = answer.repeat(BATCH);
    let verify = |claims: &[Claim<'_>]| {
        let verdicts = leads_to_root(backend, black_box(claims));
        assert!(verdicts.iter().all(|&holds| holds), "the measured openings are right");
    };
    VerifyRate {
        backend: backend.name(),
        samples,
        single_per_second: repeat(span, || verify(&answer)),
        batched_per_second: real(BATCH as u64) * repeat(span, || verify(&many)),
    }
}

/// An opening that leads to its own root: any chunk and siblings make one, so no tree of gigabytes is needed.
struct MadeUp {
    index: u64,
    chunk: [u8; CHUNK_BYTES],
    siblings: Vec<ChainingValue>,
    root: [u8; 32],
}

impl MadeUp {
    fn new(number: u64, log2_chunks: u32) -> MadeUp {
        let mut stream = Context::SPACE_CHUNKS.stream(&[b"bench", &number.to_le_bytes()]);
        let mut chunk = [0; CHUNK_BYTES];
        stream.fill(&mut chunk);
        let index = stream.below(1 << log2_chunks);
        let mut siblings = vec![[0; 32]; log2_chunks as usize];
        siblings.iter_mut().for_each(|sibling| stream.fill(sibling));
        let mut value = chunk_value(index, &chunk);
        let mut root = value;
        for (level, sibling) in siblings.iter().enumerate() {
            let (left, right) = if index >> level & 1 == 0 { (&value, sibling) } else { (sibling, &value) };
            root = root_value(left, right);
            value = parent_value(left, right);
        }
        MadeUp { index, chunk, siblings, root }
    }

    fn claim(&self) -> Claim<'_> {
        let opening = Opening { chunk: &self.chunk, siblings: &self.siblings };
        Claim { index: self.index, root: &self.root, opening }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_measured_openings_are_right_and_a_changed_one_is_not() {
        let backend = crate::backend::select(crate::backend::Choice::Portable).expect("always present");
        let mut opening = MadeUp::new(3, 5);
        assert_eq!(leads_to_root(backend, &[opening.claim()]), [true]);
        opening.chunk[0] ^= 1;
        assert_eq!(leads_to_root(backend, &[opening.claim()]), [false]);
    }
}
