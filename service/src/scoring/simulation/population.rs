//! Who takes part in a simulation, as data: each miner by what it holds, how fast it is and how it misbehaves.

use serde::{Deserialize, Serialize};

use super::SimulationError;

const STANDARD: &str = include_str!("population.toml");

/// Most places on a chain that are simulated.
pub const UIDS_MAXIMUM: u32 = 4096;

/// The miners of a simulation, and how they are audited.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Population {
    /// Blocks from one round to the next, at least 1.
    pub round_blocks: u64,
    /// Answers later than this are missed.
    pub deadline_ms: u32,
    /// Samples of a space audit.
    pub space_samples: u32,
    /// Samples of a possession audit.
    pub object_samples: u32,
    /// Probability that a round has a retrieval audit of a miner.
    pub retrieval_probability: f64,
    /// Who takes part.
    #[serde(rename = "miner")]
    pub miners: Vec<SimulatedMiner>,
}

/// One miner, or several hotkeys on one disk.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SimulatedMiner {
    /// What it is called.
    pub name: String,
    /// Bytes of space that are registered.
    pub space_bytes: u64,
    /// Bytes of objects that it took.
    #[serde(default)]
    pub object_bytes: u64,
    /// Milliseconds that an answer takes, on average and without reading.
    pub latency_ms: u32,
    /// Bytes a second at which it reads and sends.
    #[serde(default = "disk_bytes_per_second")]
    pub bytes_per_second: u64,
    /// Probability that it does not answer although all is well.
    #[serde(default = "usual_misses")]
    pub miss_probability: f64,
    /// Share of its bytes that it lost or never had; it registered and took them all the same.
    #[serde(default)]
    pub lost_share: f64,
    /// Of the bytes lost, what comes to it each day.
    #[serde(default)]
    pub lost_share_a_day: f64,
    /// Whether it fails to hand out what it holds.
    #[serde(default)]
    pub withholds: bool,
    /// First day on which it takes part.
    #[serde(default)]
    pub joins_day: f64,
    /// Days from and to which it does not answer.
    #[serde(default)]
    pub absent_days: Option<[f64; 2]>,
    /// Days after which it registers anew, each time.
    #[serde(default)]
    pub registers_anew_days: Option<f64>,
    /// Over how many hotkeys it spreads, at least 1.
    #[serde(default = "one")]
    pub uids: u32,
    /// Whether each of them registers the whole disk, and not its part of it.
    #[serde(default)]
    pub pretends: bool,
}

fn disk_bytes_per_second() -> u64 {
    100_000_000
}

fn usual_misses() -> f64 {
    0.002
}

fn one() -> u32 {
    1
}

impl Population {
    /// The standard population, `population.toml`: one miner of every sort.
    pub fn standard() -> Population {
        Population::from_toml(STANDARD).expect("a test reads the standard population")
    }

    /// The standard population with its comments, to be changed.
    pub fn standard_toml() -> &'static str {
        STANDARD
    }

    /// Reads the TOML form and checks it.
    ///
    /// # Errors
    /// [`SimulationError::Toml`], [`SimulationError::Population`].
    pub fn from_toml(text: &str) -> Result<Population, SimulationError> {
        let population: Population =
            toml::from_str(text).map_err(|error| SimulationError::Toml(Box::new(error)))?;
        population.check()?;
        Ok(population)
    }

    fn check(&self) -> Result<(), SimulationError> {
        let uids: u64 = self.miners.iter().map(|miner| u64::from(miner.uids)).sum();
        whole("round_blocks", self.round_blocks, 1, 1_000_000)?;
        whole("space_samples", self.space_samples.into(), 1, 100_000)?;
        whole("object_samples", self.object_samples.into(), 1, 100_000)?;
        real("retrieval_probability", self.retrieval_probability, 0.0, 1.0)?;
        whole("number of uids", uids, 1, UIDS_MAXIMUM.into())?;
        self.miners.iter().try_for_each(SimulatedMiner::check)
    }
}

impl SimulatedMiner {
    fn check(&self) -> Result<(), SimulationError> {
        let field = |name: &str| format!("{name} of {:?}", self.name);
        whole(field("uids"), self.uids.into(), 1, UIDS_MAXIMUM.into())?;
        whole(field("bytes_per_second"), self.bytes_per_second, 1, u64::MAX)?;
        real(field("miss_probability"), self.miss_probability, 0.0, 1.0)?;
        real(field("lost_share"), self.lost_share, 0.0, 1.0)?;
        real(field("lost_share_a_day"), self.lost_share_a_day, 0.0, 1.0)?;
        real(field("joins_day"), self.joins_day, 0.0, DAYS_MAXIMUM)?;
        for day in self.absent_days.into_iter().flatten() {
            real(field("absent_days"), day, 0.0, DAYS_MAXIMUM)?;
        }
        // A registration lasts a thousandth of a day at least: some blocks.
        self.registers_anew_days
            .map_or(Ok(()), |days| real(field("registers_anew_days"), days, 0.001, DAYS_MAXIMUM))
    }
}

/// Ten thousand years, so that days make heights.
const DAYS_MAXIMUM: f64 = 3_652_425.0;

fn whole(field: impl Into<String>, found: u64, least: u64, most: u64) -> Result<(), SimulationError> {
    if (least..=most).contains(&found) {
        return Ok(());
    }
    let allowed = format!("{least} to {most}");
    Err(SimulationError::Population { field: field.into(), found: found.to_string(), allowed })
}

fn real(field: impl Into<String>, found: f64, least: f64, most: f64) -> Result<(), SimulationError> {
    if (least..=most).contains(&found) {
        return Ok(());
    }
    let allowed = format!("{least} to {most}");
    Err(SimulationError::Population { field: field.into(), found: found.to_string(), allowed })
}
