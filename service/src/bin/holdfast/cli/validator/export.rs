//! `holdfast validator export`: what the index of a validator has, as Parquet files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use holdfast_service::chain::FileChain;
use holdfast_service::export::AuditRates;
use holdfast_service::index;
use holdfast_service::validator::config::Config;
use holdfast_service::validator::export::{Export, ExportSource, Exported};
use holdfast_service::validator::run::RunError;
use holdfast_service::wire::clock::SystemClock;
use serde::Serialize;

use super::{config_failure, run_failure, signer, validator_failure};
use crate::console::{Console, Exit, Report};
use crate::failure::Failure;

/// Write what is final of a validator's rounds as Parquet files, which `holdfast chain verify` verifies by themselves
#[derive(Args, Debug)]
#[command(after_help = "\
A directory that has an export of this validator already is gone on with; nothing that is in it changes. An index in a file is used by \
one process: stop the validator first, or let it export by itself ([export] in its configuration). Examples:
  holdfast validator export --config validator.toml /srv/export
  holdfast chain verify /srv/export")]
pub(crate) struct Arguments {
    /// The validator's configuration
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The directory of the export
    #[arg(value_name = "DIR")]
    directory: PathBuf,
}

impl Arguments {
    pub(super) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        let config = Config::read(&self.config).map_err(config_failure)?;
        let settings = config.settings().map_err(config_failure)?;
        let validator = signer(&config, console)?.account();
        let chain = Arc::new(FileChain::open(&config.chain.directory)?);
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Failure::file("start threads for", "this process", error))?;
        let exported = runtime.block_on(async {
            let opened = index::open(&config.index.location).await;
            let source = ExportSource {
                index: opened.map_err(|error| run_failure(RunError::Index(error)))?,
                chain,
                validator,
                audits: AuditRates::of(&settings.policy).map(AuditRates::without_lottery),
                asked_within_blocks: settings.asked_within_blocks,
                clock: Arc::new(SystemClock),
            };
            let opened = Export::open(source, &self.directory).await;
            opened.map_err(validator_failure)?.advance().await.map_err(validator_failure)
        })?;
        console.report(&Written { directory: &self.directory, exported })
    }
}

#[derive(Serialize)]
struct Written<'a> {
    directory: &'a Path,
    #[serde(flatten)]
    exported: Exported,
}

impl Report for Written<'_> {
    fn text(&self, out: &mut String) {
        let Exported { receipts, events, blocks, through, .. } = self.exported;
        let directory = self.directory.display();
        match through {
            Some(through) => out.push_str(&format!(
                "{receipts} receipts, {events} events and {blocks} blocks were added to {directory}, which goes up to block {through}\n"
            )),
            None => out.push_str("no block is final yet, so there is nothing to export\n"),
        }
    }
}
