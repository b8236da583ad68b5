//! `holdfast miner`: a miner as a service.

mod move_directory;
mod reindex;
mod run;
mod status;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use holdfast_service::miner::MinerError;
use holdfast_service::miner::node::Settings;

use crate::console::{Console, Exit};
use crate::failure::Failure;
use crate::files;

/// Where a miner serves if nothing is said.
const LISTEN: &str = "127.0.0.1:7701";

/// Keep windows and objects for validators, and answer their audits
#[derive(Args, Debug)]
#[command(arg_required_else_help = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Run(run::Arguments),
    Status(status::Arguments),
    Move(move_directory::Arguments),
    Reindex(reindex::Arguments),
}

impl Arguments {
    pub(super) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        match &self.what {
            What::Run(arguments) => arguments.run(console),
            What::Status(arguments) => arguments.run(console),
            What::Move(arguments) => arguments.run(console),
            What::Reindex(arguments) => arguments.run(console),
        }
    }
}

/// A configuration, or what a simulation needs instead of one.
#[derive(Args, Clone, Debug)]
struct ConfigArguments {
    /// The configuration (docs/guide/miner-config.md)
    #[arg(long, value_name = "FILE", required_unless_present = "chain")]
    config: Option<PathBuf>,
    /// Directory of a simulated chain
    #[arg(
        long,
        value_name = "DIR",
        conflicts_with = "config",
        requires = "development_name",
        requires = "dirs"
    )]
    chain: Option<PathBuf>,
    /// A name whose key everybody has
    #[arg(long, value_name = "NAME", conflicts_with = "config")]
    development_name: Option<String>,
    /// A directory to fill; may be repeated
    #[arg(long = "dir", value_name = "DIR", conflicts_with = "config")]
    dirs: Vec<PathBuf>,
    /// Where to serve [default: the configuration's, or 127.0.0.1:7701]
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// The network's policy: default, test, or a JSON file [default: the configuration's, or default]
    #[arg(long, value_name = "POLICY")]
    policy: Option<String>,
}

impl ConfigArguments {
    fn settings(&self) -> Result<Settings, Failure> {
        let mut settings = match (&self.config, &self.chain, &self.development_name) {
            (Some(path), ..) => Settings::from_toml(&files::read_text(path)?)?,
            (None, Some(chain), Some(name)) => {
                let listen = LISTEN.parse().map_err(|_| Failure::Usage(format!("{LISTEN} is no address")))?;
                Settings::development(name, chain.clone(), self.dirs.clone(), listen)
            }
            _ => {
                return Err(Failure::Usage(
                    "give --config, or --chain, --development-name and --dir".to_owned(),
                ));
            }
        };
        if let Some(listen) = self.listen {
            settings.server.address = listen;
        }
        if let Some(policy) = &self.policy {
            settings.policy.clone_from(policy);
        }
        Ok(settings)
    }
}

/// What ended a miner, as a command tells it.
fn failure(error: MinerError) -> Failure {
    match error {
        MinerError::Failed(failure) => failure,
        MinerError::Rejected(rejection) => Failure::rejected("miner", rejection),
        error => Failure::work("state", "miner", error),
    }
}

/// Threads for a service or for talking to one.
fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.map_err(|error| Failure::file("start threads for", "this process", error))
}
