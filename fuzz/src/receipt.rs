//! Receipts and what is made of them: what is accepted is canonical, and no bytes stop the verifier.

use holdfast_engine::receipt::{
    AnchoredPairs, Body, ChainVerifier, Evidence, PairProof, Receipt, encode_chain_header, verify_chain,
};
use holdfast_engine::recorder::{Anchor, SimulationSettings};
use holdfast_engine::signature::Signer;
use holdfast_tests::rounds::{Rounds, response_digest};

pub(crate) fn receipt(bytes: &[u8]) -> bool {
    Receipt::decode(bytes).is_ok_and(|receipt| {
        assert_eq!(receipt.encode(), bytes);
        true
    })
}

pub(crate) fn receipt_seeds() -> Vec<Vec<u8>> {
    Rounds::new().receipts(3).iter().map(|receipt| receipt.encode().into()).collect()
}

pub(crate) fn evidence(bytes: &[u8]) -> bool {
    Evidence::decode(bytes).is_ok_and(|evidence| {
        assert_eq!(evidence.encode(), bytes);
        let [one, two] = evidence.receipts;
        evidence.verify().is_ok_and(|_| one.body != two.body)
    })
}

pub(crate) fn evidence_seeds() -> Vec<Vec<u8>> {
    let rounds = Rounds::new();
    let first = rounds.receipts(1)[0];
    let second = rounds.sign(Body { challenge_seed: [1; 32], ..first.body });
    vec![Evidence { network: rounds.network(), receipts: [first, second] }.encode().into()]
}

pub(crate) fn pair_proof(bytes: &[u8]) -> bool {
    let (pairs, anchor) = anchored();
    PairProof::decode(bytes).is_ok_and(|proof| {
        assert_eq!(proof.encode(), bytes);
        proof.verify(&anchor).is_ok_and(|(seed, _)| {
            assert_eq!(pairs.prove(anchor.height, anchor.validator, &seed), Some(proof));
            true
        })
    })
}

pub(crate) fn pair_proof_seeds() -> Vec<Vec<u8>> {
    let (pairs, anchor) = anchored();
    let proof = |number| pairs.prove(anchor.height, anchor.validator, &response_digest(number));
    [0, 20].into_iter().filter_map(proof).map(|proof| proof.encode()).collect()
}

fn anchored() -> (AnchoredPairs, Anchor) {
    let pair = |number| (response_digest(number), response_digest(number + 100));
    let pairs = AnchoredPairs::new((0..21).map(pair)).expect("all seeds differ");
    let validator = Signer::development("validator").account();
    let (root, count) = (pairs.root(), pairs.count());
    (pairs, Anchor { height: 9, validator, root, count, recorded_at: 10 })
}

pub(crate) fn chain_file(bytes: &[u8]) -> bool {
    let network = SimulationSettings::default().network;
    let mut seen = 0;
    let report = verify_chain(bytes, ChainVerifier::new(network), |_, _| seen += 1);
    report.is_ok_and(|report| {
        assert_eq!((report.receipts, bytes.len()), (seen, 40 + 312 * usize::try_from(seen).unwrap_or(0)));
        true
    })
}

pub(crate) fn chain_file_seeds() -> Vec<Vec<u8>> {
    let rounds = Rounds::new();
    let mut file = encode_chain_header(&rounds.network()).to_vec();
    file.extend(rounds.receipts(4).iter().flat_map(Receipt::encode));
    vec![file]
}
