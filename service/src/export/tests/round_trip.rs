//! What is written is what is read, wherever it is cut into files and however often it is appended.

use super::*;
use crate::export::limits::{FILE_ROWS_MAX, GROUP_ROWS_MAX};

#[test]
fn all_tables_are_read_as_they_were_written() {
    let scene = Scene::new();
    let directory = scene.written();
    let root = directory.path();
    assert_eq!(read::<ReceiptRow>(root).unwrap(), scene.receipts);
    assert_eq!(read::<EventRow>(root).unwrap(), scene.events);
    assert_eq!(read::<BlockRow>(root).unwrap(), scene.blocks);
    assert_eq!(read::<PartitionRow>(root).unwrap(), scene.partitions);
    assert_eq!(read::<RecordRow>(root).unwrap(), scene.records);
    assert_eq!(read::<AnchorRow>(root).unwrap(), scene.anchors);
    assert!(is_export(root) && !is_export(&root.join("blocks")));
}

/// One file a day, with the numbers of its rows in its name, in folders that Hive, DuckDB and pandas take for a column.
#[test]
fn files_lie_in_folders_of_days() {
    let scene = Scene::new();
    let directory = scene.written();
    let names = |table| {
        let names = files(directory.path(), table).into_iter();
        names
            .map(|path| path.strip_prefix(directory.path()).unwrap().display().to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        names(Table::Blocks),
        [
            "blocks/date=2025-10-16/part-00000000000000000000-00000000000000000019.parquet",
            "blocks/date=2025-10-17/part-00000000000000000020-00000000000000000035.parquet"
        ]
    );
    // Heights 16 to 19 of twelve rounds from 16 on, three receipts each.
    assert_eq!(
        names(Table::Receipts),
        [
            "receipts/date=2025-10-16/part-00000000000000000000-00000000000000000011.parquet",
            "receipts/date=2025-10-17/part-00000000000000000012-00000000000000000035.parquet"
        ]
    );
}

/// A clock that goes back across midnight must not put a row into the folder of another day, nor stop the export.
#[test]
fn a_clock_that_goes_back_makes_another_file() {
    let scene = Scene::new();
    let directory = tempfile::tempdir().unwrap();
    let mut exporter = Exporter::open(directory.path(), scene.settings()).unwrap();
    let times = [MIDNIGHT_MS, MIDNIGHT_MS - 1, MIDNIGHT_MS, 0];
    let rows: Vec<_> =
        (5..).zip(times).map(|(height, time_ms)| BlockRow { height, time_ms, hash: [1; 32] }).collect();
    exporter.append_blocks(&rows).unwrap();
    assert_eq!(files(directory.path(), Table::Blocks).len(), 4);
    assert_eq!(read::<BlockRow>(directory.path()).unwrap(), rows);
}

#[test]
fn rows_that_are_there_are_not_written_again() {
    let scene = Scene::new();
    let directory = scene.written();
    let before: Vec<_> =
        files(directory.path(), Table::Receipts).iter().map(|path| fs::read(path).unwrap()).collect();
    let mut exporter = Exporter::open(directory.path(), scene.settings()).unwrap();
    let rows = scene.receipts.len() as u64;
    assert_eq!(exporter.next(Table::Receipts), Some(rows));
    assert_eq!(exporter.append_receipts(&scene.receipts).unwrap(), Appended { written: 0, skipped: rows });

    let mut more = scene.receipts[30..].to_vec();
    let mut last = more[more.len() - 1].clone();
    last.number = rows;
    more.push(last);
    assert_eq!(exporter.append_receipts(&more).unwrap(), Appended { written: 1, skipped: 6 });
    let after = files(directory.path(), Table::Receipts);
    assert_eq!(after.len(), before.len() + 1);
    assert_eq!(after[..2].iter().map(|path| fs::read(path).unwrap()).collect::<Vec<_>>(), before);
}

/// Otherwise a validator whose index lost rows would export a chain that nobody can verify.
#[test]
fn a_gap_is_refused_and_nothing_is_written() {
    let scene = Scene::new();
    let directory = tempfile::tempdir().unwrap();
    let mut exporter = Exporter::open(directory.path(), scene.settings()).unwrap();
    let gap = exporter.append_receipts(&scene.receipts[1..]);
    assert!(
        matches!(gap, Err(ExportError::Gap { table: Table::Receipts, expected: 0, found: 1 })),
        "{gap:?}"
    );
    let mut rows = scene.receipts.clone();
    rows.remove(20);
    let gap = exporter.append_receipts(&rows);
    assert!(matches!(gap, Err(ExportError::Gap { expected: 20, found: 21, .. })), "{gap:?}");
    assert_eq!(files(directory.path(), Table::Receipts), Vec::<PathBuf>::new());
    // Blocks begin where the validator did.
    assert_eq!(exporter.next(Table::Blocks), None);
    exporter.append_blocks(&scene.blocks[7..9]).unwrap();
    assert_eq!(exporter.next(Table::Blocks), Some(9));
    let gap = exporter.append_blocks(&scene.blocks[10..]);
    assert!(matches!(gap, Err(ExportError::Gap { expected: 9, found: 10, .. })), "{gap:?}");
}

/// What a reader would refuse must not be written: it could never be taken out again.
#[test]
fn rows_that_no_reader_takes_are_refused() {
    let scene = Scene::new();
    let directory = tempfile::tempdir().unwrap();
    let mut exporter = Exporter::open(directory.path(), scene.settings()).unwrap();
    let detail = |result: Result<Appended, ExportError>| match result {
        Err(ExportError::Row { detail, .. }) => detail,
        other => panic!("it was taken: {other:?}"),
    };
    let change = |row: usize, change: &dyn Fn(&mut ReceiptRow)| {
        let mut rows = scene.receipts.clone();
        change(&mut rows[row]);
        rows
    };
    let missed = scene.receipts.iter().position(|row| row.receipt.body.outcome == Outcome::Missed).unwrap();
    let rejected = scene.receipts.iter().position(|row| row.rejection.is_some()).unwrap();
    let late = change(missed, &|row| row.latency_ms = Some(1));
    assert_eq!(detail(exporter.append_receipts(&late)), "a latency of a round that was missed");
    let silent = change(rejected, &|row| row.rejection = None);
    assert_eq!(detail(exporter.append_receipts(&silent)), "a rejected round has a reason, and no other has");
    let proven = change(rejected, &|row| row.proven_object_bytes = 1);
    assert_eq!(detail(exporter.append_receipts(&proven)), "bytes are proven by an accepted round only");
    let wordy =
        change(rejected, &|row| row.rejection = Some(Class::Late.because("x".repeat(MESSAGE_BYTES_MAX + 1))));
    assert_eq!(detail(exporter.append_receipts(&wordy)), "a message of 4097 bytes; 4096 is the most");
    let far = change(35, &|row| row.time_ms = layout::TIME_MS_MAX + 1);
    assert_eq!(
        detail(exporter.append_receipts(&far)),
        "its time, 253402300800000 ms, is after the year 9999"
    );

    let mut anchor = scene.anchors[0].clone();
    anchor.pairs.reverse();
    assert_eq!(detail(exporter.append_anchors(&[anchor.clone()])), "2 pairs that are not sorted, or none");
    anchor.pairs.clear();
    assert_eq!(detail(exporter.append_anchors(&[anchor])), "0 pairs that are not sorted, or none");
    let mut record = scene.records[0].clone();
    record.record.record.height += 1;
    assert!(detail(exporter.append_records(&[record])).contains("signature"));
    for table in Table::ALL {
        assert_eq!(files(directory.path(), table), Vec::<PathBuf>::new());
    }
}

#[test]
fn another_export_is_not_continued() {
    let scene = Scene::new();
    let directory = scene.written();
    let settings = scene.settings();
    let field = |settings| match Exporter::open(directory.path(), settings) {
        Err(ExportError::OtherExport { field, .. }) => field,
        other => panic!("it was opened: {other:?}"),
    };
    assert_eq!(field(ExportSettings { network: [9; 32], ..settings }), "network");
    assert_eq!(field(ExportSettings { validator: scene.rounds.miner.account(), ..settings }), "validator");
    assert_eq!(field(ExportSettings { finality_blocks: NonZeroU64::MIN, ..settings }), "finality depth");
    assert_eq!(field(ExportSettings { audits: None, ..settings }), "audit rates");
}

/// Two validators with one configuration must not write into one export.
#[test]
fn a_second_writer_is_kept_away() {
    let scene = Scene::new();
    let directory = tempfile::tempdir().unwrap();
    let first = Exporter::open(directory.path(), scene.settings()).unwrap();
    let second = Exporter::open(directory.path(), scene.settings());
    assert!(matches!(second, Err(ExportError::Locked { .. })), "{second:?}");
    drop(first);
    assert!(Exporter::open(directory.path(), scene.settings()).is_ok());
}

/// Memory is bounded by row groups, files by rows: one more row than fits begins another.
#[test]
fn many_rows_become_several_files_of_several_groups() {
    let scene = Scene::new();
    let directory = tempfile::tempdir().unwrap();
    let mut exporter = Exporter::open(directory.path(), scene.settings()).unwrap();
    let count = FILE_ROWS_MAX as u64 + 1;
    let rows: Vec<_> = (0..count)
        .map(|height| BlockRow { height, time_ms: MIDNIGHT_MS + height, hash: [height.to_le_bytes()[0]; 32] })
        .collect();
    exporter.append_blocks(&rows).unwrap();
    let parts = files(directory.path(), Table::Blocks);
    let groups: Vec<_> = parts
        .iter()
        .map(|path| TableFile::open::<BlockRow>(path, &scene.settings()).unwrap().groups())
        .collect();
    assert_eq!(groups, [FILE_ROWS_MAX / GROUP_ROWS_MAX, 1]);
    let reader = ExportReader::open(directory.path()).unwrap();
    assert_eq!(reader.counts(Table::Blocks), (2, count));
    assert_eq!(read::<BlockRow>(directory.path()).unwrap(), rows);
}

/// Anchors have no fixed size: the largest that there may be goes into a group and a file of its own.
#[test]
fn large_anchors_are_spread_over_groups_and_files() {
    let scene = Scene::new();
    let directory = tempfile::tempdir().unwrap();
    let mut exporter = Exporter::open(directory.path(), scene.settings()).unwrap();
    let pairs = |count: usize| {
        let pair = |i: usize| {
            let mut pair = [0; 64];
            pair[24..32].copy_from_slice(&(i as u64).to_be_bytes());
            pair[32..40].copy_from_slice(&(i as u64).to_le_bytes());
            pair
        };
        (0..count).map(pair).collect()
    };
    let counts = [10, PAIRS_MAX, 10, PAIRS_MAX / 4, PAIRS_MAX / 4];
    let row = |(number, count)| AnchorRow {
        number,
        time_ms: MIDNIGHT_MS,
        height: number,
        recorded_at: number,
        pairs: pairs(count),
    };
    let rows: Vec<_> = (0..).zip(counts).map(row).collect();
    exporter.append_anchors(&rows).unwrap();
    let groups = |path: &PathBuf| TableFile::open::<AnchorRow>(path, &scene.settings()).unwrap().groups();
    let parts = files(directory.path(), Table::Anchors);
    assert_eq!(parts.iter().map(groups).collect::<Vec<_>>(), [1, 1, 3]);
    assert_eq!(read::<AnchorRow>(directory.path()).unwrap(), rows);
}

/// Old days may be kept elsewhere: a validator goes on, and whoever verifies takes all of them.
#[test]
fn an_export_goes_on_without_its_old_days() {
    let scene = Scene::new();
    let directory = scene.written();
    let root = directory.path();
    fs::remove_dir_all(root.join("receipts/date=2025-10-16")).unwrap();
    let mut exporter = Exporter::open(root, scene.settings()).unwrap();
    assert_eq!(exporter.next(Table::Receipts), Some(36));
    let all = u64::try_from(scene.receipts.len()).unwrap();
    assert_eq!(exporter.append_receipts(&scene.receipts).unwrap(), Appended { written: 0, skipped: all });
    assert_eq!(refusal(root, ExportReader::open(root)).2, "rows 0 to 11 are missing");
}

/// After a failed write nobody knows what the disk has; another file over the same rows would be there twice.
#[test]
fn after_a_failed_write_nothing_is_written_until_it_is_opened_again() {
    let scene = Scene::new();
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    let mut exporter = Exporter::open(root, scene.settings()).unwrap();
    let folder = root.join("blocks/date=2025-10-17");
    let in_the_way = folder.join(format!("{}.new", layout::part_name(20, 35)));
    fs::create_dir_all(&in_the_way).unwrap();
    let failed = exporter.append_blocks(&scene.blocks);
    assert!(matches!(failed, Err(ExportError::File { doing: "create", .. })), "{failed:?}");
    fs::remove_dir(&in_the_way).unwrap();
    let stopped = exporter.append_blocks(&scene.blocks);
    assert!(matches!(stopped, Err(ExportError::Stopped { .. })), "{stopped:?}");
    drop(exporter);
    let mut exporter = Exporter::open(root, scene.settings()).unwrap();
    // The first day was written before the second failed.
    assert_eq!(exporter.append_blocks(&scene.blocks).unwrap(), Appended { written: 16, skipped: 20 });
    assert_eq!(read::<BlockRow>(root).unwrap(), scene.blocks);
}
