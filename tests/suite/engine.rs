//! `kill -9` of a real `holdfast engine run` in the middle of a fill: the job with the same id goes on and ends, and every window
//! is right. Ctrl-C ends it cleanly.
//!
//! - `objects`: answers about objects through the socket are those of the command
//! - `tls`: certificates between an engine, its callers and its workers

#[path = "engine/objects.rs"]
mod objects;
#[path = "engine/tls.rs"]
mod tls;

#[path = "../../service/src/connect/testing/authority.rs"]
mod authority;
#[allow(dead_code, reason = "what networks need, of which this needs a part")]
#[path = "processes/process.rs"]
mod process;
#[allow(dead_code, reason = "what commands need, of which this needs a part")]
#[path = "cli/support.rs"]
mod support;

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

use serde_json::Value;
use support::{Place, Run};

/// An engine's process.
struct Process {
    child: Child,
    url: String,
}

impl Process {
    fn start(place: &Place) -> Process {
        Process::serving(place, "disk")
    }

    /// Over this directory.
    fn serving(place: &Place, directory: &str) -> Process {
        let mut command = place.command(&format!("engine run --dir {directory} --listen 127.0.0.1:0 --json"));
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts");
        let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines();
        let mut told = String::new();
        let address = loop {
            let line = lines.next().unwrap_or_else(|| panic!("it ended: {told}")).expect("reads");
            if let Some((_, address)) = line.split_once(" serves at ") {
                break address.to_owned();
            }
            told.push_str(&line);
        };
        // Whoever does not read would let it wait.
        std::thread::spawn(move || lines.for_each(drop));
        Process { child, url: format!("http://{address}") }
    }

    fn command(&self, place: &Place, words: &str) -> Run {
        place.run(&format!("engine {words} --engine {} --json", self.url))
    }

    /// The state of the only job, once it has so many bytes durable.
    fn until_done(&self, place: &Place, bytes: u64) -> Value {
        loop {
            let listed = self.command(place, "jobs").expect(0).json();
            let job = listed["jobs"][0].clone();
            assert_eq!(job["status"], "running", "{job}");
            if job["done_bytes"].as_u64().is_some_and(|done| done >= bytes) {
                return job;
            }
        }
    }
}

/// Without warning, and however a test ends.
impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const WINDOW_BYTES: u64 = 64 << 10;
/// Slow enough to be met in the middle, and not so slow that the rest is waited for long.
const SUBMIT: &str = "submit --dir disk --id fill-1 --rate-limit 512KiB";

#[test]
fn a_killed_engine_goes_on_with_the_same_job_and_every_window_is_right() {
    let place = Place::new();
    place.allocate("disk", 6 << 20);
    let process = Process::start(&place);
    let submitted = process.command(&place, &format!("{SUBMIT} fill")).expect(0).json();
    assert_eq!(submitted["request_id"], "fill-1");
    let at_kill = process.until_done(&place, 3 * WINDOW_BYTES);
    drop(process);

    let process = Process::start(&place);
    let again = process.command(&place, &format!("{SUBMIT} fill")).expect(0).json();
    assert_eq!((&again["request_id"], &again["status"]), (&submitted["request_id"], &"running".into()));
    let other = process.command(&place, "submit --dir disk --id fill-1 scrub").expect(1);
    assert_eq!(other.error().0, "state");
    let ended = process.command(&place, "watch --id fill-1").expect(0).json();
    assert_eq!(ended["status"], "done");
    let kept = ended["report"]["windows_kept"].as_u64().expect("a number");
    let durable = at_kill["done_bytes"].as_u64().expect("a number") / WINDOW_BYTES;
    assert!(kept >= durable, "{durable} windows were durable and {kept} were kept");
    assert!(ended["report"]["windows_filled"].as_u64().expect("a number") > 0, "it was in the middle");
    drop(process);

    let scrubbed = place.run("scrub --dir disk --json").expect(0).json();
    assert_eq!(scrubbed["bad_windows"], 0);
    assert_eq!(scrubbed["damaged_windows"], 0);
    assert!(scrubbed["windows_checked"].as_u64().expect("a number") > durable);
}

#[test]
fn an_interrupt_ends_the_engine_cleanly_and_its_job_waits() {
    let place = Place::new();
    place.allocate("disk", 6 << 20);
    let mut process = Process::start(&place);
    process.command(&place, &format!("{SUBMIT} fill")).expect(0);
    process.until_done(&place, WINDOW_BYTES);
    let pid = rustix::process::Pid::from_child(&process.child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("still runs");
    let status = process.child.wait().expect("ends");
    assert_eq!(status.code(), Some(0));
    let process = Process::start(&place);
    let jobs = process.command(&place, "jobs").expect(0).json();
    assert_eq!(jobs["jobs"][0]["status"], "running", "it goes on");
    let cancelled = process.command(&place, "cancel --id fill-1").expect(0).json();
    assert_eq!(cancelled["request_id"], "fill-1");
    assert_eq!(process.command(&place, "watch --id fill-1").expect(1).json()["status"], "cancelled");
}

#[test]
fn mistakes_are_told_as_by_every_command() {
    let place = Place::new();
    let run = place.run("engine jobs --engine http://127.0.0.1:1 --json").expect(1);
    assert_eq!(run.error().0, "state");
    place.run("engine jobs --engine nowhere: --json").expect(64);
    place.run("engine run --dir nowhere --listen 127.0.0.1:0 --json").expect(1);
}
