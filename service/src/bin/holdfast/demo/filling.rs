//! Chapter 2: `holdfast fill` as another process, killed half way, started again.

use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use holdfast_partition::io::IoChoice;
use holdfast_partition::partition_file::OpenMode;
use serde::Serialize;
use serde_json::Value;

use super::stage::Stage;
use crate::disks::Disk;
use crate::failure::Failure;
use crate::table;

/// How often the demo looks how far the fill is.
const LOOK_INTERVAL: Duration = Duration::from_millis(10);

/// What was filled, lost and kept.
#[derive(Debug, Serialize)]
pub(super) struct Filling {
    windows: u64,
    /// Durable windows when the process was killed.
    windows_at_kill: u64,
    /// Windows that the second run found.
    windows_kept: u64,
    windows_filled_after: u64,
    bytes_written_after: u64,
    seconds_before_kill: f64,
    seconds_after: f64,
    bytes_per_second: f64,
}

/// Fills in two processes, the first of which is killed without warning.
pub(super) fn fill_with_a_kill(stage: &Stage<'_>, disk: &Disk) -> Result<Filling, Failure> {
    let windows: u64 = disk.manifest.partitions.iter().map(|partition| partition.windows).sum();
    stage.say("  $ holdfast fill --dir …");
    let started = Instant::now();
    let mut command = stage.command("fill --progress never")?;
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let mut child = child.map_err(|error| Failure::file("start", "holdfast fill", error))?;
    let at_kill = wait_until_half(&mut child, disk, windows)?;
    // Without warning, as the power would go: it cannot tidy up.
    child
        .kill()
        .and_then(|()| child.wait())
        .map_err(|error| Failure::file("kill", "holdfast fill", error))?;
    stage.checkpoint()?;
    let seconds_before_kill = started.elapsed().as_secs_f64();
    stage.say(&format!(
        "  killed with SIGKILL after {}, with {at_kill} of {windows} windows durable",
        table::duration(seconds_before_kill)
    ));
    stage.say("  $ holdfast fill --dir …");
    let report = finish(stage)?;
    let number = |field: &str| report[field].as_u64().unwrap_or_default();
    let seconds_after = report["seconds"].as_f64().unwrap_or_default();
    let bytes_written = number("bytes_written");
    #[allow(clippy::cast_precision_loss)] // far below 2^52
    let bytes_per_second = bytes_written as f64 / seconds_after.max(1e-9);
    let filling = Filling {
        windows,
        windows_at_kill: at_kill,
        windows_kept: number("windows_kept"),
        windows_filled_after: number("windows_filled"),
        bytes_written_after: bytes_written,
        seconds_before_kill,
        seconds_after,
        bytes_per_second,
    };
    let rate = table::rate(bytes_per_second);
    stage.say(&format!(
        "  kept {} windows, filled the other {}: {} in {} ({rate}); the commitments are recorded",
        filling.windows_kept,
        filling.windows_filled_after,
        table::bytes(bytes_written),
        table::duration(seconds_after)
    ));
    if filling.windows_kept < at_kill {
        return Err(Failure::State {
            message: format!("{at_kill} windows were durable and {} were kept", filling.windows_kept),
            advice: "this must never happen: please report it".to_owned(),
        });
    }
    Ok(filling)
}

/// Looks at the files, as `status` does, until half of the windows are durable or the fill has ended.
fn wait_until_half(child: &mut Child, disk: &Disk, windows: u64) -> Result<u64, Failure> {
    loop {
        let ended = child.try_wait().map_err(|error| Failure::file("wait for", "holdfast fill", error))?;
        let sealed = sealed_windows(disk)?;
        if ended.is_some() || sealed >= windows / 2 {
            return Ok(sealed);
        }
        thread::sleep(LOOK_INTERVAL);
    }
}

fn sealed_windows(disk: &Disk) -> Result<u64, Failure> {
    let mut sealed = 0;
    for partition in &disk.manifest.partitions {
        let file = disk.open_file(partition, OpenMode::ReadOnly, IoChoice::Pread)?;
        sealed += file.counts().map_err(|error| Failure::partition(disk.path(partition), error))?.sealed;
    }
    Ok(sealed)
}

/// The second run; its report.
fn finish(stage: &Stage<'_>) -> Result<Value, Failure> {
    let started = Instant::now();
    let output = stage.command("fill --json --progress never")?.output();
    let output = output.map_err(|error| Failure::file("start", "holdfast fill", error))?;
    let mut report: Value = serde_json::from_slice(&output.stdout).map_err(Failure::json)?;
    report["seconds"] = started.elapsed().as_secs_f64().into();
    if output.status.success() {
        return Ok(report);
    }
    stage.checkpoint()?;
    Err(Failure::State {
        message: format!("the fill failed: {report}"),
        advice: "run `holdfast demo --keep` and look at the directory".to_owned(),
    })
}
