//! The vectors in `tests/vectors` and the worked examples in `docs/spec`: written by plain code that follows the
//! specification (`plain.rs` and `engine::reference`), compared with what is in the tree, and checked against the engine on
//! every back end.
//!
//! `bash .ci/generate/vectors.sh` writes them anew.

#![allow(clippy::cast_possible_truncation, reason = "figures of tests are small")]

#[path = "vectors/challenge.rs"]
mod challenge;
#[path = "vectors/commitment.rs"]
mod commitment;
#[path = "vectors/commitment_engine.rs"]
mod commitment_engine;
#[path = "vectors/edits.rs"]
mod edits;
#[path = "vectors/files.rs"]
mod files;
#[path = "vectors/message.rs"]
mod message;
#[path = "vectors/pieces.rs"]
mod pieces;
#[path = "vectors/plain.rs"]
mod plain;
#[path = "vectors/plain_curve.rs"]
mod plain_curve;
#[path = "vectors/plain_objects.rs"]
mod plain_objects;
#[path = "vectors/plain_pieces.rs"]
mod plain_pieces;
#[path = "vectors/plain_possession.rs"]
mod plain_possession;
#[path = "vectors/plain_space.rs"]
mod plain_space;
#[path = "vectors/plain_torsion.rs"]
mod plain_torsion;
#[path = "vectors/possession.rs"]
mod possession;
#[path = "vectors/possession_engine.rs"]
mod possession_engine;
#[path = "vectors/receipt.rs"]
mod receipt;
#[path = "vectors/space.rs"]
mod space;
#[path = "vectors/tree.rs"]
mod tree;

use files::Generated;

const COMMITMENT: &str = "docs/spec/commitment-v1.md";

/// Everything that is generated here.
fn generated() -> Vec<Generated> {
    vec![
        Generated::file("tests/vectors/tree-v1.json", tree::vectors()),
        Generated::file("tests/vectors/space-v1.json", space::vectors()),
        Generated::file("tests/vectors/challenge-v1.json", challenge::vectors()),
        Generated::file("tests/vectors/commitment-v1.json", commitment::vectors()),
        Generated::file("tests/vectors/possession-v1.json", possession::vectors()),
        Generated::file("tests/vectors/pieces-v1.json", pieces::vectors()),
        Generated::section("docs/spec/tree-v1.md", "worked example", tree::worked_example()),
        Generated::section("docs/spec/space-v1.md", "worked example", space::worked_example()),
        Generated::section("docs/spec/challenge-v1.md", "context strings", challenge::contexts()),
        Generated::section("docs/spec/challenge-v1.md", "worked example", challenge::worked_example()),
        Generated::section(COMMITMENT, "generators digest", commitment::generators_section()),
        Generated::section(COMMITMENT, "worked example", commitment::worked_example()),
        Generated::section("docs/spec/possession-v1.md", "worked example", possession::worked_example()),
        Generated::section("docs/spec/pieces-v1.md", "worked example", pieces::worked_example()),
        Generated::section("docs/spec/receipt-v1.md", "worked example", receipt::worked_example()),
        Generated::section("docs/spec/message-v1.md", "worked example", message::worked_example()),
    ]
}

#[test]
fn vectors_and_worked_examples_are_what_the_specification_gives() {
    for generated in generated() {
        generated.check();
    }
}

#[test]
#[ignore = "writes into the source tree"]
fn write_vectors_and_worked_examples() {
    for generated in generated() {
        generated.write();
    }
}
