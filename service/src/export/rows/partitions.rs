//! `partitions`: what is recorded of the validator's partitions, change by change.

use holdfast_engine::registration::{INTENT_BYTES, Intent};
use holdfast_engine::rejection::{Class, Rejection};
use holdfast_engine::signature::{SIGNATURE_BYTES, Signature, verify};

use crate::export::columns::{Column, Columns, get};
use crate::export::row::{Row, Sealed};
use crate::export::{ExportSettings, Table};

const INTENT: &str = "intent";
const BATCH: &str = "batch";
const WITHDRAWAL: &str = "withdrawal";

/// One change of a partition, once its block is final.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionRow {
    /// Place among all changes in the export, from 0 on.
    pub number: u64,
    /// When the validator learned of it.
    pub time_ms: u64,
    /// Height of the block that recorded it.
    pub height: u64,
    /// The partition.
    pub partition_id: u64,
    /// What changed.
    pub change: PartitionChange,
}

/// What was recorded of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartitionChange {
    /// The partition came to be; appended when block (height + F) is final too.
    Intent {
        /// What the miner wants.
        intent: Intent,
        /// The miner's signature, or none.
        signature: Signature,
        /// The beacon of block (height + F), which makes it a registration.
        beacon: [u8; 32],
    },
    /// It now has windows 0 … end − 1.
    Batch {
        /// How many windows.
        end: u64,
        /// Root of the window table.
        partition_root: [u8; 32],
    },
    /// It ended.
    Withdrawal,
}

impl PartitionChange {
    /// The name in the table.
    pub fn name(self) -> &'static str {
        match self {
            PartitionChange::Intent { .. } => INTENT,
            PartitionChange::Batch { .. } => BATCH,
            PartitionChange::Withdrawal => WITHDRAWAL,
        }
    }

    fn intent(self) -> Option<(Intent, Signature, [u8; 32])> {
        match self {
            PartitionChange::Intent { intent, signature, beacon } => Some((intent, signature, beacon)),
            _ => None,
        }
    }

    fn batch(self) -> Option<(u64, [u8; 32])> {
        match self {
            PartitionChange::Batch { end, partition_root } => Some((end, partition_root)),
            _ => None,
        }
    }
}

impl Row for PartitionRow {
    const TABLE: Table = Table::Partitions;

    fn number(&self) -> u64 {
        self.number
    }

    fn time_ms(&self) -> u64 {
        self.time_ms
    }
}

impl Sealed for PartitionRow {
    fn columns(rows: &[PartitionRow]) -> Vec<Column> {
        let intent = || rows.iter().map(|row| row.change.intent());
        let batch = || rows.iter().map(|row| row.change.batch());
        vec![
            Column::unsigned("number", rows.iter().map(|row| row.number)),
            Column::time(rows.iter().map(|row| row.time_ms)),
            Column::unsigned("height", rows.iter().map(|row| row.height)),
            Column::unsigned("partition_id", rows.iter().map(|row| row.partition_id)),
            Column::text("change", rows.iter().map(|row| row.change.name())),
            Column::text_or_null("miner", intent().map(|intent| Some(intent?.0.miner.to_ss58()))),
            Column::text_or_null("validator", intent().map(|intent| Some(intent?.0.validator.to_ss58()))),
            Column::unsigned_or_null("window_bytes", intent().map(|intent| Some(intent?.0.shape.bytes()))),
            Column::fixed_or_null("intent", intent().map(|intent| Some(intent?.0.encode()))),
            Column::fixed_or_null("signature", intent().map(|intent| Some(intent?.1.0))),
            Column::fixed_or_null("beacon", intent().map(|intent| Some(intent?.2))),
            Column::unsigned_or_null("windows", batch().map(|batch| Some(batch?.0))),
            Column::fixed_or_null("partition_root", batch().map(|batch| Some(batch?.1))),
        ]
    }

    fn read(columns: &Columns<'_>) -> Result<Vec<PartitionRow>, Rejection> {
        let (numbers, heights) = (columns.unsigned("number")?, columns.unsigned("height")?);
        let (ids, changes) = (columns.unsigned("partition_id")?, columns.text("change")?);
        let (intents, signatures) =
            (columns.fixed::<INTENT_BYTES>("intent")?, columns.fixed::<SIGNATURE_BYTES>("signature")?);
        let (beacons, windows) = (columns.fixed("beacon")?, columns.unsigned("windows")?);
        let roots = columns.fixed("partition_root")?;
        let change = |i: usize| {
            let windows = get(windows, i, |i| windows.value(i));
            match changes.value(i) {
                INTENT => Ok(PartitionChange::Intent {
                    intent: Intent::decode(&intents.value(i)?)?,
                    signature: Signature(signatures.value(i)?),
                    beacon: beacons.value(i)?,
                }),
                BATCH => Ok(PartitionChange::Batch {
                    end: windows.ok_or_else(|| Class::Malformed.because("a batch without windows"))?,
                    partition_root: roots.value(i)?,
                }),
                WITHDRAWAL => Ok(PartitionChange::Withdrawal),
                other => Err(Class::Malformed.because(format!("change \"{}\"", other.escape_default()))),
            }
        };
        let row = |(i, time_ms): (usize, u64)| {
            let (number, height, partition_id) = (numbers.value(i), heights.value(i), ids.value(i));
            Ok(PartitionRow { number, time_ms, height, partition_id, change: change(i)? })
        };
        columns.times_ms()?.into_iter().enumerate().map(row).collect()
    }

    fn check(&self, settings: &ExportSettings) -> Result<(), Rejection> {
        let Some((intent, signature, _)) = self.change.intent() else { return Ok(()) };
        if (intent.network, intent.validator) != (settings.network, settings.validator) {
            return Err(Class::WrongRecord.because("an intent for another network or validator"));
        }
        if signature.is_none() {
            return Ok(()); // where a network asks for none
        }
        verify(&intent.miner, &intent.signing_digest(), &signature)
    }
}
