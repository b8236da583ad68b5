//! Reading an export that anybody may have written.

use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use holdfast_engine::rejection::Class;

use super::layout::date_folder;
use super::parts::{Listing, Part, check_root};
use super::row::{Row, decode};
use super::table_file::TableFile;
use super::{ExportError, ExportSettings, Table};

/// An export as its directory was when it was opened. Files are read one after another, a row group at a time.
#[derive(Debug)]
pub struct ExportReader {
    root: PathBuf,
    settings: ExportSettings,
    /// By place in [`Table::ALL`].
    parts: Vec<(Table, Vec<Part>)>,
}

impl ExportReader {
    /// Opens an export and lists its files.
    ///
    /// # Errors
    /// `Rejected` as `malformed` if there is no usable `export.json` or there is a file that is not an export's, as
    /// `wrong-record` if rows are missing or there twice, by the names of the files; `File`.
    pub fn open(root: impl Into<PathBuf>) -> Result<ExportReader, ExportError> {
        let root = root.into();
        let settings = ExportSettings::read(&root)?;
        check_root(&root)?;
        let parts =
            Table::ALL.map(|table| Ok((table, Listing::of(&root, table, table.first_number())?.parts)));
        let parts = parts.into_iter().collect::<Result<_, ExportError>>()?;
        Ok(ExportReader { root, settings, parts })
    }

    /// Where it is.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Whose export it is.
    pub fn settings(&self) -> &ExportSettings {
        &self.settings
    }

    /// How many files and rows a table has, by their names.
    pub fn counts(&self, table: Table) -> (u64, u64) {
        let parts = self.parts(table);
        let rows = parts.iter().map(|part| (part.last - part.first).saturating_add(1));
        (parts.len() as u64, rows.fold(0, u64::saturating_add))
    }

    /// The rows of a table in their order, a row group at a time. What was returned before an error is as good as the rest
    /// would have been.
    ///
    /// # Errors
    /// `Rejected` as `malformed`, `wrong-length` (a file that is damaged, or larger than any), `wrong-record` (a column that
    /// contradicts the bytes; a row that is missing, doubled or of another day), `wrong-challenge` (of another network), and as
    /// the table's rows are; `File`.
    pub fn rows<R: Row>(&self) -> RowGroups<'_, R> {
        RowGroups { reader: self, part: 0, file: None, expected: None, rows: PhantomData }
    }

    pub(super) fn parts(&self, table: Table) -> &[Part] {
        self.parts.iter().find(|(other, _)| *other == table).map_or(&[], |(_, parts)| parts)
    }

    /// The file that has this row of a table, or else the table's folder.
    pub(super) fn place_of(&self, table: Table, number: u64) -> PathBuf {
        let part = self.parts(table).iter().find(|part| (part.first..=part.last).contains(&number));
        part.map_or_else(|| self.root.join(table.name()), |part| part.path.clone())
    }
}

/// The rows of a table, a row group at a time; see [`ExportReader::rows`].
#[derive(Debug)]
pub struct RowGroups<'a, R> {
    reader: &'a ExportReader,
    /// The next file, or the one that is open.
    part: usize,
    file: Option<(TableFile, usize)>,
    /// Number of the next row of the file that is open.
    expected: Option<u64>,
    rows: PhantomData<R>,
}

impl<R: Row> RowGroups<'_, R> {
    /// The next row group, with the places of its file and of itself in it; `None` after the last.
    pub(super) fn next_group(&mut self) -> Result<Option<(usize, usize, Vec<R>)>, ExportError> {
        while let Some(part) = self.reader.parts(R::TABLE).get(self.part) {
            let settings = &self.reader.settings;
            let (file, group) = match &mut self.file {
                Some(open) => open,
                none => {
                    self.expected = Some(part.first);
                    none.insert((TableFile::open::<R>(&part.path, settings)?, 0))
                }
            };
            if *group < file.groups() {
                let rows = file.group(*group).and_then(|batch| decode::<R>(&batch, settings));
                let rows = rows.map_err(|rejection| ExportError::rejected(&part.path, rejection))?;
                let place = *group;
                *group += 1;
                self.expected = Some(check_sequence(part, &rows, self.expected)?);
                return Ok(Some((self.part, place, rows)));
            }
            check_end(part, self.expected)?;
            self.file = None;
            self.part += 1;
        }
        Ok(None)
    }
}

impl<R: Row> Iterator for RowGroups<'_, R> {
    type Item = Result<Vec<R>, ExportError>;

    /// After an error there is nothing more.
    fn next(&mut self) -> Option<Self::Item> {
        let group = self.next_group();
        if group.is_err() {
            self.part = usize::MAX;
        }
        group.transpose().map(|group| group.map(|(_, _, rows)| rows))
    }
}

/// The rows have the numbers and the day that the file's name says; returns the number of the next.
fn check_sequence<R: Row>(part: &Part, rows: &[R], expected: Option<u64>) -> Result<u64, ExportError> {
    let mut expected = expected.unwrap_or(part.first);
    let refuse = |detail| Err(ExportError::rejected(&part.path, Class::WrongRecord.because(detail)));
    for row in rows {
        let number = row.number();
        if number != expected || number > part.last {
            return refuse(format!(
                "row {number} where row {expected} of {} to {} must be",
                part.first, part.last
            ));
        }
        if date_folder(row.time_ms()).as_deref() != Some(&part.date) {
            return refuse(format!("row {number} is of another day, {} ms, than its folder", row.time_ms()));
        }
        expected = expected.saturating_add(1);
    }
    Ok(expected)
}

fn check_end(part: &Part, expected: Option<u64>) -> Result<(), ExportError> {
    let next = expected.unwrap_or(part.first);
    if next == part.last.saturating_add(1) {
        return Ok(());
    }
    let detail = format!("rows {next} to {} are missing at its end", part.last);
    Err(ExportError::rejected(&part.path, Class::WrongRecord.because(detail)))
}
