//! `holdfast validator run`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use holdfast_service::operation::logging::{self, LogFormat};
use holdfast_service::validator::config::Config;
use holdfast_service::validator::run::{Ready, run};
use serde::Serialize;

use super::{config_failure, run_failure, signer};
use crate::console::{Console, Exit, Report};
use crate::failure::Failure;
use crate::interrupt;

/// Audit the miners of a network, and serve other validators, until interrupted
#[derive(Args, Debug)]
#[command(after_help = "\
With a configuration file (docs/guide/validator-config.md), or without one in a simulation, for a development name. Ctrl-C or \
SIGTERM: rounds under way end, which takes up to ten times their deadline. Examples:
  holdfast validator run --config validator.toml
  holdfast validator run --chain /tmp/chain --development-name validator-1 --index /tmp/validator-1.index")]
pub(crate) struct Arguments {
    /// The configuration
    #[arg(long, value_name = "FILE", required_unless_present = "chain")]
    config: Option<PathBuf>,
    /// Directory of a simulated chain
    #[arg(long, value_name = "DIR", conflicts_with = "config", requires = "development_name")]
    chain: Option<PathBuf>,
    /// A name whose key everybody has
    #[arg(long, value_name = "NAME", conflicts_with = "config")]
    development_name: Option<String>,
    /// Where to serve [default: the configuration's, or 127.0.0.1:7702]
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// The index: a file, or a postgres:// URL [default: the configuration's, or validator.index]
    #[arg(long, value_name = "PLACE")]
    index: Option<String>,
    /// The network's policy: default, test, or a JSON file [default: the configuration's, or default]
    #[arg(long, value_name = "POLICY")]
    policy: Option<String>,
    /// Show metrics at http://ADDRESS:PORT/metrics [default: the configuration's, or nowhere]
    #[arg(long, value_name = "ADDRESS:PORT")]
    metrics: Option<SocketAddr>,
    /// How log lines look, on standard error
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    log: LogFormat,
}

impl Arguments {
    pub(super) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        logging::set_up(self.log).map_err(|error| Failure::Usage(error.to_string()))?;
        let config = self.config()?;
        let signer = signer(&config, console)?;
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Failure::file("start threads for", "this process", error))?;
        let stop = interrupt::token();
        let mut served = None;
        let ready = |ready: &Ready| {
            console.note(format!("{} serves at {}", ready.validator, ready.address));
            if let Some(address) = ready.metrics {
                console.note(format!("metrics are at http://{address}/metrics"));
            }
            served = Some(ready.clone());
        };
        let ended = runtime.block_on(run(&config, signer, stop, ready));
        ended.map_err(run_failure)?;
        console.report(&Ran { served })
    }

    fn config(&self) -> Result<Config, Failure> {
        let mut config = match (&self.config, &self.chain, &self.development_name) {
            (Some(path), ..) => Config::read(path).map_err(config_failure)?,
            (None, Some(chain), Some(name)) => Config::development(name, chain.clone()),
            _ => return Err(Failure::Usage("give --config, or --chain and --development-name".to_owned())),
        };
        if let Some(listen) = self.listen {
            config.server.address = listen;
        }
        config.metrics.address = self.metrics.or(config.metrics.address);
        if let Some(index) = &self.index {
            config.index.location.clone_from(index);
        }
        if let Some(policy) = &self.policy {
            config.policy.clone_from(policy);
        }
        Ok(config)
    }
}

#[derive(Serialize)]
struct Ran {
    /// Who served where; nothing if it ended before.
    served: Option<Ready>,
}

impl Report for Ran {
    fn text(&self, out: &mut String) {
        out.push_str("stopped\n");
    }
}
