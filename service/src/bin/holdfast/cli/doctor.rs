//! `holdfast doctor`: what is wrong with this machine, and what to do about it.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use holdfast_service::operation::doctor::{Check, Examination, Finding, examine};
use serde::Serialize;

use crate::console::{Console, Exit, Report};
use crate::failure::Failure;

/// Check clock, limits, disks, adapters, ports and keys, and say what to do
#[derive(Args, Debug)]
#[command(after_help = "Exit code 1 if there is a problem.\n\n\
    Example: holdfast doctor --dir /mnt/disk1 --listen 0.0.0.0:8091 --key ~/.bittensor/wallets/default/hotkeys/default")]
pub(crate) struct Arguments {
    /// A directory for windows and objects; may be repeated
    #[arg(long = "dir", value_name = "DIR")]
    directories: Vec<PathBuf>,
    /// An address that a node is to listen on; may be repeated
    #[arg(long = "listen", value_name = "ADDRESS")]
    addresses: Vec<SocketAddr>,
    /// A key file that nobody else should read; may be repeated
    #[arg(long = "key", value_name = "FILE")]
    key_files: Vec<PathBuf>,
    /// The directory of a chain in files
    #[arg(long, value_name = "DIR")]
    chain: Option<PathBuf>,
    /// Count software adapters as usable; they are slow, and for tests
    #[arg(long)]
    allow_software_gpu: bool,
}

impl Arguments {
    pub(super) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        let checks = examine(&Examination {
            directories: self.directories.clone(),
            addresses: self.addresses.clone(),
            key_files: self.key_files.clone(),
            chain: self.chain.clone(),
            allow_software_gpu: self.allow_software_gpu,
        });
        let worst = checks.iter().map(|check| check.finding).max().unwrap_or(Finding::Good);
        console.report(&Examined { worst, checks })
    }
}

#[derive(Serialize)]
struct Examined {
    worst: Finding,
    checks: Vec<Check>,
}

impl Report for Examined {
    fn exit(&self) -> Exit {
        if self.worst == Finding::Problem { Exit::Failed } else { Exit::Done }
    }

    fn text(&self, out: &mut String) {
        for check in &self.checks {
            let mark = match check.finding {
                Finding::Good => "ok     ",
                Finding::Warning => "warning",
                Finding::Problem => "PROBLEM",
            };
            out.push_str(&format!("{mark}  {}: {}\n", check.subject, check.found));
            if let Some(advice) = check.advice {
                out.push_str(&format!("         {advice}\n"));
            }
        }
    }
}
