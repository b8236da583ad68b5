//! Appending to an export: whole files, made beside and renamed, never changed again.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};

use super::layout::{date_folder, part_name};
use super::limits::{FILE_ROWS_MAX, FILE_WEIGHT_BYTES, GROUP_ROWS_MAX, GROUP_WEIGHT_BYTES};
use super::parts::{LOCK_FILE, Listing, check_root, sync_directory};
use super::row::{Row, encode, schema};
use super::settings::NEW_SUFFIX;
use super::table_file::labels;
use super::{
    AnchorRow, BlockRow, EventRow, ExportError, ExportSettings, PartitionRow, ReceiptRow, RecordRow, Table,
};

/// What came of rows that were handed to an [`Exporter`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Appended {
    /// Rows that are in the export since, durably.
    pub written: u64,
    /// Rows that were there before, by their numbers.
    pub skipped: u64,
}

/// The one writer of an export. What a call has returned from is durable; a crash leaves whole files only.
///
/// Every call makes at least one file for each day of its rows, so hand over many rows at a time. Blocks come last
/// ([`Table::ALL`]): they say that everything of the rounds up to them is there.
#[derive(Debug)]
pub struct Exporter {
    root: PathBuf,
    settings: ExportSettings,
    /// Number of the next row of each table, by place in [`Table::ALL`]; none for blocks before the first.
    next: [Option<u64>; Table::ALL.len()],
    /// A write failed: what is on the disk is for the next exporter to find out.
    stopped: bool,
    _lock: File,
}

impl Exporter {
    /// Opens the export in a directory, or begins one. What an exporter that was killed left unfinished is removed.
    ///
    /// # Errors
    /// `Locked` if another process writes to it, `OtherExport` if its settings are others, `Rejected` if there are files in it
    /// that are not an export's or files are missing, `File`.
    pub fn open(root: impl Into<PathBuf>, settings: ExportSettings) -> Result<Exporter, ExportError> {
        let root = root.into();
        fs::create_dir_all(&root).map_err(ExportError::file("create", &root))?;
        let lock = lock(&root)?;
        check_root(&root)?;
        settings.settle(&root)?;
        let mut next = Table::ALL.map(Table::first_number);
        for (next, table) in next.iter_mut().zip(Table::ALL) {
            // Old days may have been moved away.
            let listing = Listing::of(&root, table, None)?;
            *next = listing.next().or(*next);
            // What the exporter before renamed may not be durable, and is acknowledged from here on.
            if let Some(folder) = listing.parts.last().and_then(|part| part.path.parent()) {
                sync_directory(folder)?;
                sync_directory(&root.join(table.name()))?;
            }
            for path in listing.unfinished {
                fs::remove_file(&path).map_err(ExportError::file("remove", &path))?;
            }
        }
        sync_directory(&root)?;
        Ok(Exporter { root, settings, next, stopped: false, _lock: lock })
    }

    /// Where the export is.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Whose export it is.
    pub fn settings(&self) -> &ExportSettings {
        &self.settings
    }

    /// The number that the next row of a table must have; `None` while there is no block, and any may be the first.
    pub fn next(&self, table: Table) -> Option<u64> {
        self.next.get(place(table)).copied().flatten()
    }

    /// Appends receipts. Rows that are there already, by their numbers, are skipped, so a range may be appended again.
    ///
    /// # Errors
    /// `Gap` if rows are missing before or among these, `Row` for a row that readers refuse: nothing was written then. `File`,
    /// `Encode`: some of the rows may have been written, and the exporter takes no more (`Stopped`); open another.
    pub fn append_receipts(&mut self, rows: &[ReceiptRow]) -> Result<Appended, ExportError> {
        self.append(rows)
    }

    /// Appends events, as [`Exporter::append_receipts`] does.
    ///
    /// # Errors
    /// See [`Exporter::append_receipts`].
    pub fn append_events(&mut self, rows: &[EventRow]) -> Result<Appended, ExportError> {
        self.append(rows)
    }

    /// Appends blocks, which are final, as [`Exporter::append_receipts`] does.
    ///
    /// # Errors
    /// See [`Exporter::append_receipts`].
    pub fn append_blocks(&mut self, rows: &[BlockRow]) -> Result<Appended, ExportError> {
        self.append(rows)
    }

    /// Appends changes of partitions, as [`Exporter::append_receipts`] does.
    ///
    /// # Errors
    /// See [`Exporter::append_receipts`].
    pub fn append_partitions(&mut self, rows: &[PartitionRow]) -> Result<Appended, ExportError> {
        self.append(rows)
    }

    /// Appends records of objects, as [`Exporter::append_receipts`] does.
    ///
    /// # Errors
    /// See [`Exporter::append_receipts`].
    pub fn append_records(&mut self, rows: &[RecordRow]) -> Result<Appended, ExportError> {
        self.append(rows)
    }

    /// Appends anchors, as [`Exporter::append_receipts`] does.
    ///
    /// # Errors
    /// See [`Exporter::append_receipts`].
    pub fn append_anchors(&mut self, rows: &[AnchorRow]) -> Result<Appended, ExportError> {
        self.append(rows)
    }

    fn append<R: Row>(&mut self, rows: &[R]) -> Result<Appended, ExportError> {
        if self.stopped {
            return Err(ExportError::Stopped { path: self.root.clone() });
        }
        let next = self.next(R::TABLE);
        let skipped = rows.iter().take_while(|row| next.is_some_and(|next| row.number() < next)).count();
        let (_, mut rest) = rows.split_at(skipped);
        self.check(rest, next)?;
        let appended = Appended { written: rest.len() as u64, skipped: skipped as u64 };
        while !rest.is_empty() {
            let (part, after) = rest.split_at(part_length(rest));
            self.stopped = true;
            self.write_part(part)?;
            self.stopped = false;
            rest = after;
        }
        Ok(appended)
    }

    /// The rows follow one another and what is there, and readers take each.
    fn check<R: Row>(&self, rows: &[R], next: Option<u64>) -> Result<(), ExportError> {
        let mut expected = next.or(rows.first().map(R::number)).unwrap_or_default();
        for row in rows {
            let (table, number) = (R::TABLE, row.number());
            if number != expected {
                return Err(ExportError::Gap { table, expected, found: number });
            }
            let refuse = |detail| ExportError::Row { table, number, detail };
            row.check(&self.settings).map_err(|rejection| refuse(rejection.detail))?;
            if date_folder(row.time_ms()).is_none() {
                return Err(refuse(format!("its time, {} ms, is after the year 9999", row.time_ms())));
            }
            expected = number.checked_add(1).ok_or_else(|| refuse("no row can come after it".to_owned()))?;
        }
        Ok(())
    }

    /// Writes rows of one day as a file.
    fn write_part<R: Row>(&mut self, rows: &[R]) -> Result<(), ExportError> {
        let (Some(first), Some(last)) = (rows.first(), rows.last()) else { return Ok(()) };
        let folder = self.folder(R::TABLE, &date_folder(first.time_ms()).unwrap_or_default())?;
        let path = folder.join(part_name(first.number(), last.number()));
        let new = folder.join(format!("{}{NEW_SUFFIX}", part_name(first.number(), last.number())));
        let written = self
            .write_file(rows, &new)
            .and_then(|()| fs::rename(&new, &path).map_err(ExportError::file("rename", &new)))
            .and_then(|()| sync_directory(&folder));
        if written.is_err() {
            // The next exporter removes it otherwise.
            let _ = fs::remove_file(&new);
        }
        written?;
        if let Some(next) = self.next.get_mut(place(R::TABLE)) {
            *next = last.number().checked_add(1);
        }
        Ok(())
    }

    fn write_file<R: Row>(&self, rows: &[R], path: &Path) -> Result<(), ExportError> {
        let encode_failed = |source: ParquetError| ExportError::Encode { path: path.to_owned(), source };
        let file = File::create(path).map_err(ExportError::file("create", path))?;
        let options = ArrowWriterOptions::new()
            .with_properties(properties(R::TABLE, &self.settings.network))
            .with_skip_arrow_metadata(true);
        let writer = ArrowWriter::try_new_with_options(file, schema::<R>(), options);
        let mut writer = writer.map_err(encode_failed)?;
        let mut rest = rows;
        while !rest.is_empty() {
            let (group, after) = rest.split_at(group_length(rest));
            let batch = encode(group).map_err(|error| encode_failed(error.into()))?;
            writer.write(&batch).and_then(|()| writer.flush()).map_err(encode_failed)?;
            rest = after;
        }
        let file = writer.into_inner().map_err(encode_failed)?;
        file.sync_all().map_err(ExportError::file("sync", path))
    }

    /// The folder of a day, whose name is durable.
    fn folder(&self, table: Table, date: &str) -> Result<PathBuf, ExportError> {
        let mut path = self.root.clone();
        for name in [table.name(), date] {
            let parent = path.clone();
            path.push(name);
            match fs::create_dir(&path) {
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                created => {
                    created.map_err(ExportError::file("create", &path))?;
                    sync_directory(&parent)?;
                }
            }
        }
        Ok(path)
    }
}

fn lock(root: &Path) -> Result<File, ExportError> {
    let path = root.join(LOCK_FILE);
    let open = OpenOptions::new().write(true).create(true).truncate(false).open(&path);
    let file = open.map_err(ExportError::file("open", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(ExportError::Locked { path: root.to_owned() }),
        Err(TryLockError::Error(source)) => Err(ExportError::File { doing: "lock", path, source }),
    }
}

fn place(table: Table) -> usize {
    Table::ALL.iter().position(|other| *other == table).unwrap_or(Table::ALL.len())
}

/// How many of the rows go into one file: those of one day, not too many.
fn part_length<R: Row>(rows: &[R]) -> usize {
    let date = rows.first().and_then(|row| date_folder(row.time_ms()));
    let same_day = rows.iter().take_while(|row| date_folder(row.time_ms()) == date).count();
    bounded(rows, same_day.min(FILE_ROWS_MAX), FILE_WEIGHT_BYTES)
}

/// How many of the rows go into one row group.
fn group_length<R: Row>(rows: &[R]) -> usize {
    bounded(rows, rows.len().min(GROUP_ROWS_MAX), GROUP_WEIGHT_BYTES)
}

/// As many of the first `most` rows as weigh no more, and at least one.
fn bounded<R: Row>(rows: &[R], most: usize, weight_bytes: usize) -> usize {
    let mut weight = 0;
    let fits = |row: &&R| {
        weight += row.weight_bytes();
        weight <= weight_bytes
    };
    rows.iter().take(most).take_while(fits).count().max(1)
}

/// Plain values compressed by zstd: what readers can look through before they make room for it.
pub(super) fn properties(table: Table, network: &[u8; 32]) -> WriterProperties {
    WriterProperties::builder()
        .set_writer_version(WriterVersion::PARQUET_1_0)
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_dictionary_enabled(false)
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_offset_index_disabled(true)
        .set_max_row_group_row_count(None)
        .set_created_by(concat!("holdfast ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_key_value_metadata(Some(labels(table, network)))
        .build()
}
