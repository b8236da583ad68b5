//! `holdfast worker`: devices for the disks of another machine.

use std::sync::Arc;

use clap::{Args, Subcommand};
use holdfast_engine::accelerator::processor::Processor;
use holdfast_engine::accelerator::{Accelerator, ProcessorRole};
use holdfast_engine::backend;
use holdfast_service::operation::logging::{self, LogFormat};
use holdfast_service::workers::worker::{Retry, Worker, WorkerError, WorkerSummary, endpoint};
use serde::Serialize;
use serde_json::Value;

use super::connect::{self, ConnectArguments};
use super::options::backend_choice;
use crate::console::{Console, Exit, Report};
use crate::failure::Failure;
use crate::gpus::{GpuArguments, Work};
use crate::machine::{self, Machine};
use crate::table::Table;
use crate::{interrupt, table};

/// Windows that a graphics processor makes at once, so that one is sent while another is computed.
const SLOTS_OF_A_GPU: u16 = 2;

/// Make windows for the disks of another machine
#[derive(Args, Debug)]
#[command(arg_required_else_help = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Run(RunArguments),
}

impl Arguments {
    pub(super) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        match &self.what {
            What::Run(arguments) => arguments.run(console),
        }
    }
}

/// Connect to an engine and make windows for its fills until interrupted
#[derive(Args, Debug)]
#[command(after_help = "\
The worker connects out, so it may stand behind NAT; it needs no disk. The engine checks every window before it counts \
(docs/guide/workers.md). A connection that is lost is made again; Ctrl-C or SIGTERM gives the windows under way back. Examples:
  holdfast worker run --engine https://miner.example:7703 --tls-ca miner.pem --tls-certificate worker.pem --tls-key worker.key
  holdfast worker run --engine http://127.0.0.1:7703 --gpu only --slots 3")]
struct RunArguments {
    /// The engine, or where a miner takes workers: http://HOST:PORT or https://HOST:PORT
    #[arg(long, value_name = "URL")]
    engine: String,
    /// What the engine calls this worker: letters, digits, '.', '_' and '-' [default: the name of this host]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Windows that each graphics processor makes at once, each on a connection of its own; the processor makes one
    #[arg(long, value_name = "N", default_value_t = SLOTS_OF_A_GPU,
          value_parser = clap::value_parser!(u16).range(1..=16))]
    slots: u16,
    /// Make no windows larger than this; the processor holds twice of it
    #[arg(long, value_name = "SIZE", default_value = "1GiB", value_parser = holdfast_service::local::size)]
    largest_window: u64,
    /// Who computes on the processor: auto takes the fastest of portable, neon, avx2, avx512 that is present
    #[arg(long, value_name = "NAME", default_value = "auto", value_parser = backend_choice)]
    backend: backend::Choice,
    /// Compute threads of the processor [default: tuned value, else all cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// Run at the lowest processor priority
    #[arg(long)]
    low_priority: bool,
    /// How log lines look, on standard error
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    log: LogFormat,
    #[command(flatten)]
    gpus: GpuArguments,
    #[command(flatten)]
    connect: ConnectArguments,
}

impl RunArguments {
    fn run(&self, console: &Console) -> Result<Exit, Failure> {
        logging::set_up(self.log).map_err(|error| Failure::Usage(error.to_string()))?;
        let connector = self.connect.connector()?;
        let endpoint = endpoint(&self.engine).map_err(worker_failure)?;
        let engine = connector.secured(endpoint).map_err(connect::failure)?;
        let machine = self.machine()?;
        let slots = self.makers(&machine, console)?;
        let name = self.name.clone().unwrap_or_else(name_of_host);
        console.note(format!("worker {name} offers {} slots to {}", slots.len(), self.engine));
        let worker = Worker {
            engine,
            connector,
            name: name.clone(),
            slots,
            window_bytes_maximum: self.largest_window,
            retry: Retry::default(),
        };
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Failure::file("start threads for", "this process", error))?;
        let (summary, ended) = runtime.block_on(worker.run(interrupt::token()));
        ended.map_err(worker_failure)?;
        console.report(&Ran { worker: name, engine: self.engine.clone(), summary })
    }

    fn machine(&self) -> Result<Machine, Failure> {
        if self.low_priority {
            machine::lower_priority()?;
        }
        let backend = backend::select(self.backend).map_err(|error| Failure::Absent(error.to_string()))?;
        let of_host = Machine::of_this_host(self.threads.map(usize::from))?;
        Ok(Machine { backend, gpus: self.gpus.resolve()?, ..of_host })
    }

    /// What makes windows: every graphics processor in several slots, and the processor in one unless it only takes over.
    fn makers(&self, machine: &Machine, console: &Console) -> Result<Vec<Arc<dyn Accelerator>>, Failure> {
        let devices = machine.gpus.devices(Work::Windows, u64::MAX, |message| console.note(message))?;
        let of_gpu = |gpu: &Arc<dyn Accelerator>| vec![Arc::clone(gpu); self.slots.into()];
        let mut makers: Vec<_> = devices.accelerators.iter().flat_map(of_gpu).collect();
        if makers.is_empty() || devices.processor == ProcessorRole::Shares {
            let pool = Arc::clone(&machine.pool);
            makers.push(Arc::new(Processor::new(machine.backend, pool, self.largest_window)));
        }
        Ok(makers)
    }
}

/// The host's name as far as a worker's may have its characters.
fn name_of_host() -> String {
    let host = holdfast_service::local::settings::host();
    let allowed = |letter: &char| letter.is_ascii_alphanumeric() || "._-".contains(*letter);
    let name: String = host.chars().filter(allowed).take(64).collect();
    if name.is_empty() { "worker".to_owned() } else { name }
}

fn worker_failure(error: WorkerError) -> Failure {
    match error {
        WorkerError::Address { .. } => Failure::Usage(error.to_string()),
        WorkerError::GivenUp { .. } => Failure::Absent(error.to_string()),
        WorkerError::Refused { .. } => Failure::work("worker", "worker", error),
    }
}

/// What the workers of an engine or a miner did, as its report has it; nothing if it takes none.
pub(super) fn write_workers(report: &Value, out: &mut String) {
    let Some(workers) = report["workers"].as_array() else { return };
    let number = |value: &Value| value.as_u64().unwrap_or_default();
    let mut lines = Table::new(&["worker", ">slots", ">windows", ">bytes", ">lost", "dismissed because"]);
    for worker in workers {
        lines.row([
            worker["name"].as_str().unwrap_or_default().to_owned(),
            worker["devices"].as_array().map_or(0, Vec::len).to_string(),
            number(&worker["windows"]).to_string(),
            table::bytes(number(&worker["bytes"])),
            number(&worker["windows_lost"]).to_string(),
            worker["dismissed_because"]["class"].as_str().unwrap_or_default().to_owned(),
        ]);
    }
    lines.write("  ", out);
}

#[derive(Serialize)]
struct Ran {
    worker: String,
    engine: String,
    #[serde(flatten)]
    summary: WorkerSummary,
}

impl Report for Ran {
    fn text(&self, out: &mut String) {
        let WorkerSummary { windows, bytes, windows_unfinished, connections_lost } = self.summary;
        let bytes = table::bytes(bytes);
        out.push_str(&format!(
            "stopped: {windows} windows made ({bytes}), {windows_unfinished} unfinished, {connections_lost} connections lost\n"
        ));
    }
}
