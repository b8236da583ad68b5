//! The graphics processors of a command: which are wanted, opened when a job needs them, and used where they are faster.

use std::path::PathBuf;
use std::sync::OnceLock;

use clap::Args;
use holdfast_engine::accelerator::discovery::{self, Opened, Wanted};
use holdfast_engine::accelerator::{AcceleratorReport, Devices, ProcessorRole};

use crate::local::failure::Failure;
use crate::local::settings::{self, Rates};

/// Opening a device takes seconds, in which a processor commits to this much at least.
const WORTH_BYTES: u64 = 256 << 20;

/// Which graphics processors to use, and how.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Graphics processors")]
pub struct GpuArguments {
    /// Graphics processors: auto takes those that are not slower than the processor (see tune) beside it; off none; only leaves
    /// to the processor what they fail at; or ids from `holdfast devices`; may be repeated
    #[arg(long = "gpu", value_name = "WHICH", default_value = "auto")]
    which: Vec<String>,
    /// Memory to take on each of them at most [default: 7GiB of a card of its own, 3GiB of a shared one]
    #[arg(long, value_name = "SIZE", value_parser = crate::local::size)]
    gpu_memory: Option<u64>,
    /// Take software adapters too; they are slow, and for tests
    #[arg(long)]
    allow_software_gpu: bool,
}

/// Which adapters count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Off,
    /// All that are worth it.
    Auto,
    /// Those that were named, or all, whatever was measured.
    Named,
}

/// What a job does on a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Windows.
    Windows,
    /// Commitments of objects.
    Commitments,
}

/// Resolved: nothing is opened before a job asks.
#[derive(Debug)]
pub struct Gpus {
    mode: Mode,
    processor: ProcessorRole,
    wanted: Wanted,
    rates: Option<Rates>,
    opened: OnceLock<Opened>,
}

/// Which graphics processors are wanted, whoever says so.
#[derive(Clone, Debug)]
pub struct GpuWishes {
    /// `auto`, `off`, `only`, or ids.
    pub which: Vec<String>,
    /// Memory to take on each of them at most, in bytes.
    pub memory_bytes: Option<u64>,
    /// Take software adapters too.
    pub allow_software: bool,
}

impl GpuArguments {
    /// What the flags ask for; nothing is opened yet.
    pub fn resolve(&self) -> Result<Gpus, Failure> {
        let GpuArguments { which, gpu_memory, allow_software_gpu } = self.clone();
        GpuWishes { which, memory_bytes: gpu_memory, allow_software: allow_software_gpu }.resolve()
    }
}

impl GpuWishes {
    /// What is asked for; nothing is opened yet.
    pub fn resolve(&self) -> Result<Gpus, Failure> {
        let has = |word: &str| self.which.iter().any(|which| which == word);
        let ids: Vec<String> = self
            .which
            .iter()
            .filter(|word| !["auto", "off", "only"].contains(&word.as_str()))
            .cloned()
            .collect();
        if has("off") && self.which.len() > 1 {
            return Err(Failure::Usage("--gpu off allows no other --gpu".to_owned()));
        }
        let mode = match (has("off"), has("only") || !ids.is_empty()) {
            (true, _) => Mode::Off,
            (_, true) => Mode::Named,
            _ => Mode::Auto,
        };
        let wanted = self.wanted(ids);
        let processor = if has("only") { ProcessorRole::TakesOver } else { ProcessorRole::Shares };
        let rates = settings::load()?.and_then(|tuned| tuned.rates);
        Ok(Gpus { mode, processor, wanted, rates, opened: OnceLock::new() })
    }

    fn wanted(&self, ids: Vec<String>) -> Wanted {
        Wanted {
            ids,
            allow_software: self.allow_software,
            memory_bytes: self.memory_bytes,
            cache_directory: cache_directory(),
        }
    }
}

/// All of them, for a command that measures: software ones where that is allowed.
pub fn open_all(allow_software: bool) -> Opened {
    discovery::open(&Wanted { allow_software, cache_directory: cache_directory(), ..Wanted::default() })
}

/// Where tables are kept that can be computed again; `None` without a home directory.
fn cache_directory() -> Option<PathBuf> {
    let cache = match std::env::var_os("XDG_CACHE_HOME").filter(|dir| !dir.is_empty()) {
        Some(dir) => PathBuf::from(dir),
        None => PathBuf::from(std::env::var_os("HOME")?).join(".cache"),
    };
    Some(cache.join("holdfast"))
}

impl Gpus {
    /// None at all.
    pub fn off() -> Gpus {
        let (processor, wanted) = (ProcessorRole::Shares, Wanted::default());
        Gpus { mode: Mode::Off, processor, wanted, rates: None, opened: OnceLock::new() }
    }

    /// The accelerators for a job of so many bytes; notes which are left out and why. For a small job none is opened, unless it
    /// was asked for.
    pub fn devices(&self, work: Work, bytes: u64, note: impl Fn(&str)) -> Result<Devices, Failure> {
        if self.mode == Mode::Off || (self.mode == Mode::Auto && bytes < WORTH_BYTES) {
            return Ok(Devices::default());
        }
        let opened = self.opened.get_or_init(|| discovery::open(&self.wanted));
        self.check(opened)?;
        for (id, why) in &opened.failed {
            note(&format!("graphics processor {id} is not used: {why}"));
        }
        let mut devices = Devices { accelerators: Vec::new(), processor: self.processor };
        for accelerator in &opened.accelerators {
            match self.slower_than_processor(accelerator.id(), work) {
                Some(why) if self.mode == Mode::Auto => {
                    note(&format!("graphics processor {} is not used: {why}", accelerator.id()));
                }
                _ => devices.accelerators.push(accelerator.clone()),
            }
        }
        Ok(devices)
    }

    /// What was asked for by name must be there.
    fn check(&self, opened: &Opened) -> Result<(), Failure> {
        if let Some(id) = opened.unknown.first() {
            let why =
                discovery::absent_from_build().unwrap_or("`holdfast devices` lists those of this machine");
            return Err(Failure::Absent(format!("there is no graphics processor {id}: {why}")));
        }
        if self.mode == Mode::Named && opened.accelerators.is_empty() {
            let unused = opened.failed.iter().chain(&opened.unused);
            let reasons: Vec<String> = unused.map(|(id, why)| format!("{id}: {why}")).collect();
            let reasons = match (reasons.is_empty(), discovery::absent_from_build()) {
                (_, Some(why)) => why.to_owned(),
                (true, None) => "there is no adapter, or no Vulkan loader and driver for it".to_owned(),
                (false, None) => reasons.join("; "),
            };
            return Err(Failure::Absent(format!("no graphics processor can be used: {reasons}")));
        }
        Ok(())
    }

    fn slower_than_processor(&self, id: &str, work: Work) -> Option<String> {
        let rates = self.rates.as_ref()?;
        let (own, processor) = (rates.gpus.get(id)?.of(work)?, rates.processor.of(work)?);
        let rate = crate::local::table::rate;
        (own < processor).then(|| format!("it does {} and the processor {}", rate(own), rate(processor)))
    }

    /// What those that were opened have done.
    pub fn reports(&self) -> Vec<AcceleratorReport> {
        let opened = self.opened.get().map(|opened| opened.accelerators.as_slice()).unwrap_or_default();
        opened.iter().map(|accelerator| accelerator.report()).collect()
    }
}

/// What was done on graphics processors and what went wrong there, for people.
pub fn write_reports(reports: &[AcceleratorReport], out: &mut String) {
    for report in
        reports.iter().filter(|report| report.windows + report.blocks > 0 || !report.faults.is_empty())
    {
        out.push_str(&format!("{} ({}):", report.id, report.name));
        if report.windows > 0 {
            out.push_str(&format!(" {} windows", report.windows));
        }
        if report.blocks > 0 {
            out.push_str(&format!(" {} blocks committed to", report.blocks));
        }
        out.push_str(&format!(" {} faults\n", report.faults.len()));
        for fault in &report.faults {
            out.push_str(&format!("  {}: {}\n", fault.kind, fault.message));
        }
        if let Some(why) = &report.given_up_because {
            out.push_str(&format!("  not used any more: {why}\n"));
        }
    }
}
