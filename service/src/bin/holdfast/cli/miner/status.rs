//! `holdfast miner status`.

use std::fmt::Write;
use std::sync::Arc;

use clap::Args;
use holdfast_service::chain::{Chain, FileChain};
use holdfast_service::connect::Connector;
use holdfast_service::identity::{DevelopmentNames, Identity, PasswordSource};
use holdfast_service::miner::node::Settings;
use holdfast_service::validator::peers::{Peer, Peers};
use holdfast_service::wire::Correspondent;
use holdfast_service::wire::clock::SystemClock;
use serde::Serialize;
use serde_json::Value;

use super::{ConfigArguments, runtime};
use crate::cli::connect::{ConnectArguments, peer_failure};
use crate::cli::worker::write_workers;
use crate::console::{Console, Exit, Report};
use crate::failure::Failure;
use crate::table::{self, Table};

/// Ask a running miner for its status, as its operator
#[derive(Args, Debug)]
#[command(after_help = "\
Signs with the miner's own key, so it sees everything (docs/guide/status-json.md). If the configuration says \
that the miner serves TLS, so does this command. Example:
  holdfast miner status --config miner.toml --json")]
pub(super) struct Arguments {
    #[command(flatten)]
    config: ConfigArguments,
    #[command(flatten)]
    connect: ConnectArguments,
}

impl Arguments {
    pub(super) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        let settings = self.config.settings()?;
        let connector = self.connect.connector_to_own(settings.server.tls.is_some())?;
        let status = runtime()?.block_on(ask(&settings, connector))?;
        console.report(&Status(status))
    }
}

async fn ask(settings: &Settings, connector: Connector) -> Result<Value, Failure> {
    let chain = FileChain::open(&settings.chain.directory)?;
    let passwords = PasswordSource::new(settings.identity.password_file.clone());
    let identity = Identity::load(&settings.identity.source()?, DevelopmentNames::Allowed, &passwords)?;
    let peer = Peer { account: identity.account(), endpoint: settings.server.address };
    let network = chain.recorder().network()?;
    let speaker = Correspondent::new(network, Arc::new(identity.into_signer()), Arc::new(SystemClock));
    let peers = Peers::new(Arc::new(speaker), connector);
    let json = peers.miner_status(peer).await.map_err(peer_failure)?;
    serde_json::from_str(&json).map_err(Failure::json)
}

#[derive(Serialize)]
#[serde(transparent)]
struct Status(Value);

impl Report for Status {
    fn text(&self, out: &mut String) {
        let number = |value: &Value| value.as_u64().unwrap_or_default();
        let status = &self.0;
        let _ = writeln!(
            out,
            "{} at height {}: {} objects, {}",
            status["miner"].as_str().unwrap_or_default(),
            number(&status["height"]),
            number(&status["objects"]["count"]),
            table::bytes(number(&status["objects"]["bytes"]))
        );
        if let Some(share) = status["income"]["share"].as_f64() {
            let percent = share * 100.0;
            let _ = writeln!(out, "may expect {percent:.2} % of the income, by the weights that are set");
        }
        let mut lines = Table::new(&[">partition", "validator", ">windows", ">filled", ">recorded", ">room"]);
        for partition in status["partitions"].as_array().into_iter().flatten() {
            lines.row([
                number(&partition["partition_id"]).to_string(),
                partition["validator"].as_str().unwrap_or_default().to_owned(),
                number(&partition["windows_allocated"]).to_string(),
                number(&partition["windows_filled"]).to_string(),
                number(&partition["windows_registered"]).to_string(),
                table::bytes(number(&partition["free_object_bytes"])),
            ]);
        }
        lines.write("  ", out);
        let mut lines =
            Table::new(&["validator", ">answered", ">refused", ">accepted", ">rejected", ">missed"]);
        for rounds in status["rounds"].as_array().into_iter().flatten() {
            let count = |name: &str| number(&rounds["counts"][name]).to_string();
            lines.row([
                rounds["validator"].as_str().unwrap_or_default().to_owned(),
                count("answered"),
                count("refused"),
                count("accepted"),
                count("rejected"),
                count("missed"),
            ]);
        }
        lines.write("  ", out);
        write_workers(&status["workers"], out);
    }
}
