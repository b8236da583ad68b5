//! `holdfast chain verify` on the directory of an export: what it says, and with which code it leaves.

use std::fs;
use std::num::{NonZeroU32, NonZeroU64};
use std::path::Path;
use std::process::{Command, Stdio};

use holdfast_engine::recorder::{Ledger, Recorder, Simulation};
use holdfast_service::export::{
    AuditRates, BlockRow, ExportSettings, Exporter, PartitionChange, PartitionRow, ReceiptRow,
};
use holdfast_tests::rounds::Rounds;
use serde_json::{Value, json};

/// 2025-10-16, a minute before midnight in UTC.
const START_MS: u64 = 1_760_659_140_000;
const ROUNDS: u64 = 10;

/// Runs `holdfast chain verify --json` and gives code and report.
fn verify(root: &Path, arguments: &[&str]) -> (i32, Value) {
    let output = holdfast(root, &[arguments, &["--json"]].concat());
    let report = serde_json::from_slice(&output.stdout).expect("one JSON document");
    (output.status.code().expect("an exit code"), report)
}

fn holdfast(root: &Path, arguments: &[&str]) -> std::process::Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_holdfast"));
    command.current_dir(root).args(["chain", "verify"]).args(arguments).stdin(Stdio::null());
    command.output().expect("starts")
}

/// An export of ten rounds of one partition and the recorder's file, in a directory.
fn scene() -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    let rounds = Rounds::new();
    let receipts = rounds.receipts(ROUNDS);
    let validator = rounds.validator.account();
    let finality_blocks = NonZeroU64::new(rounds.recorder.finality_blocks().expect("in memory"));
    let settings = ExportSettings {
        network: rounds.network(),
        validator,
        finality_blocks: finality_blocks.expect("above 0"),
        audits: Some(AuditRates { one_in_blocks: NonZeroU32::MIN, one_in_objects: Some(NonZeroU32::MIN) }),
    };
    let mut exporter = Exporter::open(directory.path().join("export"), settings).expect("a new export");
    let time_ms = |height| START_MS + 6_000 * height;
    let entry = rounds.recorder.partition(0).expect("in memory").expect("the partition");
    let intent = PartitionChange::Intent {
        intent: entry.intent,
        signature: entry.signature,
        beacon: rounds.registration.beacon,
    };
    let batch = entry.batches[0];
    let change = PartitionChange::Batch { end: batch.end, partition_root: batch.partition_root };
    let row = |number, height, change| PartitionRow {
        number,
        time_ms: time_ms(height),
        height,
        partition_id: 0,
        change,
    };
    exporter
        .append_partitions(&[row(0, entry.intent_height, intent), row(1, batch.height, change)])
        .expect("written");
    let receipt = |(number, receipt): (u64, &holdfast_engine::receipt::Receipt)| ReceiptRow {
        number,
        time_ms: time_ms(receipt.body.height),
        receipt: *receipt,
        latency_ms: None,
        bytes_read: 0,
        proven_space_bytes: 0,
        proven_object_bytes: 0,
        rejection: (receipt.body.outcome == holdfast_engine::receipt::Outcome::Rejected)
            .then(|| holdfast_engine::rejection::Class::WrongRoot.because("another root")),
    };
    exporter.append_receipts(&(0..).zip(&receipts).map(receipt).collect::<Vec<_>>()).expect("written");
    let block = |height| {
        let hash = rounds.recorder.beacon(height).expect("in memory").expect("a block");
        BlockRow { height, time_ms: time_ms(height), hash }
    };
    // The newest block would make a round final that nobody held.
    let newest = rounds.recorder.height().expect("in memory");
    exporter.append_blocks(&(0..newest).map(block).collect::<Vec<_>>()).expect("written");
    let ledger = rounds.recorder.read(Ledger::clone).expect("in memory");
    let recorder = json!({ "format": "holdfast-recorder", "version": 1, "chain": ledger });
    fs::write(directory.path().join("recorder.json"), recorder.to_string()).expect("written");
    directory
}

#[test]
fn an_export_is_verified_alone_and_against_a_recorder() {
    let scene = scene();
    let (code, alone) = verify(scene.path(), &["export"]);
    assert_eq!((code, &alone["verdict"]), (0, &json!("accepted")));
    assert_eq!((&alone["receipts"], &alone["void"]), (&json!(10), &json!([])));
    assert_eq!(alone["chains"][0]["missing_rounds"], json!([]));
    assert_eq!((&alone["compared_with_recorder"], &alone["recorder_asked"]), (&json!(false), &json!(true)));
    let (code, compared) = verify(scene.path(), &["export", "--recorder", "recorder.json"]);
    assert_eq!((code, &compared["compared_with_recorder"]), (0, &json!(true)));
    // 1,200 blocks of the default policy draw none of these rounds, so that all are void.
    let (code, policy) = verify(scene.path(), &["export", "--policy", "default"]);
    assert_eq!((code, &policy["audits"]["one_in_blocks"]), (0, &json!(1200)));
    assert_eq!(policy["void"][0]["reason"], "no_audit");

    let text = holdfast(scene.path(), &["export"]);
    let text = String::from_utf8(text.stdout).expect("UTF-8");
    assert!(text.contains("are the export's word: compare with --recorder"), "{text}");
    assert!(text.contains("missing") && text.contains("partition 0"), "{text}");
}

#[test]
fn a_changed_export_is_rejected_with_its_class() {
    let scene = scene();
    let days = fs::read_dir(scene.path().join("export/receipts")).expect("reads");
    let mut days: Vec<_> = days.map(|day| day.expect("reads").path()).collect();
    days.sort();
    assert_eq!(days.len(), 1, "heights 16 to 25 are after midnight");
    fs::write(days[0].join("more.parquet"), b"PAR1").expect("written");
    let (code, report) = verify(scene.path(), &["export"]);
    assert_eq!((code, &report["class"]), (2, &json!("malformed")));
    fs::remove_file(days[0].join("more.parquet")).expect("removed");
    fs::remove_dir_all(&days[0]).expect("removed");
    let (code, report) = verify(scene.path(), &["export"]);
    assert_eq!(code, 0);
    assert_eq!(report["chains"][0]["missing_rounds"].as_array().map(Vec::len), Some(10));
}

#[test]
fn mistakes_are_told_apart() {
    let scene = scene();
    fs::create_dir(scene.path().join("empty")).expect("a directory");
    assert_eq!(verify(scene.path(), &["empty"]).0, 1, "no export.json");
    fs::write(scene.path().join("a.record"), b"").expect("written");
    let records = ["export", "--recorder", "recorder.json", "--object", "a.record"];
    assert_eq!(verify(scene.path(), &records).0, 64);
    assert_eq!(verify(scene.path(), &["recorder.json", "--policy", "test"]).0, 64);
    assert_eq!(verify(scene.path(), &["export", "--policy", "nowhere"]).0, 1);
    fs::write(scene.path().join("export/export.json"), b"{}").expect("written");
    assert_eq!(verify(scene.path(), &["export"]).0, 2);
}
