//! `holdfast miner run`.

use std::net::SocketAddr;

use clap::Args;
use holdfast_service::miner::node::{Ready, run};
use holdfast_service::operation::logging::{self, LogFormat};
use serde::Serialize;

use super::{ConfigArguments, failure, runtime};
use crate::console::{Console, Exit, Report};
use crate::failure::Failure;
use crate::interrupt;

/// Serve validators and owners until interrupted
#[derive(Args, Debug)]
#[command(after_help = "\
Divides its disks among the validators of the chain by stake, fills them in the background, records what is filled, keeps objects \
under validators' tickets, and answers audits. Ctrl-C or SIGTERM: calls under way end; everything acknowledged is durable at any \
moment anyway. Examples:
  holdfast miner run --config miner.toml
  holdfast miner run --chain /tmp/chain --development-name miner-1 --dir /tmp/miner-1 --policy test")]
pub(super) struct Arguments {
    #[command(flatten)]
    config: ConfigArguments,
    /// Show metrics at http://ADDRESS:PORT/metrics [default: the configuration's, or nowhere]
    #[arg(long, value_name = "ADDRESS:PORT")]
    metrics: Option<SocketAddr>,
    /// Let machines that run `holdfast worker run` make windows, and have them connect here [default: the configuration's, or
    /// nowhere] (docs/guide/workers.md)
    #[arg(long, value_name = "ADDRESS:PORT")]
    workers: Option<SocketAddr>,
    /// How log lines look, on standard error
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    log: LogFormat,
}

impl Arguments {
    pub(super) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        logging::set_up(self.log).map_err(|error| Failure::Usage(error.to_string()))?;
        let mut settings = self.config.settings()?;
        settings.metrics.address = self.metrics.or(settings.metrics.address);
        if let Some(address) = self.workers {
            settings.workers.get_or_insert_default();
            settings.workers_server.address = address;
        }
        let stop = interrupt::token();
        let mut served = None;
        let ready = |ready: &Ready| {
            console.note(format!("{} serves at {}", ready.miner, ready.address));
            if let Some(address) = ready.metrics {
                console.note(format!("metrics are at http://{address}/metrics"));
            }
            if let Some(address) = ready.workers {
                console.note(format!("workers connect to {address}"));
            }
            served = Some(ready.clone());
        };
        runtime()?.block_on(run(&settings, stop.cancelled(), ready)).map_err(failure)?;
        console.report(&Ran { served })
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
