//! `partition.json`: what was allocated in a directory, for whom, and from which chain state.
//!
//! One file for each directory. It is written whole and atomically, and read strictly: unknown fields, other versions and
//! values that contradict one another are refused. The JSON Schema in `docs/partition-json-v1.schema.json` is generated
//! from these types (a test compares), and `docs/guide/partition-json.md` maps the names of FileTAO's prototype to ours.

mod check;
mod error;

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::allocate::{Plan, Share};
use crate::format::FORMAT_VERSION;
use crate::size::format_bytes;
pub use error::ManifestError;

/// Name of the file in its directory.
pub const MANIFEST_NAME: &str = "partition.json";
/// Version that this code writes, and the only one it reads.
pub const MANIFEST_VERSION: u32 = 1;

/// What stands in `partition.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Manifest {
    /// Version of this file's format: 1.
    pub version: u32,
    /// Version of the partition files' format: 1.
    pub partition_file_version: u16,
    /// Block height of the chain state that the stakes were taken from.
    pub block: u64,
    /// The network.
    pub network: Network,
    /// The miner who owns the partitions.
    pub miner: Miner,
    /// What the disk offered.
    pub space: Space,
    /// The windows of all partitions.
    pub window: Window,
    /// The partitions; the position of each is its index.
    pub partitions: Vec<Partition>,
}

/// The network that the partitions are registered in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Network {
    /// Its name, such as `simulated`.
    pub name: String,
    /// Its number on the chain.
    pub netuid: u16,
    /// Where the chain state came from: an endpoint, a stake file, or `simulated`.
    pub chain_source: String,
}

/// The miner, by its keys' names here and its account there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Miner {
    /// Name of the wallet, if one was used.
    pub wallet_name: Option<String>,
    /// Name of the hotkey in the wallet, if one was used.
    pub hotkey_name: Option<String>,
    /// The miner's account, as it is written in the network.
    pub hotkey: String,
}

/// What the disk offered and how much of it may be used. Texts are for people and say the same as the numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Space {
    /// Bytes available on the disk, those of the miner's partitions there included.
    pub available_bytes: u64,
    /// `available_bytes` for people, such as `1.50 TiB`.
    pub available: String,
    /// `available_bytes` in percent of the file system's size.
    pub available_percent: f64,
    /// Share of the available bytes to use, in percent.
    pub threshold_percent: f64,
    /// Bytes to use at most.
    pub threshold_bytes: u64,
    /// `threshold_bytes` for people.
    pub threshold: String,
}

/// The shape of a window (space-v1 §1).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Window {
    /// Name of the profile: `swift`, `standard`, `hard` or `custom`.
    pub profile: String,
    /// A window has 2^k labels of 32 bytes.
    pub k: u8,
    /// Layers, of which the last is stored.
    pub layers: u8,
    /// Bytes of a window without its outboard.
    pub window_bytes: u64,
}

/// One partition: one file for one validator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Partition {
    /// Position in the list, from 0.
    pub index: u64,
    /// The file, relative to the directory of `partition.json`.
    pub path: String,
    /// Account of the miner who owns the partition.
    pub owner: String,
    /// The validator's number in the network.
    pub validator_uid: u32,
    /// The validator's account, as it is written in the network.
    pub validator_hotkey: String,
    /// Tokens staked on the validator when the plan was made.
    pub stake: f64,
    /// Disk space of the file, headers and tables included.
    pub size_bytes: u64,
    /// `size_bytes` for people.
    pub size: String,
    /// Windows of the partition.
    pub windows: u64,
    /// The most windows that it may ever have; part of the registration.
    pub window_cap: u64,
    /// Tells two partitions of one miner and validator apart; part of the registration.
    pub ordinal: u64,
    /// The registration, once it is complete.
    pub registration: Option<Registration>,
}

/// A partition's registration (space-v1 §3).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Registration {
    /// Number that the recorder assigned; never used again.
    pub partition_id: u64,
    /// Height at which the intent was recorded.
    pub intent_height: u64,
    /// Beacon of the block that fixed the windows' keys: 64 hexadecimal digits.
    pub beacon: String,
    /// The 168 bytes that the windows are derived from: 336 hexadecimal digits.
    pub bytes: String,
    /// Digest of `bytes`, what the prototype called the seed: 64 hexadecimal digits.
    pub digest: String,
}

impl Space {
    /// From a plan; `threshold` is the share asked for, `disk_bytes` the size of the file system.
    pub fn new(plan: &Plan, threshold: f64, disk_bytes: u64) -> Self {
        Self {
            available_bytes: plan.available_bytes,
            available: format_bytes(plan.available_bytes),
            available_percent: percent(plan.available_bytes as f64 / disk_bytes.max(1) as f64),
            threshold_percent: percent(threshold),
            threshold_bytes: plan.threshold_bytes,
            threshold: format_bytes(plan.threshold_bytes),
        }
    }
}

impl Partition {
    /// Not yet registered, from one share of a plan.
    pub fn new(
        index: u64,
        path: String,
        owner: String,
        share: &Share,
        window_cap: u64,
        ordinal: u64,
    ) -> Self {
        Self {
            index,
            path,
            owner,
            validator_uid: share.validator.uid,
            validator_hotkey: share.validator.hotkey.clone(),
            stake: share.validator.stake,
            size_bytes: share.size_bytes,
            size: format_bytes(share.size_bytes),
            windows: share.windows,
            window_cap,
            ordinal,
            registration: None,
        }
    }
}

impl Manifest {
    /// Without partitions yet, in the current versions.
    pub fn new(block: u64, network: Network, miner: Miner, space: Space, window: Window) -> Self {
        let (version, partition_file_version) = (MANIFEST_VERSION, FORMAT_VERSION);
        Self { version, partition_file_version, block, network, miner, space, window, partitions: Vec::new() }
    }

    /// Where the manifest of a directory stands.
    pub fn path(directory: &Path) -> PathBuf {
        directory.join(MANIFEST_NAME)
    }

    /// Reads and checks the manifest of a directory.
    ///
    /// # Errors
    /// [`ManifestError`]; [`ManifestError::is_absent`] tells a directory that has none.
    pub fn read(directory: &Path) -> Result<Self, ManifestError> {
        let path = Self::path(directory);
        let bytes = fs::read(&path).map_err(|source| ManifestError::Read { path: path.clone(), source })?;
        Self::decode(&bytes).map_err(|problem| ManifestError::Refused { path, problem: Box::new(problem) })
    }

    /// Decodes and checks the bytes of a manifest.
    ///
    /// # Errors
    /// [`ManifestError`], without a path.
    pub fn decode(bytes: &[u8]) -> Result<Self, ManifestError> {
        /// A later version may have any other fields.
        #[derive(Deserialize)]
        struct VersionOnly {
            version: u32,
        }
        let VersionOnly { version: found } = serde_json::from_slice(bytes)?;
        if found != MANIFEST_VERSION {
            return Err(ManifestError::UnknownVersion { found, supported: MANIFEST_VERSION });
        }
        let manifest: Self = serde_json::from_slice(bytes)?;
        manifest.check()?;
        Ok(manifest)
    }

    /// Writes the manifest of a directory: a temporary file beside it, sync, rename, sync of the directory. A crash leaves
    /// the old or the new one.
    ///
    /// # Errors
    /// [`ManifestError`]; nothing is written if the manifest contradicts itself.
    pub fn write(&self, directory: &Path) -> Result<(), ManifestError> {
        self.check()?;
        let mut text = serde_json::to_vec_pretty(self)?;
        text.push(b'\n');
        let path = Self::path(directory);
        let temporary = directory.join(format!("{MANIFEST_NAME}.new"));
        let written = File::create(&temporary)
            .and_then(|mut file| file.write_all(&text).and_then(|()| file.sync_all()))
            .and_then(|()| fs::rename(&temporary, &path))
            .and_then(|()| File::open(directory)?.sync_all());
        written.map_err(|source| ManifestError::Write { path, source })
    }
}

/// In percent, to a thousandth.
fn percent(share: f64) -> f64 {
    (share * 100_000.0).round() / 1000.0
}

#[cfg(test)]
mod tests;
