//! What is wrong with a machine, and what to do about it.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use holdfast_engine::accelerator::discovery::{self, Wanted};
use holdfast_engine::backend::{self, Choice};
use rustix::process::{Resource, getrlimit};
use serde::Serialize;

use crate::local::allocation::FileSystem;
use crate::local::{medium, table};

/// Connections, partition files, rings and the index, with room.
const FILES_WANTED: u64 = 4096;
/// Below this a node cannot serve.
const FILES_LEAST: u64 = 256;
/// Below this share of free bytes a disk is about to be full.
const FREE_SHARE_WANTED: f64 = 0.02;
/// No clock of a machine that runs this program shows an earlier time: the first of 2026, in seconds since 1970.
const EARLIEST_CLOCK_SECONDS: u64 = 1_767_225_600;

/// What to look at.
#[derive(Clone, Debug, Default)]
pub struct Examination {
    /// Directories of windows and objects.
    pub directories: Vec<PathBuf>,
    /// Addresses that a node is to listen on, and nobody else.
    pub addresses: Vec<SocketAddr>,
    /// Key files that nobody else should read.
    pub key_files: Vec<PathBuf>,
    /// Directory of a chain that is shared by files.
    pub chain: Option<PathBuf>,
    /// Whether software adapters count.
    pub allow_software_gpu: bool,
}

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Finding {
    /// As it should be.
    Good,
    /// It works, but something is lost by it.
    Warning,
    /// It will not work.
    Problem,
}

/// One check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was looked at.
    pub subject: String,
    /// How it is.
    pub finding: Finding,
    /// What was found.
    pub found: String,
    /// What to do about it.
    pub advice: Option<&'static str>,
}

impl Check {
    fn good(subject: impl Into<String>, found: impl Into<String>) -> Check {
        Check { subject: subject.into(), finding: Finding::Good, found: found.into(), advice: None }
    }

    fn because(self, finding: Finding, advice: &'static str) -> Check {
        Check { finding, advice: Some(advice), ..self }
    }
}

/// Looks at everything, in the order in which one would.
pub fn examine(examination: &Examination) -> Vec<Check> {
    let mut checks = vec![processor(), files(), huge_pages(), clock(), synchronization()];
    checks.push(adapters(examination.allow_software_gpu));
    for directory in &examination.directories {
        checks.extend(disk(directory));
    }
    checks.extend(examination.addresses.iter().map(address));
    checks.extend(examination.key_files.iter().map(|path| key_file(path)));
    checks.extend(examination.chain.iter().map(|path| chain(path)));
    checks
}

fn processor() -> Check {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let name = match backend::select(Choice::Auto) {
        Ok(backend) => backend.name(),
        Err(error) => {
            return Check::good("processor", error.to_string())
                .because(Finding::Problem, "use a build for this kind of machine");
        }
    };
    let check = Check::good("processor", format!("{cores} cores, back end {name}"));
    match name {
        "portable" => check.because(
            Finding::Warning,
            "without AVX2, AVX-512 or NEON fills take several times as long; a virtual machine may hide them",
        ),
        _ => check,
    }
}

fn files() -> Check {
    let limit = getrlimit(Resource::Nofile).current;
    let text = limit.map_or_else(|| "unlimited".to_owned(), |limit| limit.to_string());
    let check = Check::good("open files", format!("at most {text}"));
    const ADVICE: &str = "raise it: ulimit -n 65536, or LimitNOFILE=65536 in the unit";
    match limit {
        Some(limit) if limit < FILES_LEAST => check.because(Finding::Problem, ADVICE),
        Some(limit) if limit < FILES_WANTED => check.because(Finding::Warning, ADVICE),
        _ => check,
    }
}

fn huge_pages() -> Check {
    const PATH: &str = "/sys/kernel/mm/transparent_hugepage/enabled";
    let found = fs::read_to_string(PATH).unwrap_or_default();
    let chosen = found.split(['[', ']']).nth(1).unwrap_or("absent").to_owned();
    let check = Check::good("huge pages", chosen.clone());
    match chosen.as_str() {
        "always" | "madvise" => check,
        _ => check.because(
            Finding::Warning,
            "fills take about a third longer without: echo madvise > /sys/kernel/mm/transparent_hugepage/enabled",
        ),
    }
}

fn clock() -> Check {
    let seconds =
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs();
    let check = Check::good("clock", format!("{seconds} seconds since 1970"));
    match seconds < EARLIEST_CLOCK_SECONDS {
        true => check.because(Finding::Problem, "set it: peers refuse messages that are 30 s off"),
        false => check,
    }
}

fn synchronization() -> Check {
    const ADVICE: &str = "peers refuse messages that are 30 s off: run systemd-timesyncd or chrony";
    let asked = Command::new("timedatectl").args(["show", "--property=NTPSynchronized", "--value"]).output();
    match asked {
        Ok(output) if output.status.success() => match String::from_utf8_lossy(&output.stdout).trim() {
            "yes" => Check::good("clock synchronization", "synchronized"),
            other => Check::good("clock synchronization", format!("synchronized: {other}"))
                .because(Finding::Warning, ADVICE),
        },
        _ => Check::good("clock synchronization", "cannot be asked for (no timedatectl)")
            .because(Finding::Warning, ADVICE),
    }
}

fn adapters(allow_software: bool) -> Check {
    let found = discovery::survey(&Wanted { allow_software, ..Wanted::default() });
    let usable: Vec<&str> = found
        .iter()
        .filter(|adapter| adapter.unused_because.is_none())
        .map(|adapter| adapter.name.as_str())
        .collect();
    if !usable.is_empty() {
        return Check::good("graphics processors", usable.join(", "));
    }
    if let Some(why) = discovery::absent_from_build() {
        return Check::good("graphics processors", why);
    }
    let rejected: Vec<String> = found
        .iter()
        .filter_map(|adapter| Some(format!("{}: {}", adapter.name, adapter.unused_because.as_ref()?)))
        .collect();
    let none = "none; the processor does all the work";
    let text =
        if rejected.is_empty() { none.to_owned() } else { format!("none used ({})", rejected.join("; ")) };
    // Most machines have none and need none.
    Check::good("graphics processors", text)
}

fn disk(directory: &Path) -> Vec<Check> {
    let subject = format!("disk {}", directory.display());
    let probe = tempfile::Builder::new().prefix(".holdfast-doctor-").tempfile_in(directory);
    if let Err(error) = probe {
        let check = Check::good(&subject, format!("cannot be written to: {error}"));
        return vec![
            check.because(Finding::Problem, "mount it, create the directory, or give it to this user"),
        ];
    }
    vec![space(&subject, directory), rings(&subject, directory)]
}

#[allow(clippy::cast_precision_loss)] // a share of bytes
fn space(subject: &str, directory: &Path) -> Check {
    let sizes = match FileSystem::of(directory) {
        Ok(sizes) => sizes,
        Err(failure) => {
            return Check::good(subject, failure.to_string()).because(Finding::Problem, "check the mount");
        }
    };
    let (free, total) = (table::bytes(sizes.free_bytes), table::bytes(sizes.total_bytes));
    let check = Check::good(subject, format!("{free} free of {total}"));
    match (sizes.free_bytes as f64) < sizes.total_bytes as f64 * FREE_SHARE_WANTED {
        true => check.because(Finding::Warning, "it is nearly full: objects and journals need room"),
        false => check,
    }
}

fn rings(subject: &str, directory: &Path) -> Check {
    let ways = medium::survey(directory);
    let absent: Vec<String> = ways
        .iter()
        .filter(|way| !way.present)
        .map(|way| format!("{}: {}", way.name, way.why.as_deref().unwrap_or("absent")))
        .collect();
    let present: Vec<&str> = ways.iter().filter(|way| way.present).map(|way| way.name).collect();
    let check = Check::good(subject, format!("I/O by {}", present.join(", ")));
    if absent.is_empty() {
        return check;
    }
    let found = format!("I/O by {}; absent: {}", present.join(", "), absent.join("; "));
    Check { found, ..check }.because(
        Finding::Warning,
        "it works, slower: containers forbid io_uring unless their seccomp profile allows it, and some file systems lack direct I/O",
    )
}

fn address(address: &SocketAddr) -> Check {
    let subject = format!("address {address}");
    match TcpListener::bind(address) {
        Ok(_) => Check::good(subject, "free"),
        Err(error) => Check::good(subject, error.to_string()).because(
            Finding::Problem,
            "if a node of yours runs there, all is well; otherwise choose another port or stop what has it",
        ),
    }
}

fn key_file(path: &Path) -> Check {
    use std::os::unix::fs::PermissionsExt;
    let subject = format!("key {}", path.display());
    let metadata = match fs::metadata(path).and_then(|metadata| fs::File::open(path).map(|_| metadata)) {
        Ok(metadata) => metadata,
        Err(error) => {
            return Check::good(subject, error.to_string())
                .because(Finding::Problem, "check the path, and that this user may read it");
        }
    };
    let mode = metadata.permissions().mode() & 0o777;
    let check = Check::good(subject, format!("mode {mode:03o}"));
    match mode & 0o077 {
        0 => check,
        _ => check.because(Finding::Warning, "others can read your key: chmod 600"),
    }
}

fn chain(directory: &Path) -> Check {
    use holdfast_engine::recorder::{FileRecorder, Recorder};
    let subject = format!("chain {}", directory.display());
    let path = directory.join(crate::local::disks::RECORDER_NAME);
    match FileRecorder::open(path).and_then(|recorder| recorder.height()) {
        Ok(height) => Check::good(subject, format!("at height {height}")),
        Err(error) => Check::good(subject, error.to_string())
            .because(Finding::Problem, "start it: holdfast chain simulate DIR, or check the path"),
    }
}

#[cfg(test)]
mod tests;
