//! Asking a validator that runs: `holdfast validator status` and `history`.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use holdfast_engine::receipt::encode_chain_header;
use holdfast_engine::signature::Signer;
use holdfast_service::chain::{Chain, FileChain};
use holdfast_service::validator::peers::{Peer, Peers};
use holdfast_service::wire::Correspondent;
use holdfast_service::wire::clock::SystemClock;
use serde::Serialize;
use serde_json::Value;
use tokio::runtime::Runtime;
use zeroize::Zeroizing;

use crate::allocation::NamedAccount;
use crate::cli::connect::{ConnectArguments, peer_failure};
use crate::console::{Console, Exit, Report};
use crate::failure::Failure;
use crate::table::Table;

/// Which validator.
#[derive(Args, Debug)]
struct WhomArguments {
    /// The validator: an SS58 address, hex, or a development name
    #[arg(long, value_name = "ACCOUNT")]
    validator: String,
    /// Directory of the chain
    #[arg(long, value_name = "DIR")]
    chain: PathBuf,
    /// Where it serves [default: what it announced on the chain]
    #[arg(long, value_name = "ADDRESS:PORT")]
    at: Option<SocketAddr>,
}

/// A validator, and the means to ask it.
struct Asking {
    runtime: Runtime,
    peers: Peers,
    peer: Peer,
}

impl WhomArguments {
    /// What is asked here may be asked by anybody, so a key is made for it and forgotten.
    fn asking(&self, connect: &ConnectArguments, console: &Console) -> Result<Asking, Failure> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.map_err(|error| Failure::file("start a thread for", "this process", error))?;
        let account = NamedAccount::parse(&self.validator, console)?.account;
        let chain = FileChain::open(&self.chain)?;
        let announced = || {
            let metagraph = runtime.block_on(chain.metagraph())?;
            let endpoint = metagraph.neuron_of(&account).and_then(|neuron| neuron.endpoint);
            let unknown = format!("{account} has announced no endpoint; say where it is with --at");
            endpoint.ok_or(Failure::NotFound(unknown))
        };
        let endpoint = self.at.map_or_else(announced, Ok)?;
        let mut seed = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *seed).map_err(|error| Failure::Absent(format!("no randomness: {error}")))?;
        let signer = Arc::new(Signer::from_seed(&seed));
        let correspondent = Correspondent::new(chain.recorder().network()?, signer, Arc::new(SystemClock));
        let peers = Peers::new(Arc::new(correspondent), connect.connector()?);
        Ok(Asking { runtime, peers, peer: Peer { account, endpoint } })
    }
}

/// Show what a validator tells of itself: rounds, scores, weights, evidence
#[derive(Args, Debug)]
pub(crate) struct StatusArguments {
    #[command(flatten)]
    whom: WhomArguments,
    #[command(flatten)]
    connect: ConnectArguments,
}

impl StatusArguments {
    pub(super) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        let Asking { runtime, peers, peer } = self.whom.asking(&self.connect, console)?;
        let json = runtime.block_on(peers.validator_status(peer)).map_err(peer_failure)?;
        let status = serde_json::from_str(&json).map_err(Failure::json)?;
        console.report(&Told { status })
    }
}

#[derive(Serialize)]
#[serde(transparent)]
struct Told {
    status: Value,
}

impl Report for Told {
    fn text(&self, out: &mut String) {
        let status = &self.status;
        let charge = if status["in_charge"] == true { "in charge" } else { "looking on" };
        out.push_str(&format!(
            "{} at height {}, {charge}; {} open rounds, {} equivocations known\n",
            status["validator"].as_str().unwrap_or_default(),
            status["height"],
            status["open_rounds"].as_array().map_or(0, Vec::len),
            status["evidence"].as_array().map_or(0, Vec::len),
        ));
        let mut lines = Table::new(&["miner", "tier", ">rounds", ">share", ">weight", ">ms"]);
        for miner in status["miners"].as_array().map(Vec::as_slice).unwrap_or_default() {
            let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            lines.row([
                text(&miner["miner"]),
                text(&miner["tier"]),
                text(&miner["window_rounds"]),
                format!("{:.4}", miner["share"].as_f64().unwrap_or_default()),
                text(&miner["weight"]),
                text(&miner["sign"]["latency_ms"]),
            ]);
        }
        lines.write("  ", out);
    }
}

/// Write the receipts that a validator shows into a chain file, which `holdfast chain verify` takes
#[derive(Args, Debug)]
pub(crate) struct HistoryArguments {
    #[command(flatten)]
    whom: WhomArguments,
    /// The chain file
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// From this height on
    #[arg(long, value_name = "N", default_value_t = 0)]
    from: u64,
    #[command(flatten)]
    connect: ConnectArguments,
}

impl HistoryArguments {
    pub(super) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        let Asking { runtime, peers, peer } = self.whom.asking(&self.connect, console)?;
        let new = self.out.with_extension("new");
        let failed = |error| Failure::file("write to", &new, error);
        let mut file = BufWriter::new(File::create(&new).map_err(failed)?);
        file.write_all(&encode_chain_header(&peers.correspondent().network())).map_err(failed)?;
        let (mut receipts, mut wrong) = (0, None);
        let write = |receipt: holdfast_engine::receipt::Receipt| {
            receipts += 1;
            wrong = file.write_all(&receipt.encode()).err();
            wrong.is_none()
        };
        runtime.block_on(peers.history(peer, self.from..u64::MAX, write)).map_err(peer_failure)?;
        wrong.map_or(Ok(()), Err).map_err(failed)?;
        let file = file.into_inner().map_err(|error| failed(error.into_error()))?;
        file.sync_all().map_err(failed)?;
        std::fs::rename(&new, &self.out).map_err(|error| Failure::file("rename", &new, error))?;
        console.report(&Written { receipts, file: &self.out })
    }
}

#[derive(Serialize)]
struct Written<'a> {
    receipts: u64,
    file: &'a Path,
}

impl Report for Written<'_> {
    fn text(&self, out: &mut String) {
        out.push_str(&format!("{} receipts in {}\n", self.receipts, self.file.display()));
    }
}
