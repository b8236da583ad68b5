//! `holdfast validator`: what a validator does, and what its rules come to.

mod ask;
mod export;
mod run;
mod simulate;

use std::sync::Arc;

use clap::{Args, Subcommand};
use holdfast_engine::signature::Signer;
use holdfast_service::identity::{DevelopmentNames, Identity, PasswordSource};
use holdfast_service::validator::ValidatorError;
use holdfast_service::validator::config::{Config, ConfigError};
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
    History(ask::HistoryArguments),
    Export(export::Arguments),
    Simulate(simulate::Arguments),
}

impl Arguments {
    pub(super) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        match &self.what {
            What::Run(arguments) => arguments.run(console),
            What::Status(arguments) => arguments.run(console),
            What::History(arguments) => arguments.run(console),
            What::Export(arguments) => arguments.run(console),
            What::Simulate(arguments) => arguments.run(console),
        }
    }
}

fn config_failure(error: ConfigError) -> Failure {
    Failure::Usage(error.to_string())
}

/// The key of a configuration.
fn signer(config: &Config, console: &Console) -> Result<Arc<Signer>, Failure> {
    let source = config.identity.source().ok_or_else(|| Failure::Usage("no identity is named".to_owned()))?;
    let passwords = PasswordSource::new(config.identity.password_file.clone());
    let identity = Identity::load(&source, DevelopmentNames::Allowed, &passwords)?;
    if let Some(exposed) = identity.exposed() {
        console.note(exposed.to_string());
    }
    Ok(Arc::new(identity.into_signer()))
}

fn run_failure(error: RunError) -> Failure {
    match error {
        RunError::Config(error) => config_failure(error),
        RunError::Connect(error) => super::connect::failure(error),
        RunError::Machine(failure) => failure,
        RunError::Validator(error) => validator_failure(error),
        other => Failure::work("validator", "validator", other),
    }
}

fn validator_failure(error: ValidatorError) -> Failure {
    match error {
        ValidatorError::Chain(error) => error.into(),
        ValidatorError::Recorder(error) => error.into(),
        ValidatorError::Export(error) => error.into(),
        other => Failure::work("validator", "validator", other),
    }
}
