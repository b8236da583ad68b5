//! Changes to what an export says is recorded: blocks, partitions, records, anchors, settings. What of it the export alone
//! does not show, the chain does.

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
