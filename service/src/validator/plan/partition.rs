//! What is asked of a partition: samples of its windows, and whether its batches are sealed.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use holdfast_engine::beacon::audit_limit;
use holdfast_engine::challenge::{Challenge, Kind, Terms};
use holdfast_engine::commitment::{Batch, Commitment};
use holdfast_engine::possession::record::SignedRecord;
use holdfast_engine::rejection::Rejection;
use holdfast_engine::tree::CHUNK_BYTES;

use super::objects::ask_objects;
use super::{Against, MinerPlan, PartitionFacts, PlanTerms, Question, audit_round, lot};
use crate::local::audits::AnyChallenge;

/// Adds the questions about a partition and the records that go with it.
pub(super) fn in_round(
    terms: &PlanTerms<'_>,
    partition: &PartitionFacts,
    commitment: &Arc<Commitment>,
    records: &[SignedRecord],
    plan: &mut MinerPlan,
) -> Result<(), Rejection> {
    let round = audit_round(terms, Some(commitment), records)?;
    let in_force = commitment.in_force(terms.height, terms.policy.finality_blocks)?;
    let in_force = match in_force {
        Cow::Borrowed(_) => Arc::clone(commitment),
        Cow::Owned(earlier) => Arc::new(earlier),
    };
    if let Some(challenge) = &round.space {
        plan.questions.push(Question {
            bytes_read: u64::from(challenge.samples) * CHUNK_BYTES as u64,
            proven_space_bytes: sealed_windows(&in_force, &partition.sealed) * challenge.shape.bytes(),
            proven_object_bytes: 0,
            linked_bytes: None,
            batch: None,
            challenge: AnyChallenge::Partition(Box::new(challenge.clone())),
            against: Against::Partition(Arc::clone(&in_force)),
        });
    }
    ask_objects(&round, records, &mut plan.questions);
    if !partition.sealing
        && let Some((batch, challenge)) = seal(terms, &in_force, &partition.sealed)
    {
        plan.seals.push(Question {
            bytes_read: u64::from(challenge.samples) * challenge.shape.bytes(),
            proven_space_bytes: 0,
            proven_object_bytes: 0,
            linked_bytes: None,
            batch: Some(batch),
            challenge: AnyChallenge::Partition(Box::new(challenge)),
            against: Against::Partition(in_force),
        });
    }
    Ok(())
}

/// The seal audit of a partition: of the first batch that has passed none; else, by lot, of one that has. The lot is drawn by the
/// seed that the challenge of the batch has, so that nobody chooses.
fn seal(
    terms: &PlanTerms<'_>,
    commitment: &Commitment,
    sealed: &BTreeSet<usize>,
) -> Option<(usize, Challenge)> {
    let challenge = |batch: usize| {
        let windows = commitment.added_windows(batch)?;
        let samples = terms.policy.seal_samples(windows.end - windows.start);
        let deadline_ms = terms.policy.seal_deadline_ms;
        let challenge = Challenge::seal(commitment, batch, terms.beacon, terms.height, samples, deadline_ms);
        Some((batch, challenge?))
    };
    let batches = 0..commitment.batches.len();
    let new = batches.clone().filter(|batch| !sealed.contains(batch)).find_map(challenge);
    new.or_else(|| {
        let limit = audit_limit(terms.reseal_one_in);
        let drawn = batches.filter_map(challenge).map(|drawn| (lot(&drawn.1.seed()), drawn));
        drawn.filter(|(lot, _)| *lot <= limit).min_by_key(|(lot, _)| *lot).map(|(_, drawn)| drawn)
    })
}

/// Windows in force of batches whose seal audit was passed.
fn sealed_windows(commitment: &Commitment, sealed: &BTreeSet<usize>) -> u64 {
    let mut ranges: Vec<_> = sealed.iter().filter_map(|batch| commitment.added_windows(*batch)).collect();
    ranges.sort_by_key(|range| range.start);
    let (mut count, mut end) = (0, 0);
    for range in ranges {
        count += range.end.saturating_sub(range.start.max(end));
        end = end.max(range.end);
    }
    count
}

/// The space challenge of a partition whose commitment was not shown, from what is recorded alone.
pub(super) fn unshown(terms: &PlanTerms<'_>, partition: &PartitionFacts, last: &Batch) -> Option<Question> {
    let intent = &partition.registration.intent;
    let shape = intent.shape;
    let samples = terms.policy.samples(shape.log2_labels(), shape.layers(), last.end).ok()?;
    let challenge = Challenge::new(Terms {
        kind: Kind::Space,
        shape,
        height: terms.height,
        partition_id: partition.registration.partition_id,
        first_window: 0,
        window_count: last.end,
        beacon: terms.beacon,
        network: intent.network,
        validator: intent.validator,
        miner: intent.miner,
        registration_digest: partition.registration.digest(),
        partition_root: last.partition_root,
        samples,
        deadline_ms: terms.policy.deadline_ms,
    });
    Some(Question {
        challenge: AnyChallenge::Partition(Box::new(challenge.ok()?)),
        against: Against::Nothing,
        bytes_read: 0,
        proven_space_bytes: 0,
        proven_object_bytes: 0,
        linked_bytes: None,
        batch: None,
    })
}
