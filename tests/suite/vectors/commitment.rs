//! Vectors of commitment-v1.

use holdfast_engine::possession::generators::Generators;

pub(crate) fn generators_digest() -> String {
    format!("```text\n{}\n```\n", hex::encode(Generators::derive().digest()))
}
