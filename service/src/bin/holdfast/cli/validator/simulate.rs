//! `holdfast validator simulate`: months of rounds in seconds, to see what the scoring makes of miners.

use std::fs::File;
use std::io::{BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use holdfast_service::scoring::simulation::{
    MinerReport, Population, SimulationError, SimulationReport, replay, simulate,
};
use holdfast_service::scoring::{RoundResults, ScoringConfig};
use serde::Serialize;

use crate::console::{Console, Exit, Report};
use crate::failure::Failure;
use crate::files;
use crate::table::{self, Table};

const DAYS_PER_MONTH: u32 = 30;

/// Show what the scoring makes of miners over months: tiers, weights, income
#[derive(Args, Debug)]
#[command(after_help = "\
The standard population has a miner of every sort: honest, slow, late, dying, growing worse, new, cheating under one name or \
many. With --out the folder gets tiers.svg, weights.svg and report.json, and what they are of, to be changed and given to \
--config and --miners: scoring.toml, and population.toml unless the rounds were recorded. Examples:
  holdfast validator simulate --months 6 --out simulation
  holdfast validator simulate --recorded rounds.jsonl --config scoring.toml")]
pub(crate) struct Arguments {
    /// Months of 30 days of 7200 blocks
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=120))]
    months: u32,
    /// Population in a TOML file [default: the standard one]
    #[arg(long, value_name = "FILE", conflicts_with = "population")]
    miners: Option<PathBuf>,
    /// Named population: standard
    #[arg(long, value_name = "NAME", default_value = "standard", value_parser = ["standard"])]
    population: String,
    /// Scoring in a TOML file [default: the standard one]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Score these rounds instead of simulated ones: a JSON document with height and outcomes on each line
    #[arg(long, value_name = "FILE", conflicts_with_all = ["miners", "population", "months", "seed", "rounds"])]
    recorded: Option<PathBuf>,
    /// Write charts and the report into this folder
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Write the simulated rounds to a file, as --recorded reads them
    #[arg(long, value_name = "FILE")]
    rounds: Option<PathBuf>,
    /// What chance begins with; the same seed gives the same rounds
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
}

impl Arguments {
    pub(super) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        let started = Instant::now();
        let (config, config_text) = match &self.config {
            None => (ScoringConfig::standard(), ScoringConfig::standard_toml().to_owned()),
            Some(path) => {
                let text = files::read_text(path)?;
                let config = ScoringConfig::from_toml(&text)
                    .map_err(|error| foreign(path, "a scoring configuration", &error))?;
                (config, text)
            }
        };
        let (report, population_text) = match &self.recorded {
            Some(path) => (replay_file(path, config)?, None),
            None => {
                let (report, text) = self.simulate(config)?;
                (report, Some(text))
            }
        };
        if let Some(folder) = &self.out {
            write_folder(folder, &report, &config_text, population_text.as_deref())?;
        }
        let seconds = started.elapsed().as_secs_f64();
        console.report(&Simulated { seconds, out: self.out.as_deref(), report: &report })
    }

    fn simulate(&self, config: ScoringConfig) -> Result<(SimulationReport, String), Failure> {
        let (population, text) = match &self.miners {
            None => (Population::standard(), Population::standard_toml().to_owned()),
            Some(path) => {
                let text = files::read_text(path)?;
                let population =
                    Population::from_toml(&text).map_err(|error| foreign(path, "a population", &error))?;
                (population, text)
            }
        };
        let mut rounds = self.rounds.as_deref().map(RoundsFile::create).transpose()?;
        let days = self.months * DAYS_PER_MONTH;
        let report = simulate(&population, config, days, self.seed, |round| match &mut rounds {
            Some(rounds) => rounds.write(round),
            None => Ok(()),
        })?;
        rounds.map_or(Ok(()), RoundsFile::finish)?;
        Ok((report, text))
    }
}

fn replay_file(path: &Path, config: ScoringConfig) -> Result<SimulationReport, Failure> {
    let file = File::open(path).map_err(|error| Failure::file("read", path, error))?;
    replay(BufReader::new(file), config).map_err(|error| match error {
        SimulationError::Read(source) => Failure::file("read", path, source),
        other => foreign(path, "a file of recorded rounds", &other),
    })
}

fn foreign(path: &Path, expected: &'static str, error: &dyn std::error::Error) -> Failure {
    Failure::Foreign { path: path.to_owned(), expected, reason: error.to_string() }
}

/// A file that gets rounds as lines.
struct RoundsFile<'a> {
    path: &'a Path,
    file: BufWriter<File>,
}

impl RoundsFile<'_> {
    fn create(path: &Path) -> Result<RoundsFile<'_>, Failure> {
        let file = File::create_new(path).map_err(|error| Failure::file("create", path, error))?;
        Ok(RoundsFile { path, file: BufWriter::new(file) })
    }

    fn write(&mut self, round: &RoundResults) -> Result<(), Failure> {
        let mut line = serde_json::to_vec(round).map_err(Failure::json)?;
        line.push(b'\n');
        self.file.write_all(&line).map_err(|error| Failure::file("write", self.path, error))
    }

    fn finish(mut self) -> Result<(), Failure> {
        self.file.flush().map_err(|error| Failure::file("write", self.path, error))
    }
}

fn write_folder(
    folder: &Path,
    report: &SimulationReport,
    config: &str,
    population: Option<&str>,
) -> Result<(), Failure> {
    std::fs::create_dir_all(folder).map_err(|error| Failure::file("create", folder, error))?;
    let chart = |chart: Result<String, _>| chart.map_err(|error| Failure::work("io", folder, error));
    let mut json = serde_json::to_string_pretty(report).map_err(Failure::json)?;
    json.push('\n');
    let written = [
        ("tiers.svg", Some(chart(report.tier_chart())?)),
        ("weights.svg", Some(chart(report.weight_chart())?)),
        ("report.json", Some(json)),
        ("scoring.toml", Some(config.to_owned())),
        ("population.toml", population.map(str::to_owned)),
    ];
    for (name, text) in written {
        if let Some(text) = text {
            files::write_whole(&folder.join(name), text.as_bytes())?;
        }
    }
    Ok(())
}

#[derive(Serialize)]
struct Simulated<'a> {
    seconds: f64,
    out: Option<&'a Path>,
    #[serde(flatten)]
    report: &'a SimulationReport,
}

impl Report for Simulated<'_> {
    fn text(&self, out: &mut String) {
        let SimulationReport { rounds, first_height, last_height, miners, .. } = self.report;
        out.push_str(&format!(
            "{rounds} rounds, heights {first_height} to {last_height} ({})\n\n",
            table::duration(self.seconds)
        ));
        const HEADS: [&str; 10] = [
            "miner",
            ">uids",
            "tier",
            ">right at least",
            ">counts",
            ">speed",
            ">service",
            ">weight",
            ">share",
            ">income",
        ];
        let mut rows = Table::new(&HEADS);
        for miner in miners {
            rows.row(cells(miner));
        }
        rows.write("  ", out);
        out.push_str(
            "\nof each miner's best uid: right at least, the lower bound of the share of right answers in the window; counts, proven \
             bytes at their value\nof all its uids: share of weight at the end, income as a share of all that was paid\n",
        );
        if let Some(folder) = self.out {
            out.push_str(&format!("charts and the report are in {}\n", folder.display()));
        }
    }
}

fn cells(miner: &MinerReport) -> Vec<String> {
    let percent = |share: f64| format!("{:.2} %", share * 100.0);
    let score = |cell: &dyn Fn(&holdfast_service::scoring::MinerScore) -> String| {
        miner.score.as_ref().map_or("-".to_owned(), cell)
    };
    vec![
        miner.name.clone(),
        miner.uids.to_string(),
        score(&|score| score.tier.clone()),
        score(&|score| score.wilson_lower.map_or("-".to_owned(), percent)),
        score(&|score| bytes(score.counted_bytes)),
        score(&|score| format!("{:.2}", score.performance)),
        score(&|score| format!("{:.2}", score.service)),
        miner.weight.to_string(),
        percent(miner.share),
        percent(miner.income_share),
    ]
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // saturates
fn bytes(bytes: f64) -> String {
    table::bytes(bytes as u64)
}
