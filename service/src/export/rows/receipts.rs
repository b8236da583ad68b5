//! `receipts`: the signed bytes, what they say, and what the validator measured.

use holdfast_engine::receipt::{Outcome, RECEIPT_BYTES, Receipt, Subject};
use holdfast_engine::rejection::{Class, Rejection};

use super::events::{MESSAGE_BYTES_MAX, check_text};
use crate::export::columns::{Column, Columns, get};
use crate::export::row::{Row, Sealed};
use crate::export::{ExportSettings, Table};

/// A receipt as the validator issued it. All but [`ReceiptRow::receipt`] is the validator's word.
#[derive(Clone, Debug, PartialEq)]
pub struct ReceiptRow {
    /// Place among all receipts of the validator, from 0 on. Those of one chain stand in the chain's order.
    pub number: u64,
    /// When the round was concluded.
    pub time_ms: u64,
    /// The receipt.
    pub receipt: Receipt,
    /// Milliseconds from sending the challenge to the digest of the response; none if the round was missed.
    pub latency_ms: Option<u32>,
    /// Bytes that the miner had to read for an answer.
    pub bytes_read: u64,
    /// Bytes of space that an accepted answer stands for; 0 otherwise.
    pub proven_space_bytes: u64,
    /// Bytes of objects that an accepted answer stands for; 0 otherwise.
    pub proven_object_bytes: u64,
    /// Why the response was refused, if the outcome is "rejected".
    pub rejection: Option<Rejection>,
}

impl Row for ReceiptRow {
    const TABLE: Table = Table::Receipts;

    fn number(&self) -> u64 {
        self.number
    }

    fn time_ms(&self) -> u64 {
        self.time_ms
    }
}

impl Sealed for ReceiptRow {
    fn columns(rows: &[ReceiptRow]) -> Vec<Column> {
        let body = || rows.iter().map(|row| row.receipt.body);
        let rejection = || rows.iter().map(|row| row.rejection.as_ref());
        vec![
            Column::unsigned("number", rows.iter().map(|row| row.number)),
            Column::time(rows.iter().map(|row| row.time_ms)),
            Column::unsigned("height", body().map(|body| body.height)),
            Column::text("kind", body().map(|body| body.kind.name())),
            Column::text("outcome", body().map(|body| body.outcome.name())),
            Column::text("validator", body().map(|body| body.key.validator.to_ss58())),
            Column::text("miner", body().map(|body| body.key.miner.to_ss58())),
            Column::unsigned_or_null("partition_id", body().map(|body| partition_id(body.key.subject))),
            Column::unsigned_or_null("object_number", body().map(|body| object_number(body.key.subject))),
            Column::unsigned_32_or_null("latency_ms", rows.iter().map(|row| row.latency_ms)),
            Column::unsigned("bytes_read", rows.iter().map(|row| row.bytes_read)),
            Column::unsigned("proven_space_bytes", rows.iter().map(|row| row.proven_space_bytes)),
            Column::unsigned("proven_object_bytes", rows.iter().map(|row| row.proven_object_bytes)),
            Column::text_or_null(
                "rejection_class",
                rejection().map(|rejection| Some(rejection?.class.name())),
            ),
            Column::text_or_null("rejection_message", rejection().map(|rejection| Some(&rejection?.detail))),
            Column::flag("signed_by_miner", rows.iter().map(|row| !row.receipt.miner_signature.is_none())),
            Column::fixed("challenge_seed", body().map(|body| body.challenge_seed)),
            Column::fixed("response_digest", body().map(|body| body.response_digest)),
            Column::fixed("previous", body().map(|body| body.previous)),
            Column::fixed("receipt", rows.iter().map(|row| row.receipt.encode())),
        ]
    }

    fn read(columns: &Columns<'_>) -> Result<Vec<ReceiptRow>, Rejection> {
        let receipts = columns.fixed::<RECEIPT_BYTES>("receipt")?;
        let (numbers, times) = (columns.unsigned("number")?, columns.times_ms()?);
        let (latencies, bytes_read) = (columns.unsigned_32("latency_ms")?, columns.unsigned("bytes_read")?);
        let space = columns.unsigned("proven_space_bytes")?;
        let objects = columns.unsigned("proven_object_bytes")?;
        let (classes, messages) = (columns.text("rejection_class")?, columns.text("rejection_message")?);
        let row = |(i, time_ms): (usize, u64)| -> Result<ReceiptRow, Rejection> {
            let class = get(classes, i, |i| classes.value(i)).map(class_of_name).transpose()?;
            let message = get(messages, i, |i| messages.value(i).to_owned());
            let rejection = class.map(|class| class.because(message.unwrap_or_default()));
            Ok(ReceiptRow {
                number: numbers.value(i),
                time_ms,
                receipt: Receipt::decode(&receipts.value(i)?)?,
                latency_ms: get(latencies, i, |i| latencies.value(i)),
                bytes_read: bytes_read.value(i),
                proven_space_bytes: space.value(i),
                proven_object_bytes: objects.value(i),
                rejection,
            })
        };
        times.into_iter().enumerate().map(row).collect()
    }

    fn check(&self, settings: &ExportSettings) -> Result<(), Rejection> {
        let body = &self.receipt.body;
        let refuse = |detail: &str| Err(Class::WrongRecord.because(detail));
        if body.key.validator != settings.validator {
            return refuse("a receipt of another validator than the export's");
        }
        if self.latency_ms.is_some() && body.outcome == Outcome::Missed {
            return refuse("a latency of a round that was missed");
        }
        if self.rejection.is_some() != (body.outcome == Outcome::Rejected) {
            return refuse("a rejected round has a reason, and no other has");
        }
        if body.outcome != Outcome::Accepted && self.proven_space_bytes.max(self.proven_object_bytes) > 0 {
            return refuse("bytes are proven by an accepted round only");
        }
        let of_other = match body.key.subject {
            Subject::Partition(_) => self.proven_object_bytes,
            Subject::Object(_) => self.proven_space_bytes,
        };
        if of_other > 0 {
            return refuse("rounds of partitions prove space, rounds of objects prove objects");
        }
        match &self.rejection {
            Some(rejection) => check_text("message", &rejection.detail, MESSAGE_BYTES_MAX),
            None => Ok(()),
        }
    }

    fn weight_bytes(&self) -> usize {
        self.rejection.as_ref().map_or(0, |rejection| rejection.detail.len())
    }
}

fn partition_id(subject: Subject) -> Option<u64> {
    match subject {
        Subject::Partition(partition_id) => Some(partition_id),
        Subject::Object(_) => None,
    }
}

fn object_number(subject: Subject) -> Option<u64> {
    match subject {
        Subject::Partition(_) => None,
        Subject::Object(number) => Some(number.get()),
    }
}

fn class_of_name(name: &str) -> Result<Class, Rejection> {
    let class = Class::ALL.iter().find(|class| class.name() == name);
    class
        .copied()
        .ok_or_else(|| Class::Malformed.because(format!("rejection class \"{}\"", name.escape_default())))
}
