//! Files that somebody made to hurt whoever reads them: nothing panics, and nothing takes more room than the limits say.

use std::sync::{Arc, LazyLock};

use arrow_array::{ArrayRef, BinaryArray};
use bytes::Bytes;
use parquet::basic::Compression;
use parquet::file::properties::{WriterProperties, WriterVersion};
use proptest::prelude::*;

use super::*;
use crate::export::limits::GROUP_ROWS_MAX;
use crate::export::row::{decode, schema};
use crate::export::table_file::labels;

static SETTINGS: LazyLock<ExportSettings> = LazyLock::new(|| Scene::new().settings());

/// Reads bytes as a file of a table, to the last row.
fn read_all<R: Row>(bytes: &[u8], settings: &ExportSettings) -> Result<u64, Class> {
    let refused = |rejection: holdfast_engine::rejection::Rejection| rejection.class;
    let file = TableFile::of::<R>(Bytes::copy_from_slice(bytes), settings).map_err(refused)?;
    let mut rows = 0;
    for group in 0..file.groups() {
        let batch = file.group(group).map_err(refused)?;
        rows += decode::<R>(&batch, settings).map_err(refused)?.len() as u64;
    }
    Ok(rows)
}

/// The bytes of one file of each table.
fn honest_files() -> (ExportSettings, Vec<(Table, Vec<u8>)>) {
    let scene = Scene::new();
    let directory = scene.written();
    let file = |table| (table, fs::read(files(directory.path(), table).pop().unwrap()).unwrap());
    (scene.settings(), Table::ALL.map(file).to_vec())
}

fn read_table(table: Table, bytes: &[u8], settings: &ExportSettings) -> Result<u64, Class> {
    match table {
        Table::Receipts => read_all::<ReceiptRow>(bytes, settings),
        Table::Events => read_all::<EventRow>(bytes, settings),
        Table::Blocks => read_all::<BlockRow>(bytes, settings),
        Table::Partitions => read_all::<PartitionRow>(bytes, settings),
        Table::Records => read_all::<RecordRow>(bytes, settings),
        Table::Anchors => read_all::<AnchorRow>(bytes, settings),
    }
}

/// A file with other properties than the exporter's, or other columns.
fn made<R: Row>(settings: &ExportSettings, batch: &RecordBatch, properties: WriterProperties) -> Vec<u8> {
    let options = ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
    let mut writer = ArrowWriter::try_new_with_options(Vec::new(), batch.schema(), options).unwrap();
    writer.append_key_value_metadata(labels(R::TABLE, &settings.network)[0].clone());
    for label in &labels(R::TABLE, &settings.network)[1..] {
        writer.append_key_value_metadata(label.clone());
    }
    writer.write(batch).unwrap();
    writer.into_inner().unwrap()
}

fn zstd() -> Compression {
    Compression::ZSTD(parquet::basic::ZstdLevel::default())
}

fn properties() -> parquet::file::properties::WriterPropertiesBuilder {
    WriterProperties::builder().set_compression(zstd()).set_dictionary_enabled(false)
}

/// One anchor of this many bytes of pairs, all zero.
fn anchor_of_zeros(bytes: usize) -> RecordBatch {
    let scene = Scene::new();
    let batch = encode(&scene.anchors[..1]).unwrap();
    let mut columns: Vec<ArrayRef> = batch.columns().to_vec();
    *columns.last_mut().unwrap() = Arc::new(BinaryArray::from_iter_values([vec![0u8; bytes]]));
    RecordBatch::try_new(schema::<AnchorRow>(), columns).unwrap()
}

/// 70 MB of zeros are some kilobytes of zstd. The header tells, so nothing is decompressed; without the look at it, the library
/// would make room for up to 2 GiB a page.
#[test]
fn a_decompression_bomb_is_refused_by_its_header() {
    let settings = Scene::new().settings();
    let bomb = made::<AnchorRow>(&settings, &anchor_of_zeros(70 << 20), properties().build());
    assert!(bomb.len() < 100_000, "{} bytes", bomb.len());
    let refused = TableFile::of::<AnchorRow>(bomb.into(), &settings).unwrap_err();
    assert_eq!(refused.class, Class::WrongLength);
    assert_eq!(refused.detail, "a row group of more than 67108864 bytes without compression");
    // Just below the limit it is read, and refused for what it says.
    let large = made::<AnchorRow>(&settings, &anchor_of_zeros(60 << 20), properties().build());
    assert_eq!(read_all::<AnchorRow>(&large, &settings), Err(Class::WrongLength), "too many pairs");
}

/// With a dictionary, a few bytes for each row stand for a long text each.
#[test]
fn dictionaries_other_encodings_and_other_codecs_are_refused() {
    let scene = Scene::new();
    let settings = scene.settings();
    let batch = encode(&scene.events).unwrap();
    let refused = |properties: WriterProperties| {
        let file = made::<EventRow>(&settings, &batch, properties);
        TableFile::of::<EventRow>(file.into(), &settings).map(drop).unwrap_err().detail
    };
    assert!(made::<EventRow>(&settings, &batch, properties().build()).starts_with(b"PAR1"));
    let plain = made::<EventRow>(&settings, &batch, properties().build());
    assert_eq!(read_all::<EventRow>(&plain, &settings), Ok(12), "what is left when nothing is odd");
    let dictionary = refused(properties().set_dictionary_enabled(true).build());
    assert_eq!(dictionary, "column number: a dictionary, which no file of an export has");
    let version_2 = refused(properties().set_writer_version(WriterVersion::PARQUET_2_0).build());
    assert_eq!(version_2, "column number: a page with type of page 3; an export has 0 only");
    let delta = parquet::basic::Encoding::DELTA_BINARY_PACKED;
    let delta = refused(properties().set_column_encoding("number".into(), delta).build());
    assert_eq!(delta, "column number: a page with encoding 5; an export has 0 only");
    let uncompressed = refused(properties().set_compression(Compression::UNCOMPRESSED).build());
    assert_eq!(uncompressed, "column number: compressed by UNCOMPRESSED, not zstd");
}

/// A whole row group is in memory at once.
#[test]
fn a_row_group_of_too_many_rows_is_refused() {
    let settings = Scene::new().settings();
    let rows = |count: usize| {
        let row = |height| BlockRow { height, time_ms: MIDNIGHT_MS, hash: [0; 32] };
        encode(&(0..count as u64).map(row).collect::<Vec<_>>()).unwrap()
    };
    let file = |count| made::<BlockRow>(&settings, &rows(count), properties().build());
    assert_eq!(read_all::<BlockRow>(&file(GROUP_ROWS_MAX), &settings), Ok(GROUP_ROWS_MAX as u64));
    let refused = TableFile::of::<BlockRow>(file(GROUP_ROWS_MAX + 1).into(), &settings).unwrap_err();
    assert_eq!(refused.detail, "a row group of 8193 rows; there are 1 to 8192");
}

#[test]
fn other_columns_are_refused() {
    let scene = Scene::new();
    let settings = scene.settings();
    let batch = encode(&scene.blocks).unwrap();
    let refused = |places: &[usize]| {
        let file = made::<BlockRow>(&settings, &batch.project(places).unwrap(), properties().build());
        TableFile::of::<BlockRow>(file.into(), &settings).map(drop).unwrap_err().detail
    };
    assert_eq!(refused(&[0, 1]), "2 columns, not 3");
    assert_eq!(
        refused(&[0, 2, 1]),
        "a column (hash FixedSizeBinary(32) false) where (time Timestamp(ms, \"UTC\") false) must be"
    );
}

/// Every seventh byte of every file, changed. Whatever the library makes of it (on some it panics), we come back with as many rows
/// or a refusal. What is not noticed is one of the validator's own words, a hash, a statistic or padding.
#[test]
fn no_changed_byte_is_more_than_a_refusal() {
    let (settings, files) = honest_files();
    for (table, honest) in files {
        let rows = read_table(table, &honest, &settings).unwrap();
        let changed = (0..honest.len()).step_by(7).map(|place| {
            let mut bytes = honest.clone();
            bytes[place] ^= 0xff;
            bytes
        });
        let read: Vec<_> = changed.map(|bytes| read_table(table, &bytes, &settings)).collect();
        assert!(read.iter().flatten().all(|found| *found == rows), "{table:?}: {read:?}");
        let refused = read.iter().filter(|read| read.is_err()).count();
        assert!(3 * refused > read.len(), "{table:?}: {refused} of {} changes were refused", read.len());
    }
}

/// The bytes at which the library panics: definition levels of a column that may be null, cut short. Without a guard the
/// process that looks into such a file would be gone.
#[test]
fn a_file_that_makes_the_library_panic_is_refused() {
    let (settings, files) = honest_files();
    let (_, honest) = files.iter().find(|(table, _)| *table == Table::Receipts).unwrap();
    let whole = TableFile::of::<ReceiptRow>(honest.clone().into(), &settings).unwrap();
    let column = whole.column_bytes(0, "partition_id");
    let stumbled = |(place, bit): (usize, u8)| {
        let mut bytes = honest.clone();
        bytes[place] ^= 1 << bit;
        let file = TableFile::of::<ReceiptRow>(bytes.into(), &settings).ok()?;
        file.group(0).err().filter(|refused| refused.detail.contains("stumbled"))
    };
    let mut changes = column.flat_map(|place| (0..8).map(move |bit| (place, bit)));
    assert!(
        changes.any(|change| stumbled(change).is_some()),
        "none does any more: is the guard still needed?"
    );
}

fn file_and_changes() -> impl Strategy<Value = (prop::sample::Index, Vec<(prop::sample::Index, Vec<u8>)>)> {
    let change = (any::<prop::sample::Index>(), prop::collection::vec(any::<u8>(), 1..12));
    (any::<prop::sample::Index>(), prop::collection::vec(change, 1..5))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn arbitrary_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let settings = *SETTINGS;
        for table in Table::ALL {
            prop_assert!(read_table(table, &bytes, &settings).is_err());
        }
    }

    /// Behind the magic and a footer length that fits, the bytes reach the library's own decoder.
    #[test]
    fn arbitrary_footers_are_refused(footer in prop::collection::vec(any::<u8>(), 0..600)) {
        let settings = *SETTINGS;
        let length = u32::try_from(footer.len()).unwrap().to_le_bytes();
        let bytes = [b"PAR1", &footer[..], &length, b"PAR1"].concat();
        for table in Table::ALL {
            prop_assert!(read_table(table, &bytes, &settings).is_err());
        }
    }
}

/// Several places of a real file overwritten at once, footers above all. The files are made once: that takes longer than reading.
#[test]
fn files_changed_in_many_places_are_read_or_refused() {
    let (settings, files) = honest_files();
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: 1024,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    runner
        .run(&file_and_changes(), |(file, changes)| {
            let (table, mut bytes) = file.get(&files).clone();
            let length = bytes.len();
            // Half of the places in the last kilobyte, where the footer is.
            for (i, (place, patch)) in changes.iter().enumerate() {
                let start = if i % 2 == 0 { length.saturating_sub(1024) } else { 0 };
                let place = start + place.index(length - start);
                for (byte, new) in bytes[place..].iter_mut().zip(patch) {
                    *byte = *new;
                }
            }
            let read = read_table(table, &bytes, &settings);
            prop_assert!(read.is_err() || read.is_ok_and(|rows| rows <= 36));
            Ok(())
        })
        .unwrap();
}
