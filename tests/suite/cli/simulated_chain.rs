//! `chain simulate` and `chain show`: equal scripts make equal chains, however often the driver is killed.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStderr, Command, Stdio};

use serde_json::{Value, json};

use crate::support::{Place, Run};

/// A stake that tells of which block it is, with every block; a reorganisation now and then.
fn place(blocks: u64) -> Place {
    let place = Place::new();
    let stake = |height| json!({ "height": height, "event": { "set_stake": { "hotkey": "miner", "stake_rao": height } } });
    let mut events: Vec<Value> = (1..=blocks).map(stake).collect();
    events.extend(
        (10..blocks)
            .step_by(7)
            .map(|height| json!({ "height": height, "event": { "reorganise": { "depth": 3 } } })),
    );
    let neurons = json!([{ "hotkey": "amber", "validator_permit": true }, { "hotkey": "miner" }]);
    place.write("script.json", json!({ "neurons": neurons, "events": events }).to_string());
    place
}

fn shown(place: &Place, directory: &str) -> Value {
    place.run(&format!("chain show {directory} --json")).expect(0).json()
}

/// Starts a driver, and returns once it has made some blocks.
pub(crate) fn driving(place: &Place, blocks: usize, more: &str) -> (Child, BufReader<ChildStderr>) {
    let mut child = place
        .command(&format!("chain simulate chain --script script.json --json {more}"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut lines = BufReader::new(child.stderr.take().expect("is piped"));
    let mut made = 0;
    while made < blocks {
        let mut line = String::new();
        assert_ne!(lines.read_line(&mut line).expect("reads"), 0, "the driver ended");
        made += usize::from(line.starts_with("block "));
    }
    (child, lines)
}

#[test]
fn a_script_is_played_and_shown() {
    let place = place(20);
    let made = place
        .run("chain simulate chain --block-ms 0 --blocks 20 --script script.json --json")
        .expect(0)
        .json();
    assert_eq!((&made["blocks"], &made["head"]["height"]), (&json!(20), &json!(20)));
    assert_eq!(made["head"]["finalized_height"], 12);
    let seen = shown(&place, "chain");
    assert_eq!(seen["head"], made["head"]);
    assert_eq!(seen["metagraph"]["height"], 20);
    assert_eq!(seen["metagraph"]["neurons"][1]["stake_rao"], 20);
    assert_eq!(seen["settings"], json!({ "neurons_max": 256, "weights_interval_blocks": 100 }));
    let text = place.run("chain show chain").expect(0).stdout;
    let hotkey = seen["metagraph"]["neurons"][0]["hotkey"].as_str().expect("an address");
    for part in ["block 20", "final up to 12", "2 of 256 uids", hotkey] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let history = String::from_utf8(place.read("chain/history.jsonl")).expect("UTF-8");
    assert_eq!(history.lines().count(), 2 + 20 + 2);

    let options = "--block-ms 0 --blocks 20 --script script.json";
    place.run(&format!("chain simulate same {options}")).expect(0);
    assert_eq!(shown(&place, "same"), seen);
    place.run(&format!("chain simulate other {options} --seed 01")).expect(0);
    assert_ne!(shown(&place, "other")["head"]["hash"], seen["head"]["hash"]);
}

/// Wherever a kill falls, in one file, between the two or in neither, the chain that goes on is the one that was never killed.
#[test]
fn a_driver_that_is_killed_leaves_the_chain_that_it_would_have_made() {
    let place = place(3000);
    for _ in 0..8 {
        let (mut child, _stderr) = driving(&place, 5, "--block-ms 0");
        child.kill().expect("kills");
        assert_eq!(child.wait().expect("ends").code(), None, "killed by a signal");
        let seen = shown(&place, "chain");
        let of = |what: &str| seen[what]["height"].as_u64().expect("a height");
        let (head, metagraph) = (of("head"), of("metagraph"));
        assert!(metagraph == head || metagraph + 1 == head, "{seen:#}");
        assert_eq!(seen["metagraph"]["neurons"][1]["stake_rao"], metagraph, "it says of which block it is");
    }
    let made = place
        .run("chain simulate chain --block-ms 0 --blocks 1 --script script.json --json")
        .expect(0)
        .json();
    let blocks = &made["head"]["height"];
    assert!(blocks.as_u64() > Some(40), "{made:#}");
    let whole = format!("chain simulate whole --block-ms 0 --blocks {blocks} --script script.json");
    place.run(&whole).expect(0);
    assert_eq!(shown(&place, "chain"), shown(&place, "whole"));
}

#[test]
fn an_interrupt_is_how_it_ends_and_one_driver_is_enough() {
    let place = place(0);
    let (child, mut stderr) = driving(&place, 2, "--block-ms 20");
    let second = place.run("chain simulate chain --json").expect(1);
    assert_eq!(second.error().0, "locked");
    let status = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(status.expect("kill runs").success());
    let mut rest = String::new();
    stderr.read_to_string(&mut rest).expect("reads");
    let run = Run::from(child.wait_with_output().expect("ends")).expect(0);
    let head = &run.json()["head"];
    assert!(head["height"].as_u64() >= Some(2), "{run:#?}");
    assert_eq!(&shown(&place, "chain")["head"], head);
    let on = place.run("chain simulate chain --block-ms 0 --blocks 1").expect(0);
    assert!(on.stderr.contains("goes on from block"), "{}", on.stderr);
}

#[test]
fn mistakes_are_told_and_make_nothing() {
    let place = Place::new();
    let nowhere = place.run("chain show nowhere --json").expect(1);
    assert_eq!(nowhere.error().0, "missing-file");
    place.write("bad.toml", "[[events]]\nheight = 1\nevent = \"explode\"\n");
    let (kind, message) = place.run("chain simulate chain --script bad.toml --json").expect(1).error();
    assert_eq!(kind, "foreign-file");
    assert!(message.contains("bad.toml") && message.contains("explode"), "{message}");
    for wrong in ["--seed 0", "--seed zz", "--finality 0", "--neurons-max 0", "--block-ms -1"] {
        place.run(&format!("chain simulate chain {wrong} --json")).expect(64);
    }
    let long = "0".repeat(66);
    place.run(&format!("chain simulate chain --seed {long}")).expect(64);
    assert!(!place.path("chain").exists());
    place.run("chain simulate chain --block-ms 0 --blocks 1").expect(0);
    place.write("chain/network.json", "{");
    let (kind, message) = place.run("chain show chain --json").expect(1).error();
    assert_eq!(kind, "foreign-file");
    assert!(message.contains("network.json"), "{message}");
}
