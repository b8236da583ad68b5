//! Signals, kills and a full disk in the middle of a fill.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use crate::support::{Place, Run};

/// Starts a slowed fill and returns once it has reported progress: something is durable, much is left.
fn fill_under_way(place: &Place) -> Child {
    place.allocate("disk", 16 << 20);
    let mut child = place
        .command("fill --dir disk --rate-limit 512KiB --progress always --json")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut lines = BufReader::new(child.stderr.take().expect("is piped"));
    let mut line = String::new();
    while !line.contains("fill") {
        line.clear();
        assert_ne!(lines.read_line(&mut line).expect("reads"), 0, "the fill ended before it reported");
    }
    // Nobody reads on, but the pipe must stay open for the child to write to.
    std::thread::spawn(move || std::io::copy(&mut lines, &mut std::io::sink()));
    child
}

fn signal(child: &Child, name: &str) {
    let status = Command::new("kill").args([&format!("-{name}"), &child.id().to_string()]).status();
    assert!(status.expect("kill runs").success());
}

/// Whatever happened, the next fill keeps what was durable, ends whole, and equals an uninterrupted one.
fn resumes_to_the_same_bytes(place: &Place) {
    let resumed = place.run("fill --dir disk --json").expect(0).json();
    assert!(resumed["windows_kept"].as_u64() > Some(0), "{resumed:#}");
    assert!(resumed["windows_filled"].as_u64() > Some(0), "{resumed:#}");
    assert_eq!(place.run("scrub --dir disk --json").expect(0).json()["damaged_windows"], 0);
    std::fs::create_dir(place.path("whole")).expect("creates a directory");
    place.allocate("whole", 16 << 20);
    place.run("fill --dir whole --json").expect(0);
    for dir in ["disk", "whole"] {
        place.run(&format!("commitment --dir {dir} --validator alice --out {dir}.commitment")).expect(0);
    }
    assert_eq!(place.read("disk.commitment"), place.read("whole.commitment"));
}

#[test]
fn ctrl_c_stops_cleanly_and_the_next_fill_goes_on() {
    let place = Place::new();
    let child = fill_under_way(&place);
    signal(&child, "INT");
    let run = Run::from(child.wait_with_output().expect("ends")).expect(1);
    assert_eq!(run.json()["error"]["kind"], "cancelled", "{run:#?}");
    resumes_to_the_same_bytes(&place);
}

#[test]
fn sigterm_is_a_clean_stop_as_well() {
    let place = Place::new();
    let child = fill_under_way(&place);
    signal(&child, "TERM");
    Run::from(child.wait_with_output().expect("ends")).expect(1);
    resumes_to_the_same_bytes(&place);
}

#[test]
fn a_kill_costs_only_the_windows_in_flight() {
    let place = Place::new();
    let mut child = fill_under_way(&place);
    child.kill().expect("kills");
    assert_eq!(child.wait().expect("ends").code(), None, "killed by a signal");
    resumes_to_the_same_bytes(&place);
}

#[test]
fn two_fills_of_one_directory_do_not_meet() {
    let place = Place::new();
    let mut child = fill_under_way(&place);
    let second = place.run("fill --dir disk --json").expect(1);
    child.kill().expect("kills");
    child.wait().expect("ends");
    let (kind, message) = second.error();
    assert_eq!(kind, "locked", "{message}");
    place.run("fill --dir disk --json").expect(0);
}

#[test]
fn status_works_while_a_fill_runs() {
    let place = Place::new();
    let mut child = fill_under_way(&place);
    let status = place.run("status --dir disk --json");
    child.kill().expect("kills");
    child.wait().expect("ends");
    assert!(status.expect(0).json()["windows"]["sealed"].as_u64() > Some(0));
}
