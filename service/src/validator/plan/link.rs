//! Link audits: whether the commitments that possession audits rest on are those of the bytes, whoever signed that they are.

use std::sync::Arc;

use holdfast_engine::possession::challenge::{Ask, AuditKind, Form, ObjectChallenge};
use holdfast_engine::possession::record::SignedRecord;
use holdfast_engine::tree::BLOCK_BYTES;

use super::{Against, MinerFacts, PlanTerms, Question, lot};
use crate::local::audits::AnyChallenge;

/// Link audits that fall on one miner's objects by lot in a round, at most: an answer shows most of a MiB. The others are held in later rounds.
pub(super) const DRAWN_MAX: usize = 16;
/// Link audits of doubted objects of one miner in a round, at most. Those that are drawn have places of their own, or doubts without number would
/// leave nobody else to be asked.
pub(super) const DOUBTED_MAX: usize = 16;

/// The link audits of a round: of whom the lot falls on, and of whoever is doubted.
pub(super) fn links(terms: &PlanTerms<'_>, facts: &MinerFacts, records: &[SignedRecord]) -> Vec<Question> {
    let Some(one_in) = terms.link_one_in else { return Vec::new() };
    let (mut doubted, mut drawn) = (Vec::new(), Vec::new());
    for signed in records {
        let digest = signed.record.digest();
        if is_doubted(terms, facts, &digest) {
            doubted.extend(question(terms, signed));
        } else if AuditKind::Link.falls_on(&terms.beacon, &digest, one_in) {
            drawn.extend(question(terms, signed));
        }
    }
    first_by_lot(&mut doubted, DOUBTED_MAX);
    let bytes_least = first_by_lot(&mut drawn, DRAWN_MAX);
    for question in &mut drawn {
        question.linked_bytes = Some(object_bytes(question).max(bytes_least));
    }
    doubted.extend(drawn);
    doubted
}

/// Leaves so many at most: by lot, so that no miner knows which are left out, and by bytes, or small objects without number would hide a large one.
/// Gives the bytes that each of those left speaks for at least. Weighed with them, the sum over any of the objects is right on average, whichever are
/// left: priority sampling (Duffield, Lund and Thorup, Journal of the ACM 54(6), 2007), where b / u is the priority of b bytes that drew u, from 0 to 1.
fn first_by_lot(links: &mut Vec<Question>, most: usize) -> u64 {
    // 2^128 / priority.
    let order = |question: &Question| {
        (u128::from(lot(&question.round().challenge_seed)) << 64) / u128::from(object_bytes(question).max(1))
    };
    links.sort_by_cached_key(order);
    let first_left_out = links.get(most).map(order);
    links.truncate(most);
    first_left_out.map_or(0, |order| u64::try_from(u128::MAX / order.max(1)).unwrap_or(u64::MAX))
}

fn object_bytes(question: &Question) -> u64 {
    question.challenge.of_object().map_or(0, |challenge| challenge.replica.length())
}

/// Whether an object stands for no bytes: what its commitments say is not known until a link audit is passed. Where links are not asked,
/// those who checked commitments are trusted.
pub(super) fn is_doubted(terms: &PlanTerms<'_>, facts: &MinerFacts, digest: &[u8; 32]) -> bool {
    terms.link_one_in.is_some() && facts.doubted.contains(digest)
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
        linked_bytes: None,
        batch: None,
        challenge: AnyChallenge::Object(challenge),
        against: Against::Object(Arc::new(signed.clone())),
    })
}
