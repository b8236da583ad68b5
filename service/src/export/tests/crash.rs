//! `kill -9` of an exporter at many points: what it acknowledged is there, what is there verifies, and another goes on.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use super::*;

const DIRECTORY: &str = "HOLDFAST_TEST_EXPORT_DIRECTORY";
/// Rounds of which each step exports all that there is.
const STEPS: u64 = ROUNDS;

/// Exports the scene round by round, blocks last, and says after each call what is durable now.
fn export_in_steps(root: &Path, mut acknowledge: impl FnMut(Table, u64)) {
    let scene = Scene::new();
    let mut exporter = Exporter::open(root, scene.settings()).unwrap();
    for step in 1..=STEPS {
        let rows = |all: usize, per_step: u64| all.min(usize::try_from(step * per_step).unwrap());
        for table in Table::ALL {
            let appended = match table {
                Table::Partitions => exporter.append_partitions(&scene.partitions),
                Table::Records => exporter.append_records(&scene.records),
                Table::Anchors => exporter.append_anchors(&scene.anchors[..rows(12, 1)]),
                Table::Receipts => exporter.append_receipts(&scene.receipts[..rows(36, 3)]),
                Table::Events => exporter.append_events(&scene.events[..rows(12, 1)]),
                Table::Blocks => exporter.append_blocks(&scene.blocks[..rows(36, 3)]),
            };
            appended.unwrap();
            acknowledge(table, exporter.next(table).unwrap());
        }
    }
}

/// Not a test: the process that is killed.
#[test]
#[ignore = "is run by the test that kills it"]
fn child() {
    let root = std::env::var_os(DIRECTORY).expect("the directory to export to");
    export_in_steps(Path::new(&root), |table, next| println!("\nacknowledged {} {next}", table.name()));
}

/// Runs the child until it has acknowledged so many calls, kills it at once, and returns what it acknowledged last of each
/// table; `None` if it came to its end.
fn kill_after(calls: usize, root: &Path) -> Option<Vec<(String, u64)>> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "export::tests::crash::child", "--ignored", "--nocapture"])
        .env(DIRECTORY, root)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let said = |line: String| {
        let (table, next) = line.strip_prefix("acknowledged ")?.split_once(' ')?;
        Some((table.to_owned(), next.parse().unwrap()))
    };
    let acknowledged: Vec<(String, u64)> = lines.filter_map(said).take(calls).collect();
    child.kill().unwrap();
    child.wait().unwrap();
    (acknowledged.len() == calls).then_some(acknowledged)
}

#[test]
fn nothing_that_was_acknowledged_is_lost() {
    let mut unfinished = 0;
    // At prime distances, so that every table is the one in which it happens.
    for calls in [1, 2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71] {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        let acknowledged = kill_after(calls, root).expect("killed before its end");
        unfinished += Table::ALL
            .map(|table| Listing::of(root, table, None).unwrap().unfinished.len())
            .iter()
            .sum::<usize>();
        let reader = ExportReader::open(root).unwrap();
        for (table, next) in acknowledged {
            let table = Table::ALL.into_iter().find(|other| other.name() == table).unwrap();
            let (_, rows) = reader.counts(table);
            assert!(rows >= next, "{table:?}: {rows} rows, {next} were acknowledged, after {calls} calls");
        }
        verify(root).unwrap();
        // Another goes on where it stopped, and removes what was left unfinished.
        export_in_steps(root, |_, _| ());
        let report = verify(root).unwrap();
        assert_eq!((report.chains.receipts, report.events, report.heights), (36, 12, Some((0, 35))));
        assert!(
            Table::ALL.iter().all(|table| Listing::of(root, *table, None).unwrap().unfinished.is_empty())
        );
    }
    println!("{unfinished} files were left unfinished");
}

/// The moment that is hard to hit: a file is half written, or whole and not yet renamed.
#[test]
fn what_was_left_unfinished_is_passed_over_and_removed() {
    let scene = Scene::new();
    let directory = scene.written();
    let root = directory.path();
    let whole = files(root, Table::Receipts).pop().unwrap();
    let bytes = fs::read(&whole).unwrap();
    let name = format!("{}.new", layout::part_name(36, 47));
    let unfinished = whole.with_file_name(name);
    for length in [0, 100, bytes.len()] {
        fs::write(&unfinished, &bytes[..length]).unwrap();
        fs::write(root.join("export.json.new"), &bytes[..length]).unwrap();
        assert_eq!(verify(root).unwrap().chains.receipts, 36, "{length} bytes");
        let exporter = Exporter::open(root, scene.settings()).unwrap();
        assert_eq!(exporter.next(Table::Receipts), Some(36));
        assert!(!unfinished.exists());
    }
}
