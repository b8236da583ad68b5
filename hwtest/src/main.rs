//! One binary to carry to a machine with real hardware: what is there, whether every kernel gives the known answers,
//! how fast it is, and in plain words what is missing. Writes `report.json` and prints a table.

mod disk;
mod kernels;
mod machine;
mod report;

use report::{Outcome, Report};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

fn main() -> ExitCode {
    let Some((path, directory)) = arguments(std::env::args_os().skip(1)) else {
        eprintln!(
            "usage: holdfast-hwtest [REPORT [DIRECTORY]]    (default: report.json, and the disk of the current directory)"
        );
        return ExitCode::from(64);
    };
    let report = Report {
        version: env!("CARGO_PKG_VERSION"),
        machine: machine::describe(),
        sections: vec![kernels::section(), disk::section(&directory)],
    };
    match publish(&report, &path) {
        Err(error) => {
            eprintln!("{}: {error}", path.display());
            ExitCode::FAILURE
        }
        Ok(()) if report.any(|outcome| matches!(outcome, Outcome::Failed { .. })) => ExitCode::FAILURE,
        Ok(()) => ExitCode::SUCCESS,
    }
}

/// Where the report goes and the directory whose disk is tried; at most these two, and no flags.
fn arguments(mut given: impl Iterator<Item = std::ffi::OsString>) -> Option<(PathBuf, PathBuf)> {
    let report = given.next().unwrap_or_else(|| "report.json".into());
    let directory = given.next().unwrap_or_else(|| ".".into());
    let flag = [&report, &directory].iter().any(|path| path.to_string_lossy().starts_with('-'));
    (!flag && given.next().is_none()).then(|| (report.into(), directory.into()))
}

fn publish(report: &Report, path: &Path) -> io::Result<()> {
    let mut json = serde_json::to_vec_pretty(report)?;
    json.push(b'\n');
    std::fs::write(path, json)?;
    let mut out = io::stdout().lock();
    write!(out, "{report}")?;
    writeln!(out, "report: {}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_paths_are_taken_and_anything_else_is_wrong_usage() {
        let parse = |given: &[&str]| arguments(given.iter().map(|&a| a.into()));
        assert_eq!(parse(&[]), Some(("report.json".into(), ".".into())));
        assert_eq!(parse(&["here.json", "/mnt"]), Some(("here.json".into(), "/mnt".into())));
        assert_eq!(parse(&["--help"]), None);
        assert_eq!(parse(&["a", "-b"]), None);
        assert_eq!(parse(&["a", "b", "c"]), None);
    }
}
