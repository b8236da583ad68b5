//! What the kernel grants io_uring: locked memory, ring sizes, registered buffers.

use std::fs;
use std::path::Path;

use holdfast_engine::jobs::bench::measure_writes;
use holdfast_partition::io::{Access, IoChoice, IoError, OpenOptions, Presence, open, survey};
use rustix::process::{Resource, getrlimit};
use std::time::Duration;

use crate::report::{Figure, Outcome, Row, Section};
use crate::scratch::Scratch;

/// Operations in flight that are asked for.
const DEPTHS: [usize; 4] = [32, 128, 1024, 4096];
/// Depth of the writes that show whether buffers are registered; each takes a buffer of 1 MiB.
const WRITE_DEPTH: usize = 32;
const FILE_BYTES: u64 = 64 << 20;

/// Limits first, then rings of several sizes, then writes from registered buffers.
pub(crate) fn section(directory: &Path) -> Section {
    let mut rows =
        vec![Row { name: "locked memory".into(), outcome: Outcome::Ran { figures: locked_memory() } }];
    let presence = survey(directory).into_iter().find(|line| line.name == "uring").map(|line| line.presence);
    match presence {
        Some(Presence::Present) => match Scratch::new(directory, "ring") {
            Ok(scratch) => {
                rows.extend(DEPTHS.map(|depth| ring(&scratch, depth)));
                rows.push(registered(&scratch));
            }
            Err(error) => rows.push(Row::of("rings", Err(error))),
        },
        Some(Presence::Absent(why)) => rows.push(Row::absent("rings", why)),
        None => rows.push(Row::absent("rings", "this build has no io_uring")),
    }
    rows.push(setting());
    Section { name: "io_uring".into(), rows }
}

/// The limit of this process; without one, nothing is said.
fn locked_memory() -> Vec<Figure> {
    let limit = getrlimit(Resource::Memlock);
    let mebibytes = |bytes: Option<u64>, name| {
        Figure::new(name, bytes.map_or(f64::MAX, |bytes| crate::report::real(bytes) / 1_048_576.0), "MiB")
    };
    match (limit.current, limit.maximum) {
        (None, _) => vec![Figure::count("unlimited", 1, "")],
        (current, maximum) => {
            let maximum = maximum.map(|bytes| mebibytes(Some(bytes), "may be raised to"));
            [mebibytes(current, "limit")].into_iter().chain(maximum).collect()
        }
    }
}

/// A file opened by a ring with so many operations in flight.
fn ring(scratch: &Scratch, depth: usize) -> Row {
    let path = scratch.path().join(format!("ring-{depth}"));
    let options = OpenOptions { depth, ..OpenOptions::new(Access::CreateNew).with_choice(IoChoice::Uring) };
    let opened = open(&path, &options);
    Row::of(
        format!("ring of {depth}"),
        opened.map(|opened| vec![Figure::count("direct I/O", u64::from(opened.direct), "")]),
    )
}

/// Writes from a pool, whose memory the ring registers if it may; what came out differently is the row's reason.
fn registered(scratch: &Scratch) -> Row {
    let name = "registered buffers";
    let writes = || -> Result<(f64, Vec<String>), IoError> {
        let options = OpenOptions::new(Access::CreateNew).with_choice(IoChoice::Uring);
        let opened = open(&scratch.path().join("registered"), &options)?;
        let rate = measure_writes(&*opened.io, FILE_BYTES, WRITE_DEPTH, Duration::ZERO)?;
        Ok((rate, opened.io.notes()))
    };
    match writes() {
        Ok((_, notes)) if !notes.is_empty() => Row::absent(name, notes.join("; ")),
        written => Row::of(name, written.map(|(rate, _)| vec![Figure::new("writes", rate * 1e-6, "MB/s")])),
    }
}

/// The switch of the whole system, since Linux 6.6.
fn setting() -> Row {
    let value = fs::read_to_string("/proc/sys/kernel/io_uring_disabled").ok();
    match value.and_then(|text| text.trim().parse::<u32>().ok()) {
        Some(value) => {
            let figures = vec![Figure::count("kernel.io_uring_disabled", value.into(), "")];
            Row { name: "setting".into(), outcome: Outcome::Ran { figures } }
        }
        None => Row::absent("setting", "this kernel has no kernel.io_uring_disabled (before Linux 6.6)"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_passed_over_and_nothing_is_left() {
        let directory = tempfile::tempdir().unwrap();
        let section = section(directory.path());
        assert!(section.rows.len() >= 3, "{section:?}");
        assert!(!section.rows.iter().any(|row| matches!(row.outcome, Outcome::Failed { .. })), "{section:?}");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }
}
