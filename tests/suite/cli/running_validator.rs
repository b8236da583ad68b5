//! A validator's process on a chain that goes on: what it says, what it exports, and its index in another place.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::json;

use crate::simulated_chain::driving;
use crate::support::{Place, Run};

fn configuration(place: &Place, index: &str) -> String {
    let [chain, index, export] =
        ["chain", index, "export"].map(|name| place.path(name).display().to_string());
    format!(
        "policy = \"test\"\n[identity]\ndevelopment = \"validator-1\"\n[chain]\ndirectory = \"{chain}\"\n\
         [index]\nlocation = \"{index}\"\n[server]\nlisten = \"127.0.0.1:0\"\n\
         [export]\ndirectory = \"{export}\"\nevery_blocks = 2\n"
    )
}

/// Starts a validator, and returns once it serves.
fn started(place: &Place) -> Child {
    let mut child = place
        .command("validator run --config validator.toml --json")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut lines = BufReader::new(child.stderr.take().expect("is piped")).lines();
    while !lines.next().expect("it serves before it ends").expect("reads").contains(" serves at ") {}
    // Whoever does not read would let it wait.
    std::thread::spawn(move || lines.for_each(drop));
    child
}

fn interrupted(child: Child) -> Run {
    let status = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(status.expect("kill runs").success());
    Run::from(child.wait_with_output().expect("ends"))
}

#[test]
fn a_validators_status_export_and_index() {
    let place = Place::new();
    let neurons = json!([{ "hotkey": "validator-1", "validator_permit": true, "stake_rao": 7 }]);
    place.write("script.json", json!({ "neurons": neurons, "events": [] }).to_string());
    place.write("validator.toml", configuration(&place, "validator.index"));
    let (mut driver, mut blocks) = driving(&place, 2, "--block-ms 20");
    let validator = started(&place);

    let owner = "--development-name owner --state state --validator validator-1";
    let seen = place.run(&format!("status --chain chain {owner} --json")).expect(0).json();
    assert_eq!(seen["files"]["count"], 0);
    assert_eq!(seen["tiers"], json!([]));
    assert!(seen["validator"]["height"].as_u64() >= seen["chain_height"].as_u64(), "{seen:#}");
    let text = place.run(&format!("status --chain chain {owner}")).expect(0).stdout;
    assert!(text.contains("0 files, 0 B: 0 of 0 pieces are healthy"), "{text}");
    place.run("status").expect(64);
    place.run("status --chain chain --dir disk").expect(64);

    // Twice as long as it takes for a block to be final for who reads the export.
    for _ in 0..40 {
        assert_ne!(blocks.read_line(&mut String::new()).expect("reads"), 0, "the driver ended");
    }
    interrupted(validator).expect(0);
    driver.kill().expect("kills");
    driver.wait().expect("ends");
    let verified = place.run("chain verify export --json").expect(0).json();
    assert_eq!(verified["verdict"], "accepted");
    let through = verified["heights"][1].as_u64().expect("blocks");

    // From the index alone, into another directory: as much, and an export of the same validator is gone on with.
    let written = place.run("validator export --config validator.toml copy --json").expect(0).json();
    assert!(written["through"].as_u64() >= Some(through), "{written:#}");
    assert!(written["events"].as_u64() > Some(1), "it began and it stopped: {written:#}");
    let again = place.run("validator export --config validator.toml copy --json").expect(0).json();
    assert_eq!((&again["blocks"], &again["through"]), (&json!(0), &written["through"]));
    place.run("chain verify copy").expect(0);

    // The index goes elsewhere, and whoever finds it there goes on.
    let moved = place.run("index copy validator.index moved.index --json").expect(0).json();
    assert!(moved["entries"].as_u64() > Some(2), "{moved:#}");
    let refused = place.run("index copy validator.index moved.index --json").expect(1);
    assert_eq!(refused.error().0, "state");
    assert!(refused.error().1.contains("copy into an empty index"), "{refused:#?}");
    assert_eq!(place.run("index copy nowhere.index other.index --json").expect(1).error().0, "not-found");
    assert!(!place.path("other.index").exists());
    place.write("validator.toml", configuration(&place, "moved.index"));
    let from_moved = place.run("validator export --config validator.toml anew --json").expect(0).json();
    assert_eq!((&from_moved["events"], &from_moved["through"]), (&written["events"], &written["through"]));
}
