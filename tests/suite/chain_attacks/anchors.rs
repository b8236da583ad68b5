//! "Missed", claimed against a digest that was anchored in time; and anchors that show less than they seem to.

use holdfast_engine::account::Account;
use holdfast_engine::receipt::{
    ANCHOR_BLOCKS, AnchoredPairs, Body, ChainFailure, ChainReport, PairProof, Receipt, VoidReason,
    verify_chain,
};
use holdfast_engine::recorder::{AnchorClaim, Recorder, Simulation};
use holdfast_engine::rejection::Class;
use holdfast_engine::signature::Signature;
use holdfast_engine::tree::Outboard;
use holdfast_tests::rounds::{Rounds, response_digest};

use crate::{asking, file, voided};

/// One round, with other miners' pairs around ours in the anchor.
struct Anchored {
    rounds: Rounds,
    height: u64,
    pairs: AnchoredPairs,
}

fn anchored_after(blocks: u64) -> Anchored {
    let rounds = Rounds::new();
    let height = rounds.first_height;
    let ours = (rounds.challenge(height).seed(), response_digest(height));
    let others = (0..40).map(|i| (response_digest(1_000 + i), response_digest(2_000 + i)));
    let pairs = AnchoredPairs::new(others.chain([ours])).unwrap();
    rounds.recorder.advance(blocks).unwrap();
    rounds.recorder.record_anchor(&pairs.claim(height, &rounds.network(), &rounds.validator)).unwrap();
    rounds.finalise(height);
    Anchored { rounds, height, pairs }
}

impl Anchored {
    fn proof(&self) -> PairProof {
        let challenge = self.rounds.challenge(self.height);
        self.pairs.prove(self.height, challenge.validator, &challenge.seed()).unwrap()
    }

    fn receipt(&self, answer: Option<([u8; 32], bool)>) -> Receipt {
        self.rounds.sign(Body::of(&self.rounds.challenge(self.height), answer, [0; 32]))
    }

    fn report(&self, receipt: Receipt) -> ChainReport {
        let mut verifier = asking(&self.rounds);
        verifier.add_anchored(&self.proof()).unwrap();
        verify_chain(&file(&self.rounds.network(), &[receipt])[..], verifier, |_, _| ()).unwrap()
    }

    fn refused(&self, change: impl FnOnce(&mut PairProof)) -> Option<Class> {
        let mut proof = self.proof();
        change(&mut proof);
        match asking(&self.rounds).add_anchored(&proof) {
            Ok(_) => None,
            Err(ChainFailure::Proof { rejection }) => Some(rejection.class),
            Err(failure) => panic!("not a refused proof: {failure}"),
        }
    }
}

#[test]
fn missed_against_a_timely_anchored_digest() {
    let anchored = anchored_after(1);
    let report = anchored.report(anchored.receipt(None));
    assert_eq!(report.void, [voided(0, VoidReason::AnsweredInTime)]);
    assert_eq!(report.chains[0].missed, 0);
}

#[test]
fn an_anchored_answer_is_timely() {
    let anchored = anchored_after(ANCHOR_BLOCKS);
    let report = anchored.report(anchored.receipt(Some((response_digest(anchored.height), true))));
    assert_eq!((report.chains[0].accepted_timely_anchored, report.void.len()), (1, 0));
}

/// The receipt's digest is not the anchored one: whatever was verified, it was not what was promised in time.
#[test]
fn an_answer_exchanged_after_the_anchor() {
    let anchored = anchored_after(1);
    let report = anchored.report(anchored.receipt(Some(([1; 32], true))));
    assert_eq!(report.void, [voided(0, VoidReason::AnotherDigest)]);
}

/// A colluding validator anchors days later: nothing is shown to have been in time, and nothing is voided.
#[test]
fn an_anchor_recorded_too_late() {
    let anchored = anchored_after(ANCHOR_BLOCKS + 1);
    assert!(!asking(&anchored.rounds).add_anchored(&anchored.proof()).unwrap());
    let report = anchored.report(anchored.receipt(Some((response_digest(anchored.height), true))));
    assert_eq!((report.chains[0].accepted, report.chains[0].accepted_timely_anchored), (1, 0));
    assert_eq!(anchored.report(anchored.receipt(None)).void, []);
}

#[test]
fn proofs_of_pairs_that_are_not_anchored() {
    let anchored = anchored_after(1);
    assert_eq!(anchored.refused(|_| ()), None, "the negative control");
    assert_eq!(anchored.refused(|proof| proof.height += 1), Some(Class::WrongRecord), "another round");
    assert_eq!(anchored.refused(|proof| proof.validator = Account([1; 32])), Some(Class::WrongRecord));
    assert_eq!(anchored.refused(|proof| proof.index = 41), Some(Class::Malformed), "beyond the last pair");
    assert_eq!(anchored.refused(|proof| proof.index = u64::MAX), Some(Class::Malformed));
    let other_chunk = anchored.proof().index ^ 16;
    assert_eq!(
        anchored.refused(|proof| proof.index = other_chunk),
        Some(Class::WrongRoot),
        "another chunk's place"
    );
    assert_eq!(anchored.refused(|proof| proof.opening[0] ^= 1), Some(Class::WrongRoot), "another pair");
    assert_eq!(anchored.refused(|proof| proof.opening.push(0)), Some(Class::WrongLength), "a byte more");
    assert_eq!(
        anchored.refused(|proof| proof.opening.truncate(1_024)),
        Some(Class::WrongLength),
        "a byte less"
    );
    assert_eq!(anchored.refused(|proof| proof.opening.clear()), Some(Class::WrongLength), "nothing shown");
}

/// Pairs of another partition or round do not void this one's receipts.
#[test]
fn another_challenges_pair() {
    let anchored = anchored_after(1);
    let mut verifier = asking(&anchored.rounds);
    let validator = anchored.rounds.validator.account();
    let other = anchored.pairs.prove(anchored.height, validator, &response_digest(1_000)).unwrap();
    assert!(verifier.add_anchored(&other).unwrap());
    let file = file(&anchored.rounds.network(), &[anchored.receipt(None)]);
    assert_eq!(verify_chain(&file[..], verifier, |_, _| ()).unwrap().void, []);
}

/// A validator that anchors a digest of its own beside the miner's, to void the honest receipt by whichever proof comes last.
#[test]
fn two_digests_anchored_for_one_seed() {
    let rounds = Rounds::new();
    let height = rounds.first_height;
    let (challenge, network) = (rounds.challenge(height), rounds.network());
    let digests = [response_digest(height), [1; 32]];
    assert!(
        AnchoredPairs::new(digests.map(|digest| (challenge.seed(), digest))).is_err(),
        "an honest one does not"
    );
    let pairs = digests.map(|digest| [challenge.seed(), digest].concat()).concat();
    let outboard = Outboard::of(&pairs);
    let validator = rounds.validator.account();
    let mut claim =
        AnchorClaim { height, validator, root: outboard.root(), count: 2, signature: Signature::NONE };
    claim.signature = rounds.validator.sign(&claim.signing_digest(&network));
    rounds.recorder.record_anchor(&claim).unwrap();
    rounds.finalise(height);
    let proof = |index| PairProof { height, validator, index, opening: outboard.open(&pairs, 0) };
    let honest = rounds.sign(Body::of(&challenge, Some((digests[0], true)), [0; 32]));
    for order in [[0, 1], [1, 0]] {
        let mut verifier = asking(&rounds);
        for index in order {
            assert!(verifier.add_anchored(&proof(index)).unwrap());
        }
        let report = verify_chain(&file(&network, &[honest])[..], verifier, |_, _| ()).unwrap();
        assert_eq!((report.chains[0].accepted_timely_anchored, report.void.len()), (1, 0), "order {order:?}");
    }
}

/// Who shows pairs receipt by receipt forgets them in between; a pair that was forgotten is as one that was never shown.
#[test]
fn a_forgotten_pair_is_not_in_time() {
    let rounds = Rounds::new();
    let height = rounds.first_height;
    let (challenge, validator) = (rounds.challenge(height), rounds.validator.account());
    let pairs = AnchoredPairs::new([(challenge.seed(), response_digest(height))]).unwrap();
    rounds.recorder.record_anchor(&pairs.claim(height, &rounds.network(), &rounds.validator)).unwrap();
    rounds.finalise(height);
    let honest = rounds.sign(Body::of(&challenge, Some((response_digest(height), true)), [0; 32]));
    for (forget, timely) in [(false, true), (true, false)] {
        let mut verifier = asking(&rounds);
        let proof = pairs.prove(height, validator, &challenge.seed()).unwrap();
        assert!(verifier.add_anchored(&proof).unwrap());
        if forget {
            verifier.forget_anchored();
        }
        assert_eq!(verifier.push(&honest.encode()).unwrap().timely_anchored, timely, "forgotten: {forget}");
    }
}
