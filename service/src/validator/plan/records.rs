//! Which of the records that a validator keeps can be asked for.

use std::collections::HashSet;

use holdfast_engine::possession::record::SignedRecord;
use holdfast_engine::receipt::{ObjectNumber, Subject};
use holdfast_engine::rejection::{Class, Rejection};

use super::{LeftOut, MinerFacts, PlanTerms};
use crate::pieces::REPLICA_ID;

/// The records that a round can have, in the order of their digests: signed, of this miner and network, and of two of the same
/// bytes or number the older one.
pub(super) fn usable_records(
    terms: &PlanTerms<'_>,
    facts: &MinerFacts,
    left_out: &mut Vec<LeftOut>,
) -> Vec<SignedRecord> {
    let mut records: Vec<([u8; 32], &SignedRecord)> =
        facts.records.iter().map(|signed| (signed.record.digest(), signed)).collect();
    records.sort_by_key(|(digest, signed)| (signed.record.height, *digest));
    records.dedup_by_key(|(digest, _)| *digest);
    let (mut roots, mut numbers) = (HashSet::new(), HashSet::new());
    let mut usable = Vec::with_capacity(records.len());
    for (digest, signed) in records {
        let number = ObjectNumber::of(&digest);
        let checked = check_record(terms, facts, signed).and_then(|()| {
            let new = roots.insert(*signed.record.replica.object_root()) && numbers.insert(number);
            let twin = || Class::WrongRecord.because("an older record is of the same bytes or number");
            if new { Ok(()) } else { Err(twin()) }
        });
        match checked {
            Ok(()) => usable.push(signed.clone()),
            Err(rejection) => left_out.push(LeftOut { subject: Subject::Object(number), rejection }),
        }
    }
    usable
}

fn check_record(terms: &PlanTerms<'_>, facts: &MinerFacts, signed: &SignedRecord) -> Result<(), Rejection> {
    if terms.policy.signatures_required || !signed.signature.is_none() {
        signed.check_signature()?;
    }
    if signed.record.network != terms.network {
        return Err(Class::WrongRecord.because("the record is of another network"));
    }
    if signed.record.miner != facts.miner {
        return Err(Class::WrongRecord.because("the record is of another miner"));
    }
    let replica_id = signed.record.replica.replica_id();
    if replica_id != REPLICA_ID {
        // The miner's commitments are of another one: it would fail without fault.
        let detail = format!("the record is of replica {replica_id}; in networks it is {REPLICA_ID}");
        return Err(Class::WrongRecord.because(detail));
    }
    Ok(())
}
