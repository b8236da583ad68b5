//! Which receipts of which miner an export has.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use holdfast_engine::account::Account;
use serde::{Deserialize, Serialize};

use crate::export::{Exporter, ReceiptRow, Table};
use crate::index::{Changes, Index, TypedTable};
use crate::validator::ValidatorError;

/// What is noted of exports, by "export", and the directory.
const EXPORTS: TypedTable<(String, String), Progress> = TypedTable::new(crate::index::Table::Settings);

/// How far the receipts of an export are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Progress {
    /// The export's first block; `None` before it.
    pub(super) first_block: Option<u64>,
    /// All receipts together.
    pub(super) receipts: u64,
    /// Receipts of each miner, of which the index has the same number before the first that is not exported.
    miners: BTreeMap<Account, u64>,
}

impl Progress {
    /// What was noted, brought up to what is in the directory. Where the directory is another than was noted, it is read from its
    /// beginning.
    pub(super) async fn read(
        index: &dyn Index,
        directory: &Path,
        exporter: &Arc<Mutex<Exporter>>,
    ) -> Result<Progress, ValidatorError> {
        let noted = EXPORTS.get(index, &key(directory)).await?.unwrap_or_default();
        super::with(exporter, move |exporter| {
            let first = exporter.first(Table::Blocks)?;
            let there = exporter.next(Table::Receipts).unwrap_or_default();
            let newer = noted.receipts > there || (first.is_none() && noted.first_block.is_some());
            let mut progress = if newer { Progress::default() } else { noted };
            progress.first_block = progress.first_block.or(first);
            exporter.rows_from(progress.receipts, |row: ReceiptRow| {
                progress.add(&row.receipt.body.key.miner, 1);
                progress.receipts += 1;
            })?;
            Ok(progress)
        })
        .await
    }

    /// How many receipts of a miner are exported.
    pub(super) fn exported(&self, miner: &Account) -> u64 {
        self.miners.get(miner).copied().unwrap_or_default()
    }

    /// More of them are.
    pub(super) fn add(&mut self, miner: &Account, receipts: u64) {
        if receipts > 0 {
            *self.miners.entry(*miner).or_default() += receipts;
        }
    }

    /// Notes it.
    pub(super) async fn keep(&self, index: &dyn Index, directory: &Path) -> Result<(), ValidatorError> {
        let mut changes = Changes::new();
        EXPORTS.put(&mut changes, &key(directory), self)?;
        Ok(index.commit(changes).await?)
    }
}

/// The directory by one name, wherever the process was started.
fn key(directory: &Path) -> (String, String) {
    let path = std::fs::canonicalize(directory).unwrap_or_else(|_| directory.to_owned());
    ("export".to_owned(), path.to_string_lossy().into_owned())
}
