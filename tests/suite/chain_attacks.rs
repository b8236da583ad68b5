//! Attacks on the record, on receipts and on deadlines that must come to nothing, by name; and the vectors of receipts.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]

#[path = "chain_attacks/anchors.rs"]
mod anchors;
#[path = "chain_attacks/deadlines.rs"]
mod deadlines;
#[path = "chain_attacks/equivocation.rs"]
mod equivocation;
#[path = "chain_attacks/grinding.rs"]
mod grinding;
#[path = "chain_attacks/hostile.rs"]
mod hostile;
#[path = "chain_attacks/links.rs"]
mod links;
#[path = "chain_attacks/objects.rs"]
mod objects;
#[path = "chain_attacks/vectors.rs"]
mod vectors;

use holdfast_engine::receipt::{
    ANCHOR_BLOCKS, ChainFailure, ChainReport, ChainVerifier, Receipt, Void, VoidReason, encode_chain_header,
    verify_chain,
};
use holdfast_engine::recorder::{RecorderError, Refusal};
use holdfast_engine::rejection::{Class, Rejection};
use holdfast_tests::rounds::Rounds;

fn class<T>(result: Result<T, Rejection>) -> Option<Class> {
    result.err().map(|rejection| rejection.class)
}

fn refusal<T>(result: Result<T, RecorderError>) -> Option<Refusal> {
    match result {
        Ok(_) => None,
        Err(RecorderError::Refused(refusal)) => Some(refusal),
        Err(failure) => panic!("a failure, not a refusal: {failure}"),
    }
}

/// A chain file of these receipts.
fn file(network: &[u8; 32], receipts: &[Receipt]) -> Vec<u8> {
    let mut bytes = encode_chain_header(network).to_vec();
    bytes.extend(receipts.iter().flat_map(Receipt::encode));
    bytes
}

/// The verdict on links and signatures alone: the report, or which receipt is refused as what.
fn verdict(rounds: &Rounds, receipts: &[Receipt]) -> Result<ChainReport, (u64, Class)> {
    let network = rounds.network();
    verify_chain(&file(&network, receipts)[..], ChainVerifier::new(network), |_, _| ()).map_err(position)
}

fn position(failure: ChainFailure) -> (u64, Class) {
    match failure {
        ChainFailure::Receipt { number, rejection } => (number, rejection.class),
        other => panic!("no receipt was refused: {other}"),
    }
}

/// A verifier that asks the recorder too.
fn asking(rounds: &Rounds) -> ChainVerifier<'_> {
    ChainVerifier::new(rounds.network()).with_recorder(&rounds.recorder, ANCHOR_BLOCKS)
}

/// What a verifier that asks the recorder finds void.
fn void(rounds: &Rounds, receipts: &[Receipt]) -> Vec<Void> {
    let file = file(&rounds.network(), receipts);
    verify_chain(&file[..], asking(rounds), |_, _| ()).expect("linked and signed").void
}

fn voided(receipt: u64, reason: VoidReason) -> Void {
    Void { receipt, reason }
}
