//! `holdfast token`: audits of whole objects, each once.

mod list;
mod make;
mod spend;

use clap::{Args, Subcommand};

use crate::console::{Console, Exit};
use crate::failure::Failure;

/// Audit whole objects by sealed tokens: every byte is read, and each token works once
#[derive(Args, Debug)]
#[command(arg_required_else_help = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Make(make::Arguments),
    Use(spend::Arguments),
    List(list::Arguments),
    /// Judge responses to token challenges; the same as `holdfast verify`
    Verify(super::verify::Arguments),
}

impl Arguments {
    pub(super) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        match &self.what {
            What::Make(arguments) => arguments.run(console),
            What::Use(arguments) => arguments.run(console),
            What::List(arguments) => arguments.run(console),
            What::Verify(arguments) => arguments.run(console),
        }
    }
}
