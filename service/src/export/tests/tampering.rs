//! Every way to change an export that we could think of, by name, and what comes of it. Whoever changes one is taken to write
//! Parquet files as well as the exporter does.

use std::os::unix::fs::symlink;

use arrow_array::ArrayRef;

use super::*;

/// Gives the rows of a table's last file, one column at a time, the values of the row after. Returns the columns in which that
/// changes nothing and those in which nobody noticed.
fn lie_in_each_column<R: Row + Clone>(scene: &Scene, rows: &[R]) -> (Vec<&'static str>, Vec<&'static str>) {
    let directory = scene.written();
    let root = directory.path();
    let path = files(root, R::TABLE).pop().unwrap();
    let batch = columns_of::<R>(&path, &scene.settings());
    let mut turned = rows[rows.len() - batch.num_rows()..].to_vec();
    turned.rotate_left(1);
    let (mut unchanged, mut unnoticed) = (vec![], vec![]);
    for (place, lie) in R::columns(&turned).into_iter().enumerate() {
        let mut columns: Vec<ArrayRef> = batch.columns().to_vec();
        if columns[place].as_ref() == lie.values.as_ref() {
            unchanged.push(lie.name);
            continue;
        }
        columns[place] = lie.values;
        let forged = RecordBatch::try_new(batch.schema(), columns).unwrap();
        forge(&path, R::TABLE, &scene.settings().network, &forged);
        match read::<R>(root) {
            Ok(_) => unnoticed.push(lie.name),
            Err(ExportError::Rejected { .. }) => {}
            Err(other) => panic!("{other}"),
        }
    }
    (unchanged, unnoticed)
}

/// Columns are for people and SQL, bytes for verifying; they must not tell different stories. Only what the validator alone
/// knows can be changed unnoticed, and the specification says which columns those are. (All receipts here are of one pair.)
#[test]
fn one_changed_column_of_receipts() {
    let scene = Scene::new();
    let (unchanged, unnoticed) = lie_in_each_column(&scene, &scene.receipts);
    assert_eq!(unchanged, ["validator", "miner"]);
    // Latency, proven bytes and reason are refused where they do not fit the outcome.
    assert_eq!(unnoticed, ["time", "bytes_read"]);
}

#[test]
fn one_changed_column_of_partitions() {
    let scene = Scene::new();
    let (unchanged, unnoticed) = lie_in_each_column(&scene, &scene.partitions);
    assert_eq!(unchanged, ["partition_id"]);
    // Batches are compared with the recorder, and make other challenges.
    assert_eq!(unnoticed, ["time", "height"]);
}

#[test]
fn one_changed_column_of_anchors() {
    let scene = Scene::new();
    let (unchanged, unnoticed) = lie_in_each_column(&scene, &scene.anchors);
    assert_eq!(unchanged, [""; 0]);
    assert_eq!(unnoticed, ["time"]);
}

#[test]
fn one_changed_column_of_records() {
    let mut scene = Scene::new();
    let mut record = scene.rounds.object_record(2);
    record.miner = scene.rounds.validator.account();
    record.checker = scene.rounds.miner.account();
    scene.rounds.recorder.record_object(&record.digest()).unwrap();
    let second = record_row(1, &scene.rounds, &record.sign(&scene.rounds.miner));
    scene.records.push(RecordRow { time_ms: scene.records[0].time_ms, ..second });
    let (unchanged, unnoticed) = lie_in_each_column(&scene, &scene.records);
    assert_eq!(unchanged, ["time", "length_bytes"]);
    assert_eq!(unnoticed, ["recorded_at"], "the recorder knows it");
}

/// The message names the row and the column.
#[test]
fn a_lie_is_named() {
    let scene = Scene::new();
    let directory = scene.written();
    let path = files(directory.path(), Table::Receipts).pop().unwrap();
    let batch = columns_of::<ReceiptRow>(&path, &scene.settings());
    let mut columns = batch.columns().to_vec();
    let place = batch.schema().index_of("outcome").unwrap();
    let honest: Vec<_> = scene.receipts[12..].iter().map(|row| row.receipt.body.outcome.name()).collect();
    // The missed round at height 21 is passed off as accepted.
    let changed = honest.iter().map(|name| if *name == "missed" { "accepted" } else { name });
    columns[place] = std::sync::Arc::new(arrow_array::StringArray::from_iter_values(changed));
    forge(
        &path,
        Table::Receipts,
        &scene.settings().network,
        &RecordBatch::try_new(batch.schema(), columns).unwrap(),
    );
    let (class, place, detail) = refusal(directory.path(), verify(directory.path()));
    assert_eq!(class, Class::WrongRecord);
    assert_eq!(place, "receipts/date=2025-10-17/part-00000000000000000012-00000000000000000035.parquet");
    assert_eq!(detail, "row 15: column outcome says something else than the bytes");
}

#[test]
fn swapped_receipts() {
    let scene = Scene::new();
    let directory = scene.written();
    let mut rows = scene.receipts.clone();
    let (one, two) = (rows[12].receipt, rows[15].receipt);
    rows[12] = receipt_row(12, two);
    rows[15] = receipt_row(15, one);
    forge_table(directory.path(), &scene.settings(), &rows);
    let (class, _, detail) = refusal(directory.path(), verify(directory.path()));
    assert_eq!(class, Class::BrokenChain);
    assert!(detail.starts_with("receipt 12: it follows"), "{detail}");
}

#[test]
fn a_receipt_whose_outcome_was_changed() {
    let scene = Scene::new();
    let directory = scene.written();
    let mut rows = scene.receipts.clone();
    let rejected = rows.iter().rposition(|row| row.rejection.is_some()).unwrap();
    let mut receipt = rows[rejected].receipt;
    receipt.body.outcome = Outcome::Accepted;
    rows[rejected] = receipt_row(rejected as u64, receipt);
    forge_table(directory.path(), &scene.settings(), &rows);
    let (class, _, detail) = refusal(directory.path(), verify(directory.path()));
    assert_eq!(class, Class::BrokenChain, "the next link names the body that was signed");
    // The last link has none after it; its signatures tell.
    rows.truncate(rejected + 1);
    forge_table(directory.path(), &scene.settings(), &rows);
    let (class, place, last) = refusal(directory.path(), verify(directory.path()));
    assert_eq!(class, Class::BadSignature);
    assert!(place.starts_with("receipts/date=2025-10-17/"), "{place}");
    assert_ne!(detail, last);
}

/// In the middle the numbers tell, before any file is read.
#[test]
fn a_dropped_file() {
    let scene = Scene::new();
    let directory = scene.written();
    fs::remove_file(files(directory.path(), Table::Receipts).remove(0)).unwrap();
    let (class, place, detail) = refusal(directory.path(), verify(directory.path()));
    assert_eq!((class, place.as_str()), (Class::WrongRecord, "receipts"));
    assert_eq!(detail, "rows 0 to 11 are missing");
}

/// At the end nothing follows that would tell, but the rounds were held: blocks and anchors say so.
#[test]
fn a_dropped_last_file() {
    let scene = Scene::new();
    let directory = scene.written();
    fs::remove_file(files(directory.path(), Table::Receipts).pop().unwrap()).unwrap();
    let report = verify(directory.path()).unwrap();
    let missing: Vec<_> = report.chains.chains.iter().map(|chain| chain.missing_rounds.len()).collect();
    assert_eq!(missing, [8, 16]);
    // Of heights 20 to 27 two were missed: 21 and 26.
    assert_eq!(report.anchored_without_receipt, 24 - 2);
}

/// With its blocks and anchors gone as well, an export is one of an earlier day, and says so by its last block.
#[test]
fn a_dropped_last_day() {
    let scene = Scene::new();
    let directory = scene.written();
    for table in [Table::Receipts, Table::Anchors, Table::Events, Table::Blocks] {
        fs::remove_file(files(directory.path(), table).pop().unwrap()).unwrap();
    }
    let report = verify(directory.path()).unwrap();
    assert_eq!(report.heights, Some((0, 19)));
    assert_eq!(report.chains.void.len(), 12, "no block has eight on top of it");
}

#[test]
fn a_dropped_row() {
    let scene = Scene::new();
    let directory = scene.written();
    let root = directory.path();
    let path = files(root, Table::Receipts).pop().unwrap();
    let mut rows = scene.receipts[12..].to_vec();
    rows.remove(3);
    forge(&path, Table::Receipts, &scene.settings().network, &encode(&rows).unwrap());
    let (class, _, detail) = refusal(root, verify(root));
    assert_eq!((class, detail.as_str()), (Class::WrongRecord, "row 16 where row 15 of 12 to 35 must be"));
    // The same from the file's end, where no row follows.
    rows = scene.receipts[12..35].to_vec();
    forge(&path, Table::Receipts, &scene.settings().network, &encode(&rows).unwrap());
    let (class, _, detail) = refusal(root, verify(root));
    assert_eq!((class, detail.as_str()), (Class::WrongRecord, "rows 35 to 35 are missing at its end"));
    // Numbered anew, the chain tells.
    rows = [&scene.receipts[..15], &scene.receipts[16..]].concat();
    (0..).zip(&mut rows).for_each(|(number, row)| row.number = number);
    forge_table(root, &scene.settings(), &rows);
    let (class, _, _) = refusal(root, verify(root));
    assert_eq!(class, Class::BrokenChain);
}

#[test]
fn a_doubled_file() {
    let scene = Scene::new();
    let directory = scene.written();
    let path = files(directory.path(), Table::Events).pop().unwrap();
    let name = path.file_name().unwrap();
    let other = directory.path().join("events/date=2025-10-18");
    fs::create_dir(&other).unwrap();
    fs::copy(&path, other.join(name)).unwrap();
    let (class, place, detail) = refusal(directory.path(), verify(directory.path()));
    assert_eq!((class, place.as_str()), (Class::WrongRecord, "events"));
    assert_eq!(detail, "rows 4 to 11 are there twice");
}

#[test]
fn a_file_in_the_folder_of_another_day() {
    let scene = Scene::new();
    let directory = scene.written();
    fs::rename(
        directory.path().join("events/date=2025-10-17"),
        directory.path().join("events/date=2025-10-18"),
    )
    .unwrap();
    let (class, _, detail) = refusal(directory.path(), verify(directory.path()));
    assert_eq!(class, Class::WrongRecord);
    assert_eq!(detail, "row 4 is of another day, 1760659200000 ms, than its folder");
}

/// DuckDB and pandas would read along with the rest whatever lies there.
#[test]
fn foreign_files_and_folders() {
    let scene = Scene::new();
    let directory = scene.written();
    let root = directory.path();
    let day = root.join("receipts/date=2025-10-17");
    let refused = |place: &Path| {
        let (class, found, _) = refusal(root, verify(root));
        assert_eq!((class, root.join(found)), (Class::Malformed, place.to_owned()));
    };
    for place in [day.join("more.parquet"), root.join("receipts/notes.txt"), root.join("notes.txt")] {
        fs::write(&place, b"PAR1").unwrap();
        refused(&place);
        fs::remove_file(&place).unwrap();
    }
    for place in [
        day.join("part-00000000000000000036-00000000000000000036.parquet"),
        root.join("other"),
        root.join("receipts/date=today"),
    ] {
        fs::create_dir(&place).unwrap();
        refused(&place);
        fs::remove_dir(&place).unwrap();
    }
    // A link may lead anywhere, to an endless device too.
    let link = day.join("part-00000000000000000036-00000000000000000036.parquet");
    symlink("/dev/zero", &link).unwrap();
    refused(&link);
    fs::remove_file(&link).unwrap();
    // A file of another table, under the right name.
    let path = files(root, Table::Events).pop().unwrap();
    fs::copy(
        root.join("blocks/date=2025-10-17/part-00000000000000000020-00000000000000000035.parquet"),
        &path,
    )
    .unwrap();
    let (class, _, detail) = refusal(root, verify(root));
    assert_eq!((class, detail.as_str()), (Class::WrongRecord, "its holdfast.table is blocks, not events"));
}

#[test]
fn a_file_cut_off_anywhere() {
    let scene = Scene::new();
    let directory = scene.written();
    let root = directory.path();
    let path = files(root, Table::Receipts).pop().unwrap();
    let whole = fs::read(&path).unwrap();
    for length in (0..whole.len()).step_by(97).chain(whole.len() - 12..whole.len()) {
        fs::write(&path, &whole[..length]).unwrap();
        let (class, place, _) = refusal(root, verify(root));
        assert!([Class::Malformed, Class::WrongLength].contains(&class), "{length} bytes: {class}");
        assert_eq!(root.join(place), path);
    }
}

#[test]
fn a_file_of_another_network() {
    let scene = Scene::new();
    let directory = scene.written();
    let root = directory.path();
    let path = files(root, Table::Blocks).pop().unwrap();
    let batch = columns_of::<BlockRow>(&path, &scene.settings());
    forge(&path, Table::Blocks, &[9; 32], &batch);
    let (class, _, detail) = refusal(root, verify(root));
    assert_eq!(class, Class::WrongChallenge);
    assert!(detail.starts_with("its holdfast.network is 0909"), "{detail}");
}

/// The network is in what is signed, so an export cannot be passed off as one of another network.
#[test]
fn all_files_passed_off_as_another_networks() {
    let scene = Scene::new();
    let directory = scene.written();
    let root = directory.path();
    let settings = ExportSettings { network: [9; 32], ..scene.settings() };
    let text = fs::read_to_string(root.join(SETTINGS_FILE)).unwrap();
    let network = |network: [u8; 32]| hex::encode(network);
    fs::write(root.join(SETTINGS_FILE), text.replace(&network(scene.settings().network), &network([9; 32])))
        .unwrap();
    forge_table(root, &settings, &scene.blocks);
    forge_table(root, &settings, &scene.receipts);
    forge_table(root, &settings, &scene.events);
    for table in [Table::Anchors, Table::Partitions, Table::Records] {
        fs::remove_dir_all(root.join(table.name())).unwrap();
    }
    let (class, _, _) = refusal(root, verify(root));
    assert_eq!(class, Class::BrokenChain, "links are digests over the network");
    forge_table(root, &settings, &scene.receipts[..1]);
    let (class, _, _) = refusal(root, verify(root));
    assert_eq!(class, Class::BadSignature);
    forge_table(root, &settings, &scene.partitions);
    let (class, _, detail) = refusal(root, verify(root));
    assert_eq!(
        (class, detail.as_str()),
        (Class::WrongRecord, "row 0: an intent for another network or validator")
    );
}

#[test]
fn receipts_of_another_validator() {
    let scene = Scene::new();
    let directory = scene.written();
    let root = directory.path();
    let mut rows = scene.receipts.clone();
    rows[20].receipt.body.key.validator = scene.rounds.miner.account();
    forge_table(root, &scene.settings(), &rows);
    let (class, _, detail) = refusal(root, verify(root));
    assert_eq!(class, Class::WrongRecord);
    assert_eq!(detail, "row 20: a receipt of another validator than the export's");
}
