//! What `holdfast tune` found out about hosts, kept for `fill`, `scrub` and `prove`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::local::failure::Failure;
use crate::local::files::write_whole;
use crate::local::gpus::Work;

/// Settings under which a host fills fastest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tuned {
    /// Compute threads.
    pub threads: u16,
    /// Requests in flight on each disk.
    pub queue_depth: u16,
    /// Memory for data that waits for a disk, in bytes.
    pub staging_bytes: u64,
    /// How fast the processor and the graphics processors are; absent from files of earlier versions.
    #[serde(default)]
    pub rates: Option<Rates>,
}

/// What was measured of a host's processor and graphics processors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rates {
    /// All cores.
    pub processor: Rate,
    /// By id.
    pub gpus: BTreeMap<String, Rate>,
}

/// Bytes a second; absent for what a device cannot do.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rate {
    /// Of windows.
    pub windows: Option<f64>,
    /// Of blocks that are committed to.
    pub commitments: Option<f64>,
}

impl Rate {
    /// Of a kind of work.
    pub fn of(&self, work: Work) -> Option<f64> {
        match work {
            Work::Windows => self.windows,
            Work::Commitments => self.commitments,
        }
    }
}

/// The file: one entry a host, since home directories are shared.
#[derive(Debug, Default, Serialize, Deserialize)]
struct TuneFile {
    version: u32,
    hosts: BTreeMap<String, Tuned>,
}

const VERSION: u32 = 1;
const EXPECTED: &str = "a tuning file of holdfast";

/// Where the settings lie unless said otherwise; `None` without a home directory.
pub fn default_path() -> Option<PathBuf> {
    let config = match std::env::var_os("XDG_CONFIG_HOME").filter(|dir| !dir.is_empty()) {
        Some(dir) => PathBuf::from(dir),
        None => PathBuf::from(std::env::var_os("HOME")?).join(".config"),
    };
    Some(config.join("holdfast").join("tune.json"))
}

/// Where data of programs lies unless said otherwise; `None` without a home directory.
pub fn data_directory() -> Option<PathBuf> {
    match std::env::var_os("XDG_DATA_HOME").filter(|dir| !dir.is_empty()) {
        Some(dir) => Some(PathBuf::from(dir)),
        None => Some(PathBuf::from(std::env::var_os("HOME")?).join(".local").join("share")),
    }
}

/// The name of this host.
pub fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// The settings of this host, if it was tuned.
pub fn load() -> Result<Option<Tuned>, Failure> {
    match default_path() {
        Some(path) => Ok(read(&path)?.hosts.remove(&host())),
        None => Ok(None),
    }
}

/// Keeps the settings of this host beside those of others.
pub fn store(path: &Path, tuned: Tuned) -> Result<(), Failure> {
    let mut file = read(path)?;
    file.version = VERSION;
    file.hosts.insert(host(), tuned);
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder {
        std::fs::create_dir_all(folder).map_err(|error| Failure::file("create", folder, error))?;
    }
    let mut text = serde_json::to_vec_pretty(&file).map_err(Failure::json)?;
    text.push(b'\n');
    write_whole(path, &text)
}

fn read(path: &Path) -> Result<TuneFile, Failure> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(TuneFile::default()),
        Err(error) => return Err(Failure::file("read", path, error)),
    };
    let foreign = |reason: String| Failure::Foreign { path: path.to_owned(), expected: EXPECTED, reason };
    let file: TuneFile = serde_json::from_slice(&bytes).map_err(|error| foreign(error.to_string()))?;
    if file.version != VERSION {
        return Err(foreign(format!("it has version {}, this holdfast knows {VERSION}", file.version)));
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TUNED: Tuned = Tuned { threads: 3, queue_depth: 4, staging_bytes: 5, rates: None };

    #[test]
    fn settings_of_other_hosts_are_kept() {
        let folder = tempfile::tempdir().expect("a directory");
        let path = folder.path().join("deep").join("tune.json");
        store(&path, TUNED).expect("stores");
        let mut file = read(&path).expect("reads");
        let other = Tuned { threads: 9, ..TUNED };
        file.hosts.insert("another".into(), other.clone());
        write_whole(&path, &serde_json::to_vec(&file).expect("JSON")).expect("writes");
        store(&path, Tuned { queue_depth: 8, ..TUNED }).expect("stores");
        let hosts = read(&path).expect("reads").hosts;
        assert_eq!(hosts["another"], other);
        assert_eq!(hosts[&host()].queue_depth, 8);
        let names = std::fs::read_dir(path.parent().expect("has one")).expect("reads").count();
        assert_eq!(names, 1, "no temporary file is left");
    }

    #[test]
    fn a_file_that_is_something_else_is_refused() {
        let folder = tempfile::tempdir().expect("a directory");
        let path = folder.path().join("tune.json");
        for text in ["", "[]", "{\"version\":2,\"hosts\":{}}"] {
            std::fs::write(&path, text).expect("writes");
            assert_eq!(store(&path, TUNED).expect_err("is refused").kind(), "foreign-file", "{text:?}");
        }
    }
}
