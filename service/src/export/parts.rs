//! The files of a table, as a directory lists them.

use std::fs::{self, DirEntry, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use holdfast_engine::rejection::{Class, Rejection};

use super::layout::{is_date_folder, parse_part_name};
use super::settings::{NEW_SUFFIX, SETTINGS_FILE};
use super::{ExportError, Table};

/// The empty file whose lock keeps a second writer away.
pub(super) const LOCK_FILE: &str = "export.lock";

/// One file: rows `first` to `last` of a table, all of one day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// Number of the first row.
    pub(super) first: u64,
    /// Number of the last row.
    pub(super) last: u64,
    /// The name of its folder.
    pub(super) date: String,
    /// Where it is.
    pub(super) path: PathBuf,
}

/// What a directory has of a table.
#[derive(Debug, Default)]
pub(super) struct Listing {
    /// Whole files, in the order of their rows.
    pub(super) parts: Vec<Part>,
    /// What a writer that was killed left behind: nothing that was acknowledged.
    pub(super) unfinished: Vec<PathBuf>,
}

impl Listing {
    /// The files of a table, whose rows must follow one another; from row `first` on, if one is given.
    ///
    /// # Errors
    /// `Rejected` as `malformed` if there is a file that is not the export's, as `wrong-record` if rows are missing or there
    /// twice; `File`.
    pub(super) fn of(root: &Path, table: Table, first: Option<u64>) -> Result<Listing, ExportError> {
        let folder = root.join(table.name());
        let mut listing = Listing::default();
        for entry in entries(&folder)? {
            let (name, path) = (entry.name, entry.path);
            if !entry.is_directory || !is_date_folder(&name) {
                return Err(foreign(&path, "a folder date=YYYY-MM-DD"));
            }
            for file in entries(&path)? {
                listing.take(file, &name)?;
            }
        }
        listing.parts.sort_unstable_by_key(|part| (part.first, part.last));
        check_sequence(&listing.parts, first)
            .map_err(|rejection| ExportError::rejected(folder, rejection))?;
        Ok(listing)
    }

    fn take(&mut self, file: Entry, date: &str) -> Result<(), ExportError> {
        let Entry { name, path, is_file, .. } = file;
        if is_file && name.ends_with(NEW_SUFFIX) {
            self.unfinished.push(path);
            return Ok(());
        }
        let Some((first, last)) = parse_part_name(&name).filter(|_| is_file) else {
            return Err(foreign(&path, "a file part-FIRST-LAST.parquet"));
        };
        self.parts.push(Part { first, last, date: date.to_owned(), path });
        Ok(())
    }

    /// The number after that of the last row.
    pub(super) fn next(&self) -> Option<u64> {
        self.parts.last().map(|part| part.last.saturating_add(1))
    }
}

/// Refuses what is in an export's directory and not of the export.
pub(super) fn check_root(root: &Path) -> Result<(), ExportError> {
    for Entry { name, path, is_file, is_directory } in entries(root)? {
        let table = is_directory && Table::ALL.iter().any(|table| table.name() == name);
        let new = name.strip_suffix(NEW_SUFFIX).is_some_and(|name| name == SETTINGS_FILE);
        if !table && !(is_file && (new || [SETTINGS_FILE, LOCK_FILE].contains(&name.as_str()))) {
            return Err(foreign(&path, "a table or export.json"));
        }
    }
    Ok(())
}

/// No row may be missing and none be there twice.
fn check_sequence(parts: &[Part], first: Option<u64>) -> Result<(), Rejection> {
    let mut expected = first;
    for part in parts {
        let (first, last) = (part.first, part.last);
        if let Some(expected) = expected.filter(|expected| *expected != first) {
            let what = if first > expected { "are missing" } else { "are there twice" };
            let (from, to) = (expected.min(first), expected.max(first).saturating_sub(1));
            return Err(Class::WrongRecord.because(format!("rows {from} to {to} {what}")));
        }
        let next = last.checked_add(1);
        expected = Some(next.ok_or_else(|| Class::Malformed.because(format!("a row has number {last}")))?);
    }
    Ok(())
}

struct Entry {
    name: String,
    path: PathBuf,
    is_file: bool,
    is_directory: bool,
}

/// What a folder holds; nothing if there is no such folder. Links are neither files nor directories.
fn entries(folder: &Path) -> Result<Vec<Entry>, ExportError> {
    let listed = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(vec![]),
        listed => listed.map_err(ExportError::file("list", folder))?,
    };
    let entry = |entry: DirEntry| -> std::io::Result<Entry> {
        let (kind, path) = (entry.file_type()?, entry.path());
        let name = entry.file_name().to_string_lossy().into_owned();
        Ok(Entry { name, path, is_file: kind.is_file(), is_directory: kind.is_dir() })
    };
    let entries = listed.map(|listed| listed.and_then(entry)).collect::<std::io::Result<_>>();
    entries.map_err(ExportError::file("list", folder))
}

fn foreign(path: &Path, expected: &str) -> ExportError {
    ExportError::rejected(path, Class::Malformed.because(format!("it is not {expected}; move it elsewhere")))
}

/// Makes the names in a directory durable.
pub(super) fn sync_directory(path: &Path) -> Result<(), ExportError> {
    File::open(path).and_then(|directory| directory.sync_all()).map_err(ExportError::file("sync", path))
}
