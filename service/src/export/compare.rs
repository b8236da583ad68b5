//! Is what an export says is recorded what a recorder has?

use holdfast_engine::recorder::{PartitionEntry, Recorder, RecorderError};
use holdfast_engine::rejection::{Class, Rejection};

use super::ExportedRecorder;
use super::recorder::Partition;

/// Compares all that an export says of the chain with a recorder of the chain, up to the export's last block that is final for
/// the export itself. What the chain has and the export lacks is found too, except records of objects, which no recorder lists.
///
/// Refused: `wrong-challenge` (another network), `wrong-record`.
///
/// # Errors
/// The recorder fails.
pub(super) fn compare(
    exported: &ExportedRecorder,
    chain: &dyn Recorder,
) -> Result<Result<(), Rejection>, RecorderError> {
    let settings = exported.settings();
    if chain.network()? != settings.network {
        return Ok(Err(Class::WrongChallenge.because("the recorder is of another network than the export")));
    }
    let refuse = |detail| Ok(Err(Class::WrongRecord.because(detail)));
    let finality_blocks = chain.finality_blocks()?;
    if finality_blocks != settings.finality_blocks.get() {
        let found = settings.finality_blocks;
        return refuse(format!("a finality depth of {found} blocks; the chain's is {finality_blocks}"));
    }
    let Some((first, last)) = exported.heights() else { return Ok(Ok(())) };
    for height in first..=last {
        let (found, expected) = (exported.beacon(height)?, chain.beacon(height)?);
        if found != expected {
            let text = |hash: Option<[u8; 32]>| hash.map_or("none".to_owned(), hex::encode);
            let (found, expected) = (text(found), text(expected));
            return refuse(format!("block {height} is {found}; the chain has {expected}"));
        }
    }
    // An intent is exported F blocks after its own block is final; other changes when they are.
    let settled = last.saturating_sub(finality_blocks);
    let known = chain.partitions_of(None, Some(&settings.validator))?;
    for partition_id in known {
        let entry = chain.partition(partition_id)?;
        let old = entry.is_some_and(|entry| entry.intent_height.saturating_add(finality_blocks) <= settled);
        if old && exported.partition(partition_id)?.is_none() {
            return refuse(format!("partition {partition_id} was left out"));
        }
    }
    for partition in exported.partitions() {
        if let Err(rejection) = compare_partition(partition, chain, settled)? {
            return Ok(Err(rejection));
        }
    }
    compare_anchors(exported, chain, settled)
}

fn compare_partition(
    Partition { entry, beacon }: &Partition,
    chain: &dyn Recorder,
    settled: u64,
) -> Result<Result<(), Rejection>, RecorderError> {
    let id = entry.partition_id;
    let refuse =
        |what: &str| Ok(Err(Class::WrongRecord.because(format!("partition {id}: {what} the chain has"))));
    let Some(recorded) = chain.partition(id)? else {
        return refuse("it is none that");
    };
    let PartitionEntry { intent, signature, intent_height, batches, withdrawn_at, .. } = &recorded;
    if (intent, signature, intent_height) != (&entry.intent, &entry.signature, &entry.intent_height) {
        return refuse("its intent is another than");
    }
    if chain.registration(id)?.is_some_and(|registration| registration.beacon != *beacon) {
        return refuse("its beacon is another than");
    }
    let left_out = batches.get(entry.batches.len()).is_some_and(|batch| batch.height <= settled);
    if !batches.starts_with(&entry.batches) || left_out {
        return refuse("its batches are others than");
    }
    let not_due = entry.withdrawn_at.is_none() && withdrawn_at.is_none_or(|height| height > settled);
    if *withdrawn_at != entry.withdrawn_at && !not_due {
        return refuse("its withdrawal is another than");
    }
    Ok(Ok(()))
}

fn compare_anchors(
    exported: &ExportedRecorder,
    chain: &dyn Recorder,
    settled: u64,
) -> Result<Result<(), Rejection>, RecorderError> {
    let validator = &exported.settings().validator;
    let refuse = |detail| Ok(Err(Class::WrongRecord.because(detail)));
    for anchor in exported.anchors.iter() {
        if chain.anchor(anchor.height, validator)? != Some(*anchor) {
            return refuse(format!("the chain has no such anchor of the round at height {}", anchor.height));
        }
    }
    let Some((first, last)) = exported.heights() else { return Ok(Ok(())) };
    for height in first..=last {
        let anchor = chain.anchor(height, validator)?;
        let due = anchor.is_some_and(|anchor| anchor.count > 0 && anchor.recorded_at <= settled);
        if due && exported.anchors.get(height).is_none() {
            return refuse(format!("the anchor of the round at height {height} was left out"));
        }
    }
    for record in exported.records() {
        let digest = record.record.digest();
        let (found, expected) = (exported.object_height(&digest)?, chain.object_height(&digest)?);
        if found != expected {
            let text = |height: Option<u64>| height.map_or("nowhere".to_owned(), |height| height.to_string());
            let (digest, found, expected) = (hex::encode(digest), text(found), text(expected));
            return refuse(format!(
                "record {digest} was recorded at {found}; the chain has it at {expected}"
            ));
        }
    }
    Ok(Ok(()))
}
