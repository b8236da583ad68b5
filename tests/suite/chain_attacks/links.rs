//! Receipts taken out of a chain, put into it, moved, forged, or made on blocks that did not last.

use holdfast_engine::receipt::{
    Body, ChainFailure, ChainVerifier, Receipt, Subject, VoidReason, verify_chain,
};
use holdfast_engine::recorder::{Recorder, Simulation};
use holdfast_engine::rejection::Class;
use holdfast_engine::signature::{Signature, Signer};
use holdfast_tests::rounds::Rounds;

use crate::{asking, file, position, verdict, void, voided};

#[test]
fn an_honest_chain_is_taken() {
    let rounds = Rounds::new();
    let report = verdict(&rounds, &rounds.receipts(10)).unwrap();
    let chain = &report.chains[0];
    assert_eq!((chain.accepted, chain.rejected, chain.missed, chain.void), (6, 2, 2, 0));
    assert_eq!((chain.accepted_signed_by_both, chain.accepted_timely_anchored), (6, 0));
    assert!(!report.recorder_asked && chain.accepted_finalised == 0, "nobody was asked about blocks");
    assert_eq!(chain.heights, Some((rounds.first_height, rounds.first_height + 9)));
    let file = file(&rounds.network(), &rounds.receipts(10));
    let report =
        verify_chain(&file[..], asking(&rounds), |_, standing| assert_eq!(standing.void, None)).unwrap();
    assert_eq!((report.chains[0].accepted_finalised, report.void.len()), (6, 0));
}

#[test]
fn a_receipt_removed() {
    let rounds = Rounds::new();
    let receipts = rounds.receipts(10);
    for gone in 0..9 {
        let mut receipts = receipts.clone();
        receipts.remove(gone);
        assert_eq!(verdict(&rounds, &receipts), Err((gone as u64, Class::BrokenChain)), "{gone}");
    }
}

/// No link shows that the end is missing; the audit heights do.
#[test]
fn receipts_removed_from_the_end() {
    let rounds = Rounds::new();
    let receipts = rounds.receipts(10);
    let through = receipts[9].body.height;
    let missing = |count: usize| {
        let verifier = asking(&rounds).with_audits(u64::MAX, through).expect_chain(receipts[0].body.key);
        let file = file(&rounds.network(), &receipts[..count]);
        let report = verify_chain(&file[..], verifier, |_, _| ()).unwrap();
        report.chains[0].missing_rounds.iter().map(|round| round.height).collect::<Vec<_>>()
    };
    assert_eq!(missing(10), [0u64; 0]);
    assert_eq!(missing(8), [through - 1, through]);
    assert_eq!(missing(0), (rounds.first_height..=through).collect::<Vec<_>>(), "all of them");
}

#[test]
fn a_receipt_inserted_twice_or_from_another_chain() {
    let rounds = Rounds::new();
    let receipts = rounds.receipts(6);
    let mut twice = receipts.clone();
    twice.insert(3, receipts[2]);
    assert_eq!(verdict(&rounds, &twice), Err((3, Class::BrokenChain)));

    let mut foreign = receipts[3].body;
    foreign.key.subject = Subject::Partition(9);
    let mut inserted = receipts.clone();
    inserted.insert(3, rounds.sign(foreign));
    assert_eq!(
        verdict(&rounds, &inserted),
        Err((3, Class::BrokenChain)),
        "the first link of chain 9 follows nothing"
    );
}

#[test]
fn receipts_reordered() {
    let rounds = Rounds::new();
    let mut receipts = rounds.receipts(6);
    receipts.swap(2, 3);
    assert_eq!(verdict(&rounds, &receipts), Err((2, Class::BrokenChain)));
}

/// Linked anew by both parties, but in an order that time does not have.
#[test]
fn heights_that_do_not_increase() {
    let rounds = Rounds::new();
    let first = rounds.first_height;
    let relinked = |heights: &[u64]| {
        let mut previous = [0; 32];
        let mut link = |height: &u64| {
            let body = Body::of(&rounds.challenge(*height), None, previous);
            previous = body.digest(&rounds.network());
            rounds.sign(body)
        };
        let receipts: Vec<Receipt> = heights.iter().map(&mut link).collect();
        verdict(&rounds, &receipts).map(|report| report.receipts)
    };
    assert_eq!(relinked(&[first, first + 1, first + 5]), Ok(3));
    assert_eq!(relinked(&[first, first]), Err((1, Class::BrokenChain)));
    assert_eq!(relinked(&[first, first + 2, first + 1]), Err((2, Class::BrokenChain)));
}

/// A branch that leaves the chain at receipt 4 cannot be told from the chain by itself, but not both can be shown.
#[test]
fn a_chain_forked() {
    let rounds = Rounds::new();
    let receipts = rounds.receipts(6);
    let branch = Body { previous: receipts[3].body.digest(&rounds.network()), ..receipts[5].body };
    let branch = rounds.sign(branch);
    assert!(verdict(&rounds, &[&receipts[..4], &[branch]].concat()).is_ok(), "alone it looks like a chain");
    let both = [&receipts[..], &[branch]].concat();
    assert_eq!(verdict(&rounds, &both), Err((6, Class::BrokenChain)));
    let found = holdfast_engine::receipt::find_equivocation(&rounds.network(), &both);
    assert!(
        found.iter().any(|evidence| evidence.receipts == [receipts[4], branch]),
        "the same predecessor twice"
    );
}

/// One forged signature among a thousand receipts: the receipt is named.
#[test]
fn forged_signatures_are_named() {
    let rounds = Rounds::new();
    let receipts = rounds.receipts(1_000);
    assert!(verdict(&rounds, &receipts).is_ok());
    let stranger = Signer::development("stranger");
    let digest = receipts[777].body.signing_digest(&rounds.network());
    let forge = |change: &dyn Fn(&mut Receipt)| {
        let mut receipts = receipts.clone();
        change(&mut receipts[777]);
        verdict(&rounds, &receipts).map(|report| report.receipts)
    };
    let bad = Err((777, Class::BadSignature));
    assert_eq!(forge(&|receipt| receipt.validator_signature = stranger.sign(&digest)), bad, "a stranger's");
    assert_eq!(
        forge(&|receipt| receipt.miner_signature = rounds.validator.sign(&digest)),
        bad,
        "the other's"
    );
    assert_eq!(
        forge(&|receipt| receipt.validator_signature = receipts[776].validator_signature),
        bad,
        "a replay"
    );
    assert_eq!(
        forge(&|receipt| receipt.validator_signature = Signature::NONE),
        bad,
        "the validator always signs"
    );
    assert_eq!(forge(&|receipt| receipt.miner_signature.0[5] ^= 1), bad, "a flipped bit");
    assert_eq!(
        forge(&|receipt| receipt.miner_signature = Signature::NONE),
        Ok(1_000),
        "the miner may withhold its"
    );
}

/// The receipts of one network shown as those of another.
#[test]
fn receipts_of_another_network() {
    let rounds = Rounds::new();
    let receipts = rounds.receipts(3);
    let other = [9; 32];
    let relabelled = verify_chain(&file(&other, &receipts)[..], ChainVerifier::new(other), |_, _| ());
    assert_eq!(relabelled.map_err(position).unwrap_err(), (1, Class::BrokenChain), "links cover the network");
    let relabelled = verify_chain(&file(&other, &receipts[..1])[..], ChainVerifier::new(other), |_, _| ());
    assert_eq!(relabelled.map_err(position).unwrap_err(), (0, Class::BadSignature), "and so do signatures");
    let asked = verify_chain(&file(&other, &receipts)[..], ChainVerifier::new(rounds.network()), |_, _| ());
    assert!(
        matches!(asked, Err(ChainFailure::Header { rejection }) if rejection.class == Class::WrongChallenge)
    );
}

#[test]
fn a_receipt_on_a_block_that_is_not_final() {
    let rounds = Rounds::new();
    let height = rounds.first_height;
    let receipt = rounds.sign(Body::of(&rounds.challenge(height), Some(([1; 32], true)), [0; 32]));
    let not_final = [voided(0, VoidReason::NotFinal)];
    assert_eq!(void(&rounds, &[receipt]), not_final);
    rounds.finalise(height - 1);
    assert_eq!(void(&rounds, &[receipt]), not_final, "one block short");
    rounds.recorder.advance(1).unwrap();
    assert_eq!(void(&rounds, &[receipt]), []);
}

/// The round was held on a block that a reorganisation replaced: its samples were another beacon's.
#[test]
fn a_receipt_on_a_block_that_was_replaced() {
    let rounds = Rounds::new();
    let height = rounds.first_height;
    let receipt = rounds.sign(Body::of(&rounds.challenge(height), Some(([1; 32], true)), [0; 32]));
    rounds.recorder.reorganise(height).unwrap();
    rounds.finalise(height);
    assert!(rounds.recorder.is_final(height).unwrap());
    assert_eq!(void(&rounds, &[receipt]), [voided(0, VoidReason::WrongSeed)]);
}

#[test]
fn several_chains_in_one_file() {
    let rounds = Rounds::new();
    let receipts = rounds.receipts(4);
    let mut previous = [0; 32];
    let mut interleaved = Vec::new();
    for receipt in &receipts {
        let mut body = Body { previous, ..receipt.body };
        body.key.subject = Subject::Partition(1);
        previous = body.digest(&rounds.network());
        interleaved.extend([*receipt, rounds.sign(body)]);
    }
    let report = verdict(&rounds, &interleaved).unwrap();
    assert_eq!(report.chains.iter().map(|chain| chain.receipts).collect::<Vec<_>>(), [4, 4]);
    assert_eq!(void(&rounds, &interleaved).len(), 4, "nothing is registered as partition 1");
}
