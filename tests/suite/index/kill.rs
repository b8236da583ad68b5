//! `kill -9` of a process that commits to a file: from its start on, at random points, many times.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use holdfast_service::index::{EmbeddedIndex, EmbeddedSettings};

use crate::numbered::{self, WORKERS};

const KILLS: u32 = 40;
const PATH_VARIABLE: &str = "HOLDFAST_TEST_INDEX";
/// What the test harness prints does not begin so.
const ACKNOWLEDGED: &str = "acknowledged ";

/// The process that is killed: this program again.
fn start(path: &Path) -> Child {
    let mut command = Command::new(std::env::current_exe().expect("a path"));
    command.args(["--exact", "--ignored", "--nocapture", "kill::commits_until_it_is_killed"]);
    command.env(PATH_VARIABLE, path).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    command.spawn().expect("starts")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the process that the test below kills"]
async fn commits_until_it_is_killed() {
    let Ok(path) = std::env::var(PATH_VARIABLE) else { return };
    let index = EmbeddedIndex::open(Path::new(&path), EmbeddedSettings::default()).await.expect("opens");
    let index = Arc::new(index);
    let mut workers = tokio::task::JoinSet::new();
    for worker in 0..WORKERS {
        let index = Arc::clone(&index);
        workers.spawn(async move {
            let mut number = numbered::count(&*index, worker).await;
            loop {
                numbered::commit(&*index, worker, number).await.expect("commits");
                number += 1;
                println!("{ACKNOWLEDGED}{worker} {number}");
            }
        });
    }
    workers.join_next().await.expect("a worker").expect("works for ever");
}

/// splitmix64, good enough to choose where to kill.
fn random(state: &mut u64, bound: u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB).rotate_left(31) % bound
}

fn acknowledgement(line: &str) -> Option<(u8, u64)> {
    let (worker, number) = line.strip_prefix(ACKNOWLEDGED)?.split_once(' ')?;
    Some((worker.parse().expect("a worker"), number.parse().expect("a number")))
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_by_kills() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut state = 2026;
    let mut acknowledged = [0; WORKERS as usize];
    let mut path = folder.path().join("index 0");
    let mut in_all = 0;
    for kill in 0..KILLS {
        // A new file now and then, killed soon: while it is being made, too.
        if kill % 4 == 0 {
            path = folder.path().join(format!("index {kill}"));
            acknowledged = [0; WORKERS as usize];
        }
        let mut child = start(&path);
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let target = random(&mut state, 60);
        let mut take = |line: String| {
            if let Some((worker, number)) = acknowledgement(&line) {
                assert_eq!(number, acknowledged[usize::from(worker)] + 1, "one record after the other");
                acknowledged[usize::from(worker)] = number;
                in_all += 1;
            }
        };
        for line in lines.by_ref().map(|line| line.expect("text")).take(target as usize) {
            take(line);
        }
        for turn in 0..random(&mut state, 300_000) {
            std::hint::black_box(turn);
        }
        child.kill().expect("a child");
        child.wait().expect("ends");
        // What it printed before it died counts; the last line may be cut.
        for line in lines {
            take(line.expect("text"));
        }
        if !path.exists() {
            assert_eq!(acknowledged, [0; WORKERS as usize], "acknowledged, and there is no file");
            continue;
        }
        let index =
            EmbeddedIndex::open(&path, EmbeddedSettings::default()).await.expect("opens after a kill");
        for worker in 0..WORKERS {
            let there = numbered::check(&index, worker, acknowledged[usize::from(worker)]).await;
            acknowledged[usize::from(worker)] = there;
        }
        numbered::check_no_others(&index).await;
    }
    assert!(in_all > u64::from(KILLS), "{in_all} commits are too few to prove anything");
}
