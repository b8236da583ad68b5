//! What is asked of objects, in shares of the samples of a round (object-v1 §6).

use std::collections::BTreeMap;
use std::sync::Arc;

use holdfast_engine::audit_round::AuditRound;
use holdfast_engine::possession::challenge::AuditKind;
use holdfast_engine::possession::record::SignedRecord;
use holdfast_engine::tree::{BLOCK_BYTES, CHUNK_BYTES};

use super::{Against, Question};
use crate::local::audits::AnyChallenge;

/// The challenges of objects, with their share of the bytes that the miner's objects have.
pub(super) fn ask_objects(round: &AuditRound, records: &[SignedRecord], questions: &mut Vec<Question>) {
    let by_root: BTreeMap<[u8; 32], &SignedRecord> =
        records.iter().map(|signed| (*signed.record.replica.object_root(), signed)).collect();
    let shares: BTreeMap<[u8; 32], u32> =
        round.split.objects.iter().map(|(name, share)| (name.0, *share)).collect();
    let samples: u64 = shares.values().map(|share| u64::from(*share)).sum();
    let object_bytes = u128::from(round.holdings.object_bytes());
    for challenge in &round.objects {
        let root = challenge.replica.object_root();
        let (Some(record), Some(share)) = (by_root.get(root), shares.get(root)) else { continue };
        let proven = object_bytes * u128::from(*share) / u128::from(samples.max(1));
        let units = match challenge.kind {
            AuditKind::Possession => challenge.possession_blocks().len() * BLOCK_BYTES,
            _ => challenge.chunks().len() * CHUNK_BYTES,
        };
        questions.push(Question {
            bytes_read: (units as u64).min(challenge.replica.length()),
            proven_space_bytes: 0,
            // A share of the whole is not above it.
            proven_object_bytes: u64::try_from(proven).unwrap_or(u64::MAX),
            linked_bytes: None,
            batch: None,
            challenge: AnyChallenge::Object(challenge.clone()),
            against: Against::Object(Arc::new((*record).clone())),
        });
    }
}
