//! `holdfast bench commit|check|verify`: audits of objects, over batches of every size.

use clap::Args;
use holdfast_engine::jobs::bench::{
    AnswerRate, Audits, BenchError, BenchObject, CheckRow, CommitRow, VerifyRow,
};
use holdfast_engine::possession::challenge::Form;
use serde::Serialize;

use crate::cli::options::MachineArguments;
use crate::console::{Console, Exit, Report};
use crate::failure::Failure;
use crate::machine::Machine;
use crate::table::{self, Table, rate};

/// Batches of these sizes are measured.
const SIZES: [usize; 5] = [1, 10, 100, 1000, 10_000];
/// Distinct responses that batches are made of.
const RESPONSES: usize = 64;
/// Characters of the longest bar.
const BAR_WIDTH: f64 = 40.0;

/// What all three take.
#[derive(Args, Debug)]
struct Sizes {
    /// Largest batch
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    most: usize,
    #[command(flatten)]
    machine: MachineArguments,
}

impl Sizes {
    fn sizes(&self) -> impl Iterator<Item = usize> {
        SIZES.into_iter().filter(|size| *size <= self.most)
    }
}

/// Measure committing to objects of 1 to 10,000 blocks, the making of the table of multiples included
#[derive(Args, Debug)]
#[command(after_help = "\
The largest takes a minute or more: leave it out with --most 1000. Example: holdfast bench commit --most 100")]
pub(crate) struct Commit {
    #[command(flatten)]
    sizes: Sizes,
}

/// Measure the store-time check of objects of 1 to 10,000 blocks
#[derive(Args, Debug)]
pub(crate) struct Check {
    #[command(flatten)]
    sizes: Sizes,
}

/// Measure verifying 1 to 10,000 possession responses in one equation, plain and compressed
#[derive(Args, Debug)]
#[command(after_help = "\
Of 64 real responses, each with its own challenge; larger batches take each several times, which costs the same.")]
pub(crate) struct Verify {
    #[command(flatten)]
    sizes: Sizes,
    /// Blocks of each response
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
    samples: u32,
}

impl Commit {
    pub(super) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        let machine = self.sizes.machine.resolve()?;
        let mut rows = Vec::new();
        for size in self.sizes.sizes() {
            console.note(format!("committing to {size} blocks …"));
            rows.push(measure(&machine, || BenchObject::new(size)?.commit(machine.backend))?);
        }
        console.report(&Committing { backend: machine.backend.name(), threads: threads(&machine), rows })
    }
}

impl Check {
    pub(super) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        let machine = self.sizes.machine.resolve()?;
        let mut rows = Vec::new();
        for size in self.sizes.sizes() {
            console.note(format!("checking {size} blocks …"));
            rows.push(measure(&machine, || BenchObject::new(size)?.check())?);
        }
        console.report(&Checking { threads: threads(&machine), rows })
    }
}

impl Verify {
    pub(super) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        /// Of which the blocks are drawn.
        const BLOCKS: usize = 1000;
        let machine = self.sizes.machine.resolve()?;
        console.note("answering 2 × 64 challenges …");
        let object = measure(&machine, || BenchObject::new(BLOCKS))?;
        let mut forms = Vec::new();
        for form in [Form::Plain, Form::Compressed] {
            let audits = measure(&machine, || object.audits(self.samples, form, RESPONSES))?;
            forms.push(self.form(&audits, &machine, console)?);
        }
        console.report(&Verifying { threads: threads(&machine), forms })
    }

    fn form(&self, audits: &Audits<'_>, machine: &Machine, console: &Console) -> Result<FormRows, Failure> {
        let mut rows = Vec::new();
        for size in self.sizes.sizes() {
            console.note(format!("verifying {size} responses …"));
            rows.push(measure(machine, || audits.verify(size))?);
        }
        Ok(FormRows { alone: audits.rate, rows })
    }
}

/// Work on the machine's threads.
fn measure<T: Send>(
    machine: &Machine,
    work: impl FnOnce() -> Result<T, BenchError> + Send,
) -> Result<T, Failure> {
    machine.pool.install(work).map_err(|error| match error {
        BenchError::Table(_) | BenchError::Randomness(_) => Failure::Absent(error.to_string()),
        BenchError::Prove(_) | BenchError::Refused(_) => Failure::work("damaged", "this machine", error),
    })
}

fn threads(machine: &Machine) -> usize {
    machine.pool.current_num_threads()
}

/// A bar as long as its share of the largest.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // at most 40
fn bar(value: f64, largest: f64) -> String {
    "█".repeat((value / largest * BAR_WIDTH).round().clamp(0.0, BAR_WIDTH) as usize)
}

fn largest(values: impl Iterator<Item = f64>) -> f64 {
    values.fold(f64::MIN_POSITIVE, f64::max)
}

#[derive(Serialize)]
struct Committing {
    backend: &'static str,
    threads: usize,
    rows: Vec<CommitRow>,
}

impl Report for Committing {
    fn text(&self, out: &mut String) {
        out.push_str(&format!("committing ({}, {} threads)\n", self.backend, self.threads));
        let mut lines = Table::new(&[">blocks", ">table", ">committing", ">each", ">rate", ""]);
        let most = largest(self.rows.iter().map(|row| row.bytes_per_second));
        for row in &self.rows {
            #[allow(clippy::cast_precision_loss)] // a count of blocks
            let each = row.seconds / row.blocks as f64;
            lines.row([
                row.blocks.to_string(),
                format!("{} of {} bits", table::duration(row.table_seconds), row.width_bits),
                table::duration(row.seconds),
                table::duration(each),
                rate(row.bytes_per_second),
                bar(row.bytes_per_second, most),
            ]);
        }
        lines.write("  ", out);
    }
}

#[derive(Serialize)]
struct Checking {
    threads: usize,
    rows: Vec<CheckRow>,
}

impl Report for Checking {
    fn text(&self, out: &mut String) {
        out.push_str(&format!(
            "store-time check ({} threads; the pass over the bytes takes one)\n",
            self.threads
        ));
        let mut lines = Table::new(&[">blocks", ">pass", ">equation", ">rate", ""]);
        let most = largest(self.rows.iter().map(|row| row.bytes_per_second));
        for row in &self.rows {
            lines.row([
                row.blocks.to_string(),
                table::duration(row.pass_seconds),
                table::duration(row.equation_seconds),
                rate(row.bytes_per_second),
                bar(row.bytes_per_second, most),
            ]);
        }
        lines.write("  ", out);
    }
}

#[derive(Serialize)]
struct Verifying {
    threads: usize,
    forms: Vec<FormRows>,
}

#[derive(Serialize)]
struct FormRows {
    #[serde(flatten)]
    alone: AnswerRate,
    rows: Vec<VerifyRow>,
}

impl Report for Verifying {
    fn text(&self, out: &mut String) {
        for FormRows { alone, rows } in &self.forms {
            out.push_str(&format!(
                "{} responses of {} blocks, {}: {} to answer, {} to verify one alone ({} threads)\n",
                if alone.compressed { "compressed" } else { "plain" },
                alone.samples,
                table::bytes(alone.bytes as u64),
                table::duration(alone.answer_seconds),
                table::duration(alone.verify_seconds),
                self.threads
            ));
            let heads = [">together", ">on arrival", ">equation", ">each", ">times as fast", ""];
            let mut lines = Table::new(&heads);
            let most = largest(rows.iter().map(|row| row.speedup));
            for row in rows {
                lines.row([
                    row.responses.to_string(),
                    table::duration(row.arrival_seconds),
                    table::duration(row.equation_seconds),
                    table::duration(row.seconds_each),
                    format!("{:.1}", row.speedup),
                    bar(row.speedup, most),
                ]);
            }
            lines.write("  ", out);
        }
    }
}
