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
mod identity;
mod interrupt;
mod machine;
mod medium;
mod objects;
mod progress;
mod settings;
mod side_by_side;
mod table;

use std::process::ExitCode;

use holdfast_engine::accelerator::discovery::end_process_if_one_hangs;

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
    end_process_if_one_hangs(exit.code());
    exit.into()
}
