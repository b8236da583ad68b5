//! Processes of the built binary: started, waited for, killed without warning however a test ends.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// What has not come about by then does not come about.
const PATIENCE: Duration = Duration::from_secs(120);
/// From one look to the next.
const PAUSE: Duration = Duration::from_millis(100);

/// Waits until there is something to find.
#[track_caller]
pub(crate) fn wait_for<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    wait_in_steps(what, PAUSE, look)
}

/// The same with so much time from one look to the next, where looking costs something.
#[track_caller]
pub(crate) fn wait_in_steps<T>(what: &str, pause: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(started.elapsed() < PATIENCE, "{what}: not within {} s", PATIENCE.as_secs());
        std::thread::sleep(pause);
    }
}

/// The binary: cargo says to tests where it is; examples stand in a folder beside it.
fn binary() -> PathBuf {
    let of_tests = option_env!("CARGO_BIN_EXE_holdfast").map(PathBuf::from);
    of_tests.unwrap_or_else(|| {
        let examples = std::env::current_exe().expect("this program is somewhere");
        examples.parent().and_then(Path::parent).expect("a folder").join("holdfast")
    })
}

/// The binary with arguments.
pub(crate) fn holdfast(arguments: &[&str]) -> Command {
    let mut command = Command::new(binary());
    command.args(arguments).env("XDG_CONFIG_HOME", "/nonexistent").stdin(Stdio::null());
    command
}

/// How a process ended by itself.
#[derive(Debug)]
pub(crate) struct Ended {
    code: Option<i32>,
    pub(crate) stdout: String,
    #[expect(dead_code, reason = "shown where a test fails")]
    stderr: String,
}

impl Ended {
    /// The JSON that it printed; fails the test unless it was successful.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        self.json_with_code(0)
    }

    /// The JSON that it printed; fails the test if it ended with another code.
    #[track_caller]
    pub(crate) fn json_with_code(&self, code: i32) -> Value {
        assert_eq!(self.code, Some(code), "{self:#?}");
        self.printed()
    }

    /// The failure in the JSON that it printed; fails the test if it was successful.
    #[allow(dead_code, reason = "the example network_figures does not ask, tests do")]
    #[track_caller]
    pub(crate) fn failure(&self) -> Value {
        self.json_with_code(1)["error"].clone()
    }

    #[track_caller]
    fn printed(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error} in {self:#?}"))
    }
}

/// A process that runs.
pub(crate) struct Process {
    child: Child,
    log: Arc<Log>,
}

/// What a process writes to standard error.
#[derive(Default)]
struct Log {
    written: Mutex<Written>,
    more: Condvar,
}

#[derive(Default)]
struct Written {
    text: String,
    /// Whether nothing more comes: the process has ended.
    is_all: bool,
}

impl Log {
    fn add(&self, change: impl FnOnce(&mut Written)) {
        change(&mut self.written.lock().expect("no panic"));
        self.more.notify_all();
    }
}

impl Process {
    pub(crate) fn start(command: &mut Command) -> Process {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts");
        let log = Arc::new(Log::default());
        let lines = BufReader::new(child.stderr.take().expect("piped")).lines();
        let writing = Arc::clone(&log);
        // Whoever does not read would let it wait.
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                writing.add(|written| written.text.extend([line.as_str(), "\n"]));
            }
            writing.add(|written| written.is_all = true);
        });
        Process { child, log }
    }

    /// Waits until a line of its log has this in it, and gives what stands behind it.
    pub(crate) fn says(&self, what: &str) -> String {
        let said = |written: &Written| {
            written.text.lines().find_map(|line| line.split_once(what)).map(|(_, rest)| rest.to_owned())
        };
        let waits = |written: &mut Written| said(written).is_none() && !written.is_all;
        let written = self.log.written.lock().expect("no panic");
        let (written, _) = self.log.more.wait_timeout_while(written, PATIENCE, waits).expect("no panic");
        said(&written).unwrap_or_else(|| panic!("it never says \"{what}\": {}", written.text))
    }

    /// Where it serves, once it does.
    pub(crate) fn serves_at(&self) -> SocketAddr {
        self.says(" serves at ").parse().expect("an address")
    }

    /// Its number.
    #[allow(dead_code, reason = "the example network_figures asks, the tests do not")]
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn log(&self) -> String {
        self.log.written.lock().expect("no panic").text.clone()
    }

    /// Waits for its end.
    pub(crate) fn end(mut self) -> Ended {
        let mut stdout = String::new();
        let mut pipe = self.child.stdout.take().expect("piped");
        std::io::Read::read_to_string(&mut pipe, &mut stdout).expect("UTF-8");
        let code = self.child.wait().expect("ends").code();
        Ended { code, stdout, stderr: self.log() }
    }

    /// As Ctrl-C.
    #[allow(dead_code, reason = "tests do, the example network_figures does not")]
    pub(crate) fn interrupt(&self) {
        self.signal(Signal::INT);
    }

    /// As a system that wants it to end.
    #[allow(dead_code, reason = "tests do, the example network_figures does not")]
    pub(crate) fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    #[allow(dead_code, reason = "tests do, the example network_figures does not")]
    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("still runs");
    }

    /// `kill -9`.
    pub(crate) fn kill(self) {
        drop(self);
    }
}

/// Without warning, and however a test ends.
impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
