//! What a verifier knows of objects: the records it was given, and how often they are audited (receipt-v1 §7).

use std::collections::HashMap;
use std::num::NonZeroU64;

use super::{Body, MissingRound, ObjectNumber, RoundKind, VoidReason};
use crate::beacon::audit_heights;
use crate::possession::challenge::{Ask, AuditKind, Form, ObjectChallenge};
use crate::possession::record::{ObjectRecord, SignedRecord, refuse_twins};
use crate::recorder::{Recorder, RecorderError};
use crate::rejection::{Class, Rejection};

/// Kinds whose rounds fall on objects by lot; the others are held when somebody wants to know.
const BY_LOT: [AuditKind; 2] = [AuditKind::Possession, AuditKind::Chunks];

/// Records by the numbers of their objects.
#[derive(Debug, Default)]
pub(super) struct KnownObjects {
    records: HashMap<ObjectNumber, ObjectRecord>,
    /// N of the lottery, where it is known.
    pub(super) one_in: Option<NonZeroU64>,
}

impl KnownObjects {
    /// Takes these records too.
    ///
    /// Refused: `bad-signature`; `wrong-record` if one is of another network, or two are of the same bytes or share a number.
    pub(super) fn add(&mut self, network: &[u8; 32], signed: &[SignedRecord]) -> Result<(), Rejection> {
        refuse_twins(self.records.values().chain(signed.iter().map(|signed| &signed.record)))?;
        for (i, signed) in signed.iter().enumerate() {
            signed
                .check_signature()
                .map_err(|Rejection { class, detail }| class.because(format!("record {i}: {detail}")))?;
            if signed.record.network != *network {
                return Err(Class::WrongRecord.because(format!("record {i} is of another network")));
            }
            self.insert(ObjectNumber::of(&signed.record.digest()), &signed.record)?;
        }
        Ok(())
    }

    /// One number, one record: otherwise receipts of one object would hide that the other has none.
    fn insert(&mut self, number: ObjectNumber, record: &ObjectRecord) -> Result<(), Rejection> {
        if self.records.insert(number, record.clone()).is_some() {
            let number = number.get();
            return Err(Class::WrongRecord.because(format!("two records have object number {number}")));
        }
        Ok(())
    }

    /// Why a body about an object counts for nothing, as far as record, seed and lottery tell.
    pub(super) fn void_reason(
        &self,
        recorder: &dyn Recorder,
        body: &Body,
        (number, kind): (ObjectNumber, AuditKind),
    ) -> Result<Option<VoidReason>, RecorderError> {
        let Some(record) = self.records.get(&number) else { return Ok(Some(VoidReason::UnknownRecord)) };
        if record.check_recorded(recorder)?.is_err() {
            return Ok(Some(VoidReason::NotRecorded));
        }
        if body.height < record.height.saturating_add(recorder.finality_blocks()?) {
            return Ok(Some(VoidReason::TooEarly));
        }
        let Some(beacon) = recorder.beacon(body.height)? else { return Ok(Some(VoidReason::WrongSeed)) };
        if !has_seed(record, body, kind, beacon) {
            return Ok(Some(VoidReason::WrongSeed));
        }
        let drawn = self.one_in.is_none_or(|one_in| kind.falls_on(&beacon, &record.digest(), one_in));
        Ok((BY_LOT.contains(&kind) && !drawn).then_some(VoidReason::NotDrawn))
    }

    /// The rounds up to `through` that fall on an object by lot and are not among those `seen`; none where N is unknown or the
    /// record was not recorded.
    pub(super) fn missing_rounds(
        &self,
        recorder: &dyn Recorder,
        number: ObjectNumber,
        (limit, through): (u64, u64),
        seen: impl Fn(&MissingRound) -> bool,
    ) -> Result<Vec<MissingRound>, RecorderError> {
        let (Some(record), Some(one_in)) = (self.records.get(&number), self.one_in) else {
            return Ok(vec![]);
        };
        if record.check_recorded(recorder)?.is_err() {
            return Ok(vec![]);
        }
        let (digest, first) = (record.digest(), record.height.saturating_add(recorder.finality_blocks()?));
        let mut missing = Vec::new();
        for block in audit_heights(recorder, first..=through, limit) {
            let (height, beacon) = block?;
            let drawn = BY_LOT
                .into_iter()
                .filter(|kind| kind.is_answered_by(record) && kind.falls_on(&beacon, &digest, one_in));
            let rounds = drawn.map(|kind| MissingRound { kind: RoundKind::Object(kind), height });
            missing.extend(rounds.filter(|round| !seen(round)));
        }
        Ok(missing)
    }
}

/// Whether rounds of this kind are held at audit heights only.
pub(super) fn is_by_lot(kind: AuditKind) -> bool {
    BY_LOT.contains(&kind)
}

/// Whether the seed is that of the challenge of this object at the block with this beacon.
fn has_seed(record: &ObjectRecord, body: &Body, kind: AuditKind, beacon: [u8; 32]) -> bool {
    // Samples, deadline and form are policy and no part of the seed.
    let ask = Ask { kind, samples: 1, deadline_ms: 0, form: Form::Plain };
    let challenge = ObjectChallenge::of(record, body.key.validator, (beacon, body.height), ask);
    body.key.miner == record.miner && challenge.is_ok_and(|challenge| challenge.seed() == body.challenge_seed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::Account;
    use crate::possession::Replica;

    /// Two records with one number take about 2^32 records to find, so here they are given it.
    #[test]
    fn two_records_under_one_number_are_refused() {
        let record = |object_root: [u8; 32]| ObjectRecord {
            replica: Replica::new(object_root, 1, 0).unwrap(),
            height: 0,
            network: [0; 32],
            miner: Account([1; 32]),
            checker: Account([2; 32]),
            table_root: None,
            tokens: None,
        };
        let mut known = KnownObjects::default();
        let [one, two] = [[1; 32], [2; 32]].map(|digest| ObjectNumber::of(&digest));
        assert_eq!(known.insert(one, &record([1; 32])), Ok(()));
        assert_eq!(known.insert(two, &record([2; 32])), Ok(()));
        assert_eq!(known.insert(one, &record([3; 32])).unwrap_err().class, Class::WrongRecord);
    }
}
