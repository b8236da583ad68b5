//! Months of rounds in seconds: what scoring makes of miners whose behaviour is known, or of rounds that were recorded.

mod behaviour;
mod charts;
mod population;
mod random;
mod report;

use std::io::BufRead;

use super::outcome::RoundResults;
use super::{Scoring, ScoringConfig, ScoringError};

pub use charts::ChartError;
pub use population::{Population, SimulatedMiner, UIDS_MAXIMUM};
pub use report::{MinerReport, Sample, SimulationReport};

use report::Observer;

/// Blocks of a day, of 12 s each as on Bittensor.
pub const BLOCKS_PER_DAY: u64 = 7200;
/// Longest line of recorded rounds: a round of 4096 miners with 20 questions each is about half of it.
pub const RECORDED_LINE_BYTES: u64 = 64 << 20;

/// Why nothing was simulated.
#[derive(Debug, thiserror::Error)]
pub enum SimulationError {
    /// Not the form of a population.
    #[error("the population is not what it should be: {0}")]
    Toml(Box<toml::de::Error>),
    /// A field of the population is out of its range.
    #[error("{field} of the population is {found}, allowed: {allowed}")]
    Population {
        /// The field.
        field: String,
        /// Its value.
        found: String,
        /// What is allowed.
        allowed: String,
    },
    /// Scoring refuses.
    #[error(transparent)]
    Scoring(#[from] ScoringError),
    /// A line of recorded rounds that is none, or that scoring refuses.
    #[error("line {line} of the recorded rounds: {detail}")]
    Recorded {
        /// Its number, from 1.
        line: u64,
        /// What is wrong with it.
        detail: String,
    },
    /// Recorded rounds cannot be read.
    #[error("cannot read recorded rounds: {0}")]
    Read(#[source] std::io::Error),
    /// There is nothing in it.
    #[error("there are no rounds to simulate")]
    NoRounds,
}

/// Lets a population be scored for so many days; the same seed gives the same report.
///
/// `on_round` sees each round before it is scored.
///
/// # Errors
/// [`SimulationError::Scoring`], [`SimulationError::NoRounds`], and what `on_round` returns.
pub fn simulate<E: From<SimulationError>>(
    population: &Population,
    config: ScoringConfig,
    days: u32,
    seed: u64,
    mut on_round: impl FnMut(&RoundResults) -> Result<(), E>,
) -> Result<SimulationReport, E> {
    let hotkeys = population.hotkeys();
    let names: Vec<String> = population.miners.iter().map(|miner| miner.name.clone()).collect();
    let groups = hotkeys.iter().map(|hotkey| (hotkey.account, hotkey.miner)).collect();
    let mut observer = Observer::of_groups(names, groups);
    let mut scoring = Scoring::new(config).map_err(SimulationError::from)?;
    let end = u64::from(days) * BLOCKS_PER_DAY;
    let mut height = 0;
    while height < end {
        let mut outcomes = Vec::new();
        for hotkey in &hotkeys {
            hotkey.answer(height, seed, population, &mut outcomes);
        }
        let round = RoundResults { height, outcomes };
        on_round(&round)?;
        let summary = scoring.record(&round).map_err(SimulationError::from)?;
        observer.see(&scoring, &summary);
        height += population.round_blocks;
    }
    observer.report(&scoring).ok_or_else(|| SimulationError::NoRounds.into())
}

/// Scores recorded rounds: JSON lines of [`RoundResults`], by rising height. Miners are named by their accounts.
///
/// # Errors
/// [`SimulationError`], with the number of the line that is wrong.
pub fn replay(
    mut recorded: impl BufRead,
    config: ScoringConfig,
) -> Result<SimulationReport, SimulationError> {
    let mut observer = Observer::of_accounts();
    let mut scoring = Scoring::new(config)?;
    let mut text = Vec::new();
    for line in 1.. {
        text.clear();
        let mut limited = std::io::Read::take(&mut recorded, RECORDED_LINE_BYTES);
        if limited.read_until(b'\n', &mut text).map_err(SimulationError::Read)? == 0 {
            break;
        }
        let wrong = |detail: String| SimulationError::Recorded { line, detail };
        if text.len() as u64 == RECORDED_LINE_BYTES && text.last() != Some(&b'\n') {
            return Err(wrong(format!("longer than {RECORDED_LINE_BYTES} bytes")));
        }
        let round: RoundResults = serde_json::from_slice(&text).map_err(|error| wrong(error.to_string()))?;
        let summary = scoring.record(&round).map_err(|error| wrong(error.to_string()))?;
        observer.see(&scoring, &summary);
    }
    observer.report(&scoring).ok_or(SimulationError::NoRounds)
}

#[cfg(test)]
mod tests;
