//! The units of `service/dist/systemd`: what they start exists.

use std::path::Path;
use std::process::Command;

use super::support::{Run, binary};

/// `ExecStart=` of a unit, in words, without the program.
fn start_of(unit: &str) -> Vec<String> {
    let line =
        unit.lines().find_map(|line| line.strip_prefix("ExecStart=")).expect("a unit starts something");
    let mut words = line.split_whitespace().map(str::to_owned);
    assert_eq!(words.next().as_deref(), Some("/usr/local/bin/holdfast"));
    words.collect()
}

#[test]
fn units_start_commands_that_exist() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("dist/systemd");
    let mut units = 0;
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let words = start_of(&std::fs::read_to_string(&path).expect("a unit"));
        // With --help every word before it is still parsed, so that a flag which is gone is refused.
        Run::of(Command::new(binary()).args(&words).arg("--help")).expect(0);
        Run::of(Command::new(binary()).args(&words).arg("--no-such-flag").arg("--help")).expect(64);
        units += 1;
    }
    assert!(units >= 2, "{units} units");
}
