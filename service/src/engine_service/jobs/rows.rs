//! What is remembered of jobs, so that ids survive a restart and jobs that ran wait again.

use serde::{Deserialize, Serialize};

use super::{Outcome, Status, Terms};
use crate::index::{Changes, Index, IndexError, KeyRange, Table, TypedTable};

/// By request id.
const ROWS: TypedTable<String, Row> = TypedTable::new(Table::Tickets);
/// Rows have reports in them.
const PAGE_ROWS: usize = 64;

/// A job as it is to be found after a restart.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Row {
    /// Jobs of one priority are done in this order.
    pub(super) sequence: u64,
    pub(super) terms: Terms,
    /// Never running: what runs when the process ends waits when it begins.
    pub(super) status: Status,
    pub(super) outcome: Option<Outcome>,
}

pub(super) async fn load(index: &dyn Index) -> Result<Vec<(String, Row)>, IndexError> {
    let (mut rows, mut pages) = (Vec::new(), ROWS.pages(index, KeyRange::all(), PAGE_ROWS));
    while let Some(page) = pages.next().await? {
        rows.extend(ROWS.rows(&page)?.into_iter().map(|row| (row.key, row.value)));
    }
    Ok(rows)
}

/// Durable when it returns.
pub(super) async fn save(
    index: &dyn Index,
    id: &String,
    row: &Row,
    forgotten: &[String],
) -> Result<(), IndexError> {
    let mut changes = Changes::new();
    ROWS.put(&mut changes, id, row)?;
    forgotten.iter().for_each(|id| ROWS.delete(&mut changes, id));
    index.commit(changes).await
}
