//! `holdfast validator`: what a validator does, and what its rules come to.

mod simulate;

use clap::{Args, Subcommand};

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
    Simulate(simulate::Arguments),
}

impl Arguments {
    pub(super) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        match &self.what {
            What::Simulate(arguments) => arguments.run(console),
        }
    }
}
