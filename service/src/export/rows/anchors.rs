//! `anchors`: all answers of a round that came in time, as their root was recorded.

use holdfast_engine::receipt::{AnchoredPairs, PAIR_BYTES};
use holdfast_engine::recorder::Anchor;
use holdfast_engine::rejection::{Class, Rejection};

use crate::export::columns::{Column, Columns};
use crate::export::row::{Row, Sealed};
use crate::export::{ExportSettings, Table};

/// Most pairs of an anchor in an export: 16 MiB of them.
pub const PAIRS_MAX: usize = 1 << 18;

/// What the validator anchored of one round. An anchor of no pairs shows nothing and is left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnchorRow {
    /// Place among all anchors of the export, from 0 on.
    pub number: u64,
    /// When the validator learned that it is recorded.
    pub time_ms: u64,
    /// The round.
    pub height: u64,
    /// Height of the block that recorded it.
    pub recorded_at: u64,
    /// Challenge seed ‖ response digest of each answer, sorted.
    pub pairs: Vec<[u8; PAIR_BYTES]>,
}

impl AnchorRow {
    /// The pairs, to show one of them.
    ///
    /// Refused: `malformed` if there are none or they are not sorted, `wrong-length` if there are too many, `equivocation`.
    pub fn anchored(&self) -> Result<AnchoredPairs, Rejection> {
        let count = self.pairs.len();
        if count > PAIRS_MAX {
            return Err(Class::WrongLength.because(format!("{count} pairs; {PAIRS_MAX} is the most")));
        }
        let split = |pair: &[u8; PAIR_BYTES]| {
            let (mut seed, mut digest) = ([0; 32], [0; 32]);
            seed.copy_from_slice(&pair[..32]);
            digest.copy_from_slice(&pair[32..]);
            (seed, digest)
        };
        if count == 0 || !self.pairs.is_sorted_by(|a, b| a < b) {
            return Err(Class::Malformed.because(format!("{count} pairs that are not sorted, or none")));
        }
        AnchoredPairs::new(self.pairs.iter().map(split))
    }

    /// The anchor as a recorder has it.
    ///
    /// Refused: see [`AnchorRow::anchored`].
    pub fn anchor(&self, settings: &ExportSettings) -> Result<Anchor, Rejection> {
        let anchored = self.anchored()?;
        Ok(Anchor {
            height: self.height,
            validator: settings.validator,
            root: anchored.root(),
            count: anchored.count(),
            recorded_at: self.recorded_at,
        })
    }

    fn root(&self) -> [u8; 32] {
        *blake3::hash(self.pairs.as_flattened()).as_bytes()
    }
}

impl Row for AnchorRow {
    const TABLE: Table = Table::Anchors;

    fn number(&self) -> u64 {
        self.number
    }

    fn time_ms(&self) -> u64 {
        self.time_ms
    }
}

impl Sealed for AnchorRow {
    fn columns(rows: &[AnchorRow]) -> Vec<Column> {
        vec![
            Column::unsigned("number", rows.iter().map(|row| row.number)),
            Column::time(rows.iter().map(|row| row.time_ms)),
            Column::unsigned("height", rows.iter().map(|row| row.height)),
            Column::unsigned("recorded_at", rows.iter().map(|row| row.recorded_at)),
            Column::fixed("root", rows.iter().map(AnchorRow::root)),
            Column::unsigned("count", rows.iter().map(|row| row.pairs.len() as u64)),
            Column::bytes("pairs", rows.iter().map(|row| row.pairs.as_flattened())),
        ]
    }

    fn read(columns: &Columns<'_>) -> Result<Vec<AnchorRow>, Rejection> {
        let (numbers, heights) = (columns.unsigned("number")?, columns.unsigned("height")?);
        let (recorded_at, pairs) = (columns.unsigned("recorded_at")?, columns.bytes("pairs")?);
        let row = |(i, time_ms): (usize, u64)| {
            let (pairs, rest) = pairs.value(i).as_chunks();
            if !rest.is_empty() {
                let left = rest.len();
                return Err(Class::WrongLength.because(format!("{left} bytes after the last pair")));
            }
            let (number, height) = (numbers.value(i), heights.value(i));
            Ok(AnchorRow {
                number,
                time_ms,
                height,
                recorded_at: recorded_at.value(i),
                pairs: pairs.to_vec(),
            })
        };
        columns.times_ms()?.into_iter().enumerate().map(row).collect()
    }

    fn check(&self, settings: &ExportSettings) -> Result<(), Rejection> {
        if self.recorded_at < self.height {
            let (height, recorded_at) = (self.height, self.recorded_at);
            return Err(Class::WrongRecord
                .because(format!("the round at height {height} was anchored before, at {recorded_at}")));
        }
        self.anchor(settings).map(drop)
    }

    fn weight_bytes(&self) -> usize {
        self.pairs.as_flattened().len()
    }
}
