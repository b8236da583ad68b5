//! `holdfast chain simulate`.

use std::num::NonZeroU64;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use holdfast_engine::recorder::SimulationSettings;
use holdfast_engine::registration::network_digest;
use holdfast_service::chain::{Driver, Head, NetworkSettings, RECORDER_FILE, Script};
use serde::Serialize;

use crate::console::{Console, Exit, Report};
use crate::failure::Failure;
use crate::interrupt;

/// Make the blocks of a simulated chain, which the nodes of this machine share by its directory, until interrupted
#[derive(Args, Debug)]
#[command(after_help = "\
Settings of a chain that exists stay as they are, and it goes on where it stopped. A script lists who is there at the beginning \
and what comes with which block (docs/guide/network-json.md). Examples:
  holdfast chain simulate /tmp/chain --block-ms 1000 --script network.toml
  holdfast chain show /tmp/chain")]
pub(crate) struct Arguments {
    /// The chain's directory; made if need be
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    /// Milliseconds from block to block
    #[arg(long, value_name = "N", default_value_t = 12_000, value_parser = clap::value_parser!(u64).range(..=86_400_000))]
    block_ms: u64,
    /// Stop after so many blocks
    #[arg(long, value_name = "N")]
    blocks: Option<u64>,
    /// Neurons and events, in TOML (.toml) or JSON; several are joined
    #[arg(long, value_name = "FILE")]
    script: Vec<PathBuf>,
    /// A new chain's finality: blocks that stand on a final one
    #[arg(long, value_name = "N", default_value = "8")]
    finality: NonZeroU64,
    /// A new chain's seed, in hex; all hashes of blocks follow from it
    #[arg(long, value_name = "HEX", default_value = "", hide_default_value = true, value_parser = seed)]
    seed: Seed,
    /// A new chain's network number
    #[arg(long, value_name = "N", default_value_t = 0)]
    netuid: u16,
    /// A new chain takes signed intents, commitments and anchors only
    #[arg(long)]
    signed: bool,
    /// A new network's number of uids
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = clap::value_parser!(u16).range(1..))]
    neurons_max: u16,
    /// A new network's blocks from one setting of a validator's weights to the next
    #[arg(long, value_name = "N", default_value_t = 100)]
    weights_interval: u64,
}

#[derive(Clone, Copy, Debug)]
struct Seed([u8; 32]);

/// Up to 64 hex digits, with zeros behind.
fn seed(text: &str) -> Result<Seed, String> {
    let bytes = hex::decode(text).map_err(|error| error.to_string())?;
    let mut seed = [0; 32];
    match seed.get_mut(..bytes.len()) {
        Some(start) => start.copy_from_slice(&bytes),
        None => return Err(format!("{} digits; a seed has at most 64", text.len())),
    }
    Ok(Seed(seed))
}

impl Arguments {
    pub(super) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        let mut script = Script::default();
        for path in &self.script {
            let Script { neurons, events } = Script::read(path)?;
            script.neurons.extend(neurons);
            script.events.extend(events);
        }
        let existed = self.directory.join(RECORDER_FILE).exists();
        let driver = Driver::in_directory(&self.directory, self.simulation(), self.network(), script)?;
        let first = driver.chain().refresh()?;
        if existed {
            console.note(format!("the chain is there and goes on from block {}", first.height));
        }
        let control = interrupt::control(None);
        let mut head = first;
        let mut blocks = 0;
        while self.blocks.is_none_or(|wanted| blocks < wanted) {
            if control.sleep(Duration::from_millis(self.block_ms)).is_err() {
                break;
            }
            head = driver.step()?;
            blocks += 1;
            console.note(line(&head));
        }
        console.report(&Simulated { directory: self.directory.clone(), blocks, head })
    }

    fn simulation(&self) -> SimulationSettings {
        SimulationSettings {
            network: network_digest(&[0; 32], self.netuid),
            seed: self.seed.0,
            finality_blocks: self.finality,
            signatures_required: self.signed,
        }
    }

    fn network(&self) -> NetworkSettings {
        NetworkSettings { neurons_max: self.neurons_max, weights_interval_blocks: self.weights_interval }
    }
}

/// A head for people.
pub(super) fn line(head: &Head) -> String {
    let finality = match head.finalized_height {
        Some(height) => format!("final up to {height}"),
        None => "nothing final".to_owned(),
    };
    format!("block {}  {}  {finality}", head.height, hex::encode(head.hash))
}

#[derive(Serialize)]
struct Simulated {
    directory: PathBuf,
    /// Made by this run.
    blocks: u64,
    head: Head,
}

impl Report for Simulated {
    fn text(&self, out: &mut String) {
        out.push_str(&format!("{} blocks made; the newest is\n  {}\n", self.blocks, line(&self.head)));
    }
}
