//! `validator simulate`: the table of the specification, files, and what is refused.

use std::path::PathBuf;

use serde_json::Value;

use crate::support::{Place, run};

/// What is printed, without the line that says how long it took.
fn table_of(text: &str) -> String {
    text.lines().skip(1).map(|line| format!("{line}\n")).collect()
}

/// The table of scoring-v1 §9 is what the command prints; `HOLDFAST_BLESS=1` writes it anew.
#[test]
fn the_table_of_the_specification_is_what_the_simulation_gives() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/spec/scoring-v1.md");
    let table = table_of(&run("validator simulate").expect(0).stdout);
    let text = format!("```text\n$ holdfast validator simulate\n{}\n```\n", table.trim_end());
    let found = std::fs::read_to_string(&path).expect("the specification");
    let (before, rest) = found.split_once("<!-- generated: simulation -->\n").expect("the section");
    let (_, after) = rest.split_once("<!-- end of simulation -->").expect("its end");
    let whole = format!("{before}<!-- generated: simulation -->\n{text}<!-- end of simulation -->{after}");
    if std::env::var_os("HOLDFAST_BLESS").is_some() {
        std::fs::write(&path, &whole).expect("a writable source tree");
    }
    let found = std::fs::read_to_string(&path).expect("the specification");
    assert!(found == whole, "HOLDFAST_BLESS=1 cargo test -p holdfast-tests --test cli writes it anew");
}

#[test]
fn a_seed_gives_the_same_and_another_one_does_not() {
    let simulate = |seed: u32| {
        let json = run(&format!("validator simulate --months 1 --seed {seed} --json")).expect(0).json();
        json["miners"].clone()
    };
    assert_eq!(simulate(1), simulate(1));
    assert_ne!(simulate(1), simulate(2));
}

/// What --out and --rounds write is what --config, --miners and --recorded read.
#[test]
fn what_is_written_can_be_read_again() {
    let place = Place::new();
    let first =
        place.run("validator simulate --months 1 --out first --rounds rounds.jsonl --json").expect(0).json();
    let report: Value = serde_json::from_slice(&place.read("first/report.json")).expect("JSON");
    assert_eq!(report["miners"], first["miners"]);
    for chart in ["first/tiers.svg", "first/weights.svg"] {
        let svg = String::from_utf8(place.read(chart)).expect("text");
        assert!(svg.starts_with("<svg") && svg.contains("\nstores nothing\n"), "{chart}");
    }

    let again =
        "validator simulate --months 1 --config first/scoring.toml --miners first/population.toml --json";
    assert_eq!(place.run(again).expect(0).json()["miners"], first["miners"]);

    let replay = "validator simulate --recorded rounds.jsonl --out second --json";
    let replayed = place.run(replay).expect(0).json();
    assert_eq!(replayed["rounds"], first["rounds"]);
    let shares = |report: &Value| -> f64 {
        let miners = report["miners"].as_array().expect("a list");
        miners.iter().map(|miner| miner["income_share"].as_f64().expect("a share")).sum()
    };
    assert!((shares(&replayed) - 1.0).abs() < 1e-6 && (shares(&first) - 1.0).abs() < 1e-6);
    assert!(!place.path("second/population.toml").exists(), "nobody knows how they behaved");
}

/// A configuration that is changed changes what comes out: without costs, losing a little is nearly free.
#[test]
fn a_changed_configuration_counts() {
    let place = Place::new();
    place.run("validator simulate --months 1 --out standard").expect(0);
    let income_of_loser = |arguments: &str| {
        let report = place.run(&format!("validator simulate --months 1 {arguments} --json")).expect(0).json();
        let miners = report["miners"].as_array().expect("a list").clone();
        let loser = miners.iter().find(|miner| miner["name"] == "lost 2 %").expect("is there");
        loser["income_share"].as_f64().expect("a share")
    };
    let standard = String::from_utf8(place.read("standard/scoring.toml")).expect("text");
    let free = standard.replace("rejected_cost = 3.0", "rejected_cost = 0.0");
    assert_ne!(free, standard);
    place.write("free.toml", free);
    assert!(income_of_loser("--config free.toml") > 1.5 * income_of_loser(""));
}

#[test]
fn what_cannot_be_simulated_is_refused_with_its_place() {
    let place = Place::new();
    place.write("scoring.toml", "version = 1");
    place.write("population.toml", "round_blocks = 0");
    place.write("rounds.jsonl", "{\"height\":5,\"outcomes\":[]}\n{\"height\":5,\"outcomes\":[]}\n");
    place.write("bytes", [0xff, 0xfe]);
    place.write("empty", "");
    let cases = [
        ("--config scoring.toml", 1, "foreign-file", "scoring.toml is not a scoring configuration"),
        ("--config bytes", 1, "foreign-file", "bytes is not text"),
        ("--config nowhere.toml", 1, "missing-file", "nowhere.toml"),
        ("--miners population.toml", 1, "foreign-file", "population.toml is not a population"),
        (
            "--recorded rounds.jsonl",
            1,
            "foreign-file",
            "line 2 of the recorded rounds: the round at height 5",
        ),
        ("--recorded empty", 1, "foreign-file", "there are no rounds"),
        ("--recorded rounds.jsonl --seed 1", 64, "usage", "--recorded"),
        ("--months 0", 64, "usage", "--months"),
        ("--population other", 64, "usage", "standard"),
        // A file that is there is not written over.
        ("--months 1 --rounds rounds.jsonl", 1, "io", "rounds.jsonl"),
    ];
    for (arguments, code, kind, message) in cases {
        let run = place.run(&format!("validator simulate {arguments} --json")).expect(code);
        let (found, text) = run.error();
        assert!(found == kind && text.contains(message), "{arguments}: {found}: {text}");
    }
}
