//! The `holdfast` command: raw arguments, resolved options, work, report.

mod allocation;
mod audits;
mod cli;
mod commit;
mod committing;
mod console;
mod demo;
mod disks;
mod failure;
mod files;
mod gpus;
mod interrupt;
mod machine;
mod medium;
mod objects;
mod progress;
mod settings;
mod side_by_side;
mod table;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = match cli::Arguments::read(std::env::args_os()) {
        Ok(arguments) => arguments,
        Err(stop) => return stop.finish(),
    };
    let console = console::Console::new(&arguments.output);
    interrupt::install();
    match arguments.command.run(&console) {
        Ok(exit) => exit.into(),
        Err(failure) => console.fail(&failure).into(),
    }
}
