//! Which back end serves a file, and why: the only place that decides.

use std::fmt;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::file::DataFile;
use super::mmap::MmapIo;
use super::pread::PreadIo;
#[cfg(target_os = "linux")]
use super::uring::{Rings, UringIo};
use super::{BlockIo, IoError};

/// How long a held lock is tried.
const LOCK_PATIENCE: Duration = Duration::from_millis(900);
/// How often it is tried.
const LOCK_INTERVAL: Duration = Duration::from_millis(5);

/// Which back end the user asks for (`--io`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IoChoice {
    /// The best one present: `uring`, else `pread`; direct I/O where the file system takes it.
    #[default]
    Auto,
    /// io_uring, or an error that says why not.
    Uring,
    /// `pread`/`pwrite` on threads.
    Pread,
    /// The same through the page cache, never direct.
    Buffered,
    /// Reads through a memory map and writes through the page cache: for small read-mostly files such as tables.
    Mmap,
}

impl IoChoice {
    /// All choices.
    pub const ALL: [Self; 5] = [Self::Auto, Self::Uring, Self::Pread, Self::Buffered, Self::Mmap];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Uring => "uring",
            Self::Pread => "pread",
            Self::Buffered => "buffered",
            Self::Mmap => "mmap",
        }
    }
}

impl fmt::Display for IoChoice {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

/// A name that is no [`IoChoice`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown I/O back end {name:?}; choose one of auto, uring, pread, buffered, mmap")]
pub struct UnknownIoChoice {
    name: String,
}

impl FromStr for IoChoice {
    type Err = UnknownIoChoice;

    fn from_str(name: &str) -> Result<Self, UnknownIoChoice> {
        let found = Self::ALL.into_iter().find(|choice| choice.name() == name);
        found.ok_or_else(|| UnknownIoChoice { name: name.into() })
    }
}

/// What the file is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Make a new file for reading and writing; one that exists is an error. The directory entry is durable afterwards.
    CreateNew,
    /// Read and write a file that exists.
    ReadWrite,
    /// Read a file that exists, also while another process writes it.
    ReadOnly,
}

/// How to open a file.
#[derive(Clone, Copy, Debug)]
pub struct OpenOptions {
    /// What for. All but [`Access::ReadOnly`] take an exclusive advisory lock, held until the handle is dropped.
    pub access: Access,
    /// Which back end.
    pub choice: IoChoice,
    /// Most operations one call will want in flight, 1 … 4,096; larger depths given to a call are cut to this by `uring`.
    pub depth: usize,
}

impl OpenOptions {
    /// `access` with the best back end and up to 128 operations in flight.
    pub fn new(access: Access) -> Self {
        Self { access, choice: IoChoice::Auto, depth: 128 }
    }

    /// The same with another back end.
    pub fn with_choice(self, choice: IoChoice) -> Self {
        Self { choice, ..self }
    }
}

/// An open file and what the user should know about how it was opened.
#[derive(Debug)]
pub struct Opened {
    /// The file.
    pub io: Arc<dyn BlockIo>,
    /// True when transfers bypass the page cache.
    pub direct: bool,
    /// Why something better was not used: sentences, empty when all is as hoped.
    pub notes: Vec<String>,
}

/// Opens a file with the chosen back end. `Auto` falls back and says why in [`Opened::notes`]; any other choice that is
/// absent is [`IoError::Unsupported`] with the reason.
pub fn open(path: &Path, options: &OpenOptions) -> Result<Opened, IoError> {
    open_with(path, options, Refusals::default())
}

/// Error numbers that stand in for what the system would answer, so that tests can try every fallback anywhere.
#[derive(Clone, Copy, Debug, Default)]
struct Refusals {
    uring: Option<i32>,
    direct: Option<i32>,
}

fn open_with(path: &Path, options: &OpenOptions, refusals: Refusals) -> Result<Opened, IoError> {
    let mut notes = Vec::new();
    // Before the file, so that a forced choice that is absent leaves no empty file behind.
    let rings = match options.choice {
        IoChoice::Auto => start_rings(options.depth, refusals)
            .map_err(|reason| notes.push(format!("io_uring is not used: {reason}; using pread with threads")))
            .ok(),
        IoChoice::Uring => Some(
            start_rings(options.depth, refusals)
                .map_err(|reason| IoError::Unsupported { backend: "uring", reason })?,
        ),
        IoChoice::Pread | IoChoice::Buffered | IoChoice::Mmap => None,
    };
    let file = open_file(path, options.access)?;
    let direct = match options.choice {
        IoChoice::Buffered | IoChoice::Mmap => false,
        IoChoice::Auto | IoChoice::Uring | IoChoice::Pread => make_direct(&file, refusals)
            .map_err(|reason| notes.push(format!("{}: direct I/O is not used: {reason}", path.display())))
            .is_ok(),
    };
    let file = DataFile::new(file, path.to_path_buf(), options.access != Access::ReadOnly);
    let io: Arc<dyn BlockIo> = match (options.choice, rings) {
        (IoChoice::Mmap, _) => Arc::new(MmapIo::new(file)),
        #[cfg(target_os = "linux")]
        (_, Some(rings)) => Arc::new(UringIo::new(file, rings)),
        (_, _) => Arc::new(PreadIo::new(file)),
    };
    Ok(Opened { io, direct, notes })
}

#[cfg(not(target_os = "linux"))]
struct Rings;

#[cfg(not(target_os = "linux"))]
fn start_rings(_: usize, _: Refusals) -> Result<Rings, String> {
    Err("this operating system has no io_uring".into())
}

#[cfg(target_os = "linux")]
fn start_rings(depth: usize, refusals: Refusals) -> Result<Rings, String> {
    let outcome = match refusals.uring {
        Some(number) => Err(io::Error::from_raw_os_error(number)),
        None => Rings::start(depth),
    };
    outcome.map_err(|error| why_no_uring(&error))
}

/// What a refusal of `io_uring_setup` means on a machine.
#[cfg(target_os = "linux")]
fn why_no_uring(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::PermissionDenied => {
            let setting = fs::read_to_string("/proc/sys/kernel/io_uring_disabled").unwrap_or_default();
            match setting.trim() {
                "1" | "2" => {
                    format!("refused by the setting kernel.io_uring_disabled={} ({error})", setting.trim())
                }
                _ => format!("refused by policy, likely a container's seccomp profile ({error})"),
            }
        }
        io::ErrorKind::Unsupported => {
            format!(
                "the kernel (Linux 5.6 or newer is needed) or a container's seccomp profile lacks it ({error})"
            )
        }
        io::ErrorKind::OutOfMemory => {
            format!("the locked-memory limit is too low, see `ulimit -l` ({error})")
        }
        _ => error.to_string(),
    }
}

fn open_file(path: &Path, access: Access) -> Result<File, IoError> {
    let operation = if access == Access::CreateNew { "create" } else { "open" };
    let failed = |error: io::Error| IoError::from_os(&error, operation, path, 0, 0);
    let writable = access != Access::ReadOnly;
    let mut options = fs::OpenOptions::new();
    options.read(true).write(writable).create_new(access == Access::CreateNew);
    let file = options.open(path).map_err(failed)?;
    if file.metadata().map_err(failed)?.is_dir() {
        return Err(failed(io::ErrorKind::IsADirectory.into()));
    }
    if writable {
        lock(&file, path)?;
    }
    if access == Access::CreateNew {
        sync_parent(path)?;
    }
    Ok(file)
}

/// Readers take no lock: every record they follow carries its own checksum, and answers must work while a fill runs.
///
/// A process that was killed while a ring was at work keeps its lock until the kernel has taken the ring down, some
/// milliseconds after the process is gone; until then its last writes may still land. So a lock that is held is tried
/// for a while before it counts as somebody's.
fn lock(file: &File, path: &Path) -> Result<(), IoError> {
    let patience = Instant::now() + LOCK_PATIENCE;
    loop {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) if Instant::now() < patience => thread::sleep(LOCK_INTERVAL),
            outcome => return locked(outcome, path),
        }
    }
}

fn locked(outcome: Result<(), TryLockError>, path: &Path) -> Result<(), IoError> {
    match outcome {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(IoError::Locked { path: path.into() }),
        Err(TryLockError::Error(error)) => Err(IoError::from_os(&error, "lock", path, 0, 0)),
    }
}

/// Makes the directory entry of a new file durable.
fn sync_parent(path: &Path) -> Result<(), IoError> {
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let outcome = File::open(parent).and_then(|directory| directory.sync_all());
    outcome.map_err(|error| IoError::from_os(&error, "sync the directory", parent, 0, 0))
}

/// Turns direct I/O on for an open file. Not at opening: with `O_CREAT` a refusal could leave the new file behind.
#[cfg(target_os = "linux")]
fn make_direct(file: &File, refusals: Refusals) -> Result<(), String> {
    use super::{AlignedBuffer, PAGE_BYTES};
    use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
    use std::os::unix::fs::FileExt;

    let refused = |error: io::Error| format!("the file system refuses it ({error}); using the page cache");
    if let Some(number) = refusals.direct {
        return Err(refused(io::Error::from_raw_os_error(number)));
    }
    let flags = fcntl_getfl(file).map_err(|error| refused(error.into()))?;
    fcntl_setfl(file, flags | OFlags::DIRECT).map_err(|error| refused(error.into()))?;
    // Some file systems take the flag and refuse the read, and some devices want more than 4 KiB.
    let mut page = AlignedBuffer::zeroed(PAGE_BYTES).map_err(|error| error.to_string())?;
    file.read_at(&mut page, 0).map(drop).map_err(|error| {
        let _ = fcntl_setfl(file, flags);
        refused(error)
    })
}

#[cfg(not(target_os = "linux"))]
fn make_direct(_: &File, _: Refusals) -> Result<(), String> {
    Err("this operating system has no O_DIRECT; using the page cache".into())
}

/// Whether something can be used here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It was tried and works.
    Present,
    /// It does not, and why.
    Absent(String),
}

/// One line of [`survey`].
#[derive(Clone, Debug)]
pub struct Surveyed {
    /// `uring`, `pread`, `direct`, `mmap`.
    pub name: &'static str,
    /// Whether it works in that directory.
    pub presence: Presence,
}

/// Tries every back end, and direct I/O, on a small file in `directory` (removed again), for `holdfast devices`.
pub fn survey(directory: &Path) -> Vec<Surveyed> {
    let path = directory.join(format!(".holdfast-survey-{}", std::process::id()));
    let mut lines =
        vec![Surveyed { name: "uring", presence: presence(start_rings(1, Refusals::default()).map(drop)) }];
    for (name, choice) in [("pread", IoChoice::Pread), ("mmap", IoChoice::Mmap)] {
        let opened = try_page(&path, choice);
        if choice == IoChoice::Pread {
            let direct = opened
                .as_ref()
                .map_err(ToString::to_string)
                .and_then(|opened| if opened.direct { Ok(()) } else { Err(opened.notes.join("; ")) });
            lines.push(Surveyed { name: "direct", presence: presence(direct) });
        }
        lines
            .push(Surveyed { name, presence: presence(opened.map(drop).map_err(|error| error.to_string())) });
    }
    lines
}

fn presence(outcome: Result<(), String>) -> Presence {
    outcome.map_or_else(Presence::Absent, |()| Presence::Present)
}

/// Writes and reads back one page of a new file, and removes it.
fn try_page(path: &Path, choice: IoChoice) -> Result<Opened, IoError> {
    let opened = open(path, &OpenOptions::new(Access::CreateNew).with_choice(choice))?;
    let outcome = super::AlignedBuffer::zeroed(super::PAGE_BYTES).and_then(|mut page| {
        opened.io.write_at(0, &page)?;
        opened.io.read_at(0, &mut page)
    });
    fs::remove_file(path).map_err(|error| IoError::from_os(&error, "remove", path, 0, 0))?;
    outcome.map(|()| opened)
}

#[cfg(test)]
mod tests;
