//! Figures of a network's front ends and transfers, of the `holdfast` beside this program:
//! `cargo build --release && cargo run --release -p holdfast-service --example network_figures`.
//!
//! Start: from the start of a process until it says where it serves. Idle: a miner that has filled its disk, with nobody who asks.
//! Put and get: over the loopback, against what encryption and the disk do with the same bytes, and against what the processors could do
//! at most (`bound.rs`). Argument, optional: MiB of the file.

#![allow(clippy::print_stdout, reason = "figures are what this is for")]

#[path = "../../../tests/suite/processes/network.rs"]
#[allow(dead_code, reason = "made for tests")]
mod network;
#[path = "../../../tests/suite/processes/process.rs"]
#[allow(dead_code, reason = "made for tests")]
mod process;
#[path = "../../../tests/suite/processes/proxy.rs"]
#[allow(dead_code, reason = "made for tests")]
mod proxy;
#[path = "../network_soak/usage.rs"]
mod usage;

mod bound;

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use holdfast_service::encryption::{OwnerKey, Recipients};
use network::{Network, Terms, bytes_of, cid_of};
use usage::{processor_time, resident_bytes};

const MINERS: usize = 3;
const FILE: &str = "file";
const FILE_MIB: usize = 256;
/// As in Bittensor: validators ask their questions beside what is measured.
const BLOCK_MS: u32 = 12_000;
const IDLE: Duration = Duration::from_secs(20);
/// Each figure is the median of so many.
const TRIES: usize = 5;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let argument = std::env::args().nth(1).map(|mib| mib.parse::<usize>()).transpose()?;
    let file_bytes = argument.unwrap_or(FILE_MIB) << 20;
    let terms =
        Terms { miners: MINERS, disk: "4GiB", block_ms: BLOCK_MS, through_proxies: false, encrypted: false };
    let mut network = Network::without_validator(terms);
    idle(&network);
    start(&mut network);
    let folder = network.path("");
    std::fs::write(network.path(FILE), bytes_of(FILE, file_bytes))?;
    let (encryption, disk) = (
        median_rate(file_bytes, || encrypt(&network.path(FILE)))?,
        median_rate(file_bytes, || write(&folder, file_bytes))?,
    );
    let slower = encryption.min(disk);
    println!("encryption {encryption:.0} MB/s, disk with sync {disk:.0} MB/s");
    let steps = bound::Steps::measure(&folder, &network.path(FILE))?;
    println!("{steps}");
    println!(
        "so at most: put {:.0} MB/s ({:.2} of the slower), get {:.0} MB/s ({:.2})",
        steps.put_rate(),
        steps.put_rate() / slower,
        steps.get_rate(),
        steps.get_rate() / slower
    );
    for coding in ["replicate-1", "replicate-2", "2-of-3"] {
        let (mut puts, mut gets) = (Vec::new(), Vec::new());
        for _ in 0..TRIES {
            let stored = network.begin_put(FILE, file_bytes, coding).end().json();
            puts.push(rate(file_bytes, &stored)?);
            let cid = cid_of(&stored);
            gets.push(rate(file_bytes, &network.get_and_compare(&cid, FILE))?);
            network.owner(&["rm", "--yes", &cid]).json();
        }
        let (put, get) = (median(puts), median(gets));
        let part = |rate: f64| rate / slower;
        println!(
            "{coding:>11}: put {put:.0} MB/s ({:.2} of the slower), get {get:.0} MB/s ({:.2})",
            part(put),
            part(get)
        );
    }
    Ok(())
}

/// What a miner takes that nobody asks anything.
fn idle(network: &Network) {
    let miner = network.miners.first().and_then(|miner| miner.process.as_ref());
    let Some(process) = miner.map(process::Process::id) else { return };
    let before = processor_time(process);
    std::thread::sleep(IDLE);
    let busy = (processor_time(process) - before).as_secs_f64() / IDLE.as_secs_f64();
    println!("idle miner: {} MiB, {:.1} % of a processor", resident_bytes(process) >> 20, 100.0 * busy);
}

/// How long miner and validator take until they serve.
fn start(network: &mut Network) {
    let (mut miners, mut validators) = (Vec::new(), Vec::new());
    for _ in 0..TRIES {
        network.kill_miner(0);
        let started = Instant::now();
        network.start_miner(0);
        miners.push(started.elapsed().as_secs_f64() * 1e3);
        let started = Instant::now();
        network.start_validator();
        validators.push(started.elapsed().as_secs_f64() * 1e3);
        network.kill_validator();
    }
    network.start_validator();
    println!("from start to serving: miner {:.0} ms, validator {:.0} ms", median(miners), median(validators));
}

/// MB of the file for a second of a command.
fn rate(file_bytes: usize, told: &serde_json::Value) -> Result<f64, &'static str> {
    Ok(file_bytes as f64 / 1e6 / told["seconds"].as_f64().ok_or("no seconds")?)
}

fn median_rate(file_bytes: usize, mut work: impl FnMut() -> io::Result<()>) -> io::Result<f64> {
    let mut rates = Vec::new();
    for _ in 0..TRIES {
        let started = Instant::now();
        work()?;
        rates.push(file_bytes as f64 / 1e6 / started.elapsed().as_secs_f64());
    }
    Ok(median(rates))
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}

fn encrypt(file: &Path) -> io::Result<()> {
    let recipients = Recipients::of_keys([OwnerKey::generate().recipient().as_str()]);
    let recipients = recipients.map_err(io::Error::other)?;
    let mut encrypting = recipients.encrypting(File::open(file)?).map_err(io::Error::other)?;
    io::copy(&mut encrypting, &mut io::sink()).map(drop)
}

fn write(folder: &Path, file_bytes: usize) -> io::Result<()> {
    let mut file = tempfile::tempfile_in(folder)?;
    file.write_all(&vec![7; file_bytes])?;
    file.sync_all()
}
