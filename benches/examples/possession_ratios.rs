//! The figures of possession audits that are ratios of times in one run on one machine: answers against one sum of 530 points by
//! generic code, and responses verified together against one by one. k = 20, openings included, everything in memory.
//!
//! `cargo run --release -p holdfast-benches --example possession_ratios [-- RESPONSES]` on all cores, under `taskset -c 0` on
//! one. Medians of processor time.

use std::hint::black_box;
use std::time::Instant;

use ark_bls12_381::{Fr, G1Affine, G1Projective};
use ark_ec::VariableBaseMSM;
use ark_ff::Field;
use holdfast_benches::possession::{Rounds, SAMPLES, WIDTH_BITS, object};
use holdfast_engine::possession::batch::verify_possession_batch;
use holdfast_engine::possession::challenge::Form;
use holdfast_engine::possession::generators::Generators;
use holdfast_engine::possession::points::encode_point;
use holdfast_engine::possession::scalars::encode_scalar;
use holdfast_engine::possession::verify::{CheckedResponse, verify_possession};
use holdfast_tests::possession::TestObject;

/// Answers that are made; larger batches have them over and over.
const ANSWERS: u64 = 200;

fn main() {
    let most = std::env::args().nth(1).map_or(10_000, |count| count.parse().expect("a number of responses"));
    let object = object();
    let rounds = [Form::Plain, Form::Compressed].map(|form| Rounds::answer(&object, form, ANSWERS));
    eprintln!("{} thread(s), table of {WIDTH_BITS} bits, k = {SAMPLES}", rayon::current_num_threads());
    report(&object, &rounds, most);
    eprintln!("peak memory of the process: {}", peak_memory());
}

fn report(object: &TestObject, rounds: &[Rounds; 2], most: usize) {
    let generic_ms = generic_sum(530);
    let generic_alone_ms = generic_sum(530 + 1 + SAMPLES as usize);
    for rounds in rounds {
        let form = rounds.answered[0].0.form;
        let mut next = rounds.answered.iter().cycle();
        let answer_ms = median_ms(31, || {
            let (challenge, _) = next.next().expect("endless");
            black_box(object.answer(challenge));
        });
        let ratio = answer_ms / generic_ms;
        eprintln!(
            "{form:?}: answer {answer_ms:.2} ms = {ratio:.2} of the faster generic sum (plain: at most 1.3 wanted)"
        );
        verify(rounds, most, generic_alone_ms);
    }
}

/// One sum of so many points by arkworks and by blst, the faster of the two: what a simple implementation would take for T, or
/// for the equation of one response.
fn generic_sum(count: usize) -> f64 {
    let points: Vec<G1Affine> = Generators::standard().all().iter().cycle().take(count).copied().collect();
    // Full-length ones: arkworks is far faster with scalars near zero or r.
    let scalars: Vec<Fr> =
        (1..=points.len() as u64).map(|i| Fr::from(i).inverse().expect("not zero")).collect();
    let arkworks_ms = median_ms(15, || {
        let _ = black_box(G1Projective::msm_unchecked(black_box(&points), black_box(&scalars)));
    });
    // As signatures of the scheme whose signatures are in G1: blst's safe way to read a point.
    let read = |point| blst::min_sig::Signature::deserialize(&encode_point(point)).expect("a point");
    let affine: Vec<blst::blst_p1_affine> = points.iter().map(|point| read(point).into()).collect();
    let scalars: Vec<u8> = scalars.iter().flat_map(encode_scalar).collect();
    let blst_ms = median_ms(15, || {
        use blst::MultiPoint;
        black_box(affine.as_slice().mult(black_box(&scalars), 255));
    });
    eprintln!("one sum of {} points: arkworks {arkworks_ms:.2} ms, blst {blst_ms:.2} ms", points.len());
    arkworks_ms.min(blst_ms)
}

fn verify(rounds: &Rounds, most: usize, generic_alone_ms: f64) {
    let generators = Generators::standard();
    let cases = rounds.cases(most);
    let mut next = cases.iter().cycle();
    let check_ms = median_ms(101, || {
        black_box(CheckedResponse::check(next.next().expect("endless"))).expect("honest");
    });
    let alone_ms = median_ms(31, || {
        verify_possession(generators, next.next().expect("endless")).expect("honest");
    });
    let held = CheckedResponse::check(&cases[0]).expect("honest").held_bytes();
    eprintln!(
        "  alone {alone_ms:.3} ms, of which all but the equation {check_ms:.3}; {held} bytes held for a batch"
    );
    for size in [1, 10, 100, 1_000, 10_000].into_iter().filter(|size| *size <= most) {
        let mut wall_s = f64::INFINITY;
        let total_ms = median_ms(if size < 1_000 { 7 } else { 3 }, || {
            let started = Instant::now();
            let verdicts = verify_possession_batch(generators, &cases[..size]).expect("randomness");
            assert!(verdicts.iter().all(Result::is_ok));
            wall_s = wall_s.min(started.elapsed().as_secs_f64());
        });
        let each_ms = total_ms / size as f64;
        let (ratio, generic_ratio) = (alone_ms / each_ms, generic_alone_ms / each_ms);
        eprintln!(
            "  {size} together: {each_ms:.3} ms each, {ratio:.1} times less than alone and {generic_ratio:.1} times less than a \
             generic sum for each; by the clock {wall_s:.3} s"
        );
    }
}

/// Median of the processor time that the process spends, all threads together, in milliseconds. Unlike the wall clock it leaves
/// out what other work on the machine takes.
fn median_ms(rounds: usize, mut work: impl FnMut()) -> f64 {
    let mut times: Vec<f64> = (0..rounds)
        .map(|_| {
            let started = process_time();
            work();
            1e3 * (process_time() - started)
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[rounds / 2]
}

fn process_time() -> f64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    std::time::Duration::try_from(now).expect("a process's time is positive").as_secs_f64()
}

fn peak_memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or("unknown").to_owned()
}
