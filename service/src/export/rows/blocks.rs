//! `blocks`: heights and hashes.

use holdfast_engine::rejection::Rejection;

use crate::export::columns::{Column, Columns};
use crate::export::row::{Row, Sealed};
use crate::export::{ExportSettings, Table};

/// A block that is final. That it is in an export says that all of the rounds up to its height is in the other tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockRow {
    /// Its height, which is the number of the row.
    pub height: u64,
    /// When the validator saw it.
    pub time_ms: u64,
    /// Its hash: the beacon.
    pub hash: [u8; 32],
}

impl Row for BlockRow {
    const TABLE: Table = Table::Blocks;

    fn number(&self) -> u64 {
        self.height
    }

    fn time_ms(&self) -> u64 {
        self.time_ms
    }
}

impl Sealed for BlockRow {
    fn columns(rows: &[BlockRow]) -> Vec<Column> {
        vec![
            Column::unsigned("height", rows.iter().map(|row| row.height)),
            Column::time(rows.iter().map(|row| row.time_ms)),
            Column::fixed("hash", rows.iter().map(|row| row.hash)),
        ]
    }

    fn read(columns: &Columns<'_>) -> Result<Vec<BlockRow>, Rejection> {
        let (heights, hashes) = (columns.unsigned("height")?, columns.fixed("hash")?);
        let times = columns.times_ms()?.into_iter().enumerate();
        times
            .map(|(i, time_ms)| Ok(BlockRow { height: heights.value(i), time_ms, hash: hashes.value(i)? }))
            .collect()
    }

    fn check(&self, _: &ExportSettings) -> Result<(), Rejection> {
        Ok(())
    }
}
