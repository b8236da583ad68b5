//! One binary to carry to a machine with real hardware: what is there, whether everything gives the known answers, how fast it is,
//! and in plain words what is missing. Writes `report.json` and prints a table.

mod disk;
mod gpu;
mod kernels;
mod machine;
mod options;
mod process;
mod report;
mod ring;
mod scratch;
mod vulkan;

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use clap::error::ErrorKind;
use holdfast_engine::accelerator::discovery::end_process_if_one_failed;

use options::{EXIT_USAGE, Options};
use report::{Outcome, Report, Section};

fn main() -> ExitCode {
    let options = match Options::try_parse() {
        Ok(options) => options,
        Err(error) => {
            let asked = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            // A closed output is no reason for another code.
            let _ = error.print();
            return if asked { ExitCode::SUCCESS } else { ExitCode::from(EXIT_USAGE) };
        }
    };
    let report = match run(&options) {
        Ok(report) => report,
        Err(error) => {
            eprintln!("{}: {error}", options.out.display());
            return ExitCode::FAILURE;
        }
    };
    // The report is written, whoever reads the table.
    let _ = writeln!(io::stdout(), "{report}report: {}", options.out.display());
    let _ = io::stdout().flush();
    let has_failed = report.any(|outcome| matches!(outcome, Outcome::Failed { .. }));
    end_process_if_one_failed(u8::from(has_failed));
    if has_failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// All sections, each in the file before the next begins. The error is the file's.
fn run(options: &Options) -> io::Result<Report> {
    let began = Instant::now();
    let mut report = Report {
        version: env!("CARGO_PKG_VERSION"),
        complete: false,
        notes: notes(options),
        machine: machine::describe().into_iter().chain(vulkan::describe()).collect(),
        sections: Vec::new(),
    };
    let mut written = write(&report, &options.out);
    written.as_ref().map_err(io::Error::kind).map_err(io::Error::from)?;
    let mut add = |section: Section| {
        eprintln!("{:>6.1} s  {}", began.elapsed().as_secs_f64(), section.name);
        report.sections.push(section);
        written = write(&report, &options.out);
    };
    add(kernels::section());
    add(disk::section(&options.dir));
    add(ring::section(&options.dir));
    let has_software = gpu::run(options, &mut add);
    written?;
    if has_software {
        report.notes.push(gpu::SOFTWARE_NOTE.into());
    }
    report.complete = true;
    write(&report, &options.out).map(|()| report)
}

fn notes(options: &Options) -> Vec<String> {
    let quick = options.quick.then(|| "--quick: small sizes and short measurements".into());
    let moment =
        "rates are of one moment of one machine: for comparing the rows of one report, not for promises";
    quick.into_iter().chain([moment.into()]).collect()
}

/// Replaces the file whole, so that whoever reads it meanwhile finds a report.
fn write(report: &Report, path: &Path) -> io::Result<()> {
    let mut json = serde_json::to_vec_pretty(report)?;
    json.push(b'\n');
    let mut beside = path.as_os_str().to_owned();
    beside.push(".part");
    fs::write(&beside, json)?;
    fs::rename(&beside, path)
}
