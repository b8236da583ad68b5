//! The binary as it is carried: whole runs, and the report that they leave.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

/// Runs it in a directory of its own; gives the report if there is one.
fn run(directory: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> (Output, Option<Value>) {
    let report = directory.join("report.json");
    let mut command = Command::new(env!("CARGO_BIN_EXE_holdfast-hwtest"));
    command.current_dir(directory).args(["--out", "report.json"]).args(arguments);
    let output = command.envs(variables.iter().copied()).output().expect("it starts");
    let report = std::fs::read(report).ok().map(|bytes| serde_json::from_slice(&bytes).expect("JSON"));
    (output, report)
}

/// The rows of the section whose name has this in it.
fn rows<'r>(report: &'r Value, section: &str) -> &'r Vec<Value> {
    let sections = report["sections"].as_array().expect("sections");
    let found =
        sections.iter().find(|found| found["name"].as_str().is_some_and(|name| name.contains(section)));
    found.unwrap_or_else(|| panic!("no section {section}"))["rows"].as_array().expect("rows")
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned()
}

/// All of it on software Vulkan. A kernel without a row, a row that failed, a control that was not caught, a file that is left.
#[test]
fn a_quick_run_with_an_adapter_covers_everything_and_leaves_nothing_but_its_report() {
    let allowed = std::env::var("HOLDFAST_ALLOW_SOFTWARE_GPU").is_ok_and(|value| value == "1");
    let directory = tempfile::tempdir().unwrap();
    let arguments: &[&str] =
        if allowed { &["--quick", "--soak", "1s", "--allow-software-gpu"] } else { &["--quick"] };
    let (output, report) = run(directory.path(), arguments, &[]);
    let report = report.expect("a report");
    assert!(output.status.success(), "{}", text(&output));
    assert_eq!(report["complete"], true);
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1, "only the report");
    if !rows(&report, "graphics adapters").iter().any(|row| row["outcome"] == "ran") {
        let required = std::env::var("HOLDFAST_REQUIRE").unwrap_or_default();
        assert!(!required.split(',').any(|name| name == "gpu"), "gpu is required: {}", text(&output));
        return eprintln!("gpu ABSENT(no adapter that may be used)");
    }
    for kernel in holdfast_shaders::registry::KERNELS {
        for variant in kernel.variants {
            let name = format!("{} {}", kernel.name, variant.name);
            let row = rows(&report, "known answers (every").iter().find(|row| row["name"] == name.as_str());
            let row = row.unwrap_or_else(|| panic!("no row for {name}"));
            if row["outcome"] == "ran" {
                let caught = row["figures"][1]["value"].as_f64().unwrap();
                assert!(row["figures"][1]["name"] == "changes caught" && caught >= 2.0, "{row}");
            }
            let timed = |row: &&Value| row["name"].as_str().is_some_and(|text| text.starts_with(&name));
            assert!(rows(&report, "kernels (fastest").iter().any(|row| timed(&row)), "{name}");
        }
    }
    for section in
        ["opening", "commitments", "to memory", "to disk", "figures to reach", "against each other"]
    {
        assert!(!rows(&report, section).is_empty(), "{section}");
    }
    // A failure would have been an exit code; rows that did not run would not.
    for name in ["fill", "read back", "window 0 by the processor"] {
        let row = rows(&report, "to disk").iter().find(|row| row["name"] == name).expect("a row");
        assert_eq!(row["outcome"], "ran", "{row}");
    }
}

/// A variable that names a driver file which is not there leaves a loader without a driver.
#[test]
fn a_machine_without_a_driver_is_told_what_is_missing() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("no-driver.json");
    let missing = missing.to_str().unwrap();
    let variables = [("VK_DRIVER_FILES", missing), ("VK_ICD_FILENAMES", missing)];
    let arguments = ["--quick", "--allow-software-gpu", "--soak", "1s"];
    let (output, report) = run(directory.path(), &arguments, &variables);
    let report = report.expect("a report");
    assert!(output.status.success(), "absence is no failure: {}", text(&output));
    let row = &rows(&report, "graphics adapters")[0];
    assert_eq!(row["outcome"], "absent");
    assert!(row["why"].as_str().is_some_and(|why| why.contains("vulkan") && why.contains("README")), "{row}");
    let facts = report["machine"].as_array().unwrap();
    let drivers = facts.iter().find(|fact| fact["name"] == "Vulkan drivers").expect("a fact");
    assert!(drivers["value"].as_str().is_some_and(|value| value.contains("do not exist")), "{drivers}");
    assert!(!report.to_string().contains(missing), "names of folders stay out of the report");
    assert_eq!(rows(&report, "soak")[0]["outcome"], "absent");
}

#[test]
fn wrong_usage_and_a_report_that_cannot_be_written_have_their_codes() {
    let directory = tempfile::tempdir().unwrap();
    let (output, report) = run(directory.path(), &["--soak", "soon"], &[]);
    assert_eq!((output.status.code(), report), (Some(64), None));
    let nowhere = directory.path().join("nowhere/report.json");
    let (output, _) = run(directory.path(), &["--out", nowhere.to_str().unwrap()], &[]);
    assert_eq!(output.status.code(), Some(64), "given twice");
    let mut command = Command::new(env!("CARGO_BIN_EXE_holdfast-hwtest"));
    let output = command.arg("--out").arg(&nowhere).output().expect("it starts");
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
}

/// An id that no adapter has is a failure: whoever asked would miss it.
#[test]
fn an_unknown_id_fails() {
    let directory = tempfile::tempdir().unwrap();
    let (output, report) = run(directory.path(), &["--quick", "--gpu", "ffff:ff:1f.7"], &[]);
    assert_eq!(output.status.code(), Some(1));
    let report = report.expect("a report");
    let rows = rows(&report, "graphics adapters");
    assert!(rows.iter().any(|row| row["name"] == "ffff:ff:1f.7" && row["outcome"] == "failed"), "{rows:?}");
}
