//! A range in pieces that fit into memory.

use bytes::Bytes;

use super::{Index, IndexError, KeyRange, SCAN_ENTRIES_MAX, Table};

/// Goes through a range page by page. Each page is of one moment, and the next of a later one: an entry that is there all
/// the time is met once, one that comes or goes meanwhile perhaps.
#[derive(Debug)]
pub struct Pages<'i> {
    index: &'i dyn Index,
    table: Table,
    entries: usize,
    /// What has not been seen; `None` when nothing is left.
    rest: Option<KeyRange>,
}

impl<'i> Pages<'i> {
    /// Pages of so many entries, 1 … [`SCAN_ENTRIES_MAX`].
    pub fn new(index: &'i dyn Index, table: Table, range: KeyRange, entries: usize) -> Pages<'i> {
        Pages { index, table, entries: entries.clamp(1, SCAN_ENTRIES_MAX), rest: Some(range) }
    }

    /// The next page, never empty; `None` after the last. After an error it can be asked for again.
    ///
    /// # Errors
    /// As [`Index::scan`].
    pub async fn next(&mut self) -> Result<Option<Vec<(Bytes, Bytes)>>, IndexError> {
        let Some(range) = &self.rest else { return Ok(None) };
        let page = self.index.scan(self.table, range, self.entries).await?;
        let last = page.last().filter(|_| page.len() == self.entries);
        self.rest = self.rest.take().zip(last).map(|(range, (key, _))| range.beyond(key));
        Ok(Some(page).filter(|page| !page.is_empty()))
    }
}
