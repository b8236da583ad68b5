//! What a writer finds in its own export when it goes on: the newest rows, without reading the old ones.

use holdfast_engine::rejection::Class;

use super::parts::Listing;
use super::row::{Row, decode};
use super::table_file::TableFile;
use super::{ExportError, Exporter, Table};

impl Exporter {
    /// The number of the first row of a table that is still there; `None` if it has none. Old days may have been moved away.
    ///
    /// # Errors
    /// As [`Exporter::open`].
    pub fn first(&self, table: Table) -> Result<Option<u64>, ExportError> {
        Ok(Listing::of(self.root(), table, None)?.parts.first().map(|part| part.first))
    }

    /// The last row of a table; `None` if it has none.
    ///
    /// # Errors
    /// `Rejected` if the newest file cannot be read as one of the table's, `File`.
    pub fn last<R: Row>(&self) -> Result<Option<R>, ExportError> {
        let Some(number) = self.next(R::TABLE).and_then(|next| next.checked_sub(1)) else { return Ok(None) };
        let mut last = None;
        self.rows_from(number, |row: R| last = Some(row))?;
        Ok(last)
    }

    /// Tells all rows of a table from a number on, in their order. Only the files that have them are read.
    ///
    /// # Errors
    /// `Rejected` as `wrong-record` if rows from that number on are not there any more, and if a file cannot be read as one of the
    /// table's; `File`.
    pub fn rows_from<R: Row>(&self, first: u64, mut tell: impl FnMut(R)) -> Result<(), ExportError> {
        let folder = self.root().join(R::TABLE.name());
        let parts = Listing::of(self.root(), R::TABLE, None)?.parts;
        let oldest = parts.first().map_or_else(|| self.next(R::TABLE), |part| Some(part.first));
        if oldest.is_some_and(|oldest| oldest > first) {
            let detail = format!("rows from {first} on are needed and have been moved away");
            return Err(ExportError::rejected(folder, Class::WrongRecord.because(detail)));
        }
        for part in parts.iter().filter(|part| part.last >= first) {
            let refuse = |rejection| ExportError::rejected(&part.path, rejection);
            let file = TableFile::open::<R>(&part.path, self.settings())?;
            for group in 0..file.groups() {
                let rows = file.group(group).and_then(|batch| decode::<R>(&batch, self.settings()));
                rows.map_err(refuse)?.into_iter().filter(|row| row.number() >= first).for_each(&mut tell);
            }
        }
        Ok(())
    }
}
