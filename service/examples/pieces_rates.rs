//! Rates of coding files into pieces and back: `cargo run --release -p holdfast-service --example pieces_rates`.

#![allow(clippy::print_stdout, reason = "figures are what this is for")]

use std::io::{self, Read, Write};
use std::time::Duration;

use holdfast_service::pieces::{
    Encoder, FileLayout, PieceError, PieceId, PieceSource, PlacementSecret, Policy, SegmentCode,
};
use rustix::time::{ClockId, clock_gettime};

const FILE_BYTES: u64 = 256 << 20;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let secret = PlacementSecret::generate()?;
    println!(
        "{:>14} {:>10} {:>10} {:>10} {:>10}   MB of the file for a second of a processor",
        "", "encode", "decode", "parity", "rebuild"
    );
    for policy in ["replicate-3", "3-of-5", "10-of-16", "29-of-80"] {
        let policy: Policy = policy.parse()?;
        let zeros = || io::repeat(7).take(FILE_BYTES);
        let mut rates = vec![rate(|| {
            let mut encoder = Encoder::new(zeros(), policy, &secret);
            while encoder.next_segment(|_| Ok(io::sink()))?.is_some() {}
            Ok(())
        })?];
        let mut encoder = Encoder::new(zeros(), policy, &secret);
        let segment = encoder.next_segment(|_| Ok(Vec::new()))?.ok_or("no segment")?;
        let layout = FileLayout::new(FILE_BYTES, policy);
        let code = SegmentCode::new(&layout, policy, &secret, 0).ok_or("no segment")?;
        let sources = |first: usize| -> Vec<PieceSource<&[u8]>> {
            let shards = segment.shards.iter().skip(first).take(policy.data_shards().into());
            shards.map(|shard| PieceSource { piece: shard.piece, reader: shard.sink.as_slice() }).collect()
        };
        let all = 0..FILE_BYTES;
        rates.push(rate(|| code.decode(all.clone(), sources(0), &mut io::sink()))?);
        rates.push(rate(|| code.decode(all.clone(), sources(policy.tolerance().into()), &mut io::sink()))?);
        let roots: Vec<[u8; 32]> = segment.shards.iter().map(|shard| shard.shard_root).collect();
        let target = PieceId { segment: 0, shard: 0, generation: 1 };
        rates.push(rate(|| {
            code.rebuild(target, sources(policy.tolerance().into()), &roots, io::sink()).map(|_| ())
        })?);
        let line: String = rates.iter().map(|rate| format!("{rate:>10.0} ")).collect();
        writeln!(io::stdout(), "{:>14} {line}", policy.to_string())?;
    }
    Ok(())
}

/// Best of three, in MB for a second of all threads' time on a processor: what else runs on the machine counts little.
fn rate(mut work: impl FnMut() -> Result<(), PieceError>) -> Result<f64, PieceError> {
    let mut best = f64::INFINITY;
    for _ in 0..3 {
        let start = processor_time();
        work()?;
        best = best.min((processor_time() - start).as_secs_f64());
    }
    Ok(FILE_BYTES as f64 / best / 1e6)
}

fn processor_time() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ProcessCPUTime)).unwrap_or_default()
}
