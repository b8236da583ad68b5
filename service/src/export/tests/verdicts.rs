//! What an export shows by itself, and against the chain.

use super::*;
use holdfast_engine::receipt::{Body, ChainKey, VoidReason};

#[test]
fn an_honest_export_verifies_from_itself_alone() {
    let scene = Scene::new();
    let directory = scene.written();
    let report = verify(directory.path()).unwrap();
    let [partition, object] = &report.chains.chains[..] else { panic!("{:?}", report.chains) };
    // Heights 16 to 27: of five one is missed (16, 21, 26) and one rejected (18, 23).
    let counted = (partition.accepted, partition.missed, partition.rejected, partition.void);
    assert_eq!(counted, (7, 3, 2, 0));
    assert_eq!((object.accepted, object.receipts), (24, 24));
    for chain in [partition, object] {
        assert_eq!(chain.accepted_timely_anchored, chain.accepted, "all were anchored in time");
        assert_eq!(chain.accepted_finalised, chain.accepted);
        assert_eq!(chain.missing_rounds, []);
    }
    assert_eq!((report.anchored_without_receipt, report.compared_with_recorder), (0, false));
    assert_eq!((report.events, report.records, report.partitions, report.anchors), (12, 1, 1, 12));
    assert_eq!(report.heights, Some((0, 35)));
    assert_eq!(report.files, 10);
}

#[test]
fn an_honest_export_is_what_the_chain_has() {
    let scene = Scene::new();
    let directory = scene.written();
    let reader = ExportReader::open(directory.path()).unwrap();
    let trusted = Trusted { recorder: Some(&scene.rounds.recorder), audits: None };
    assert!(verify_export(&reader, trusted).unwrap().compared_with_recorder);
}

/// The engine's verifier over a chain file, asked with the same recorder, is the second opinion.
#[test]
fn the_verdict_is_that_of_a_chain_file_and_the_recorder() {
    use holdfast_engine::receipt::{ANCHOR_BLOCKS, ChainVerifier, encode_chain_header, verify_chain};
    let scene = Scene::new();
    let directory = scene.written();
    let mut file = encode_chain_header(&scene.rounds.network()).to_vec();
    file.extend(scene.receipts.iter().flat_map(|row| row.receipt.encode()));
    let records: Vec<_> = scene.records.iter().map(|row| row.record.clone()).collect();
    let mut verifier = ChainVerifier::new(scene.rounds.network())
        .with_recorder(&scene.rounds.recorder, ANCHOR_BLOCKS)
        .with_audits(u64::MAX, 27)
        .with_objects(&records)
        .unwrap()
        .with_object_lottery(NonZeroU64::MIN);
    for anchor in &scene.anchors {
        let anchored = anchor.anchored().unwrap();
        for pair in &anchor.pairs {
            let seed = pair[..32].try_into().unwrap();
            let proof = anchored.prove(anchor.height, scene.rounds.validator.account(), &seed).unwrap();
            verifier.add_anchored(&proof).unwrap();
        }
    }
    let expected = verify_chain(&file[..], verifier, |_, _| ()).unwrap();
    assert_eq!(verify(directory.path()).unwrap().chains, expected);
}

/// A validator that starts anew appends in many small steps; what comes out is the same.
#[test]
fn an_export_in_many_steps_verifies_too() {
    let scene = Scene::new();
    let directory = tempfile::tempdir().unwrap();
    for step in 1..=ROUNDS {
        let rows = |per_round: u64| usize::try_from(step * per_round).unwrap();
        let mut exporter = Exporter::open(directory.path(), scene.settings()).unwrap();
        exporter.append_partitions(&scene.partitions).unwrap();
        exporter.append_records(&scene.records).unwrap();
        exporter.append_anchors(&scene.anchors[..rows(1)]).unwrap();
        exporter.append_receipts(&scene.receipts[..rows(3)]).unwrap();
        exporter.append_blocks(&scene.blocks[..scene.blocks.len().min(rows(3))]).unwrap();
        drop(exporter);
        verify(directory.path()).unwrap();
    }
    let report = verify(directory.path()).unwrap();
    assert_eq!(report.chains.chains.len(), 2);
    assert_eq!(report.chains.void, []);
    assert_eq!(report.files, 2 + 1 + 12 + 12 + 12);
}

/// A chain of which there is not one receipt is missed as well: nobody gets rid of a miss by leaving everything out.
#[test]
fn rounds_without_receipts_are_missing() {
    let scene = Scene::new();
    let directory = tempfile::tempdir().unwrap();
    let mut exporter = Exporter::open(directory.path(), scene.settings()).unwrap();
    exporter.append_partitions(&scene.partitions).unwrap();
    exporter.append_records(&scene.records).unwrap();
    exporter.append_anchors(&scene.anchors).unwrap();
    exporter.append_blocks(&scene.blocks).unwrap();
    let report = verify(directory.path()).unwrap();
    let missing: Vec<_> = report.chains.chains.iter().map(|chain| chain.missing_rounds.len()).collect();
    assert_eq!(missing, [12, 24], "of the partition and of the object");
    let timely = scene.receipts.iter().filter(|row| row.latency_ms.is_some()).count() as u64;
    assert_eq!(report.anchored_without_receipt, timely);
}

/// A receipt of somebody else that names the seed of an answer without a receipt is no receipt of that answer.
#[test]
fn a_made_up_receipt_hides_none_that_is_left_out() {
    let scene = Scene::new();
    let directory = scene.written();
    let mut rows = scene.receipts.clone();
    let left_out = rows.pop().unwrap();
    let body = left_out.receipt.body;
    let key = ChainKey { miner: scene.rounds.validator.account(), ..body.key };
    let made_up = Body { key, previous: [0; 32], ..body };
    let receipt = Receipt::issue(made_up, &scene.rounds.network(), &scene.rounds.validator);
    rows.push(ReceiptRow { receipt, ..left_out });
    forge_table(directory.path(), &scene.settings(), &rows);
    let report = verify(directory.path()).unwrap();
    let reasons: Vec<_> = report.chains.void.iter().map(|void| void.reason).collect();
    assert_eq!((reasons, report.anchored_without_receipt), (vec![VoidReason::WrongSeed], 1));
}

/// Without the rates nobody knows which rounds there were; whoever knows them from elsewhere says so.
#[test]
fn missing_rounds_are_looked_for_by_the_rates_that_are_known() {
    let scene = Scene::new();
    let directory = tempfile::tempdir().unwrap();
    let settings = ExportSettings { audits: None, ..scene.settings() };
    let mut exporter = Exporter::open(directory.path(), settings).unwrap();
    exporter.append_partitions(&scene.partitions).unwrap();
    exporter.append_blocks(&scene.blocks).unwrap();
    let reader = ExportReader::open(directory.path()).unwrap();
    let missing = |audits| {
        let report = verify_export(&reader, Trusted { recorder: None, audits }).unwrap();
        report.chains.chains[0].missing_rounds.len()
    };
    assert_eq!(missing(None), 0);
    assert_eq!(missing(scene.settings().audits), 12);
}

/// Receipts that are exported before the blocks of their rounds are final count for nothing yet.
#[test]
fn rounds_after_the_last_final_block_are_not_final() {
    let scene = Scene::new();
    let directory = tempfile::tempdir().unwrap();
    let mut exporter = Exporter::open(directory.path(), scene.settings()).unwrap();
    exporter.append_partitions(&scene.partitions).unwrap();
    exporter.append_records(&scene.records).unwrap();
    exporter.append_receipts(&scene.receipts).unwrap();
    exporter.append_blocks(&scene.blocks[..=30]).unwrap();
    let report = verify(directory.path()).unwrap();
    assert!(report.chains.void.iter().all(|void| void.reason == VoidReason::NotFinal));
    assert_eq!(report.chains.void.len(), 3 * 5, "heights 23 to 27 of 30 blocks, eight on top of 22");
}

#[test]
fn an_export_of_nothing_shows_nothing() {
    let scene = Scene::new();
    let directory = tempfile::tempdir().unwrap();
    drop(Exporter::open(directory.path(), scene.settings()).unwrap());
    let report = verify(directory.path()).unwrap();
    assert_eq!((report.files, report.chains.receipts, report.heights), (0, 0, None));
}

/// A partition that ended is not missed from there on.
#[test]
fn withdrawn_partitions_are_missed_until_they_end() {
    let scene = Scene::new();
    let directory = tempfile::tempdir().unwrap();
    let mut exporter = Exporter::open(directory.path(), scene.settings()).unwrap();
    let mut rows = scene.partitions.clone();
    let change = PartitionChange::Withdrawal;
    rows.push(PartitionRow { number: 2, time_ms: time_ms(20), height: 20, partition_id: 0, change });
    exporter.append_partitions(&rows).unwrap();
    exporter.append_blocks(&scene.blocks).unwrap();
    let report = verify(directory.path()).unwrap();
    let heights: Vec<_> = report.chains.chains[0].missing_rounds.iter().map(|round| round.height).collect();
    assert_eq!(heights, [16, 17, 18, 19]);
    let reader = ExportReader::open(directory.path()).unwrap();
    let trusted = Trusted { recorder: Some(&scene.rounds.recorder), audits: None };
    let (class, _, detail) = refusal(directory.path(), verify_export(&reader, trusted));
    assert_eq!(
        (class, detail.as_str()),
        (Class::WrongRecord, "partition 0: its withdrawal is another than the chain has")
    );
}

/// It stands in a recorder's place and is none.
#[test]
fn nothing_can_be_recorded_in_a_copy() {
    let scene = Scene::new();
    let directory = scene.written();
    let copy = ExportedRecorder::read(&ExportReader::open(directory.path()).unwrap()).unwrap();
    let refused = copy.record_object(&[1; 32]).unwrap_err().to_string();
    assert_eq!(refused, "this is a copy of what was recorded: nothing can be recorded in it");
    let intent = scene.rounds.registration.intent;
    assert_eq!(copy.find_intent(&intent).unwrap(), Some(0));
    assert_eq!(copy.partitions_of(Some(&intent.miner), None).unwrap(), [0]);
    assert_eq!(copy.partitions_of(None, Some(&intent.miner)).unwrap(), Vec::<u64>::new());
    assert_eq!(copy.registration(0).unwrap(), Some(scene.rounds.registration));
    assert!(copy.registration(1).is_err());
}

/// Rounds of objects may end days after the rounds of space that began with them. All twelve rounds are looked up again then,
/// more than are kept, from as many files as there are.
#[test]
fn answers_of_rounds_long_past_are_still_found() {
    let scene = Scene::new();
    let directory = tempfile::tempdir().unwrap();
    let mut exporter = Exporter::open(directory.path(), scene.settings()).unwrap();
    for through in 1..=scene.anchors.len() {
        exporter.append_anchors(&scene.anchors[..through]).unwrap();
    }
    exporter.append_partitions(&scene.partitions).unwrap();
    exporter.append_records(&scene.records).unwrap();
    let (mut receipts, later): (Vec<_>, Vec<_>) =
        scene.receipts.iter().cloned().partition(|row| row.receipt.body.kind.name() == "space");
    receipts.extend(later);
    (0..).zip(&mut receipts).for_each(|(number, row)| row.number = number);
    exporter.append_receipts(&receipts).unwrap();
    exporter.append_blocks(&scene.blocks).unwrap();
    let report = verify(directory.path()).unwrap();
    let timely: Vec<_> = report.chains.chains.iter().map(|chain| chain.accepted_timely_anchored).collect();
    assert_eq!((timely, report.anchored_without_receipt), (vec![7, 24], 0));
}
