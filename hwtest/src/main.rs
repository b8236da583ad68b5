//! One binary to carry to a machine with real hardware: what is there, whether every kernel gives the known answers,
//! how fast it is, and in plain words what is missing. Writes `report.json` and prints a table.

mod kernels;
mod machine;
mod report;

use report::{Outcome, Report};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

fn main() -> ExitCode {
    let Some(path) = report_path(std::env::args_os().skip(1)) else {
        eprintln!("usage: hwtest [REPORT]    (REPORT defaults to report.json)");
        return ExitCode::from(64);
    };
    let report = Report {
        version: env!("CARGO_PKG_VERSION"),
        machine: machine::describe(),
        sections: vec![kernels::section()],
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

/// At most one argument, and no flags.
fn report_path(mut arguments: impl Iterator<Item = std::ffi::OsString>) -> Option<PathBuf> {
    let path = arguments.next().unwrap_or_else(|| "report.json".into());
    let flag = path.to_string_lossy().starts_with('-');
    (!flag && arguments.next().is_none()).then(|| path.into())
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
    fn one_path_is_taken_and_anything_else_is_wrong_usage() {
        let parse = |arguments: &[&str]| report_path(arguments.iter().map(|&a| a.into()));
        assert_eq!(parse(&[]), Some("report.json".into()));
        assert_eq!(parse(&["here.json"]), Some("here.json".into()));
        assert_eq!(parse(&["--help"]), None);
        assert_eq!(parse(&["a", "b"]), None);
    }
}
