//! `kill -9` of a real `holdfast fill`, at random points, many times: nothing acknowledged is lost, and what the last run
//! completes is byte-equal to a partition that was filled without interruption.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use holdfast_partition::io::{Access, OpenOptions, open};
use holdfast_partition::partition_file::{OpenMode, PartitionFile};

/// Kills in all.
const KILLS: u32 = 50;
const STAKES: &str = r#"[{"uid":0,"hotkey":"validator","stake":900.0}]"#;

fn holdfast(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_holdfast"));
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn run(arguments: &[&str]) {
    let output = holdfast(arguments).output().expect("starts");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "holdfast {arguments:?}: {}\n{stderr}", output.status);
}

/// A directory with one partition of some 150 small windows, allocated and not filled.
fn allocated() -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    let stakes = directory.path().join("stakes.json");
    std::fs::write(&stakes, STAKES).expect("writes");
    let (dir, stakes) = (text(directory.path()), text(&stakes));
    run(&[
        "allocate",
        "--dir",
        dir,
        "--stakes",
        stakes,
        "--miner",
        "miner",
        "--threshold",
        "0.9",
        "--max-bytes",
        "42MB",
        "--window",
        "256KiB",
        "--profile",
        "swift",
        "--policy",
        "test",
        "--yes",
        "--json",
    ]);
    directory
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

fn commitment(directory: &Path) -> Vec<u8> {
    let out = directory.join("commitment");
    run(&["commitment", "--dir", text(directory), "--validator", "validator", "--out", text(&out)]);
    std::fs::read(out).expect("reads")
}

fn partition_path(directory: &Path) -> PathBuf {
    let files = std::fs::read_dir(directory).expect("reads").map(|entry| entry.expect("reads").path());
    files.into_iter().find(|path| path.extension().is_some_and(|e| e == "holdfast")).expect("a partition")
}

/// Windows sealed and windows in all, as the file has them now; `None` while another process is just changing a header.
fn progress(directory: &Path) -> Option<(u64, u64)> {
    let io = open(&partition_path(directory), &OpenOptions::new(Access::ReadOnly)).expect("opens").io;
    let (file, _) = PartitionFile::open(io, OpenMode::ReadOnly).ok()?;
    Some((file.counts().ok()?.sealed, file.windows().ok()?))
}

/// A generator good enough to choose where to kill (splitmix64).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB).rotate_left(31) % bound
    }
}

/// Waits until so many windows are sealed, and a little, random work longer. False if the fill ended before.
fn reaches(child: &mut Child, directory: &Path, sealed: u64, random: &mut Random) -> bool {
    while progress(directory).is_none_or(|(have, _)| have < sealed) {
        if child.try_wait().expect("a child").is_some() {
            return false;
        }
    }
    for step in 0..random.below(2_000_000) {
        std::hint::black_box(step);
    }
    child.try_wait().expect("a child").is_none()
}

#[test]
fn fills_killed_at_random_points_lose_nothing_and_end_byte_equal() {
    let whole = allocated();
    run(&["fill", "--dir", text(whole.path()), "--json"]);
    let expected = commitment(whole.path());
    let expected_bytes = slots(whole.path());

    let (mut kills, mut random) = (0, Random(2026));
    while kills < KILLS {
        let directory = allocated();
        let path = directory.path();
        loop {
            let (before, windows) = progress(path).expect("nobody writes");
            if before == windows {
                break;
            }
            let target = (before + random.below(windows / 8)).min(windows);
            let mut child = holdfast(&["fill", "--dir", text(path), "--json"]).spawn().expect("starts");
            if reaches(&mut child, path, target, &mut random) {
                child.kill().expect("a child");
                kills += 1;
            }
            let output = child.wait_with_output().expect("a child");
            let (after, _) = progress(path).expect("nobody writes");
            assert!(after >= before, "{before} windows were sealed, {after} are left");
            assert!(
                output.status.success() || output.status.code().is_none(),
                "neither finished nor killed: {} {}",
                output.status,
                String::from_utf8_lossy(&output.stdout)
            );
        }
        run(&["fill", "--dir", text(path), "--json"]);
        assert!(commitment(path) == expected, "the commitment differs after kills");
        assert!(slots(path) == expected_bytes, "the windows differ after kills");
        run(&["scrub", "--dir", text(path), "--json"]);
    }
}

/// All bytes from the first window on.
fn slots(directory: &Path) -> Vec<u8> {
    let path = partition_path(directory);
    let io = open(&path, &OpenOptions::new(Access::ReadOnly)).expect("opens").io;
    let (file, _) = PartitionFile::open(io, OpenMode::ReadOnly).expect("opens");
    let start = usize::try_from(file.geometry().data_offset()).expect("small");
    std::fs::read(path).expect("reads").split_off(start)
}
