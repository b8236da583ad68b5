//! Receipts: miner by miner as far as their rounds are over, then together in the order of their times.

use std::collections::BTreeMap;

use holdfast_engine::account::Account;
use holdfast_engine::receipt::{Body, Outcome, Subject};
use holdfast_engine::rejection::{Class, Rejection};

use super::Export;
use crate::export::{MESSAGE_BYTES_MAX, ReceiptRow, Table};
use crate::index::Row;
use crate::validator::ValidatorError;
use crate::validator::events::clip;
use crate::validator::store::{self, CURSORS, Finding, Part, RECEIPTS};

/// Receipts of a miner that are read at a time.
const PAGE_ROWS: usize = 4096;

/// When rounds were closed, as far as somebody asked.
type Times = BTreeMap<(u64, Part), u64>;

impl Export {
    /// Receipts of rounds up to a height. Seal audits take long and are linked among later rounds; theirs come along when they end.
    pub(super) async fn write_receipts(&mut self, through: u64) -> Result<u64, ValidatorError> {
        let cursors = CURSORS.scan(&*self.source.index, &CURSORS.prefix(&1_u8), usize::MAX).await?;
        let (mut rows, mut times) = (Vec::new(), Times::new());
        for cursor in cursors {
            let ((_, miner, _), signed_end) = (cursor.key, cursor.value.signed_end);
            let first = self.progress.exported(&miner);
            let of_miner = self.of_miner(&miner, first..signed_end, through, &mut times).await?;
            self.progress.add(&miner, of_miner.len() as u64);
            rows.extend(of_miner);
        }
        if rows.is_empty() {
            return Ok(0);
        }
        // Stable, and times of a miner never fall, so that chains stay in their order.
        rows.sort_by_key(|row: &ReceiptRow| row.time_ms);
        for (number, row) in (self.next(Table::Receipts).unwrap_or_default()..).zip(&mut rows) {
            row.number = number;
        }
        let written = self.with(move |exporter| exporter.append_receipts(&rows)).await?.written;
        self.progress.receipts += written;
        Ok(written)
    }

    async fn of_miner(
        &self,
        miner: &Account,
        sequences: std::ops::Range<u64>,
        through: u64,
        times: &mut Times,
    ) -> Result<Vec<ReceiptRow>, ValidatorError> {
        let range = RECEIPTS.between(&(*miner, sequences.start), &(*miner, sequences.end));
        let mut pages = RECEIPTS.pages(&*self.source.index, range, PAGE_ROWS);
        let (mut rows, mut last_ms) = (Vec::new(), 0);
        while let Some(page) = pages.next().await? {
            for Row { value, .. } in RECEIPTS.rows(&page)? {
                let body = value.body()?;
                if body.height > through {
                    return Ok(rows);
                }
                last_ms = self.closed_at(&body, &value.finding, times).await?.max(last_ms);
                rows.push(receipt_row(&value, &body, last_ms)?);
            }
        }
        Ok(rows)
    }

    /// When a receipt's round was closed, or else when it was asked.
    async fn closed_at(
        &self,
        body: &Body,
        finding: &Finding,
        times: &mut Times,
    ) -> Result<u64, ValidatorError> {
        let part = if finding.batch.is_some() { Part::Seals } else { Part::Samples };
        if let Some(time_ms) = times.get(&(body.height, part)) {
            return Ok(*time_ms);
        }
        let round = self.round(body.height, part).await?;
        let time_ms = round.map_or(0, |round| round.closed_at_ms.unwrap_or(round.asked_at_ms));
        times.insert((body.height, part), time_ms);
        Ok(time_ms)
    }
}

/// The row of a receipt, whose number is still to be given.
fn receipt_row(row: &store::ReceiptRow, body: &Body, time_ms: u64) -> Result<ReceiptRow, ValidatorError> {
    let unsigned = || ValidatorError::Damaged {
        what: "a chain of receipts",
        detail: format!("a receipt of {} at height {} is not signed", body.key.miner, body.height),
    };
    let (finding, accepted) = (&row.finding, body.outcome == Outcome::Accepted);
    let (space, objects) = match body.key.subject {
        Subject::Partition(_) => (finding.proven_space_bytes, 0),
        Subject::Object(_) => (0, finding.proven_object_bytes),
    };
    Ok(ReceiptRow {
        number: 0,
        time_ms,
        receipt: row.receipt()?.ok_or_else(unsigned)?,
        latency_ms: finding.latency_ms.filter(|_| body.outcome != Outcome::Missed),
        bytes_read: finding.bytes_read,
        proven_space_bytes: if accepted { space } else { 0 },
        proven_object_bytes: if accepted { objects } else { 0 },
        rejection: (body.outcome == Outcome::Rejected).then(|| rejection(finding)),
    })
}

/// What was wrong. A promise without a body has no class of its own.
fn rejection(finding: &Finding) -> Rejection {
    let named = |class: &&Class| finding.class.as_deref() == Some(class.name());
    let class = Class::ALL.iter().find(named).copied().unwrap_or(Class::Late);
    class.because(clip(finding.message.as_deref().unwrap_or_default(), MESSAGE_BYTES_MAX))
}
