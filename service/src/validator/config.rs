//! What an operator says about a validator: one TOML file, in which every key has a default but who it is and where the chain is.

use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};

use holdfast_engine::account::{Account, AccountError};
use holdfast_engine::policy::{Policy, PolicyError};
use holdfast_engine::possession::challenge::Form;
use holdfast_engine::receipt::ANCHOR_BLOCKS;
use serde::Deserialize;
use thiserror::Error;

use super::care::CareSettings;
use super::node::{Exporting, Settings};
use crate::connect;
use crate::identity::IdentitySource;
use crate::listen;
use crate::operation::page;
use crate::scoring::{ScoringConfig, ScoringError};

/// Larger files are no configuration.
const CONFIG_BYTES_MAX: u64 = 1 << 20;
const MIB: usize = 1 << 20;
const DAY_SECONDS: u64 = 86_400;
/// Where a validator serves if nothing is said.
pub const PORT: u16 = 7702;

/// A configuration that cannot be used.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// Not TOML, or not of this form; the message names line and key.
    #[error("the configuration is not what it should be: {0}; docs/guide/validator-config.md has all keys")]
    Form(#[from] toml::de::Error),
    /// A value is out of its range.
    #[error("{key} is {found}, allowed: {allowed}")]
    Value {
        /// The key.
        key: &'static str,
        /// Its value.
        found: String,
        /// What is allowed.
        allowed: String,
    },
    /// The policy.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The scoring.
    #[error(transparent)]
    Scoring(#[from] ScoringError),
    /// A witness is nobody.
    #[error("rounds.witnesses: {0}")]
    Witness(#[from] AccountError),
}

/// A validator's configuration.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Whose key signs.
    pub identity: IdentityConfig,
    /// The chain.
    pub chain: ChainConfig,
    /// The network's policy: `default`, `test`, or the path of a JSON file.
    #[serde(default = "default_policy")]
    pub policy: String,
    /// What must not be forgotten.
    #[serde(default)]
    pub index: IndexConfig,
    /// Where it serves.
    #[serde(default = "default_server")]
    pub server: listen::Settings,
    /// How it connects to miners and to other validators.
    #[serde(default)]
    pub connect: connect::Settings,
    /// How rounds are run.
    #[serde(default)]
    pub rounds: RoundsConfig,
    /// How miners are scored.
    #[serde(default)]
    pub scoring: ScoringFile,
    /// How owners' files are cared for.
    #[serde(default)]
    pub care: CareConfig,
    /// Where what it counts is shown.
    #[serde(default)]
    pub metrics: page::Settings,
    /// What is exported.
    #[serde(default)]
    pub export: ExportConfig,
}

/// Whose key signs: a development name, a wallet's hotkey, or a key file. Exactly one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct IdentityConfig {
    /// A name whose key everybody has; for simulations only.
    pub development: Option<String>,
    /// A wallet's name, with `hotkey`.
    pub wallet: Option<String>,
    /// The hotkey's name.
    pub hotkey: Option<String>,
    /// The directory of wallets, if it is not Bittensor's.
    pub wallets: Option<PathBuf>,
    /// A key file.
    pub key_file: Option<PathBuf>,
    /// A file with the password of a sealed key.
    pub password_file: Option<PathBuf>,
}

/// The chain.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChainConfig {
    /// The directory of a simulated chain.
    pub directory: PathBuf,
}

/// The index.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct IndexConfig {
    /// A file, or the URL of a PostgreSQL database that several processes share.
    pub location: String,
}

impl Default for IndexConfig {
    fn default() -> IndexConfig {
        IndexConfig { location: "validator.index".to_owned() }
    }
}

/// The scoring.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ScoringFile {
    /// A TOML file of scoring-v1; the standard one if there is none.
    pub file: Option<PathBuf>,
}

/// What is exported.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ExportConfig {
    /// The directory to which what becomes final is appended; without one nothing is.
    pub directory: Option<PathBuf>,
    /// Blocks from one writing to the next. Each writes at least one file a table.
    pub every_blocks: u64,
}

impl Default for ExportConfig {
    fn default() -> ExportConfig {
        ExportConfig { directory: None, every_blocks: 300 }
    }
}

/// How owners' files are cared for.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CareConfig {
    /// Whether owners are served. Files that are in care already are kept whole anyway.
    pub serve: bool,
    /// Only these owners are served, if there are any. Accounts cost nothing, so without a list anybody can fill what miners have for us.
    pub owners: Vec<Account>,
    /// The longest time that a file may be asked to be kept, in days.
    pub keep_days_max: u64,
    /// GiB of pieces that one owner may have here.
    pub owner_gib_max: u64,
    /// So many audits failed one after another, and a piece is made anew.
    pub failed_audits: u32,
    /// So many minutes without an answer, and the pieces of a miner are made anew.
    pub absent_minutes: u64,
    /// GiB that repairs may transfer in one go; balancing takes a quarter of it.
    pub repair_gib: u64,
    /// Blocks from one look at all files to the next.
    pub tend_every_blocks: u64,
    /// Where pieces are made anew; the system's temporary directory if none is named.
    pub workshop: Option<PathBuf>,
}

impl Default for CareConfig {
    fn default() -> CareConfig {
        let usual = CareSettings::default();
        CareConfig {
            serve: true,
            owners: Vec::new(),
            keep_days_max: usual.keep_seconds_max / DAY_SECONDS,
            owner_gib_max: usual.owner_bytes_max >> 30,
            failed_audits: usual.repair.failed_audits,
            absent_minutes: usual.repair.absent_seconds / 60,
            repair_gib: usual.repair.budget_bytes >> 30,
            tend_every_blocks: usual.tend_every_blocks,
            workshop: None,
        }
    }
}

/// How rounds are run.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RoundsConfig {
    /// This process among those that share the index; each has another.
    pub process: String,
    /// Whether possession responses are to be short (`compressed`) or quick to make (`plain`).
    pub form: FormName,
    /// Once sealed, one batch in so many is audited again at an audit height.
    pub reseal_one_in: NonZeroU64,
    /// One object with commitments in so many has a link audit at an audit height; 0 makes none.
    pub link_one_in: u64,
    /// A round is asked as long as its block is among so many newest ones.
    pub asked_within_blocks: u64,
    /// A round is anchored so many blocks after it.
    pub anchor_after_blocks: u64,
    /// Blocks from one setting of weights to the next.
    pub tempo_blocks: u64,
    /// Blocks from one sign of life to the next; 0 asks for none.
    pub ping_every_blocks: u64,
    /// Blocks from one retrieval audit of a miner to the next; 0 makes none.
    pub retrieve_every_blocks: u64,
    /// Memory for bodies of responses, in MiB; a quarter of it for seal audits.
    pub held_mib: usize,
    /// Bodies are judged as soon as there are so many MiB.
    pub judged_mib: usize,
    /// Commitments of one miner beyond so many MiB together are not fetched.
    pub commitment_mib: usize,
    /// For how long this process is in charge unless it says so again, in milliseconds.
    pub lease_ms: u64,
    /// Validators that are asked to co-sign that promises have arrived.
    pub witnesses: Vec<String>,
}

/// Form of possession responses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FormName {
    /// All scalars.
    Plain,
    /// Folded.
    Compressed,
}

impl Default for RoundsConfig {
    fn default() -> RoundsConfig {
        let usual = Settings::new(Policy::standard(), "validator");
        RoundsConfig {
            process: usual.process,
            form: FormName::Plain,
            reseal_one_in: usual.reseal_one_in,
            link_one_in: usual.link_one_in.map_or(0, NonZeroU64::get),
            asked_within_blocks: usual.asked_within_blocks,
            anchor_after_blocks: usual.anchor_after_blocks,
            tempo_blocks: usual.tempo_blocks,
            ping_every_blocks: usual.ping_every_blocks,
            retrieve_every_blocks: usual.retrieve_every_blocks,
            held_mib: usual.held_bytes / MIB,
            judged_mib: usual.judged_bytes / MIB,
            commitment_mib: usual.commitment_bytes_max / MIB,
            lease_ms: usual.lease_ms,
            witnesses: Vec::new(),
        }
    }
}

impl IdentityConfig {
    /// Whose key it is, of a configuration that was checked.
    pub fn source(&self) -> Option<IdentitySource> {
        let wallet = self.wallet.clone().zip(self.hotkey.clone());
        let of_wallet = wallet.map(|(wallet, hotkey)| IdentitySource::Wallet {
            wallets: self.wallets.clone(),
            wallet,
            hotkey,
        });
        let of_file = || self.key_file.clone().map(IdentitySource::KeyFile);
        of_wallet.or_else(of_file).or_else(|| self.development.clone().map(IdentitySource::Development))
    }
}

impl Config {
    /// The usual one, for a development name on the chain of a directory.
    pub fn development(name: &str, directory: PathBuf) -> Config {
        Config {
            identity: IdentityConfig { development: Some(name.to_owned()), ..IdentityConfig::default() },
            chain: ChainConfig { directory },
            policy: default_policy(),
            index: IndexConfig::default(),
            server: default_server(),
            connect: connect::Settings::default(),
            rounds: RoundsConfig::default(),
            scoring: ScoringFile::default(),
            care: CareConfig::default(),
            metrics: page::Settings::default(),
            export: ExportConfig::default(),
        }
    }

    /// Reads and checks a file.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn read(path: &Path) -> Result<Config, ConfigError> {
        Config::from_toml(&read(path)?)
    }

    /// Reads and checks the TOML form.
    ///
    /// # Errors
    /// [`ConfigError`]; unknown keys are refused by name.
    pub fn from_toml(text: &str) -> Result<Config, ConfigError> {
        let config: Config = toml::from_str(text)?;
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), ConfigError> {
        let IdentityConfig { development, wallet, hotkey, key_file, .. } = &self.identity;
        let sources = usize::from(development.is_some())
            + usize::from(wallet.is_some())
            + usize::from(key_file.is_some());
        demand(
            sources == 1,
            "identity",
            format!("{sources} keys"),
            "one of development, wallet and key_file",
        )?;
        demand(
            wallet.is_some() == hotkey.is_some(),
            "identity.hotkey",
            format!("{hotkey:?}"),
            "given with identity.wallet, and only then",
        )?;
        let rounds = &self.rounds;
        let in_range = |key, found: u64, least: u64, most: u64| {
            demand((least..=most).contains(&found), key, found.to_string(), &format!("{least} to {most}"))
        };
        in_range("rounds.asked_within_blocks", rounds.asked_within_blocks, 1, 16)?;
        in_range("rounds.anchor_after_blocks", rounds.anchor_after_blocks, 1, ANCHOR_BLOCKS - 1)?;
        in_range("rounds.tempo_blocks", rounds.tempo_blocks, 1, 1 << 32)?;
        in_range("rounds.held_mib", rounds.held_mib as u64, 1, 1 << 20)?;
        in_range("rounds.judged_mib", rounds.judged_mib as u64, 1, rounds.held_mib as u64)?;
        in_range("rounds.commitment_mib", rounds.commitment_mib as u64, 1, 1 << 12)?;
        in_range("rounds.lease_ms", rounds.lease_ms, 1_000, 3_600_000)?;
        let care = &self.care;
        in_range("care.keep_days_max", care.keep_days_max, 1, 36_600)?;
        in_range("care.owner_gib_max", care.owner_gib_max, 0, 1 << 30)?;
        in_range("care.failed_audits", care.failed_audits.into(), 1, 1_000)?;
        in_range("care.absent_minutes", care.absent_minutes, 1, 1 << 20)?;
        in_range("care.repair_gib", care.repair_gib, 1, 1 << 20)?;
        in_range("care.tend_every_blocks", care.tend_every_blocks, 1, 1 << 20)?;
        in_range("export.every_blocks", self.export.every_blocks, 1, 1 << 20)?;
        demand(!rounds.process.is_empty(), "rounds.process", "empty".to_owned(), "a name")
    }

    /// What is told who cares for files.
    ///
    /// # Errors
    /// [`ConfigError`], where files that the configuration names cannot be used.
    pub fn care_settings(&self) -> Result<CareSettings, ConfigError> {
        let CareConfig { workshop, .. } = &self.care;
        let (Settings { scoring, policy, .. }, usual) = (self.settings()?, CareSettings::default());
        let deadline_seconds = u64::from(policy.objects.deadline_ms).div_ceil(1000);
        let mut settings = CareSettings {
            owners: self.care.owners.iter().copied().collect(),
            scoring,
            question_seconds: usual.question_seconds + deadline_seconds,
            keep_seconds_max: self.care.keep_days_max * DAY_SECONDS,
            owner_bytes_max: self.care.owner_gib_max << 30,
            tend_every_blocks: self.care.tend_every_blocks,
            process: self.rounds.process.clone(),
            workshop: workshop.clone().unwrap_or_else(std::env::temp_dir),
            ..usual
        };
        settings.repair.failed_audits = self.care.failed_audits;
        settings.repair.absent_seconds = self.care.absent_minutes * 60;
        settings.repair.budget_bytes = self.care.repair_gib << 30;
        settings.rebalance.budget_bytes = settings.repair.budget_bytes / 4;
        Ok(settings)
    }

    /// What the node is told.
    ///
    /// # Errors
    /// [`ConfigError`], where files that the configuration names cannot be used.
    pub fn settings(&self) -> Result<Settings, ConfigError> {
        let rounds = &self.rounds;
        let scoring = match &self.scoring.file {
            Some(path) => ScoringConfig::from_toml(&read(path)?)?,
            None => ScoringConfig::standard(),
        };
        let witness = |text: &String| Account::parse(text).map(|(account, _)| account);
        Ok(Settings {
            policy: Policy::resolve(&self.policy)?,
            scoring,
            form: match rounds.form {
                FormName::Plain => Form::Plain,
                FormName::Compressed => Form::Compressed,
            },
            reseal_one_in: rounds.reseal_one_in,
            link_one_in: NonZeroU64::new(rounds.link_one_in),
            asked_within_blocks: rounds.asked_within_blocks,
            anchor_after_blocks: rounds.anchor_after_blocks,
            tempo_blocks: rounds.tempo_blocks,
            ping_every_blocks: rounds.ping_every_blocks,
            retrieve_every_blocks: rounds.retrieve_every_blocks,
            held_bytes: rounds.held_mib * MIB,
            judged_bytes: rounds.judged_mib * MIB,
            commitment_bytes_max: rounds.commitment_mib * MIB,
            process: rounds.process.clone(),
            lease_ms: rounds.lease_ms,
            witnesses: rounds.witnesses.iter().map(witness).collect::<Result<_, _>>()?,
            export: self
                .export
                .directory
                .clone()
                .map(|directory| Exporting { directory, every_blocks: self.export.every_blocks }),
        })
    }
}

fn demand(fine: bool, key: &'static str, found: String, allowed: &str) -> Result<(), ConfigError> {
    if fine { Ok(()) } else { Err(ConfigError::Value { key, found, allowed: allowed.to_owned() }) }
}

fn read(path: &Path) -> Result<String, ConfigError> {
    let failed = |source| ConfigError::Read { path: path.to_owned(), source };
    let bytes = std::fs::metadata(path).map_err(failed)?.len();
    demand(bytes <= CONFIG_BYTES_MAX, "the file", format!("{bytes} bytes long"), "up to 1 MiB")?;
    std::fs::read_to_string(path).map_err(failed)
}

fn default_server() -> listen::Settings {
    listen::Settings::at(SocketAddr::from(([127, 0, 0, 1], PORT)))
}

fn default_policy() -> String {
    "default".to_owned()
}

#[cfg(test)]
mod tests;
