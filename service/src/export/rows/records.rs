//! `records`: what was stored, as checkers signed it.

use holdfast_engine::possession::record::{SIGNED_RECORD_BYTES, SignedRecord};
use holdfast_engine::receipt::ObjectNumber;
use holdfast_engine::rejection::{Class, Rejection};

use crate::export::columns::{Column, Columns};
use crate::export::row::{Row, Sealed};
use crate::export::{ExportSettings, Table};

/// A record of an object that the validator audits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordRow {
    /// Place among all records of the export, from 0 on.
    pub number: u64,
    /// When the validator learned that it is recorded.
    pub time_ms: u64,
    /// Height of the block that recorded its digest first.
    pub recorded_at: u64,
    /// The record. No two records of an export are of the same bytes.
    pub record: SignedRecord,
}

impl Row for RecordRow {
    const TABLE: Table = Table::Records;

    fn number(&self) -> u64 {
        self.number
    }

    fn time_ms(&self) -> u64 {
        self.time_ms
    }
}

impl Sealed for RecordRow {
    fn columns(rows: &[RecordRow]) -> Vec<Column> {
        let record = || rows.iter().map(|row| &row.record.record);
        vec![
            Column::unsigned("number", rows.iter().map(|row| row.number)),
            Column::time(rows.iter().map(|row| row.time_ms)),
            Column::unsigned("recorded_at", rows.iter().map(|row| row.recorded_at)),
            Column::unsigned(
                "object_number",
                record().map(|record| ObjectNumber::of(&record.digest()).get()),
            ),
            Column::text("miner", record().map(|record| record.miner.to_ss58())),
            Column::text("checker", record().map(|record| record.checker.to_ss58())),
            Column::fixed("object", record().map(|record| *record.replica.object_root())),
            Column::unsigned("length_bytes", record().map(|record| record.replica.length())),
            Column::fixed("record", rows.iter().map(|row| row.record.encode())),
        ]
    }

    fn read(columns: &Columns<'_>) -> Result<Vec<RecordRow>, Rejection> {
        let (numbers, heights) = (columns.unsigned("number")?, columns.unsigned("recorded_at")?);
        let records = columns.fixed::<SIGNED_RECORD_BYTES>("record")?;
        let row = |(i, time_ms): (usize, u64)| {
            let record = SignedRecord::decode(&records.value(i)?)?;
            Ok(RecordRow { number: numbers.value(i), time_ms, recorded_at: heights.value(i), record })
        };
        columns.times_ms()?.into_iter().enumerate().map(row).collect()
    }

    fn check(&self, settings: &ExportSettings) -> Result<(), Rejection> {
        if self.record.record.network != settings.network {
            return Err(Class::WrongRecord.because("a record of another network"));
        }
        self.record.check_signature()
    }
}
