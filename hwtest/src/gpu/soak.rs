//! Windows and commitments over and over: what was right once must stay right.
//!
//! Every thread of every device takes the next of a few keys, or of a few batches, in turn. The first outcome of each is kept, and
//! every later one, of whatever device, must equal it; of one window and one batch the processor knows the outcome before.

mod state;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use holdfast_engine::accelerator::{Accelerator, AcceleratorReport, Fault, Interruption};
use holdfast_engine::backend::gpu::Gpu;

use super::Subject;
use crate::report::{Figure, Outcome, Row, Section};
use state::{Batches, Hashing, Soak, Tally};

/// A line of progress comes so often.
const LINE: Duration = Duration::from_secs(10);
/// How often the end of the time is looked for.
const LOOK: Duration = Duration::from_millis(200);

/// A row for each device; one that says why if there is none.
pub(crate) fn section(subjects: &[Subject], time: Duration) -> Section {
    let mut rows = Vec::new();
    let mut gpus: Vec<(&Subject, Arc<Gpu>)> = Vec::new();
    for subject in subjects {
        match Gpu::open(subject.adapter.clone(), subject.options(None)) {
            Ok(gpu) => gpus.push((subject, Arc::new(gpu))),
            Err(fault) => rows.push(Row::of(&subject.adapter.id, Err(fault))),
        }
    }
    // All devices make the same windows, so that they are compared with each other: those of the weakest.
    match gpus.iter().map(|(subject, _)| subject.scale.shape()).min_by_key(|shape| shape.bytes()) {
        None => rows.push(Row::absent("any device", "no adapter could be opened")),
        Some(shape) => match Soak::new(shape, time) {
            Ok(soak) => rows.extend(run(&soak, &gpus, time)),
            Err(error) => rows.push(Row::of("known answers of the processor", Err(error))),
        },
    }
    Section { name: format!("soak of {}", Span(time)), rows }
}

fn run(soak: &Soak, gpus: &[(&Subject, Arc<Gpu>)], time: Duration) -> Vec<Row> {
    let tallies: Vec<Tally> = gpus.iter().map(|_| Tally::default()).collect();
    std::thread::scope(|threads| {
        let mut workers = Vec::new();
        for ((_, gpu), tally) in gpus.iter().zip(&tallies) {
            let slots = gpu.window_slots(soak.shape).unwrap_or(0);
            for _ in 0..slots {
                workers.push(threads.spawn(|| work(soak, gpu, tally, || window(soak, gpu, tally))));
            }
            if let Ok(slots) = gpu.commit_slots() {
                let batches = Batches::new(slots.batch_blocks);
                workers.push(threads.spawn(move || {
                    work(soak, gpu, tally, || commitments(soak, gpu, tally, &batches));
                }));
            }
        }
        let began = Instant::now();
        let mut next_line = began + LINE;
        while workers.iter().any(|worker| !worker.is_finished()) {
            std::thread::park_timeout(LOOK);
            if Instant::now() >= next_line {
                next_line += LINE;
                eprintln!("{}", progress(&tallies, gpus, began.elapsed(), time));
            }
        }
    });
    gpus.iter().zip(&tallies).map(|((_, gpu), tally)| row(&gpu.report(), tally)).collect()
}

/// Pieces until the time is over, or the device is given up.
fn work(soak: &Soak, gpu: &Gpu, tally: &Tally, piece: impl Fn() -> Result<(), Fault>) {
    let proceed = || !soak.is_over();
    while proceed() {
        if piece().is_err() {
            tally.fault();
            if !gpu.recover(&proceed) {
                return;
            }
        }
    }
}

fn window(soak: &Soak, gpu: &Gpu, tally: &Tally) -> Result<(), Fault> {
    let (number, key) = soak.next_key();
    let target = Hashing::new(soak);
    let session = gpu.session();
    match gpu.make_window(soak.shape, &key, &target) {
        Err(Interruption::Stopped) => Ok(()),
        Err(Interruption::Fault(fault)) => Err(fault),
        Ok(made) => {
            if !soak.is_expected_window(number, &made, &target.root()) {
                let fault = Fault::Wrong { what: format!("window {number} of the soak") };
                gpu.taint(session, fault.clone());
                return Err(fault);
            }
            tally.windows(1, soak.shape.bytes());
            Ok(())
        }
    }
}

fn commitments(soak: &Soak, gpu: &Gpu, tally: &Tally, batches: &Batches) -> Result<(), Fault> {
    let number = batches.next();
    let (blocks, blindings) = batches.get(number);
    let session = gpu.session();
    let points = gpu.commit(&blocks, &blindings)?;
    if !soak.is_expected_batch(number, &points) {
        let fault = Fault::Wrong { what: format!("batch {number} of the soak") };
        gpu.taint(session, fault.clone());
        return Err(fault);
    }
    tally.blocks(points.len() as u64);
    Ok(())
}

fn row(report: &AcceleratorReport, tally: &Tally) -> Row {
    let outcome = match (tally.faults(), report.given_up_because.as_deref()) {
        (0, None) if tally.made() == 0 && tally.committed() == 0 => {
            Outcome::Absent { why: "the time was too short for one window".into() }
        }
        (0, None) => Outcome::Ran { figures: figures(tally) },
        (faults, given_up) => {
            let kinds: Vec<_> = report.faults.iter().map(|fault| fault.message.as_str()).collect();
            let done: Vec<_> = figures(tally).iter().map(Figure::to_string).collect();
            let given_up = given_up.map(|why| format!("; given up: {why}")).unwrap_or_default();
            Outcome::Failed {
                why: format!("{faults} pieces failed: {}{given_up}; {}", kinds.join("; "), done.join(", ")),
            }
        }
    };
    Row { name: report.id.clone(), outcome }
}

fn figures(tally: &Tally) -> Vec<Figure> {
    vec![
        Figure::count("windows as the first time", tally.made(), ""),
        Figure::new("in all", crate::report::real(tally.bytes()) * 1e-9, "GB"),
        Figure::count("blocks as the first time", tally.committed(), ""),
        Figure::count("faults", tally.faults(), ""),
    ]
}

fn progress(tallies: &[Tally], gpus: &[(&Subject, Arc<Gpu>)], done: Duration, time: Duration) -> String {
    let line = |(tally, (subject, _)): (&Tally, &(&Subject, Arc<Gpu>))| {
        let (windows, blocks, faults) = (tally.made(), tally.committed(), tally.faults());
        format!("{}: {windows} windows, {blocks} blocks, {faults} faults", subject.adapter.id)
    };
    let lines: Vec<_> = tallies.iter().zip(gpus).map(line).collect();
    format!(
        "soak {} of {}, {} left; {}",
        Span(done),
        Span(time),
        Span(time.saturating_sub(done)),
        lines.join("; ")
    )
}

/// A time as people say it.
struct Span(Duration);

impl fmt::Display for Span {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
            (0, 0, seconds) => write!(formatter, "{seconds} s"),
            (0, minutes, seconds) => write!(formatter, "{minutes} min {seconds} s"),
            (hours, minutes, _) => write!(formatter, "{hours} h {minutes} min"),
        }
    }
}

/// What all devices are asked for.
pub(super) fn key_of(number: usize) -> [u8; 32] {
    *blake3::hash(&(number as u64).to_le_bytes()).as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_said_as_people_say_them() {
        let text = |seconds| Span(Duration::from_secs(seconds)).to_string();
        assert_eq!([9, 75, 7380].map(text), ["9 s", "1 min 15 s", "2 h 3 min"]);
    }

    #[test]
    fn a_fault_makes_the_row_a_failure_that_tells_what_went_well() {
        let tally = Tally::default();
        tally.windows(2, 10);
        let report = AcceleratorReport { id: "a".into(), ..AcceleratorReport::default() };
        assert!(matches!(row(&report, &tally).outcome, Outcome::Ran { .. }));
        tally.fault();
        let Outcome::Failed { why } = row(&report, &tally).outcome else { panic!("a fault") };
        assert!(why.starts_with("1 pieces failed") && why.contains("windows as the first time 2"), "{why}");
        assert_ne!(key_of(0), key_of(1));
    }
}
