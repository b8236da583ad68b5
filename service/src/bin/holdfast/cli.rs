//! The command line: one file a command, each with its raw arguments and its story.

mod allocate;
mod bench;
mod chain;
mod challenge;
mod check;
mod commit;
mod commitment;
mod connect;
mod demo;
mod devices;
mod doctor;
mod engine;
mod fill;
mod index;
mod keys;
mod miner;
mod object;
mod options;
mod owner;
mod plan;
mod prove;
mod remove;
mod resize;
mod scrub;
mod seal_audit;
mod secrecy;
mod shell;
mod status;
mod token;
mod trim;
mod tune;
mod validator;
mod verify;
mod worker;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Parser, Subcommand};

use crate::console::{Console, Exit, OutputArguments, print};
use crate::failure::Failure;

pub(crate) use allocate::{simulation_settings, write_partitions};

const EXIT_CODES: &str = "\
Exit codes: 0 done or accepted, 1 we could not do it, 2 rejected (its class is in the JSON), 64 wrong usage.
Every command takes --json: one JSON document on standard output, messages on standard error.";

/// Prove that storage is really held: set disk space aside for validators, fill it, answer audits, verify answers.
#[derive(Debug, Parser)]
#[command(name = "holdfast", version, after_help = EXIT_CODES, max_term_width = 100)]
#[command(propagate_version = true, arg_required_else_help = true, subcommand_required = true)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) output: OutputArguments,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// All commands, in the order in which a newcomer needs them.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Demo(demo::Arguments),
    Devices(devices::Arguments),
    Doctor(doctor::Arguments),
    Bench(bench::Arguments),
    Tune(tune::Arguments),
    Plan(plan::Arguments),
    Allocate(allocate::Arguments),
    Fill(fill::Arguments),
    Status(status::Arguments),
    Scrub(scrub::Arguments),
    Resize(resize::Arguments),
    Trim(trim::Arguments),
    Remove(remove::Arguments),
    Object(object::Arguments),
    Commit(commit::Arguments),
    Commitment(commitment::Arguments),
    Check(check::Arguments),
    Challenge(challenge::Arguments),
    Prove(prove::Arguments),
    Verify(verify::Arguments),
    Token(token::Arguments),
    SealAudit(seal_audit::Arguments),
    Put(owner::put::Arguments),
    Get(owner::get::Arguments),
    Ls(owner::list::Arguments),
    Rm(owner::remove::Arguments),
    Audit(owner::audit::Arguments),
    Chain(chain::Arguments),
    Engine(engine::Arguments),
    Miner(miner::Arguments),
    Validator(validator::Arguments),
    Worker(worker::Arguments),
    Index(index::Arguments),
    Keys(keys::Arguments),
    Completions(shell::CompletionsArguments),
    Man(shell::ManArguments),
}

impl Command {
    /// Does the work.
    pub(crate) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        match self {
            Command::Demo(arguments) => arguments.run(console),
            Command::Devices(arguments) => arguments.run(console),
            Command::Doctor(arguments) => arguments.run(console),
            Command::Bench(arguments) => arguments.run(console),
            Command::Tune(arguments) => arguments.run(console),
            Command::Plan(arguments) => arguments.run(console),
            Command::Allocate(arguments) => arguments.run(console),
            Command::Fill(arguments) => arguments.run(console),
            Command::Status(arguments) => arguments.run(console),
            Command::Scrub(arguments) => arguments.run(console),
            Command::Resize(arguments) => arguments.run(console),
            Command::Trim(arguments) => arguments.run(console),
            Command::Remove(arguments) => arguments.run(console),
            Command::Object(arguments) => arguments.run(console),
            Command::Commit(arguments) => arguments.run(console),
            Command::Commitment(arguments) => arguments.run(console),
            Command::Check(arguments) => arguments.run(console),
            Command::Challenge(arguments) => arguments.run(console),
            Command::Prove(arguments) => arguments.run(console),
            Command::Verify(arguments) => arguments.run(console),
            Command::Token(arguments) => arguments.run(console),
            Command::SealAudit(arguments) => arguments.run(console),
            Command::Put(arguments) => arguments.run(console),
            Command::Get(arguments) => arguments.run(console),
            Command::Ls(arguments) => arguments.run(console),
            Command::Rm(arguments) => arguments.run(console),
            Command::Audit(arguments) => arguments.run(console),
            Command::Chain(arguments) => arguments.run(console),
            Command::Engine(arguments) => arguments.run(console),
            Command::Miner(arguments) => arguments.run(console),
            Command::Validator(arguments) => arguments.run(console),
            Command::Worker(arguments) => arguments.run(console),
            Command::Index(arguments) => arguments.run(console),
            Command::Keys(arguments) => arguments.run(console),
            Command::Completions(arguments) => arguments.run(),
            Command::Man(arguments) => arguments.run(),
        }
    }
}

impl Arguments {
    /// Parses the command line, or says why the process ends here.
    pub(crate) fn read(words: impl IntoIterator<Item = OsString>) -> Result<Arguments, Stop> {
        let words: Vec<OsString> = words.into_iter().collect();
        Arguments::try_parse_from(&words)
            .map_err(|error| Stop { json: words.iter().any(|word| word == "--json"), error })
    }
}

/// The end of a command line that was not a command: help, version, or a mistake.
#[derive(Debug)]
pub(crate) struct Stop {
    json: bool,
    error: clap::Error,
}

impl Stop {
    /// Prints what is to be said and gives the exit code.
    pub(crate) fn finish(&self) -> ExitCode {
        // Help goes to standard output, mistakes to standard error; neither can be reported when it is gone.
        let _ = self.error.print();
        if matches!(self.error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
            return Exit::Done.into();
        }
        if self.json {
            let message = self.error.to_string();
            let message = message.trim().trim_start_matches("error: ").to_owned();
            let _ = print(&Failure::Usage(message).json_text());
        }
        Exit::Usage.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_argument_definitions_are_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn help_is_no_mistake_and_a_mistake_is_usage() {
        let stop = |words: &[&str]| Arguments::read(words.iter().map(OsString::from)).expect_err("stops");
        assert_eq!(stop(&["holdfast", "--help"]).error.kind(), ErrorKind::DisplayHelp);
        let mistake = stop(&["holdfast", "fill", "--json", "--no-such-flag"]);
        assert!(mistake.json);
        assert_eq!(mistake.error.kind(), ErrorKind::UnknownArgument);
    }
}
