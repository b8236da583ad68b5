//! Processes of the built binary: started, waited for, killed without warning however a test ends.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

/// What has not come about by then does not come about.
const PATIENCE: Duration = Duration::from_secs(120);
/// From one look to the next.
const PAUSE: Duration = Duration::from_millis(50);

/// Waits until there is something to find.
#[track_caller]
pub(crate) fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(started.elapsed() < PATIENCE, "{what}: not within {} s", PATIENCE.as_secs());
        std::thread::sleep(PAUSE);
    }
}

/// The binary with arguments.
pub(crate) fn holdfast(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_holdfast"));
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
        assert_eq!(self.code, Some(0), "{self:#?}");
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error} in {self:#?}"))
    }
}

/// A process that runs.
pub(crate) struct Process {
    child: Child,
    log: Arc<Mutex<String>>,
}

impl Process {
    pub(crate) fn start(command: &mut Command) -> Process {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts");
        let log = Arc::new(Mutex::new(String::new()));
        let lines = BufReader::new(child.stderr.take().expect("piped")).lines();
        let written = Arc::clone(&log);
        // Whoever does not read would let it wait.
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let mut log = written.lock().expect("no panic");
                log.push_str(&line);
                log.push('\n');
            }
        });
        Process { child, log }
    }

    /// Waits until a line of its log has this in it, and gives what stands behind it.
    pub(crate) fn says(&mut self, what: &str) -> String {
        wait_for(what, || {
            let log = self.log();
            let line = log.lines().find_map(|line| line.split_once(what));
            if line.is_none()
                && let Some(status) = self.child.try_wait().expect("can be asked")
            {
                panic!("it ended, {status}: {log}");
            }
            line.map(|(_, rest)| rest.to_owned())
        })
    }

    /// Where it serves, once it does.
    pub(crate) fn serves_at(&mut self) -> SocketAddr {
        self.says(" serves at ").parse().expect("an address")
    }

    pub(crate) fn log(&self) -> String {
        self.log.lock().expect("no panic").clone()
    }

    /// Waits for its end.
    pub(crate) fn end(mut self) -> Ended {
        let mut stdout = String::new();
        let mut pipe = self.child.stdout.take().expect("piped");
        std::io::Read::read_to_string(&mut pipe, &mut stdout).expect("UTF-8");
        let code = self.child.wait().expect("ends").code();
        Ended { code, stdout, stderr: self.log() }
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
