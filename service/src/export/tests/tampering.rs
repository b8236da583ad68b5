//! Every way to change an export that we could think of, by name, and what comes of it. Whoever changes one is taken to write
//! Parquet files as well as the exporter does.

use std::os::unix::fs::symlink;

use arrow_array::ArrayRef;
use holdfast_engine::receipt::VoidReason;

use super::*;

/// Verifies against the chain.
fn verify_with_chain(root: &Path, scene: &Scene) -> Result<ExportReport, ExportError> {
    let trusted = Trusted { recorder: Some(&scene.rounds.recorder), audits: None };
    verify_export(&ExportReader::open(root)?, trusted)
}

/// The reasons for which receipts are void, each once.
fn void_reasons(report: &ExportReport) -> Vec<VoidReason> {
    let mut reasons: Vec<_> = report.chains.void.iter().map(|void| void.reason).collect();
    reasons.dedup();
    reasons
}

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

/// The export contradicts itself only through seeds: what was asked under another beacon is no challenge of that round. That
/// the hash is not the chain's, the chain says.
#[test]
fn a_changed_block() {
    let scene = Scene::new();
    let directory = scene.written();
    let root = directory.path();
    let mut rows = scene.blocks.clone();
    rows[25].hash[0] ^= 1;
    forge_table(root, &scene.settings(), &rows);
    let report = verify(root).unwrap();
    assert_eq!((report.chains.void.len(), void_reasons(&report)), (3, vec![VoidReason::WrongSeed]));
    let (class, _, detail) = refusal(root, verify_with_chain(root, &scene));
    assert_eq!(class, Class::WrongRecord);
    assert!(detail.starts_with("block 25 is "), "{detail}");
    // The block whose hash is a registration's beacon stands in two tables.
    rows = scene.blocks.clone();
    rows[8].hash[0] ^= 1;
    forge_table(root, &scene.settings(), &rows);
    let (class, place, detail) = refusal(root, verify(root));
    assert_eq!((class, place.as_str()), (Class::WrongRecord, "blocks"));
    assert_eq!(detail, "partition 0 has another beacon than block 8 has");
}

/// Missing rounds are looked for block by block, so that whoever leaves blocks out would get rid of rounds.
#[test]
fn blocks_left_out() {
    let scene = Scene::new();
    let directory = scene.written();
    let root = directory.path();
    let without_middle = [&scene.blocks[..22], &scene.blocks[23..]].concat();
    forge_table(root, &scene.settings(), &without_middle);
    let (class, _, detail) = refusal(root, verify(root));
    assert_eq!((class, detail.as_str()), (Class::WrongRecord, "row 23 where row 22 of 20 to 35 must be"));
    forge_table(root, &scene.settings(), &scene.blocks[17..]);
    let (class, _, detail) = refusal(root, verify(root));
    assert_eq!(class, Class::WrongRecord);
    assert_eq!(detail, "they begin at height 17, after the first audits of partition 0");
    let _ = fs::remove_dir_all(root.join("partitions"));
    let (class, _, detail) = refusal(root, verify(root));
    assert_eq!(class, Class::WrongRecord);
    assert_eq!(detail, "they begin at height 17; an object can be audited from 16 on");
}

#[test]
fn a_partition_left_out() {
    let scene = Scene::new();
    let directory = scene.written();
    let root = directory.path();
    fs::remove_dir_all(root.join("partitions")).unwrap();
    let report = verify(root).unwrap();
    assert_eq!((report.chains.void.len(), void_reasons(&report)), (12, vec![VoidReason::WrongSeed]));
    let (class, _, detail) = refusal(root, verify_with_chain(root, &scene));
    assert_eq!((class, detail.as_str()), (Class::WrongRecord, "partition 0 was left out"));
}

#[test]
fn changed_partitions() {
    let scene = Scene::new();
    let directory = scene.written();
    let root = directory.path();
    let with = |change: &dyn Fn(&mut Vec<PartitionRow>)| {
        let mut rows = scene.partitions.clone();
        change(&mut rows);
        forge_table(root, &scene.settings(), &rows);
    };
    let batch = |end| PartitionChange::Batch { end, partition_root: [7; 32] };
    let next = |height, change| PartitionRow {
        number: 2,
        time_ms: time_ms(height),
        height,
        partition_id: 0,
        change,
    };
    let refused = || {
        let (class, _, detail) = refusal(root, verify(root));
        (class, detail)
    };
    let wrong = |detail: &str| (Class::WrongRecord, detail.to_owned());
    // A root that was never recorded makes other challenges; that it was not recorded, the chain says.
    with(&|rows| rows[1].change = PartitionChange::Batch { end: 6, partition_root: [8; 32] });
    let report = verify(root).unwrap();
    assert_eq!((report.chains.void.len(), void_reasons(&report)), (12, vec![VoidReason::WrongSeed]));
    let (_, _, detail) = refusal(root, verify_with_chain(root, &scene));
    assert_eq!(detail, "partition 0: its batches are others than the chain has");
    // A batch that was not recorded, or is left out.
    with(&|rows| rows.push(next(30, batch(7))));
    let (_, _, detail) = refusal(root, verify_with_chain(root, &scene));
    assert_eq!(detail, "partition 0: its batches are others than the chain has");
    with(&|rows| rows.truncate(1));
    let (_, _, detail) = refusal(root, verify_with_chain(root, &scene));
    assert_eq!(detail, "partition 0: its batches are others than the chain has");
    // What cannot have been recorded.
    with(&|rows| rows.push(next(8, batch(7))));
    assert_eq!(refused(), wrong("row 2: partition 0: a batch of 7 windows at height 8, after 6 of 10 at 8"));
    with(&|rows| rows.push(next(9, batch(11))));
    assert_eq!(refused(), wrong("row 2: partition 0: a batch of 11 windows at height 9, after 6 of 10 at 8"));
    with(&|rows| rows.push(next(9, batch(6))));
    assert_eq!(refused(), wrong("row 2: partition 0: a batch of 6 windows at height 9, after 6 of 10 at 8"));
    with(&|rows| rows.push(next(7, PartitionChange::Withdrawal)));
    assert_eq!(refused(), wrong("row 2: partition 0: withdrawn at height 7, before its last change at 8"));
    with(&|rows| {
        rows.push(next(9, PartitionChange::Withdrawal));
        rows.push(PartitionRow { number: 3, ..next(10, batch(7)) });
    });
    assert_eq!(refused(), wrong("row 3: partition 0: changed at height 10, after it was withdrawn"));
    with(&|rows| rows.push(PartitionRow { partition_id: 1, ..next(9, batch(6)) }));
    assert_eq!(refused(), wrong("row 2: partition 1: changed before it was recorded"));
    with(&|rows| rows.push(next(9, rows[0].change)));
    assert_eq!(refused(), wrong("row 2: partition 0: recorded twice"));
    // The miner signed its intent.
    with(&|rows| {
        if let PartitionChange::Intent { intent, .. } = &mut rows[0].change {
            intent.window_cap += 1;
        }
    });
    assert_eq!(refused().0, Class::BadSignature);
}

#[test]
fn a_record_left_out_changed_or_doubled() {
    let scene = Scene::new();
    let directory = scene.written();
    let root = directory.path();
    fs::remove_dir_all(root.join("records")).unwrap();
    let report = verify(root).unwrap();
    assert_eq!((report.chains.void.len(), void_reasons(&report)), (24, vec![VoidReason::UnknownRecord]));

    let mut late = scene.records.clone();
    late[0].recorded_at += 1;
    forge_table(root, &scene.settings(), &late);
    let report = verify(root).unwrap();
    assert_eq!(void_reasons(&report), [VoidReason::NotRecorded]);
    let (_, _, detail) = refusal(root, verify_with_chain(root, &scene));
    assert!(detail.ends_with("was recorded at 9; the chain has it at 8"), "{detail}");

    let mut changed = scene.records.clone();
    changed[0].record.record.height = 0;
    forge_table(root, &scene.settings(), &changed);
    assert_eq!(refusal(root, verify(root)).0, Class::BadSignature);

    let twice = [scene.records[0].clone(), RecordRow { number: 1, ..scene.records[0].clone() }];
    forge_table(root, &scene.settings(), &twice);
    let (class, place, _) = refusal(root, verify(root));
    assert_eq!((class, place.as_str()), (Class::WrongRecord, "records"));
}

/// Anchors are the export's word unless a recorder is asked; what they can do meanwhile is to make receipts void, never to make
/// one count.
#[test]
fn anchors_left_out_changed_late_or_doubled() {
    let scene = Scene::new();
    let directory = scene.written();
    let root = directory.path();
    let height = scene.anchors[4].height;
    let with = |change: &dyn Fn(&mut Vec<AnchorRow>)| {
        let mut rows = scene.anchors.clone();
        change(&mut rows);
        (0..).zip(&mut rows).for_each(|(number, row)| row.number = number);
        forge_table(root, &scene.settings(), &rows);
    };
    let timely = |report: &ExportReport| {
        report.chains.chains.iter().map(|chain| chain.accepted_timely_anchored).sum::<u64>()
    };
    let all = timely(&verify(root).unwrap());

    with(&|rows| drop(rows.remove(4)));
    let report = verify(root).unwrap();
    assert_eq!(
        (report.chains.void.len(), timely(&report)),
        (0, all - 3),
        "three answers are no longer in time"
    );
    let (class, _, detail) = refusal(root, verify_with_chain(root, &scene));
    assert_eq!(
        (class, detail),
        (Class::WrongRecord, format!("the anchor of the round at height {height} was left out"))
    );

    with(&|rows| rows[4].pairs[1][63] ^= 1);
    let report = verify(root).unwrap();
    assert_eq!((report.chains.void.len(), void_reasons(&report)), (1, vec![VoidReason::AnotherDigest]));
    let (class, _, detail) = refusal(root, verify_with_chain(root, &scene));
    assert_eq!(class, Class::WrongRecord);
    assert_eq!(detail, format!("the chain has no such anchor of the round at height {height}"));

    // An answer to the round that was missed at height 21.
    let missed = scene.receipts.iter().rfind(|row| row.latency_ms.is_none()).unwrap().receipt.body;
    with(&|rows| {
        let row = rows.iter_mut().find(|row| row.height == missed.height).unwrap();
        row.pairs.push([missed.challenge_seed, [1; 32]].as_flattened().try_into().unwrap());
        row.pairs.sort_unstable();
    });
    assert_eq!(void_reasons(&verify(root).unwrap()), [VoidReason::AnsweredInTime]);

    with(&|rows| rows[4].recorded_at += 11);
    let report = verify(root).unwrap();
    assert_eq!((report.chains.void.len(), timely(&report)), (0, all - 3), "it was recorded too late");
    with(&|rows| rows.push(rows[4].clone()));
    let (class, _, detail) = refusal(root, verify(root));
    assert_eq!(
        (class, detail),
        (Class::WrongRecord, format!("the round at height {height} is anchored twice"))
    );
    with(&|rows| rows[4].recorded_at = 0);
    assert_eq!(refusal(root, verify(root)).0, Class::WrongRecord);
    with(&|rows| rows[4].pairs[1] = rows[4].pairs[0]);
    assert_eq!(refusal(root, verify(root)).0, Class::Malformed);
}

/// A shorter finality would let rounds count that the network does not count.
#[test]
fn settings_that_are_not_the_chains() {
    let scene = Scene::new();
    let directory = scene.written();
    let root = directory.path();
    let text = fs::read_to_string(root.join(SETTINGS_FILE)).unwrap();
    let write = |from: &str, to: &str| {
        assert!(text.contains(from), "{from} in {text}");
        fs::write(root.join(SETTINGS_FILE), text.replace(from, to)).unwrap();
    };
    write("\"finality_blocks\": 8", "\"finality_blocks\": 7");
    let (_, _, detail) = refusal(root, verify(root));
    assert_eq!(detail, "partition 0 has another beacon than block 7 has");
    fs::remove_dir_all(root.join("partitions")).unwrap();
    let (class, _, detail) = refusal(root, verify_with_chain(root, &scene));
    assert_eq!(class, Class::WrongRecord);
    assert_eq!(detail, "a finality depth of 7 blocks; the chain's is 8");
    for (from, to) in [
        ("\"finality_blocks\": 8", "\"finality_blocks\": 0"),
        ("\"version\": 1", "\"version\": 2"),
        ("holdfast-export", "holdfast-import"),
        ("\"audits\"", "\"audit\""),
        ("{\n", "[\n"),
    ] {
        write(from, to);
        let (class, place, _) = refusal(root, verify(root));
        assert_eq!((class, place.as_str()), (Class::Malformed, SETTINGS_FILE), "{to}");
    }
    fs::write(root.join(SETTINGS_FILE), vec![b' '; 1 << 20]).unwrap();
    assert_eq!(refusal(root, verify(root)).0, Class::Malformed);
}
