//! Rounds of possession audits: one object, many challenges, honest answers.

use holdfast_engine::possession::challenge::{Form, ObjectChallenge};
use holdfast_engine::possession::generators::Generators;
use holdfast_engine::possession::verify::PossessionCase;
use holdfast_tests::possession::TestObject;
use rayon::prelude::*;

/// Blocks of the object: 16 MiB, a table of 103 chunks.
pub const BLOCKS: usize = 1024;
/// k.
pub const SAMPLES: u32 = 20;
/// Width of the windows of the generators' table.
pub const WIDTH_BITS: u32 = 11;

/// An object and the rounds that were answered for it.
pub struct Rounds {
    /// The object.
    pub object: TestObject,
    /// Challenges with their answers, openings included.
    pub answered: Vec<(ObjectChallenge, Vec<u8>)>,
}

impl Rounds {
    /// So many rounds in this form.
    pub fn answer(object: &TestObject, form: Form, count: u64) -> Rounds {
        let answer = |round| {
            let challenge = object.challenge(round, SAMPLES, form);
            let response = object.answer(&challenge);
            (challenge, response)
        };
        Rounds { object: object.clone(), answered: (0..count).into_par_iter().map(answer).collect() }
    }

    /// So many cases, the rounds over and over.
    pub fn cases(&self, count: usize) -> Vec<PossessionCase<'_>> {
        let rounds = self.answered.iter().cycle().take(count);
        rounds.map(|(challenge, response)| self.object.case(challenge, response)).collect()
    }
}

/// The object, with the generators' table ready.
pub fn object() -> TestObject {
    Generators::standard().prepare(WIDTH_BITS, None).expect("memory for a table");
    TestObject::new(BLOCKS * 16_384 - 1_000, 1)
}
