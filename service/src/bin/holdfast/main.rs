//! The `holdfast` command: raw arguments, resolved options, work, report.

mod cli;
mod demo;

use std::process::ExitCode;

use holdfast_engine::accelerator::discovery::end_process_if_one_failed;
// Under their short names for the whole command.
use holdfast_service::local::{
    allocation, answering, audits, commit, committing, console, devices, disks, failure, files, gpus,
    identity, interrupt, jobs, judging, machine, medium, objects, progress, settings, side_by_side, table,
};

fn main() -> ExitCode {
    let arguments = match cli::Arguments::read(std::env::args_os()) {
        Ok(arguments) => arguments,
        Err(stop) => return stop.finish(),
    };
    let console = console::Console::new(&arguments.output);
    interrupt::install();
    let exit = match arguments.command.run(&console) {
        Ok(exit) => exit,
        Err(failure) => console.fail(&failure),
    };
    end_process_if_one_failed(exit.code());
    exit.into()
}
