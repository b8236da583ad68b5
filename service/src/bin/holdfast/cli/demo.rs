//! `holdfast demo`: the whole story on real files.

use std::path::PathBuf;

use clap::Args;

use crate::console::{Console, Exit};
use crate::demo::{self, NetworkWishes, Wishes};
use crate::failure::Failure;
use holdfast_service::local::size;

/// See everything work on real files in two minutes: plan, fill, kill, resume, audit, cheat, corrupt, repair, objects
#[derive(Args, Debug)]
#[command(
    after_help = "Needs no network and no configuration. Files are deleted at the end unless --keep is given."
)]
pub(crate) struct Arguments {
    /// Disk space to use
    #[arg(long, value_name = "SIZE", default_value = "320MiB", value_parser = size)]
    size: u64,
    /// Where to work [default: a new directory under the system's temporary directory]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Keep the files, to try the other commands on them
    #[arg(long)]
    keep: bool,
    /// See a network instead: a simulated chain, three validators, and six miners of which four cheat, fail or are slow
    #[arg(long, conflicts_with = "size")]
    network: bool,
    /// Rounds of audits of the network
    #[arg(long, value_name = "N", default_value_t = 20, requires = "network", value_parser = clap::value_parser!(u64).range(1..=10_000))]
    rounds: u64,
}

impl Arguments {
    pub(super) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        if self.network {
            let wishes = NetworkWishes { dir: self.dir.clone(), keep: self.keep, rounds: self.rounds };
            return demo::run_network(&wishes, console);
        }
        demo::run(&Wishes { bytes: self.size, dir: self.dir.clone(), keep: self.keep }, console)
    }
}
