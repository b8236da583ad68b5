//! `holdfast tune`: find and keep the settings under which this host fills fastest.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use holdfast_engine::backend::{self, Backend};
use holdfast_engine::jobs::bench::{measure_accelerator, measure_processor_commits};
use holdfast_engine::jobs::tune::{Trial, TuneReport, tune};
use holdfast_engine::registration::{Profile, WindowShape};
use holdfast_partition::io::IoChoice;
use serde::Serialize;

use super::bench::scratch_file;
use super::options::window;
use crate::console::{Console, Exit, Report};
use crate::failure::Failure;
use crate::gpus;
use crate::settings::{self, Rate, Rates, Tuned};
use crate::table::{self, Table};

/// Measure thread counts, queue depths and buffers, and store the best for this host
#[derive(Args, Debug)]
#[command(after_help = "Example: holdfast tune --dir /mnt/disk1")]
pub(crate) struct Arguments {
    /// Directory on the disk to tune for
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// Where to store the result [default: holdfast/tune.json in the user's configuration directory]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Bytes of one window
    #[arg(long, value_name = "SIZE", default_value = "64MiB", value_parser = window)]
    window: u64,
    /// Take software adapters too; they are slow, and for tests
    #[arg(long)]
    allow_software_gpu: bool,
    /// Shorter measurements
    #[arg(long)]
    quick: bool,
}

/// Bytes of the temporary file.
const FILE_BYTES: u64 = 512 << 20;

impl Arguments {
    pub(super) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        let path = match self.out.clone().or_else(settings::default_path) {
            Some(path) => path,
            None => {
                return Err(Failure::Usage("there is no home directory: say where with --out".to_owned()));
            }
        };
        let shape = WindowShape::of_bytes(self.window, Profile::Standard)
            .map_err(|rejection| Failure::Usage(rejection.detail))?;
        let backend =
            backend::select(backend::Choice::Auto).map_err(|error| Failure::Absent(error.to_string()))?;
        let (_file, opened) = scratch_file(&self.dir, IoChoice::Auto)?;
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let cores = u16::try_from(cores).unwrap_or(u16::MAX);
        let span = Duration::from_millis(if self.quick { 200 } else { 2000 });
        let measured = tune(shape, backend, opened.io.as_ref(), FILE_BYTES, cores, span)
            .map_err(|error| Failure::work("io", &self.dir, error))?;
        let tuned = Tuned {
            threads: measured.best_threads,
            queue_depth: measured.best_queue_depth,
            staging_bytes: measured.staging_bytes,
            rates: Some(self.rates(&measured, backend, shape, span, console)?),
        };
        settings::store(&path, tuned.clone())?;
        console.report(&Stored {
            out: path,
            host: settings::host(),
            backend: backend.name(),
            tuned,
            measured,
        })
    }
}

impl Arguments {
    /// The processor against the graphics processors, with which a job will be shared where they are faster.
    fn rates(
        &self,
        measured: &TuneReport,
        backend: &'static dyn Backend,
        shape: WindowShape,
        span: Duration,
        console: &Console,
    ) -> Result<Rates, Failure> {
        let threads = measured.best_threads;
        let windows = measured.threads.iter().find(|trial| trial.value == threads);
        let commitments = measure_processor_commits(backend, threads.into(), span)
            .map_err(|error| Failure::Absent(error.to_string()))?;
        let processor =
            Rate { windows: windows.map(|trial| trial.bytes_per_second), commitments: Some(commitments) };
        let mut gpus = BTreeMap::new();
        let opened = gpus::open_all(self.allow_software_gpu);
        for (id, why) in &opened.unused {
            console.note(format!("graphics processor {id} is not measured: {why}"));
        }
        // One that fails is slower than any processor.
        let nothing = Rate { windows: Some(0.0), commitments: Some(0.0) };
        for (id, why) in &opened.failed {
            console.warn(format!("graphics processor {id}: {why}"));
            gpus.insert(id.clone(), nothing);
        }
        for accelerator in &opened.accelerators {
            match measure_accelerator(accelerator.as_ref(), shape, span) {
                Ok(rate) => {
                    let (windows, commitments) = (rate.window_bytes_per_second, rate.commit_bytes_per_second);
                    gpus.insert(rate.id, Rate { windows, commitments });
                }
                Err(fault) => {
                    console.warn(format!("graphics processor {} failed: {fault}", accelerator.id()));
                    gpus.insert(accelerator.id().to_owned(), nothing);
                }
            }
        }
        Ok(Rates { processor, gpus })
    }
}

#[derive(Serialize)]
struct Stored {
    out: PathBuf,
    host: String,
    backend: &'static str,
    tuned: Tuned,
    measured: TuneReport,
}

impl Report for Stored {
    fn text(&self, out: &mut String) {
        let mut list = |what: &str, trials: &[Trial]| {
            out.push_str(&format!("{what}\n"));
            for trial in trials {
                let rate = table::rate(trial.bytes_per_second);
                out.push_str(&format!("  {:>4}  {rate}\n", trial.value));
            }
        };
        list("windows made, by threads", &self.measured.threads);
        list("bytes written, by requests in flight", &self.measured.queue_depths);
        if let Some(rates) = &self.tuned.rates {
            let mut lines = Table::new(&["", ">windows", ">commitments"]);
            let rate = |rate: Option<f64>| rate.map_or("-".to_owned(), table::rate);
            let gpus = rates.gpus.iter().map(|(id, rate)| (id.as_str(), rate));
            for (name, of) in std::iter::once(("processor", &rates.processor)).chain(gpus) {
                lines.row([name.to_owned(), rate(of.windows), rate(of.commitments)]);
            }
            lines.write("  ", out);
        }
        out.push_str(&format!(
            "{}: {} threads, {} requests in flight, {} of staging memory; kept in {}\n",
            self.host,
            self.tuned.threads,
            self.tuned.queue_depth,
            table::bytes(self.tuned.staging_bytes),
            self.out.display()
        ));
    }
}
