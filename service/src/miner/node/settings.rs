//! What an operator says about a miner: one TOML file, or none.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::stability::Patience;
use super::workers;
use crate::identity::IdentitySource;
use crate::listen;
use crate::local::failure::Failure;
use crate::miner::limits::Limits;
use crate::operation::page;
use crate::workers::ExchangeSettings;

/// Where workers are served if nothing is said.
const WORKERS_PORT: u16 = 7704;

/// A miner's configuration (docs/guide/miner-config.md).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Whose key it has.
    pub identity: IdentitySettings,
    /// Which chain it follows.
    pub chain: ChainSettings,
    /// The network's policy: `default`, `test`, or the path of a JSON file.
    #[serde(default = "policy")]
    pub policy: String,
    /// Where and how it serves.
    pub server: listen::Settings,
    /// Directories that it may fill.
    #[serde(rename = "disk")]
    pub disks: Vec<DiskSettings>,
    /// How disks are divided among validators.
    #[serde(default)]
    pub allocation: AllocationSettings,
    /// How windows are made.
    #[serde(default)]
    pub filling: FillingSettings,
    /// What must not be forgotten.
    #[serde(default)]
    pub index: IndexSettings,
    /// What callers may ask of it.
    #[serde(default)]
    pub limits: Limits,
    /// Where what it counts is shown.
    #[serde(default)]
    pub metrics: page::Settings,
    /// How machines are treated that offer to make windows for its disks; none are taken if nothing is said.
    #[serde(default)]
    pub workers: Option<ExchangeSettings>,
    /// Where these are served: never where validators and owners are.
    #[serde(default = "workers_server")]
    pub workers_server: listen::Settings,
}

/// The table `[identity]`: a hotkey of a wallet, a key file, or a development name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IdentitySettings {
    /// Directory of all wallets; Bittensor's if none is given.
    pub wallets: Option<PathBuf>,
    /// Name of the wallet.
    pub wallet: Option<String>,
    /// Name of the hotkey in it.
    pub hotkey: Option<String>,
    /// A key file in place of a wallet.
    pub key_file: Option<PathBuf>,
    /// A name whose key everybody has; for simulations.
    pub development_name: Option<String>,
    /// A file whose first line is the key's password.
    pub password_file: Option<PathBuf>,
}

/// The table `[chain]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChainSettings {
    /// The directory of a chain in files.
    pub directory: PathBuf,
    /// Number of the subnet.
    #[serde(default)]
    pub netuid: u16,
    /// Where others reach this miner; announced on the chain. Without it nothing is announced.
    #[serde(default)]
    pub announce: Option<SocketAddr>,
}

/// A table `[[disk]]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DiskSettings {
    /// The directory.
    pub directory: PathBuf,
    /// Never use more than this, such as `4TB`.
    #[serde(default)]
    pub max: Option<String>,
}

/// The table `[allocation]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AllocationSettings {
    /// Part of what a disk has free that is used.
    pub threshold: f64,
    /// Size of windows, such as `1GiB`; what suits the disk if none is given.
    pub window: Option<String>,
    /// Work per window: `swift`, `standard` or `hard`.
    pub profile: Option<String>,
    /// Part of each share that is kept free for objects to come.
    pub object_reserve: f64,
    /// Disks follow a share that moved by more than this part of itself …
    pub share_change: f64,
    /// … and stayed so for this many blocks.
    pub stable_blocks: u64,
}

/// The table `[filling]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FillingSettings {
    /// Compute threads; as many as tuned, or as there are cores.
    pub threads: Option<usize>,
    /// Bytes a second that are written while filling.
    pub bytes_per_second: Option<u64>,
}

/// The table `[index]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IndexSettings {
    /// The index's file; in the first disk's directory if none is given.
    pub location: Option<String>,
}

impl Default for AllocationSettings {
    fn default() -> AllocationSettings {
        AllocationSettings {
            threshold: 0.8,
            window: None,
            profile: None,
            object_reserve: 0.1,
            share_change: 0.1,
            stable_blocks: 100,
        }
    }
}

fn policy() -> String {
    "default".to_owned()
}

fn workers_server() -> listen::Settings {
    listen::Settings::at((Ipv4Addr::LOCALHOST, WORKERS_PORT).into())
}

impl Settings {
    /// A miner with a key that everybody has, on a chain in files: what a simulation needs, and nothing more.
    pub fn development(name: &str, chain: PathBuf, disks: Vec<PathBuf>, listen: SocketAddr) -> Settings {
        Settings {
            identity: IdentitySettings {
                development_name: Some(name.to_owned()),
                ..IdentitySettings::default()
            },
            chain: ChainSettings { directory: chain, netuid: 0, announce: None },
            policy: policy(),
            server: listen::Settings::at(listen),
            disks: disks.into_iter().map(|directory| DiskSettings { directory, max: None }).collect(),
            allocation: AllocationSettings::default(),
            filling: FillingSettings::default(),
            index: IndexSettings::default(),
            limits: Limits::default(),
            metrics: page::Settings::default(),
            workers: None,
            workers_server: workers_server(),
        }
    }

    /// Reads the TOML form and checks it. Unknown keys are refused by their names.
    pub fn from_toml(text: &str) -> Result<Settings, Failure> {
        let usage = |message: String| Failure::Usage(message);
        let settings: Settings = toml::from_str(text)
            .map_err(|error| usage(format!("the configuration cannot be used: {error}")))?;
        settings.check()?;
        Ok(settings)
    }

    /// Checks the ranges of all values.
    pub fn check(&self) -> Result<(), Failure> {
        let usage = |message: String| Err(Failure::Usage(message));
        if self.disks.is_empty() {
            return usage("no [[disk]]: a miner without a disk stores nothing".to_owned());
        }
        let AllocationSettings { threshold, object_reserve, share_change, .. } = self.allocation;
        if !(threshold > 0.0 && threshold <= 1.0) {
            return usage(format!("allocation.threshold is {threshold}; allowed: above 0, at most 1"));
        }
        if !(0.0..=0.9).contains(&object_reserve) {
            return usage(format!("allocation.object_reserve is {object_reserve}; allowed: 0 to 0.9"));
        }
        if !(share_change.is_finite() && share_change >= 0.0) {
            return usage(format!("allocation.share_change is {share_change}; allowed: 0 and more"));
        }
        workers::check(self)?;
        self.identity.source().map(|_| ())
    }

    /// The index's location.
    pub fn index_location(&self) -> String {
        let beside = || self.disks.first().map(|disk| disk.directory.join("miner.index")).unwrap_or_default();
        self.index.location.clone().unwrap_or_else(|| beside().display().to_string())
    }

    /// All directories.
    pub fn directories(&self) -> Vec<PathBuf> {
        self.disks.iter().map(|disk| disk.directory.clone()).collect()
    }

    pub(super) fn patience(&self) -> Patience {
        Patience { change: self.allocation.share_change, blocks: self.allocation.stable_blocks }
    }
}

impl IdentitySettings {
    /// The key that is meant.
    pub fn source(&self) -> Result<IdentitySource, Failure> {
        match (&self.development_name, &self.key_file, &self.wallet, &self.hotkey) {
            (Some(name), None, None, None) => Ok(IdentitySource::Development(name.clone())),
            (None, Some(path), None, None) => Ok(IdentitySource::KeyFile(path.clone())),
            (None, None, Some(wallet), Some(hotkey)) => Ok(IdentitySource::Wallet {
                wallets: self.wallets.clone(),
                wallet: wallet.clone(),
                hotkey: hotkey.clone(),
            }),
            _ => Err(Failure::Usage(
                "[identity] names one of: wallet and hotkey, key_file, development_name".to_owned(),
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GUIDE: &str = include_str!("../../../../docs/guide/miner-config.md");

    /// The example in the guide, between its fences.
    fn example() -> &'static str {
        let (_, after) = GUIDE.split_once("```toml\n").expect("an example");
        after.split_once("```").expect("its end").0
    }

    #[test]
    fn the_documented_example_is_the_defaults_with_a_wallet() {
        let settings = Settings::from_toml(example()).expect("can be used");
        assert_eq!(settings.allocation, AllocationSettings::default());
        assert_eq!(settings.limits, Limits::default());
        assert_eq!(
            settings.server,
            listen::Settings { allow_plain_text: true, ..listen::Settings::at(settings.server.address) }
        );
        assert_eq!(settings.policy, "default");
        assert_eq!((settings.workers, settings.workers_server), (None, workers_server()));
    }

    /// A key with a slip of the pen must not be taken for its default.
    #[test]
    fn unknown_keys_are_refused_by_name() {
        for (after, name) in [("[limits]", "uplaods = 3"), ("[server]", "lisen = 1"), ("", "disks = 1")] {
            let text = match after {
                "" => format!("{name}\n{}", example()),
                table => example().replacen(table, &format!("{table}\n{name}"), 1),
            };
            let refused = Settings::from_toml(&text).expect_err(name).to_string();
            let key = name.split(' ').next().unwrap_or_default();
            assert!(refused.contains(key), "{refused}");
        }
    }

    #[test]
    fn values_out_of_range_are_refused() {
        let example = Settings::from_toml(example()).expect("can be used");
        let with = |change: &dyn Fn(&mut Settings)| {
            let mut settings = example.clone();
            change(&mut settings);
            settings.check().expect_err("out of range").to_string()
        };
        assert!(with(&|settings| settings.disks.clear()).contains("disk"));
        assert!(with(&|settings| settings.allocation.threshold = 0.0).contains("threshold"));
        assert!(with(&|settings| settings.allocation.object_reserve = 1.0).contains("object_reserve"));
        assert!(with(&|settings| settings.allocation.share_change = f64::NAN).contains("share_change"));
        let workers = ExchangeSettings { slots: 0, ..ExchangeSettings::default() };
        assert!(with(&|settings| settings.workers = Some(workers.clone())).contains("workers.slots"));
        let twice = with(&|settings| settings.identity.development_name = Some("alice".to_owned()));
        assert!(twice.contains("identity"));
    }
}
