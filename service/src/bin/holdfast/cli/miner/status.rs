//! `holdfast miner status`.

use std::fmt::Write;
use std::sync::Arc;

use clap::Args;
use holdfast_service::chain::{Chain, FileChain};
use holdfast_service::identity::{DevelopmentNames, Identity, PasswordSource};
use holdfast_service::miner::node::Settings;
use holdfast_service::proto::StatusRequest;
use holdfast_service::proto::miner_client::MinerClient;
use holdfast_service::wire::Correspondent;
use holdfast_service::wire::canonical::methods;
use holdfast_service::wire::clock::SystemClock;
use serde::Serialize;
use serde_json::Value;

use super::{ConfigArguments, runtime};
use crate::console::{Console, Exit, Report};
use crate::failure::Failure;
use crate::table::{self, Table};

/// Ask a running miner for its status, as its operator
#[derive(Args, Debug)]
#[command(after_help = "\
Signs with the miner's own key, so it sees everything (docs/guide/status-json.md). Example:
  holdfast miner status --config miner.toml --json")]
pub(super) struct Arguments {
    #[command(flatten)]
    config: ConfigArguments,
}

impl Arguments {
    pub(super) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        let settings = self.config.settings()?;
        let status = runtime()?.block_on(ask(&settings))?;
        console.report(&Status(status))
    }
}

async fn ask(settings: &Settings) -> Result<Value, Failure> {
    let place = settings.server.address.to_string();
    let failed = |error: Box<dyn std::error::Error + Send + Sync>| Failure::Work {
        kind: "io",
        place: place.clone(),
        source: error,
    };
    let chain = FileChain::open(&settings.chain.directory).map_err(|error| failed(error.into()))?;
    let passwords = PasswordSource::new(settings.identity.password_file.clone());
    let identity = Identity::load(&settings.identity.source()?, DevelopmentNames::Allowed, &passwords)?;
    let account = identity.account();
    let network = chain.recorder().network()?;
    let speaker = Correspondent::new(network, Arc::new(identity.into_signer()), Arc::new(SystemClock));
    let mut request = StatusRequest { seal: None };
    let asked = speaker.ask(methods::MINER_STATUS, account, &mut request);
    let client = MinerClient::connect(format!("http://{place}")).await;
    let mut client = client.map_err(|error| failed(error.into()))?;
    let response =
        client.status(request).await.map_err(|status| failed(status.message().to_owned().into()))?;
    let response = response.into_inner();
    speaker.hear_answer(&asked, &response).map_err(|rejection| Failure::rejected(&place, rejection))?;
    serde_json::from_str(&response.json).map_err(Failure::json)
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
    }
}
