//! How far an export can be written: what is over, and what is final.

use holdfast_engine::receipt::ANCHOR_BLOCKS;

use super::{Export, ROWS_AT_ONCE};
use crate::chain::Head;
use crate::export::Table;
use crate::validator::ValidatorError;
use crate::validator::audited::audited_after;
use crate::validator::store::{Part, ROUNDS, RoundRow, Stage, round_key};

/// Rounds of samples in one step: their receipts are in memory together.
const ROUNDS_IN_STEP: usize = 16;
/// Blocks in one step.
const BLOCKS_IN_STEP: u64 = 8192;

/// A new export begins with the audits of objects that were recorded at most so many blocks ago: a month of them.
const RECORDS_BACK_BLOCKS: u64 = 216_000;

/// What is written next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step {
    /// The first block of the export.
    pub(super) export_begins: u64,
    /// The first block of the step.
    pub(super) first_block: u64,
    /// The last block of the step.
    pub(super) last_block: u64,
    /// All rounds of samples up to this height are over.
    pub(super) rounds_through: u64,
}

impl Export {
    /// The next step; `None` if there is nothing to write.
    pub(super) async fn next_step(&mut self) -> Result<Option<Step>, ValidatorError> {
        let head = self.source.chain.head().await?;
        let Some(finalized) = head.finalized_height else { return Ok(None) };
        let first_block = match self.next(Table::Blocks) {
            Some(next) => next,
            None => self.begin(finalized).await?,
        };
        let export_begins = *self.progress.first_block.get_or_insert(first_block);
        // Receipts count for who verifies an export once F of its blocks stand on theirs.
        let first_round = first_block.saturating_sub(self.finality_blocks);
        let last_block = finalized.min(first_block.saturating_add(BLOCKS_IN_STEP - 1));
        let Some(last_round) = last_block.checked_sub(self.finality_blocks) else { return Ok(None) };
        let Some(rounds_through) = self.rounds_over(head, finalized, first_round, last_round).await? else {
            return Ok(None);
        };
        let last_block = rounds_through + self.finality_blocks;
        let step = Step { export_begins, first_block, last_block, rounds_through };
        Ok((first_block <= last_block).then_some(step))
    }

    /// The first block of a new export: verification asks for those from the first audits on that there could have been.
    async fn begin(&self, finalized: u64) -> Result<u64, ValidatorError> {
        let (validator, finality_blocks) = (self.source.validator, self.finality_blocks);
        let mut first = finalized;
        let mut last = None;
        loop {
            let audited = audited_after(&*self.source.index, last.as_ref(), ROWS_AT_ONCE).await?;
            let heights = audited.iter().map(|audited| audited.record.record.height);
            let oldest = finalized.saturating_sub(RECORDS_BACK_BLOCKS);
            let from = heights.map(|height| height.saturating_add(finality_blocks));
            first = from.filter(|from| *from >= oldest).fold(first, u64::min);
            let Some(newest) = audited.into_iter().next_back() else { break };
            last = Some(newest.record);
        }
        self.recorder(move |recorder| {
            for partition_id in recorder.partitions_of(None, Some(&validator))? {
                let entry = recorder.partition(partition_id)?;
                let batch = entry.as_ref().and_then(|entry| entry.batches.first());
                first = batch.map_or(first, |batch| first.min(batch.height.saturating_add(finality_blocks)));
            }
            Ok(first)
        })
        .await
    }

    /// The last height of a range up to which all rounds of samples are over; `None` if already the first is not.
    async fn rounds_over(
        &self,
        head: Head,
        finalized: u64,
        first: u64,
        last: u64,
    ) -> Result<Option<u64>, ValidatorError> {
        // Where no round was begun yet, one may still be.
        let last = last.min(head.height.saturating_sub(self.source.asked_within_blocks));
        let range = ROUNDS.between(&((0, first), 0), &((0, last.saturating_add(1)), 0));
        let rows = ROUNDS.scan(&*self.source.index, &range, 2 * ROUNDS_IN_STEP).await?;
        let full = rows.len() == 2 * ROUNDS_IN_STEP;
        let mut through = last;
        for row in &rows {
            let ((_, height), part) = row.key;
            if part == Part::Samples as u8 && !is_over(&row.value, height, head, finalized) {
                return Ok(height.checked_sub(1).filter(|through| *through >= first));
            }
            if full {
                through = height;
            }
        }
        Ok(Some(through).filter(|through| *through >= first))
    }

    /// The row of a round.
    pub(super) async fn round(&self, height: u64, part: Part) -> Result<Option<RoundRow>, ValidatorError> {
        Ok(ROUNDS.get(&*self.source.index, &round_key(height, part)).await?)
    }
}

/// Whether nothing will come of a round any more: neither receipts nor an anchor.
fn is_over(row: &RoundRow, height: u64, head: Head, finalized: u64) -> bool {
    let linked = matches!(row.stage, Stage::Linked | Stage::Void(_));
    let anchored = match &row.anchor {
        Some(anchor) => anchor.recorded_at.is_none_or(|recorded_at| recorded_at <= finalized),
        None => matches!(row.stage, Stage::Void(_)) || head.height > height.saturating_add(ANCHOR_BLOCKS),
    };
    linked && anchored
}
