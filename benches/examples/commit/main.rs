//! Commitments and sums of points as ratios to arkworks and blst, on one core, in one run, with every answer checked.
//!
//! `cargo run --release -p holdfast-benches --example commit -- [WIDTH …]`: widths of windows, 8, 10, 12 and 14 if none is given.
//! Rounds are interleaved, the fastest counts, and the thread's own clock is read, so that other work does not.

mod others;

use holdfast_benches::{backends, on_one_core, thread_time};
use holdfast_engine::curve::{Fr, G1Affine, G1Projective, SCALAR_BITS, Table};
use holdfast_engine::possession::generators::Generators;
use others::{Blst, arkworks, block_scalars, points, scalar, stream};

const BLOCK_BYTES: usize = 16_384;
const BLOCKS: usize = 512;
/// Blocks that the slow ones commit to.
const FEW_BLOCKS: usize = 16;
const ROUNDS: usize = 5;

fn main() {
    let widths: Vec<u32> = std::env::args().skip(1).filter_map(|argument| argument.parse().ok()).collect();
    let widths = if widths.is_empty() { vec![8, 10, 12, 14] } else { widths };
    on_one_core(|| {
        commitments(&widths);
        foreign_points(21_000, SCALAR_BITS);
        foreign_points(21_000, 128);
        foreign_points(210_000, SCALAR_BITS);
        one_vector();
    });
}

/// Seconds of one call and its result.
fn time<T>(work: impl FnOnce() -> T) -> (f64, T) {
    let mut work = Some(work);
    let mut result = None;
    let seconds = thread_time(1, || result = work.take().map(|work| work())).as_secs_f64();
    (seconds, result.expect("one call"))
}

/// What is compared, and the fastest time of each.
struct Race<'w, T> {
    runners: Vec<(String, Box<dyn Fn() -> T + 'w>)>,
}

impl<'w, T: PartialEq> Race<'w, T> {
    fn new() -> Race<'w, T> {
        Race { runners: Vec::new() }
    }

    fn add(&mut self, name: impl Into<String>, work: impl Fn() -> T + 'w) {
        self.runners.push((name.into(), Box::new(work)));
    }

    /// Name and seconds of each; all results are equal.
    fn run(self) -> Vec<(String, f64)> {
        let mut seconds = vec![f64::INFINITY; self.runners.len()];
        for _ in 0..ROUNDS {
            let mut first: Option<T> = None;
            for ((name, work), fastest) in self.runners.iter().zip(&mut seconds) {
                let (time, result) = time(work);
                *fastest = fastest.min(time);
                let same = first.as_ref().is_none_or(|first| *first == result);
                assert!(same, "{name} differs");
                first = Some(result);
            }
        }
        self.runners.into_iter().map(|(name, _)| name).zip(seconds).collect()
    }
}

fn commitments(widths: &[u32]) {
    let bases = Generators::standard().all();
    let bytes = stream(1, BLOCKS * BLOCK_BYTES);
    let blocks: Vec<&[u8]> = bytes.chunks(BLOCK_BYTES).collect();
    let blindings: Vec<Fr> = (0..).map(scalar).take(BLOCKS).collect();
    let few: Vec<Vec<Fr>> =
        blocks.iter().zip(&blindings).take(FEW_BLOCKS).map(|(block, r)| block_scalars(block, r)).collect();

    let blst: Vec<Blst> = few.iter().map(|scalars| Blst::new(bases, scalars, SCALAR_BITS)).collect();
    let mut others = Race::new();
    others.add("arkworks", || few.iter().map(|scalars| arkworks(bases, scalars)).collect::<Vec<_>>());
    others.add("blst Pippenger", || blst.iter().map(Blst::sum).collect());
    let others = others.run();
    let expected: Vec<G1Projective> = few.iter().map(|scalars| arkworks(bases, scalars)).collect();
    let rate = |blocks: usize, seconds: f64| (blocks * BLOCK_BYTES) as f64 / 1e6 / seconds;
    for (name, seconds) in &others {
        eprintln!("commit, {name}: {:.2} MB/s", rate(FEW_BLOCKS, *seconds));
    }
    for &width_bits in widths {
        let (build_s, table) = time(|| Table::build(bases, width_bits).expect("bases of G1"));
        let additions_per_byte = table.additions_per_block() as f64 / BLOCK_BYTES as f64;
        let megabytes = table.bytes() as f64 / 1e6;
        eprintln!(
            "windows of {width_bits} bits: {megabytes:.0} MB made in {build_s:.2} s, {additions_per_byte:.3} additions a byte"
        );
        for backend in backends() {
            let commit = || backend.commit(&table, &blocks, &blindings);
            let (_, commitments) = time(commit);
            assert!(commitments[..FEW_BLOCKS] == expected, "{} differs", backend.name());
            let seconds = (0..ROUNDS).map(|_| time(commit).0).fold(f64::INFINITY, f64::min);
            let rate = rate(BLOCKS, seconds);
            let ns = 1e3 / rate / additions_per_byte;
            let ratios = others.iter().map(|(name, other_s)| {
                format!("{:.1} × {name}", rate / (FEW_BLOCKS * BLOCK_BYTES) as f64 * 1e6 * other_s)
            });
            let ratios: Vec<String> = ratios.collect();
            eprintln!("  {}: {rate:.2} MB/s, {ns:.1} ns an addition, {}", backend.name(), ratios.join(", "));
        }
    }
}

fn foreign_points(count: usize, scalar_bits: u32) {
    let points = points(count);
    let mask = |seed| if scalar_bits < SCALAR_BITS { short_scalar(seed) } else { scalar(seed) };
    let scalars: Vec<Fr> = (0..).map(mask).take(count).collect();
    let blst = Blst::new(&points, &scalars, scalar_bits);
    let (points, scalars): (&[G1Affine], &[Fr]) = (&points, &scalars);
    let mut race = Race::new();
    for backend in backends() {
        race.add(backend.name(), move || backend.msm(points, scalars, scalar_bits));
    }
    race.add("arkworks", || arkworks(points, scalars));
    race.add("blst", || blst.sum());
    for (name, seconds) in race.run() {
        eprintln!(
            "sum of {count} points, {scalar_bits} bits, {name}: {:.2} µs a point",
            1e6 * seconds / count as f64
        );
    }
}

/// A scalar of 128 bits.
fn short_scalar(seed: u64) -> Fr {
    use ark_ff::PrimeField;
    Fr::from_le_bytes_mod_order(&stream(seed, 16))
}

/// What answering and verifying take: all generators, any scalars.
fn one_vector() {
    let bases = Generators::standard().all();
    let table = Table::build(bases, 12).expect("bases of G1");
    let scalars: Vec<Fr> = (0..).map(scalar).take(bases.len()).collect();
    let blst = Blst::new(bases, &scalars, SCALAR_BITS);
    let (table, scalars) = (&table, &scalars);
    let mut race = Race::new();
    for backend in backends() {
        race.add(format!("{}, table of 12 bits", backend.name()), move || backend.fixed_base(table, scalars));
        race.add(format!("{}, no table", backend.name()), move || backend.msm(bases, scalars, SCALAR_BITS));
    }
    race.add("arkworks", || arkworks(bases, scalars));
    race.add("blst", || blst.sum());
    for (name, seconds) in race.run() {
        eprintln!("one vector of {} scalars, {name}: {:.2} ms", scalars.len(), 1e3 * seconds);
    }
}
