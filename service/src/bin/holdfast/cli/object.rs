//! `holdfast object`: files of users, stored, read, listed, checked and deleted.

pub(super) mod get;
mod list;
mod put;
mod quota;
mod remove;
mod stat;
mod verify;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use holdfast_engine::object::Address;

use crate::console::{Console, Exit};
use crate::failure::Failure;

/// Store files of users, and get them back
#[derive(Args, Debug)]
#[command(arg_required_else_help = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Put(put::Arguments),
    Get(get::Arguments),
    Ls(list::Arguments),
    Stat(stat::Arguments),
    Verify(verify::Arguments),
    Rm(remove::Arguments),
    Quota(quota::Arguments),
}

impl Arguments {
    pub(super) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        match &self.what {
            What::Put(arguments) => arguments.run(console),
            What::Get(arguments) => arguments.run(console),
            What::Ls(arguments) => arguments.run(console),
            What::Stat(arguments) => arguments.run(console),
            What::Verify(arguments) => arguments.run(console),
            What::Rm(arguments) => arguments.run(console),
            What::Quota(arguments) => arguments.run(console),
        }
    }
}

/// Which object of which directory.
#[derive(Args, Clone, Debug)]
struct ObjectArguments {
    /// Directory that holds the object
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// The object: a CID (BLAKE3 or SHA2-256), or its root in hex
    #[arg(value_name = "CID", value_parser = address)]
    cid: Address,
}

/// A CID or a root in hex.
pub(super) fn address(word: &str) -> Result<Address, String> {
    word.parse().map_err(|rejection: holdfast_engine::rejection::Rejection| rejection.detail)
}
