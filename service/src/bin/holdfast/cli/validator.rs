//! `holdfast validator`: what a validator does, and what its rules come to.

mod ask;
mod run;
mod simulate;

use clap::{Args, Subcommand};
use holdfast_service::validator::ValidatorError;
use holdfast_service::validator::config::ConfigError;
use holdfast_service::validator::run::RunError;

use crate::console::{Console, Exit};
use crate::failure::Failure;

/// Audit miners, and score them by what they prove
#[derive(Args, Debug)]
#[command(arg_required_else_help = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Run(run::Arguments),
    Status(ask::StatusArguments),
    Export(ask::ExportArguments),
    Simulate(simulate::Arguments),
}

impl Arguments {
    pub(super) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        match &self.what {
            What::Run(arguments) => arguments.run(console),
            What::Status(arguments) => arguments.run(console),
            What::Export(arguments) => arguments.run(console),
            What::Simulate(arguments) => arguments.run(console),
        }
    }
}

fn config_failure(error: ConfigError) -> Failure {
    Failure::Usage(error.to_string())
}

fn run_failure(error: RunError) -> Failure {
    match error {
        RunError::Config(error) => config_failure(error),
        RunError::Connect(error) => super::connect::failure(error),
        RunError::Machine(failure) => failure,
        RunError::Validator(ValidatorError::Chain(error)) => error.into(),
        RunError::Validator(ValidatorError::Recorder(error)) => error.into(),
        other => Failure::work("validator", "validator", other),
    }
}
