//! What an operator says about an engine: one TOML file, or none.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::listen;
use crate::local::failure::Failure;
use crate::local::gpus::GpuWishes;
use crate::local::machine::Machine;
use crate::operation::page;
use crate::workers::ExchangeSettings;

/// Where an engine serves if nothing is said.
pub const PORT: u16 = 7703;

/// An engine's configuration (docs/guide/engine.md).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Directories whose partitions and objects it works on.
    pub directories: Vec<PathBuf>,
    /// The file in which jobs are remembered; in the first directory if none is given.
    #[serde(default)]
    pub state: Option<PathBuf>,
    /// Where and how it serves.
    pub server: listen::Settings,
    /// What of the machine it may use.
    #[serde(default)]
    pub machine: MachineSettings,
    /// What callers may ask of it.
    #[serde(default)]
    pub limits: Limits,
    /// How machines are treated that offer to make windows for fills; none are taken if nothing is said.
    #[serde(default)]
    pub workers: Option<ExchangeSettings>,
    /// Where what it counts is shown.
    #[serde(default)]
    pub metrics: page::Settings,
}

/// The table `[machine]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MachineSettings {
    /// Compute threads; as many as tuned, or as there are cores.
    pub threads: Option<usize>,
    /// Graphics processors, as `--gpu` takes them; off if none are named.
    pub gpu: Vec<String>,
    /// Memory to take on each of them at most, such as `7GiB`.
    pub gpu_memory: Option<String>,
    /// Take software adapters too; they are slow, and for tests.
    pub allow_software_gpu: bool,
}

/// The table `[limits]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Jobs that run at once; one for each directory if nothing is said. A directory has one at a time in any case.
    pub jobs_running: Option<usize>,
    /// Jobs that wait or are paused; more are refused.
    pub jobs_waiting: usize,
    /// Jobs that ended and are remembered with their reports; older ones are forgotten, and their ids with them.
    pub jobs_kept: usize,
    /// Longest report that is kept, in bytes.
    pub report_bytes: usize,
    /// Challenges that are answered at once.
    pub answers_at_once: usize,
    /// Verifications at once.
    pub verifications_at_once: usize,
    /// Calls that may wait for their turn to answer, and to verify; more are refused.
    pub queue: usize,
    /// Cases of one verification.
    pub verify_cases: usize,
    /// Bytes of commitments, challenges and responses of one verification.
    pub verify_bytes: usize,
    /// Longest time for which a verification takes cases, in milliseconds.
    pub verify_ms: u32,
    /// A stream on which nothing moves for so long is ended, in milliseconds.
    pub idle_ms: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            jobs_running: None,
            jobs_waiting: 1024,
            jobs_kept: 256,
            report_bytes: 256 << 10,
            answers_at_once: 4,
            verifications_at_once: 2,
            queue: 256,
            verify_cases: 16_384,
            verify_bytes: 1 << 30,
            verify_ms: 60_000,
            idle_ms: 30_000,
        }
    }
}

impl Limits {
    pub(super) fn idle(&self) -> Duration {
        Duration::from_millis(self.idle_ms)
    }
}

impl MachineSettings {
    /// The machine that is meant.
    pub(super) fn resolve(&self) -> Result<Machine, Failure> {
        let memory_bytes = self.gpu_memory.as_deref().map(crate::local::size).transpose();
        let memory_bytes =
            memory_bytes.map_err(|error| Failure::Usage(format!("machine.gpu_memory: {error}")))?;
        let which = if self.gpu.is_empty() { vec!["off".to_owned()] } else { self.gpu.clone() };
        let gpus = GpuWishes { which, memory_bytes, allow_software: self.allow_software_gpu }.resolve()?;
        Ok(Machine { gpus, ..Machine::of_this_host(self.threads)? })
    }
}

impl Settings {
    /// Defaults for these directories at an address.
    pub fn of(directories: Vec<PathBuf>, listen: SocketAddr) -> Settings {
        Settings {
            directories,
            state: None,
            server: listen::Settings::at(listen),
            machine: MachineSettings::default(),
            limits: Limits::default(),
            workers: None,
            metrics: page::Settings::default(),
        }
    }

    /// Reads the TOML form and checks it. Unknown keys are refused by their names.
    pub fn from_toml(text: &str) -> Result<Settings, Failure> {
        let settings: Settings = toml::from_str(text)
            .map_err(|error| Failure::Usage(format!("the configuration cannot be used: {error}")))?;
        settings.check()?;
        Ok(settings)
    }

    /// Checks the ranges of all values.
    pub fn check(&self) -> Result<(), Failure> {
        if self.directories.is_empty() {
            return Err(Failure::Usage("no directory: an engine without one has nothing to do".to_owned()));
        }
        let Limits { jobs_running, answers_at_once, verifications_at_once, .. } = &self.limits;
        let counts = [
            ("jobs_running", jobs_running.unwrap_or(1)),
            ("answers_at_once", *answers_at_once),
            ("verifications_at_once", *verifications_at_once),
        ];
        if let Some((key, _)) = counts.iter().find(|(_, count)| *count == 0) {
            return Err(Failure::Usage(format!("limits.{key} is 0; allowed: 1 and more")));
        }
        let workers = self.workers.as_ref().map(ExchangeSettings::check).transpose();
        workers.map(drop).map_err(|error| Failure::Usage(error.to_string()))
    }

    /// The file in which jobs are remembered.
    pub fn state_file(&self) -> PathBuf {
        let beside = || self.directories.first().map(|directory| directory.join("engine.index"));
        self.state.clone().or_else(beside).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GUIDE: &str = include_str!("../../../docs/guide/engine.md");

    /// The example in the guide, between its fences.
    fn example() -> &'static str {
        let (_, after) = GUIDE.split_once("```toml\n").expect("an example");
        after.split_once("```").expect("its end").0
    }

    #[test]
    fn the_documented_example_is_the_defaults() {
        let settings = Settings::from_toml(example()).expect("can be used");
        let expected = Settings::of(settings.directories.clone(), settings.server.address);
        assert_eq!(settings, expected);
        assert!(settings.server.address.ip().is_loopback());
    }

    /// A key with a slip of the pen must not be taken for its default.
    #[test]
    fn unknown_keys_and_values_out_of_range_are_refused_by_name() {
        for (key, with) in [
            ("jobs_runing", "[limits]\njobs_runing = 1"),
            ("answers_at_once", "[limits]\nanswers_at_once = 0 #"),
            ("gpu_memory", "[machine]\ngpu_memory = \"much\" #"),
        ] {
            let table = with.lines().next().unwrap_or_default();
            let text = example().replacen("answers_at_once = 4\n", "", usize::from(key == "answers_at_once"));
            let text = text.replacen(table, with, 1);
            let refused = match Settings::from_toml(&text) {
                Err(failure) => failure,
                Ok(settings) => settings.machine.resolve().expect_err(key),
            };
            assert!(refused.to_string().contains(key), "{refused}");
        }
        let nothing = Settings::of(Vec::new(), SocketAddr::from(([127, 0, 0, 1], 0)));
        assert!(nothing.check().expect_err("no directory").to_string().contains("directory"));
    }
}
