//! What is recorded on the chain: partitions, records of objects, anchors.

use holdfast_engine::account::Account;
use holdfast_engine::recorder::{PartitionEntry, Recorder};

use super::{Export, ROWS_AT_ONCE};
use crate::export::{AnchorRow, PAIRS_MAX, PartitionChange, PartitionRow, RecordRow, Table};
use crate::validator::ValidatorError;
use crate::validator::anchored;
use crate::validator::audited::{Audited, audited_after};

/// Anchors that are written at a time.
const ANCHORS_AT_ONCE: usize = 64;

impl Export {
    /// Changes of partitions up to a block. Their order follows from the chain, so the table's length says which are there.
    pub(super) async fn write_partitions(&self, through: u64) -> Result<u64, ValidatorError> {
        let (validator, finality_blocks) = (self.source.validator, self.finality_blocks);
        let changes = self.recorder(move |recorder| changes(recorder, &validator, finality_blocks, through));
        let (next, time_ms) = (self.next(Table::Partitions).unwrap_or_default(), self.source.clock.now_ms());
        let row = |(number, change): (u64, Change)| PartitionRow {
            number,
            time_ms,
            height: change.height,
            partition_id: change.partition_id,
            change: change.change,
        };
        let rows: Vec<PartitionRow> =
            (0..).zip(changes.await?).skip_while(|(number, _)| *number < next).map(row).collect();
        if rows.is_empty() {
            return Ok(0);
        }
        Ok(self.with(move |exporter| exporter.append_partitions(&rows)).await?.written)
    }

    /// Records that rounds have asked about. One that could have been audited before the export begins would make all of it
    /// unverifiable, and is left out: it is of an object that was registered here long after it was recorded.
    pub(super) async fn write_records(&self, export_begins: u64) -> Result<u64, ValidatorError> {
        let mut last = self.with(|exporter| exporter.last::<RecordRow>()).await?.map(|row| row.record);
        let (finality_blocks, time_ms) = (self.finality_blocks, self.source.clock.now_ms());
        let mut written = 0;
        loop {
            let audited = audited_after(&*self.source.index, last.as_ref(), ROWS_AT_ONCE).await?;
            let Some(newest) = audited.last() else { return Ok(written) };
            last = Some(newest.record.clone());
            let fits = |audited: &Audited| {
                audited.record.record.height.saturating_add(finality_blocks) >= export_begins
            };
            let numbers = self.next(Table::Records).unwrap_or_default()..;
            let row = |(number, Audited { recorded_at, record, .. })| RecordRow {
                number,
                time_ms,
                recorded_at,
                record,
            };
            let rows: Vec<RecordRow> = numbers.zip(audited.into_iter().filter(fits)).map(row).collect();
            if !rows.is_empty() {
                written += self.with(move |exporter| exporter.append_records(&rows)).await?.written;
            }
        }
    }

    /// Anchors of rounds up to a height, as the chain has them.
    pub(super) async fn write_anchors(&mut self, through: u64) -> Result<u64, ValidatorError> {
        let (index, time_ms) = (&*self.source.index, self.source.clock.now_ms());
        let mut written = 0;
        loop {
            let first = self.anchored.map_or(0, |height| height + 1);
            let heights = anchored::heights(index, first, through, ANCHORS_AT_ONCE).await?;
            let Some(last) = heights.last().copied() else { return Ok(written) };
            let mut number = self.next(Table::Anchors).unwrap_or_default();
            let mut rows = Vec::with_capacity(heights.len());
            for height in heights {
                let Some(kept) = anchored::kept(index, height).await? else { continue };
                let validator = self.source.validator;
                let anchor = self.recorder(move |recorder| Ok(recorder.anchor(height, &validator)?)).await?;
                let (root, count) = (kept.pairs.root(), kept.pairs.count());
                let shown = (1..=PAIRS_MAX as u64).contains(&count);
                let Some(anchor) = anchor.filter(|anchor| anchor.root == root && shown) else { continue };
                let (recorded_at, pairs) = (anchor.recorded_at, kept.pairs.pairs().to_vec());
                rows.push(AnchorRow { number, time_ms, height, recorded_at, pairs });
                number += 1;
            }
            if !rows.is_empty() {
                written += self.with(move |exporter| exporter.append_anchors(&rows)).await?.written;
            }
            self.anchored = Some(last);
        }
    }
}

/// A change, and the block from which on it is exported: that which makes an intent a registration, or its own if that is later.
struct Change {
    from: u64,
    partition_id: u64,
    height: u64,
    change: PartitionChange,
}

/// All changes of a validator's partitions that are exported with blocks up to `through`, in the order of the export.
fn changes(
    recorder: &dyn Recorder,
    validator: &Account,
    finality_blocks: u64,
    through: u64,
) -> Result<Vec<Change>, ValidatorError> {
    let mut all = Vec::new();
    for partition_id in recorder.partitions_of(None, Some(validator))? {
        let Some(entry) = recorder.partition(partition_id)? else { continue };
        let PartitionEntry { intent, signature, intent_height, batches, withdrawn_at, .. } = entry;
        let registered = intent_height.saturating_add(finality_blocks);
        let Some(registration) = recorder.registration(partition_id)?.filter(|_| registered <= through)
        else {
            continue;
        };
        let beacon = registration.beacon;
        let intent = PartitionChange::Intent { intent, signature, beacon };
        let mut add = |height: u64, change| {
            all.push(Change { from: registered.max(height), partition_id, height, change });
        };
        add(intent_height, intent);
        for batch in batches {
            let (end, partition_root) = (batch.end, batch.partition_root);
            add(batch.height, PartitionChange::Batch { end, partition_root });
        }
        if let Some(height) = withdrawn_at {
            add(height, PartitionChange::Withdrawal);
        }
    }
    // Those of one partition stay in their order: batches and withdrawals are never before the registration.
    all.sort_by_key(|change| (change.from, change.partition_id));
    all.retain(|change| change.from <= through);
    Ok(all)
}
