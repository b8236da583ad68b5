//! What was acknowledged, by the index: held against the disks at every start, so that nothing goes missing without a word,
//! whether a file system was not mounted or a directory was lost. What the disks have is what is served.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use holdfast_engine::account::Account;
use holdfast_partition::objects::ObjectName;
use serde::{Deserialize, Serialize};

use super::blocking;
use super::catalogue::{Catalogue, Kept};
use super::error::MinerError;
use super::shares::Shares;
use crate::index::{Changes, Index, KeyRange, Table, TypedTable};

/// Objects by validator and root.
const OBJECTS: TypedTable<(Account, [u8; 32]), ObjectRow> = TypedTable::new(Table::Objects);
/// Rows that are read or written at once.
const PAGE: usize = 4096;

/// An object that was acknowledged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObjectRow {
    /// Whose it is, if it came under a ticket.
    pub owner: Option<Account>,
    /// Its bytes.
    pub length_bytes: u64,
    /// Where it is.
    pub directory: PathBuf,
}

/// What the index and the disks say of each other.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Reindexed {
    /// Objects on the disks.
    pub objects: usize,
    /// Of them, those that the index did not know, or knew otherwise.
    pub added: usize,
    /// Objects that the index knows and no disk has, by validator and root.
    pub missing: Vec<(Account, ObjectName)>,
}

type Rows = BTreeMap<(Account, [u8; 32]), ObjectRow>;

/// An object is about to be acknowledged.
pub(super) async fn note(index: &dyn Index, kept: &Kept) -> Result<(), MinerError> {
    let mut changes = Changes::new();
    let (key, row) = row_of(kept);
    OBJECTS.put(&mut changes, &key, &row)?;
    Ok(index.commit(changes).await?)
}

/// An object is gone.
pub(super) async fn forget(
    index: &dyn Index,
    validator: Account,
    name: ObjectName,
) -> Result<(), MinerError> {
    let mut changes = Changes::new();
    OBJECTS.delete(&mut changes, &(validator, name.0));
    Ok(index.commit(changes).await?)
}

/// Takes into the index what the disks have. What they lack stays in it, to be told again, until [`reindex`].
pub(super) async fn compare(index: &dyn Index, catalogue: &Catalogue) -> Result<Reindexed, MinerError> {
    let (known, there) = (read(index).await?, rows(catalogue));
    let added: Vec<_> = there.iter().filter(|(key, row)| known.get(key) != Some(row)).collect();
    for page in added.chunks(PAGE) {
        let mut changes = Changes::new();
        for (key, row) in page {
            OBJECTS.put(&mut changes, key, row)?;
        }
        index.commit(changes).await?;
    }
    let missing = known.keys().filter(|key| !there.contains_key(key));
    let missing = missing.map(|(validator, root)| (*validator, ObjectName(*root))).collect();
    Ok(Reindexed { objects: there.len(), added: added.len(), missing })
}

/// Makes the index what the disks say. What they lack is forgotten, and told.
///
/// # Errors
/// A directory or the index cannot be used: a miner that runs has both.
pub async fn reindex(directories: Vec<PathBuf>, index: &dyn Index) -> Result<Reindexed, MinerError> {
    let catalogue = blocking(move || Catalogue::read(&Shares::open(&directories)?.all())).await??;
    let reindexed = compare(index, &catalogue).await?;
    for page in reindexed.missing.chunks(PAGE) {
        let mut changes = Changes::new();
        for (validator, name) in page {
            OBJECTS.delete(&mut changes, &(*validator, name.0));
        }
        index.commit(changes).await?;
    }
    Ok(reindexed)
}

async fn read(index: &dyn Index) -> Result<Rows, MinerError> {
    let mut rows = Rows::new();
    let mut pages = OBJECTS.pages(index, KeyRange::all(), PAGE);
    while let Some(page) = pages.next().await? {
        rows.extend(OBJECTS.rows(&page)?.into_iter().map(|row| (row.key, row.value)));
    }
    Ok(rows)
}

fn rows(catalogue: &Catalogue) -> Rows {
    catalogue.list().iter().map(row_of).collect()
}

fn row_of(kept: &Kept) -> ((Account, [u8; 32]), ObjectRow) {
    let directory = kept.store.directory.clone();
    let row = ObjectRow { owner: kept.owner, length_bytes: kept.length_bytes, directory };
    ((kept.store.validator, kept.name.0), row)
}

/// Held against the index at the start; failures to reach it are failures to start.
pub(super) async fn tell_missing(index: &Arc<dyn Index>, catalogue: &Catalogue) -> Result<u64, MinerError> {
    let Reindexed { objects, missing, .. } = compare(&**index, catalogue).await?;
    for (validator, name) in &missing {
        tracing::error!(%validator, %name, "an object that was acknowledged is on no disk");
    }
    tracing::info!(objects, missing = missing.len(), "the disks were held against the index");
    Ok(missing.len() as u64)
}
