//! A validator over hundreds of miners, measured: `cargo run --release -p holdfast-service --example network_soak`.
//!
//! All miners are in another process, so that what the validator computes is its own. Rounds follow each other at once.
//! Arguments, all optional: miners, partitions of each (one challenge each in a round), samples of a challenge, rounds.

#![allow(clippy::print_stdout, reason = "figures are what this is for")]

mod miner;
mod usage;
mod world;

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use holdfast_service::index::{EmbeddedIndex, EmbeddedSettings};
use usage::{processor_time, resident_bytes};
use world::{Held, Outcome, Terms, World, closed};

/// The first argument of the process that has the miners.
const MINERS: &str = "miners";
/// Rounds until every partition has passed its seal audit, and links are closed as fast as rounds begin.
const WARM_UP_ROUNDS: u32 = 12;
/// Of a real network.
const ROUND_SECONDS: f64 = 12.0;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let is_miners = arguments.first().is_some_and(|first| first == MINERS);
    let numbers = arguments.iter().skip(usize::from(is_miners)).map(|number| number.parse::<u32>());
    let numbers = numbers.collect::<Result<Vec<u32>, _>>()?;
    let number = |place: usize, usual: u32| numbers.get(place).copied().unwrap_or(usual);
    let terms =
        Terms { miners: u16::try_from(number(0, 256))?, partitions: number(1, 20), samples: number(2, 20) };
    let (world, held) = World::build(terms)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    if is_miners {
        runtime.block_on(be_miners(&world, held))
    } else {
        runtime.block_on(soak(&world, held, terms, number(3, 20)))
    }
}

/// Serves all miners, tells where each is, and goes on until the other process closes its end.
async fn be_miners(world: &World, held: Vec<Held>) -> Outcome<()> {
    for miner in held {
        println!("{}", miner::serve(miner, world.network()).await?);
    }
    tokio::task::spawn_blocking(|| std::io::stdin().lines().for_each(drop)).await?;
    Ok(())
}

/// The other process, which ends with this one.
struct Miners(Child);

impl Drop for Miners {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn soak(world: &World, held: Vec<Held>, terms: Terms, rounds: u32) -> Outcome<()> {
    let Terms { miners: miner_count, partitions, samples } = terms;
    let miners = Command::new(std::env::current_exe()?)
        .args([MINERS, &miner_count.to_string(), &partitions.to_string(), &samples.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut miners = Miners(miners);
    let told = BufReader::new(miners.0.stdout.take().ok_or("no pipe")?);
    for (miner, line) in held.iter().zip(told.lines()) {
        world.announce(&miner.signer, line?.parse()?);
    }
    drop(held);
    world.settle()?;
    let folder = tempfile::tempdir()?;
    let index = EmbeddedIndex::open(&folder.path().join("index"), EmbeddedSettings::default()).await?;
    let node = world.validator(Arc::new(index)).await?;
    for _ in 0..WARM_UP_ROUNDS {
        world.round(&node).await?;
    }
    let (resident, started) = (resident_bytes(std::process::id()), Instant::now());
    let times = || (processor_time(std::process::id()), processor_time(miners.0.id()));
    let before = times();
    for _ in 0..rounds {
        world.round(&node).await?;
    }
    let after = times();
    let each = |time: Duration| time.as_secs_f64() / f64::from(rounds);
    let (accepted, others) = closed(&node).await?;
    println!(
        "{miner_count} miners x {partitions} challenges of {samples} samples, {rounds} rounds after {WARM_UP_ROUNDS}"
    );
    println!(
        "validator: {:.2} s of processor for each round (of {ROUND_SECONDS} s)",
        each(after.0 - before.0)
    );
    println!("miners, all together: {:.2} s of processor for each round", each(after.1 - before.1));
    println!("a round took {:.2} s", each(started.elapsed()));
    let mib = |bytes: u64| bytes >> 20;
    println!(
        "validator's memory: {} MiB before, {} MiB after",
        mib(resident),
        mib(resident_bytes(std::process::id()))
    );
    println!("{accepted} rounds of partitions accepted, {others} missed or rejected");
    Ok(())
}
