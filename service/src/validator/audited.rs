//! Records of objects that were audited: kept before a round asks about them, because receipts are worth nothing to third parties
//! without them, and an owner may release an object at any time.
//!
//! An export refuses two records of the same bytes or of one number, so of such twins only the first is kept: what else an owner
//! signs, it cannot spoil everybody's export.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use holdfast_engine::possession::record::SignedRecord;
use holdfast_engine::receipt::ObjectNumber;
use holdfast_engine::recorder::Recorder;
use serde::{Deserialize, Serialize};

use super::ValidatorError;
use super::receipts::Chains;
use super::store::NUMBERS;
use crate::index::lease::Lease;
use crate::index::{Index, Table, TypedTable, transact};

/// Records by (3, number), in the order in which they were first asked about.
const RECORDS: TypedTable<(u8, u64), RecordRow> = TypedTable::new(Table::Rounds);
/// Their numbers by (4, root).
const BY_ROOT: TypedTable<(u8, [u8; 32]), u64> = TypedTable::new(Table::Rounds);
/// Their numbers by (5, number of the object).
const BY_OBJECT: TypedTable<(u8, u64), u64> = TypedTable::new(Table::Rounds);
/// In [`NUMBERS`]: the number of the next record.
const NEXT: &str = "validator audited records";
/// Records that are kept in one commit.
const AT_ONCE: usize = 256;
/// Digests that are remembered, so that the index is not asked again: 32 MiB of them.
const KNOWN_MAX: usize = 1 << 20;

/// A record that was audited.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RecordRow {
    /// Its 296 bytes in hex.
    record: String,
    /// Height of the block that recorded its digest first.
    recorded_at: u64,
}

/// A record that was audited, as an export has it.
#[derive(Clone, Debug)]
pub struct Audited {
    /// Place among all of them.
    pub number: u64,
    /// Height of the block that recorded its digest first.
    pub recorded_at: u64,
    /// The record.
    pub record: SignedRecord,
}

/// The records that one validator has asked about.
#[derive(Debug, Default)]
pub struct AuditedRecords {
    known: Mutex<HashSet<[u8; 32]>>,
}

impl AuditedRecords {
    /// Keeps those of the records that are not kept yet. What the chain has not recorded is left out: no receipt of it counts.
    ///
    /// # Errors
    /// [`ValidatorError::NotInCharge`]; those of the chain and the index.
    pub async fn keep(
        &self,
        (chains, lease): (&Chains, &Lease),
        index: &dyn Index,
        recorder: Arc<dyn Recorder>,
        records: Vec<Arc<SignedRecord>>,
    ) -> Result<(), ValidatorError> {
        let new = self.unknown(records);
        for records in new.chunks(AT_ONCE) {
            let recorded = recorded(&recorder, records).await?;
            let recorded = &recorded;
            transact(index, |work| async move {
                chains.check_lease(Some(lease), &work).await?;
                let mut next = NUMBERS.read(&work, &NEXT.to_owned()).await?.unwrap_or_default();
                for (signed, recorded_at) in recorded {
                    let root = (4, *signed.record.replica.object_root());
                    let object = (5, ObjectNumber::of(&signed.record.digest()).get());
                    let twin = BY_ROOT.read(&work, &root).await?.is_some()
                        || BY_OBJECT.read(&work, &object).await?.is_some();
                    if twin {
                        continue;
                    }
                    let record = hex::encode(signed.encode());
                    RECORDS.write(&work, &(3, next), &RecordRow { record, recorded_at: *recorded_at })?;
                    BY_ROOT.write(&work, &root, &next)?;
                    BY_OBJECT.write(&work, &object, &next)?;
                    next += 1;
                }
                NUMBERS.write(&work, &NEXT.to_owned(), &next)?;
                Ok::<_, ValidatorError>(())
            })
            .await?;
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            if known.len() >= KNOWN_MAX {
                known.clear();
            }
            known.extend(recorded.iter().map(|(signed, _)| signed.record.digest()));
        }
        Ok(())
    }

    fn unknown(&self, records: Vec<Arc<SignedRecord>>) -> Vec<Arc<SignedRecord>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        records.into_iter().filter(|signed| !known.contains(&signed.record.digest())).collect()
    }
}

/// The height at which the chain recorded each of the records; without those that it did not.
async fn recorded(
    recorder: &Arc<dyn Recorder>,
    records: &[Arc<SignedRecord>],
) -> Result<Vec<(Arc<SignedRecord>, u64)>, ValidatorError> {
    let (recorder, records) = (Arc::clone(recorder), records.to_vec());
    let looked = tokio::task::spawn_blocking(move || {
        let of = |signed: Arc<SignedRecord>| {
            let height = recorder.object_height(&signed.record.digest())?;
            Ok::<_, ValidatorError>(height.map(|height| (signed, height)))
        };
        records.into_iter().filter_map(|signed| of(signed).transpose()).collect::<Result<Vec<_>, _>>()
    });
    looked.await.map_err(|error| ValidatorError::Ended {
        doing: "looking for records on the chain",
        detail: error.to_string(),
    })?
}

/// The records that were audited, after the one with these bytes or from the first on; at most so many.
///
/// # Errors
/// Those of the index; [`ValidatorError::Damaged`].
pub async fn audited_after(
    index: &dyn Index,
    last: Option<&SignedRecord>,
    most: usize,
) -> Result<Vec<Audited>, ValidatorError> {
    let damaged = |detail| ValidatorError::Damaged { what: "a record that was audited", detail };
    let first = match last {
        None => 0,
        Some(last) => {
            let root = last.record.replica.object_root();
            let number = BY_ROOT.get(index, &(4, *root)).await?;
            let unknown = || damaged(format!("that of {} is exported and not here", hex::encode(root)));
            number.ok_or_else(unknown)? + 1
        }
    };
    let rows = RECORDS.scan(index, &RECORDS.between(&(3, first), &(4, 0)), most).await?;
    let audited = |row: crate::index::Row<(u8, u64), RecordRow>| {
        let bytes = hex::decode(&row.value.record).map_err(|error| damaged(error.to_string()))?;
        let record = SignedRecord::decode(&bytes).map_err(|rejection| damaged(rejection.to_string()))?;
        Ok(Audited { number: row.key.1, recorded_at: row.value.recorded_at, record })
    };
    rows.into_iter().map(audited).collect()
}
