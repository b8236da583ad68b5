//! Chapter 5: bytes of a real file are changed behind holdfast's back.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;

use holdfast_partition::io::IoChoice;
use holdfast_partition::partition_file::OpenMode;
use serde::Serialize;
use serde_json::Value;

use super::audits::Rounds;
use super::stage::Stage;
use crate::commit;
use crate::disks::Disk;
use crate::failure::Failure;
use crate::table;

/// What was broken, found and made again.
#[derive(Debug, Serialize)]
pub(super) struct Repair {
    bytes_corrupted: usize,
    windows_damaged: u64,
    windows_repaired: u64,
    seconds: f64,
    root_equal: bool,
    bytes_equal: bool,
}

/// Corrupts, scrubs, repairs, and compares with the commitment made before.
pub(super) fn play(stage: &Stage<'_>, disk: &Disk, rounds: &Rounds<'_>) -> Result<Repair, Failure> {
    let pair = rounds.pairs.first().ok_or(Failure::NotFound("the demo has no partition".to_owned()))?;
    let partition = &disk.manifest.partitions[pair.place];
    let path = disk.path(partition);
    let window = partition.windows / 2;
    let at = {
        let file = disk.open_file(partition, OpenMode::ReadOnly, IoChoice::Auto)?;
        file.window_offset(window).map_err(|error| Failure::partition(&path, error))? + 20_000
    };
    let before = corrupt(&path, at)?;
    stage.say(&format!(
        "  {} bytes of window {window} in {} are overwritten",
        before.len(),
        path.file_name().unwrap_or_default().to_string_lossy()
    ));
    stage.say("  $ holdfast scrub --repair --dir …");
    let report = scrub(stage)?;
    let number = |field: &str| report[field].as_u64().unwrap_or_default();
    let seconds: f64 = report["partitions"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|partition| partition["seconds"].as_f64())
        .sum();
    let after = commit::commitment(disk, partition, stage.console)?;
    let repair = Repair {
        bytes_corrupted: before.len(),
        windows_damaged: number("damaged_windows"),
        windows_repaired: number("repaired_windows"),
        seconds,
        root_equal: after.partition_root() == pair.commitment.partition_root(),
        bytes_equal: read(&path, at, before.len())? == before,
    };
    stage.say(&format!(
        "  {} read back in {}: {} window damaged, {} made again; the bytes and the root are those from before",
        table::bytes(number("bytes_read")),
        table::duration(seconds),
        repair.windows_damaged,
        repair.windows_repaired
    ));
    let right = repair.root_equal
        && repair.bytes_equal
        && repair.windows_damaged == 1
        && repair.windows_repaired == 1;
    if right {
        return Ok(repair);
    }
    Err(Failure::State {
        message: format!("the repair went wrong: {repair:?}"),
        advice: "this must never happen: please report it".to_owned(),
    })
}

/// Flips all bits of a few bytes; gives what they were.
fn corrupt(path: &std::path::Path, at: u64) -> Result<Vec<u8>, Failure> {
    let before = read(path, at, 5)?;
    let flipped: Vec<u8> = before.iter().map(|byte| !byte).collect();
    let file = OpenOptions::new().write(true).open(path);
    let written = file.and_then(|file| file.write_all_at(&flipped, at).and_then(|()| file.sync_all()));
    written.map_err(|error| Failure::file("write to", path, error))?;
    Ok(before)
}

fn read(path: &std::path::Path, at: u64, length: usize) -> Result<Vec<u8>, Failure> {
    let mut bytes = vec![0; length];
    let file = std::fs::File::open(path).and_then(|file| file.read_exact_at(&mut bytes, at));
    file.map_err(|error| Failure::file("read", path, error))?;
    Ok(bytes)
}

fn scrub(stage: &Stage<'_>) -> Result<Value, Failure> {
    let output = stage.command("scrub --repair --json --progress never")?.output();
    let output = output.map_err(|error| Failure::file("start", "holdfast scrub", error))?;
    serde_json::from_slice(&output.stdout).map_err(Failure::json)
}
