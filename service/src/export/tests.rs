//! A small network whose rounds are exported, and what the tests of exports share.

mod crash;
mod document;
mod hostile;
mod interop;
mod recorded;
mod round_trip;
mod tampering;
mod verdicts;

use std::fs::{self, File};
use std::num::{NonZeroU32, NonZeroU64};
use std::path::{Path, PathBuf};

use arrow_array::RecordBatch;
use holdfast_engine::possession::challenge::AuditKind;
use holdfast_engine::possession::record::SignedRecord;
use holdfast_engine::receipt::{AnchoredPairs, Body, Outcome, Receipt};
use holdfast_engine::recorder::Recorder;
use holdfast_engine::rejection::Class;
use holdfast_tests::rounds::{Rounds, response_digest};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::parts::Listing;
use super::row::{Row, encode};
use super::table_file::TableFile;
use super::*;

/// Rounds of each chain; blocks of the first fall on one day and the others on the next.
const ROUNDS: u64 = 12;
/// Height of the first block of 2025-10-17 in UTC.
const MIDNIGHT_HEIGHT: u64 = 20;
const MIDNIGHT_MS: u64 = 1_760_659_200_000;
const MS_PER_BLOCK: u64 = 12_000;

/// When the validator saw a block.
fn time_ms(height: u64) -> u64 {
    MIDNIGHT_MS + MS_PER_BLOCK * height - MS_PER_BLOCK * MIDNIGHT_HEIGHT
}

/// Twelve rounds of a partition (accepted, missed and rejected ones) and of an object of the same pair, all audits held and
/// anchored; as rows of every table.
struct Scene {
    rounds: Rounds,
    receipts: Vec<ReceiptRow>,
    events: Vec<EventRow>,
    blocks: Vec<BlockRow>,
    partitions: Vec<PartitionRow>,
    records: Vec<RecordRow>,
    anchors: Vec<AnchorRow>,
}

impl Scene {
    fn new() -> Scene {
        let rounds = Rounds::new();
        let object = rounds.object(1);
        let first = rounds.first_height;
        assert_eq!(rounds.first_object_height(&object), first, "chains that begin together");
        let mut scene = Scene {
            partitions: partition_rows(&rounds),
            records: vec![record_row(0, &rounds, &object)],
            receipts: vec![],
            events: vec![],
            blocks: vec![],
            anchors: vec![],
            rounds,
        };
        let mut previous = [[0; 32]; 2];
        for height in first..first + ROUNDS {
            scene.hold_round(height, &object, &mut previous);
        }
        scene.rounds.finalise(first + ROUNDS - 1);
        let newest = scene.rounds.recorder.height().unwrap();
        scene.blocks = (0..=newest).map(|height| block_row(&scene.rounds, height)).collect();
        scene
    }

    /// A space round of the partition, a possession and a chunks round of the object, and their anchor.
    fn hold_round(&mut self, height: u64, object: &SignedRecord, previous: &mut [[u8; 32]; 2]) {
        let rounds = &self.rounds;
        let network = rounds.network();
        let answer = match height % 5 {
            1 => None,
            rest => Some((response_digest(height), rest != 3)),
        };
        let mut bodies = vec![Body::of(&rounds.challenge(height), answer, previous[0])];
        previous[0] = bodies[0].digest(&network);
        for kind in [AuditKind::Possession, AuditKind::Chunks] {
            let body = rounds.object_body(object, kind, height, previous[1]);
            previous[1] = body.digest(&network);
            bodies.push(body);
        }
        let timely = bodies.iter().filter(|body| body.outcome != Outcome::Missed);
        let mut pairs: Vec<_> =
            timely.map(|body| [body.challenge_seed, body.response_digest].as_flattened().to_vec()).collect();
        pairs.sort();
        let pairs: Vec<[u8; 64]> = pairs.into_iter().map(|pair| pair.try_into().unwrap()).collect();
        let anchored = AnchoredPairs::new(
            bodies
                .iter()
                .filter(|body| body.outcome != Outcome::Missed)
                .map(|body| (body.challenge_seed, body.response_digest)),
        );
        let claim = anchored.unwrap().claim(height, &network, &rounds.validator);
        let recorded_at = rounds.recorder.record_anchor(&claim).unwrap();
        let number = self.anchors.len() as u64;
        self.anchors.push(AnchorRow { number, time_ms: time_ms(height), height, recorded_at, pairs });
        for body in bodies {
            let receipt = rounds.sign(body);
            self.receipts.push(receipt_row(self.receipts.len() as u64, receipt));
        }
        self.events.push(event_row(self.events.len() as u64, height, &self.rounds));
    }

    fn settings(&self) -> ExportSettings {
        let audits = AuditRates { one_in_blocks: NonZeroU32::MIN, one_in_objects: Some(NonZeroU32::MIN) };
        ExportSettings {
            network: self.rounds.network(),
            validator: self.rounds.validator.account(),
            finality_blocks: NonZeroU64::new(self.rounds.recorder.finality_blocks().unwrap()).unwrap(),
            audits: Some(audits),
        }
    }

    /// Writes everything into a directory.
    fn write(&self, root: &Path) {
        let mut exporter = Exporter::open(root, self.settings()).unwrap();
        exporter.append_partitions(&self.partitions).unwrap();
        exporter.append_records(&self.records).unwrap();
        exporter.append_anchors(&self.anchors).unwrap();
        exporter.append_receipts(&self.receipts).unwrap();
        exporter.append_events(&self.events).unwrap();
        exporter.append_blocks(&self.blocks).unwrap();
    }

    fn written(&self) -> TempDir {
        let directory = tempfile::tempdir().unwrap();
        self.write(directory.path());
        directory
    }
}

fn receipt_row(number: u64, receipt: Receipt) -> ReceiptRow {
    let body = receipt.body;
    let (accepted, missed) = (body.outcome == Outcome::Accepted, body.outcome == Outcome::Missed);
    let is_space = body.kind.name() == "space";
    ReceiptRow {
        number,
        time_ms: time_ms(body.height) + number,
        receipt,
        latency_ms: (!missed).then_some(100 + u32::try_from(number).unwrap()),
        bytes_read: 1024 * number,
        proven_space_bytes: if accepted && is_space { u64::MAX } else { 0 },
        proven_object_bytes: if accepted && !is_space { 100_000 } else { 0 },
        rejection: (body.outcome == Outcome::Rejected)
            .then(|| Class::WrongLabel.because("label 7 of 8: ½ ≠ 1")),
    }
}

fn event_row(number: u64, height: u64, rounds: &Rounds) -> EventRow {
    let Value::Object(details) = json!({ "answers": number, "of": 3, "note": "a \"quoted\" word" }) else {
        unreachable!("an object is an object")
    };
    let odd = number % 2 == 1;
    EventRow {
        number,
        time_ms: time_ms(height),
        height,
        kind: EventKind::ALL[usize::try_from(number).unwrap() % EventKind::ALL.len()],
        miner: odd.then(|| rounds.miner.account()),
        validator: (!odd).then(|| rounds.validator.account()),
        object: odd.then_some([7; 32]),
        message: format!("round {height} is closed"),
        details: if odd { serde_json::Map::new() } else { details },
    }
}

fn block_row(rounds: &Rounds, height: u64) -> BlockRow {
    BlockRow { height, time_ms: time_ms(height), hash: rounds.recorder.beacon(height).unwrap().unwrap() }
}

fn record_row(number: u64, rounds: &Rounds, object: &SignedRecord) -> RecordRow {
    let recorded_at = rounds.recorder.object_height(&object.record.digest()).unwrap().unwrap();
    RecordRow { number, time_ms: time_ms(recorded_at), recorded_at, record: object.clone() }
}

/// The partition as it was recorded.
fn partition_rows(rounds: &Rounds) -> Vec<PartitionRow> {
    let entry = rounds.recorder.partition(rounds.registration.partition_id).unwrap().unwrap();
    let beacon = rounds.registration.beacon;
    let intent = PartitionChange::Intent { intent: entry.intent, signature: entry.signature, beacon };
    let batches = entry.batches.iter().map(|batch| {
        (batch.height, PartitionChange::Batch { end: batch.end, partition_root: batch.partition_root })
    });
    let changes = std::iter::once((entry.intent_height, intent)).chain(batches).zip(0..);
    let row = |((height, change), number)| PartitionRow {
        number,
        time_ms: time_ms(height),
        height,
        partition_id: entry.partition_id,
        change,
    };
    changes.map(row).collect()
}

/// All rows of a table.
fn read<R: Row>(root: &Path) -> Result<Vec<R>, ExportError> {
    let reader = ExportReader::open(root)?;
    let groups = reader.rows::<R>().collect::<Result<Vec<_>, _>>()?;
    Ok(groups.into_iter().flatten().collect())
}

/// What is refused, and where by its name within the export.
fn refusal<T>(root: &Path, result: Result<T, ExportError>) -> (Class, String, String) {
    match result {
        Err(ExportError::Rejected { place, rejection }) => {
            let place = place.strip_prefix(root).unwrap_or(&place).display().to_string();
            (rejection.class, place, rejection.detail)
        }
        other => panic!("nothing was refused: {:?}", other.map(drop)),
    }
}

fn verify(root: &Path) -> Result<ExportReport, ExportError> {
    verify_export(&ExportReader::open(root)?, Trusted::default())
}

/// The files of a table.
fn files(root: &Path, table: Table) -> Vec<PathBuf> {
    Listing::of(root, table, None).unwrap().parts.into_iter().map(|part| part.path).collect()
}

/// The columns of a file of one row group.
fn columns_of<R: Row>(path: &Path, settings: &ExportSettings) -> RecordBatch {
    TableFile::open::<R>(path, settings).unwrap().group(0).unwrap()
}

/// Writes columns as the exporter does, without any check.
fn forge(path: &Path, table: Table, network: &[u8; 32], batch: &RecordBatch) {
    let options = ArrowWriterOptions::new()
        .with_properties(writer::properties(table, network))
        .with_skip_arrow_metadata(true);
    let file = File::create(path).unwrap();
    let mut writer = ArrowWriter::try_new_with_options(file, batch.schema(), options).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
}

/// Replaces all files of a table by files of these rows, one a day, whoever made them.
fn forge_table<R: Row>(root: &Path, settings: &ExportSettings, rows: &[R]) {
    let _ = fs::remove_dir_all(root.join(R::TABLE.name()));
    for part in rows.chunk_by(|a, b| layout::date_folder(a.time_ms()) == layout::date_folder(b.time_ms())) {
        let folder = root.join(R::TABLE.name()).join(layout::date_folder(part[0].time_ms()).unwrap());
        fs::create_dir_all(&folder).unwrap();
        let name = layout::part_name(part[0].number(), part[part.len() - 1].number());
        forge(&folder.join(name), R::TABLE, &settings.network, &encode(part).unwrap());
    }
}
