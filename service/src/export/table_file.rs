//! One Parquet file, looked through before anything of it is made room for.

use std::fs::File;
use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use bytes::Bytes;
use holdfast_engine::rejection::{Class, Rejection};
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::metadata::{ColumnChunkMetaData, KeyValue, RowGroupMetaData};

use super::error::unreadable;
use super::limits::{FILE_BYTES_MAX, FILE_ROWS_MAX, FOOTER_BYTES_MAX, GROUP_BYTES_MAX, GROUP_ROWS_MAX};
use super::page::read_header;
use super::row::{Row, schema};
use super::{ExportError, ExportSettings, Table};

const MAGIC: &[u8; 4] = b"PAR1";
/// Length of the footer, then the magic.
const TAIL_BYTES: usize = 8;

/// What a file says of itself, so that a file of another table or network is not taken for one of this.
pub(super) fn labels(table: Table, network: &[u8; 32]) -> Vec<KeyValue> {
    let label = |key: &str, value: String| KeyValue::new(key.to_owned(), value);
    vec![
        label("holdfast.format", "export-v1".to_owned()),
        label("holdfast.table", table.name().to_owned()),
        label("holdfast.network", hex::encode(network)),
    ]
}

/// A file of a table whose parts are all within the limits. It is in memory, so that nobody changes it meanwhile.
#[derive(Debug)]
pub(super) struct TableFile {
    bytes: Bytes,
    metadata: ArrowReaderMetadata,
}

impl TableFile {
    /// Reads and looks through a file.
    ///
    /// # Errors
    /// `Rejected`, see [`TableFile::of`]; as `wrong-length` if it is longer than any; `File`.
    pub(super) fn open<R: Row>(path: &Path, settings: &ExportSettings) -> Result<TableFile, ExportError> {
        let mut bytes = Vec::new();
        let file = File::open(path).map_err(ExportError::file("read", path))?;
        file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(ExportError::file("read", path))?;
        TableFile::of::<R>(bytes.into(), settings).map_err(|rejection| ExportError::rejected(path, rejection))
    }

    /// Looks through the bytes of a file.
    ///
    /// Refused: `wrong-length` (too long, or cut off), `malformed` (no such Parquet file), `wrong-record` (of another table),
    /// `wrong-challenge` (of another network).
    pub(super) fn of<R: Row>(bytes: Bytes, settings: &ExportSettings) -> Result<TableFile, Rejection> {
        let data_bytes = check_tail(&bytes)?;
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        let metadata = guarded(|| ArrowReaderMetadata::load(&bytes, options))?;
        check_labels(&metadata, R::TABLE, settings)?;
        check_schema(&metadata, &schema::<R>())?;
        let mut rows = 0;
        for group in metadata.metadata().row_groups() {
            rows += check_group(group, &bytes, data_bytes)?;
        }
        if rows > FILE_ROWS_MAX as u64 {
            return Err(
                Class::WrongLength.because(format!("{rows} rows in a file; {FILE_ROWS_MAX} is the most"))
            );
        }
        Ok(TableFile { bytes, metadata })
    }

    /// How many row groups there are.
    pub(super) fn groups(&self) -> usize {
        self.metadata.metadata().num_row_groups()
    }

    /// The columns of a row group.
    ///
    /// Refused: `malformed`.
    pub(super) fn group(&self, group: usize) -> Result<RecordBatch, Rejection> {
        let batch = guarded(|| {
            let (bytes, metadata) = (self.bytes.clone(), self.metadata.clone());
            let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(bytes, metadata);
            let mut reader = builder.with_row_groups(vec![group]).with_batch_size(GROUP_ROWS_MAX).build()?;
            Ok(reader.next().transpose()?)
        })?;
        batch.ok_or_else(|| Class::Malformed.because(format!("row group {group} has no rows")))
    }
}

/// Calls the Parquet library, which panics where some damaged bytes lead it (definition levels that end early, for one): that is
/// a refusal too. Whatever it was at is dropped, and nothing of ours is changed by these calls.
fn guarded<T>(work: impl FnOnce() -> Result<T, ParquetError>) -> Result<T, Rejection> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(result) => result.map_err(|error| unreadable(&error)),
        Err(_) => Err(Class::Malformed.because("the Parquet library stumbled over it: it is damaged")),
    }
}

/// The file has both magics and a footer of a size that we read; returns where the footer begins.
fn check_tail(bytes: &Bytes) -> Result<usize, Rejection> {
    let length = bytes.len();
    if length as u64 > FILE_BYTES_MAX {
        return Err(Class::WrongLength.because(format!("it is longer than {FILE_BYTES_MAX} bytes")));
    }
    let magic = bytes.starts_with(MAGIC) && bytes.ends_with(MAGIC) && length >= MAGIC.len() + TAIL_BYTES;
    let tail = bytes.last_chunk::<TAIL_BYTES>().filter(|_| magic);
    let Some([a, b, c, d, ..]) = tail else {
        return Err(Class::Malformed.because("no whole Parquet file: it does not begin and end with PAR1"));
    };
    let footer_bytes = u32::from_le_bytes([*a, *b, *c, *d]);
    if footer_bytes > FOOTER_BYTES_MAX {
        return Err(Class::WrongLength
            .because(format!("a footer of {footer_bytes} bytes; {FOOTER_BYTES_MAX} is the most")));
    }
    let start =
        usize::try_from(footer_bytes).ok().and_then(|footer| (length - TAIL_BYTES).checked_sub(footer));
    start
        .filter(|start| *start >= MAGIC.len())
        .ok_or_else(|| Class::WrongLength.because(format!("a footer of {footer_bytes} bytes in {length}")))
}

fn check_labels(
    metadata: &ArrowReaderMetadata,
    table: Table,
    settings: &ExportSettings,
) -> Result<(), Rejection> {
    let found = metadata.metadata().file_metadata().key_value_metadata();
    for label in labels(table, &settings.network) {
        let value = found.and_then(|found| found.iter().find(|found| found.key == label.key));
        let value = value.and_then(|found| found.value.as_deref()).unwrap_or("nothing");
        let expected = label.value.unwrap_or_default();
        if value != expected {
            let class = match label.key.as_str() {
                "holdfast.network" => Class::WrongChallenge,
                "holdfast.table" => Class::WrongRecord,
                _ => Class::Malformed,
            };
            let (key, value) = (label.key, value.escape_default());
            return Err(class.because(format!("its {key} is {value}, not {expected}")));
        }
    }
    Ok(())
}

fn check_schema(metadata: &ArrowReaderMetadata, expected: &SchemaRef) -> Result<(), Rejection> {
    let found = metadata.schema();
    let columns = metadata.metadata().file_metadata().schema_descr().num_columns();
    if found.fields() != expected.fields() || columns != expected.fields().len() {
        let names = |schema: &SchemaRef| {
            let field = |field: &std::sync::Arc<arrow_schema::Field>| {
                format!("{} {} {}", field.name().escape_default(), field.data_type(), field.is_nullable())
            };
            schema.fields().iter().map(field).collect::<Vec<_>>()
        };
        let (found, expected) = (names(found), names(expected));
        let first = found.iter().zip(&expected).find(|(found, expected)| found != expected);
        let detail = match first {
            Some((found, expected)) => format!("a column ({found}) where ({expected}) must be"),
            None => format!("{} columns, not {}", found.len(), expected.len()),
        };
        return Err(Class::Malformed.because(detail));
    }
    Ok(())
}

/// The row group is as large as its page headers say, and that is within the limits; returns its rows.
fn check_group(group: &RowGroupMetaData, bytes: &Bytes, data_bytes: usize) -> Result<u64, Rejection> {
    let rows = u64::try_from(group.num_rows()).unwrap_or(u64::MAX);
    if !(1..=GROUP_ROWS_MAX as u64).contains(&rows) {
        let found = group.num_rows();
        return Err(Class::WrongLength
            .because(format!("a row group of {found} rows; there are 1 to {GROUP_ROWS_MAX}")));
    }
    let mut plain_bytes = 0;
    for column in group.columns() {
        let name = column.column_path().string();
        let place = |Rejection { class, detail }| {
            class.because(format!("column {}: {detail}", name.escape_default()))
        };
        plain_bytes +=
            check_chunk(column, rows, bytes.get(..data_bytes).unwrap_or_default()).map_err(place)?;
        if plain_bytes > GROUP_BYTES_MAX {
            return Err(Class::WrongLength
                .because(format!("a row group of more than {GROUP_BYTES_MAX} bytes without compression")));
        }
    }
    Ok(rows)
}

/// The chunk is pages from its beginning to its end, with so many values; returns their bytes after decompression.
fn check_chunk(column: &ColumnChunkMetaData, rows: u64, data: &[u8]) -> Result<u64, Rejection> {
    if !matches!(column.compression(), Compression::ZSTD(_)) {
        return Err(Class::Malformed.because(format!("compressed by {}, not zstd", column.compression())));
    }
    if column.dictionary_page_offset().is_some() {
        return Err(Class::Malformed.because("a dictionary, which no file of an export has"));
    }
    let (start, length) =
        (usize::try_from(column.data_page_offset()), usize::try_from(column.compressed_size()));
    let chunk = match (start, length) {
        (Ok(start), Ok(length)) => start.checked_add(length).and_then(|end| data.get(start..end)),
        _ => None,
    };
    let mut rest = chunk.ok_or_else(|| Class::WrongLength.because("a column outside the file"))?;
    let (mut values, mut plain_bytes) = (0u64, 0u64);
    while !rest.is_empty() {
        let page = read_header(&mut rest)?;
        let stored = usize::try_from(page.stored_bytes).ok();
        rest = stored
            .and_then(|stored| rest.get(stored..))
            .ok_or_else(|| Class::WrongLength.because("a page that ends after its column"))?;
        // At most 64 MiB of pages of at least 18 bytes, each of less than 2^31: no sum overflows.
        values += page.values;
        plain_bytes += page.plain_bytes;
    }
    if values != rows || u64::try_from(column.num_values()) != Ok(rows) {
        let said = column.num_values();
        return Err(Class::WrongLength
            .because(format!("pages of {values} values, said to be {said}, in a row group of {rows} rows")));
    }
    Ok(plain_bytes)
}

#[cfg(test)]
impl TableFile {
    /// Where a column of a row group is in the file.
    pub(super) fn column_bytes(&self, group: usize, name: &str) -> std::ops::Range<usize> {
        let group = self.metadata.metadata().row_group(group);
        let column = group.columns().iter().find(|column| column.column_path().string() == name).unwrap();
        let start = usize::try_from(column.data_page_offset()).unwrap();
        start..start + usize::try_from(column.compressed_size()).unwrap()
    }
}
