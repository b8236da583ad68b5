//! Which challenges a round has: a function of the block, of what is recorded and of the records, so that any third party with
//! the same facts derives the same. Nothing that a miner says after the beacon enters.

mod bound;
mod link;
mod objects;
mod partition;
mod records;

use std::collections::BTreeSet;
use std::num::NonZeroU64;
use std::sync::Arc;

use holdfast_engine::account::Account;
use holdfast_engine::audit_round::{AuditRound, RoundTerms};
use holdfast_engine::commitment::{Batch, Commitment, settled_batches};
use holdfast_engine::policy::Policy;
use holdfast_engine::possession::challenge::{AuditKind, Form};
use holdfast_engine::possession::chunks::chunks_response_bytes;
use holdfast_engine::possession::link::link_response_bytes;
use holdfast_engine::possession::record::SignedRecord;
use holdfast_engine::possession::response::response_bytes as possession_response_bytes;
use holdfast_engine::receipt::{Round, Subject};
use holdfast_engine::registration::Registration;
use holdfast_engine::rejection::Rejection;
use holdfast_engine::space::response::response_bytes;

use crate::local::audits::AnyChallenge;
use bound::bound_questions;
use objects::ask_objects;
use partition::{in_round, unshown};
use records::usable_records;

/// Bytes of a response to a `whole` challenge at most: header and answer.
const TOKEN_RESPONSE_BYTES: usize = 1024;

/// Questions that one miner is asked in a round at most. So what is found of it fits into a value of the index, and its links into
/// a commit: a miner that registers more than anybody is asked costs nobody else the round.
pub const QUESTIONS_MAX: usize = 2048;
/// Seal audits of one miner that begin in a round at most. The others begin in later ones.
const SEALS_MAX: usize = 64;

/// What is the same for all miners of a round.
#[derive(Clone, Copy, Debug)]
pub struct PlanTerms<'a> {
    /// The network's policy.
    pub policy: &'a Policy,
    /// The network.
    pub network: [u8; 32],
    /// Who asks.
    pub validator: Account,
    /// Height of the block that is asked with.
    pub height: u64,
    /// Its beacon.
    pub beacon: [u8; 32],
    /// Form of possession responses.
    pub form: Form,
    /// Once sealed, one batch in so many is audited again at an audit height.
    pub reseal_one_in: NonZeroU64,
    /// At an audit height one object with commitments in so many is asked for blocks and their commitments; `None` asks none.
    pub link_one_in: Option<NonZeroU64>,
}

/// What is known of one miner before the beacon.
#[derive(Clone, Debug)]
pub struct MinerFacts {
    /// Who.
    pub miner: Account,
    /// Its partitions for this validator, in any order.
    pub partitions: Vec<PartitionFacts>,
    /// Records of objects that it keeps for this validator, in any order.
    pub records: Vec<SignedRecord>,
    /// Digests of those that stand for no bytes until they pass a link audit.
    pub doubted: BTreeSet<[u8; 32]>,
}

/// A partition that is registered and not withdrawn.
#[derive(Clone, Debug)]
pub struct PartitionFacts {
    /// Its registration.
    pub registration: Registration,
    /// Its recorded batches.
    pub batches: Vec<Batch>,
    /// The commitment that the validator keeps; `None` while the miner has not shown one for these batches.
    pub commitment: Option<Arc<Commitment>>,
    /// Numbers of the batches whose seal audit was passed.
    pub sealed: BTreeSet<usize>,
    /// Whether a seal audit is under way, so that no other begins.
    pub sealing: bool,
}

/// What one miner is asked.
#[derive(Clone, Debug)]
pub struct MinerPlan {
    /// Who.
    pub miner: Account,
    /// Samples of windows and objects, to be answered within the block.
    pub questions: Vec<Question>,
    /// Seal audits, which take as long as filling.
    pub seals: Vec<Question>,
    /// What was registered and is not asked for, and why.
    pub left_out: Vec<LeftOut>,
}

/// Something that is not asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// The partition or the object.
    pub subject: Subject,
    /// Why.
    pub rejection: Rejection,
}

/// A challenge, what its response is held against, and what it stands for.
#[derive(Clone, Debug)]
pub struct Question {
    /// What is asked.
    pub challenge: AnyChallenge,
    /// What the response is held against.
    pub against: Against,
    /// Bytes that an answer takes to read.
    pub bytes_read: u64,
    /// Bytes of space that an accepted answer stands for: of the windows whose seal audit was passed.
    pub proven_space_bytes: u64,
    /// Bytes of objects that an accepted answer stands for: the miner's objects, in shares as the samples were shared.
    pub proven_object_bytes: u64,
    /// Bytes of objects with commitments that a link audit that fell by lot speaks for; `None` of all other questions.
    pub linked_bytes: Option<u64>,
    /// The batch that a seal audit is of.
    pub batch: Option<usize>,
}

/// What a response is held against.
#[derive(Clone, Debug)]
pub enum Against {
    /// The commitment in force.
    Partition(Arc<Commitment>),
    /// The record.
    Object(Arc<SignedRecord>),
    /// Nothing: the miner has not shown the commitment that it registered. It is not asked, and misses the round.
    Nothing,
}

impl Question {
    /// What receipts and deadlines need to know of it.
    pub fn round(&self) -> Round {
        match &self.challenge {
            AnyChallenge::Partition(challenge) => Round::from(challenge.as_ref()),
            AnyChallenge::Object(challenge) => Round::from(challenge),
            AnyChallenge::Token(challenge) => Round::from(challenge),
        }
    }

    /// Digest of the record that it is about.
    fn record_digest(&self) -> Option<[u8; 32]> {
        self.challenge.of_object().map(|challenge| challenge.record_digest)
    }

    /// The challenge as it is sent.
    pub fn encode(&self) -> Vec<u8> {
        match &self.challenge {
            AnyChallenge::Partition(challenge) => challenge.encode().to_vec(),
            AnyChallenge::Object(challenge) => challenge.encode().to_vec(),
            AnyChallenge::Token(challenge) => challenge.encode().to_vec(),
        }
    }

    /// Bytes of the longest response that can be right.
    pub fn response_bytes_max(&self) -> usize {
        match &self.challenge {
            AnyChallenge::Partition(challenge) => response_bytes(challenge),
            AnyChallenge::Object(challenge) => match challenge.kind {
                AuditKind::Possession => possession_response_bytes(challenge, true),
                AuditKind::Chunks => chunks_response_bytes(challenge),
                AuditKind::Link => link_response_bytes(challenge),
                AuditKind::Whole => TOKEN_RESPONSE_BYTES,
            },
            AnyChallenge::Token(_) => TOKEN_RESPONSE_BYTES,
        }
    }
}

/// The round of one miner.
pub fn plan(terms: &PlanTerms<'_>, facts: &MinerFacts) -> MinerPlan {
    let mut plan =
        MinerPlan { miner: facts.miner, questions: Vec::new(), seals: Vec::new(), left_out: Vec::new() };
    let records = usable_records(terms, facts, &mut plan.left_out);
    let links = link::links(terms, facts, &records);
    let mut partitions: Vec<&PartitionFacts> = facts.partitions.iter().collect();
    partitions.sort_by_key(|partition| partition.registration.partition_id);
    // The records go with the first partition that can be asked; else alone.
    let mut waiting: &[SignedRecord] = &records;
    for partition in partitions {
        let settled = settled_batches(&partition.batches, terms.height, terms.policy.finality_blocks);
        let Some(last) = settled.last() else { continue };
        let Some(commitment) = &partition.commitment else {
            plan.questions.extend(unshown(terms, partition, last));
            continue;
        };
        let subject = Subject::Partition(partition.registration.partition_id);
        match in_round(terms, partition, commitment, waiting, &mut plan) {
            Ok(()) => waiting = &[],
            Err(rejection) => plan.left_out.push(LeftOut { subject, rejection }),
        }
    }
    if !waiting.is_empty() {
        // Records that are not settled yet are no fault of anybody's.
        if let Ok(round) = audit_round(terms, None, waiting) {
            ask_objects(&round, waiting, &mut plan.questions);
        }
    }
    for question in &mut plan.questions {
        if question.record_digest().is_some_and(|digest| link::is_doubted(terms, facts, &digest)) {
            question.proven_object_bytes = 0;
        }
    }
    plan.seals.truncate(SEALS_MAX);
    // Links are few: none is dropped for the many others.
    bound_questions(&mut plan, QUESTIONS_MAX - links.len());
    plan.questions.extend(links);
    plan
}

fn audit_round(
    terms: &PlanTerms<'_>,
    commitment: Option<&Commitment>,
    records: &[SignedRecord],
) -> Result<AuditRound, Rejection> {
    let PlanTerms { validator, height, beacon, form, .. } = *terms;
    AuditRound::new(
        &RoundTerms { commitment, validator, records, beacon, height, samples: None, form },
        terms.policy,
    )
}

fn lot(seed: &[u8; 32]) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&seed[..8]);
    u64::from_le_bytes(word)
}

#[cfg(test)]
mod tests;
