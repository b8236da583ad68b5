//! Link audits: whether the commitments that possession audits rest on are those of the bytes, whoever signed that they are.

use std::sync::Arc;

use holdfast_engine::possession::challenge::{Ask, AuditKind, Form, ObjectChallenge};
use holdfast_engine::possession::record::SignedRecord;
use holdfast_engine::tree::BLOCK_BYTES;

use super::{Against, MinerFacts, PlanTerms, Question, lot};
use crate::local::audits::AnyChallenge;

/// Link audits of one miner in a round at most: an answer shows most of a MiB. The others are held in later rounds.
pub(super) const LINKS_MAX: usize = 16;

/// The link audits of a round. Records that are doubted are taken out of `records`: what their commitments say is not known, so they are
/// asked nothing else, and stand for no bytes, until they pass.
pub(super) fn take_links(
    terms: &PlanTerms<'_>,
    facts: &MinerFacts,
    records: &mut Vec<SignedRecord>,
) -> Vec<Question> {
    let is_doubted = |digest: &[u8; 32]| facts.doubted.contains(digest);
    let is_drawn = |digest: &[u8; 32]| {
        terms.link_one_in.is_some_and(|one_in| AuditKind::Link.falls_on(&terms.beacon, digest, one_in))
    };
    let asked = records.iter().map(|signed| (signed, signed.record.digest()));
    let asked = asked.filter(|(_, digest)| is_doubted(digest) || is_drawn(digest));
    let mut links: Vec<Question> = asked.filter_map(|(signed, _)| question(terms, signed)).collect();
    // By lot, so that no miner knows which are left out, and by bytes, or small objects without number would hide a large one.
    links.sort_by_cached_key(|question| {
        let bytes = question.challenge.of_object().map_or(0, |challenge| challenge.replica.length());
        (u128::from(lot(&question.round().challenge_seed)) << 64) / u128::from(bytes.max(1))
    });
    links.truncate(LINKS_MAX);
    records.retain(|signed| !is_doubted(&signed.record.digest()));
    links
}

/// `None` of a record without commitments, or that is not settled.
fn question(terms: &PlanTerms<'_>, signed: &SignedRecord) -> Option<Question> {
    let (kind, objects) = (AuditKind::Link, &terms.policy.objects);
    let (samples, deadline_ms) = (objects.samples(kind), objects.deadline_ms(kind));
    let ask = Ask { kind, samples, deadline_ms, form: Form::Plain };
    let at = (terms.beacon, terms.height);
    let challenge = ObjectChallenge::of(&signed.record, terms.validator, at, ask).ok()?;
    challenge.check_against(&signed.record, terms.policy.finality_blocks).ok()?;
    let bytes = challenge.link_blocks().len() * BLOCK_BYTES;
    Some(Question {
        bytes_read: (bytes as u64).min(challenge.replica.length()),
        proven_space_bytes: 0,
        // It is about the commitments; what they stand for, possession audits show.
        proven_object_bytes: 0,
        batch: None,
        challenge: AnyChallenge::Object(challenge),
        against: Against::Object(Arc::new(signed.clone())),
    })
}
