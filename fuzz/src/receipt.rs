//! Receipts and what is made of them: what is accepted is canonical, and no bytes stop the verifier.

use holdfast_engine::possession::challenge::AuditKind;
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
    let rounds = Rounds::new();
    let of_object = of_every_kind(&rounds);
    rounds.receipts(3).iter().chain(&of_object).map(|receipt| receipt.encode().into()).collect()
}

/// A round of each kind of one object.
fn of_every_kind(rounds: &Rounds) -> Vec<Receipt> {
    let object = rounds.object(1);
    let height = rounds.first_object_height(&object);
    rounds.object_receipts(&object, &AuditKind::ALL.map(|kind| (kind, height)))
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
    let object = of_every_kind(&rounds);
    let second_kind = rounds.sign(Body { previous: [0; 32], ..object[1].body });
    let pairs = [[first, second], [object[0], second_kind]];
    let evidence = |receipts| Evidence { network: rounds.network(), receipts };
    pairs.map(|receipts| evidence(receipts).encode().into()).to_vec()
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
    let of_object = of_every_kind(&rounds);
    let both = [&file[..], &of_object.iter().flat_map(Receipt::encode).collect::<Vec<u8>>()].concat();
    vec![file, both]
}
