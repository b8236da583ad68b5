//! One round over windows and objects: asked, answered and judged by real processes, as a miner alone and as a validator.

use std::fs;

use serde_json::Value;

use crate::objects::bytes;
use crate::support::Place;

const BEACON: &str = "5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a";
const OTHER_BEACON: &str = "6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b";

/// A filled disk with two objects beside the windows of alice, one of them without commitments; what a validator keeps stands
/// in `kept`.
fn both() -> Place {
    let place = Place::filled();
    fs::create_dir(place.path("kept")).expect("creates");
    for (name, length, commit) in
        [("one", 300_000, "commit --dir disk"), ("two", 900_000, "commit --dir disk --no-table")]
    {
        place.write(name, bytes(length));
        let put = format!("object put --dir disk {name} --no-encrypt --validator alice --later --json");
        let cid = place.run(&put).expect(0).json()["cid"].as_str().expect("a CID").to_owned();
        place.run(commit).expect(0);
        place.run(&format!("commitment --dir disk --object {cid} --out kept/{name}")).expect(0);
    }
    place.run("commitment --dir disk --validator alice --out kept/partition").expect(0);
    place
}

fn ask(place: &Place, from: &str, beacon: &str, out: &str) -> Value {
    place
        .run(&format!("challenge round {from} --policy test --beacon {beacon} --out {out} --json"))
        .expect(0)
        .json()
}

/// Answers every challenge of `asked` into `got`.
fn answer_all(place: &Place, asked: &str, got: &str) -> usize {
    fs::create_dir_all(place.path(got)).expect("creates");
    let challenges: Vec<_> = fs::read_dir(place.path(asked)).expect("reads").flatten().collect();
    for challenge in &challenges {
        let name = challenge.file_name();
        let name = name.to_str().expect("a name in ASCII");
        place.run(&format!("prove --dir disk --challenge {asked}/{name} --out {got}/{name}")).expect(0);
    }
    challenges.len()
}

#[test]
fn a_round_over_both_is_asked_answered_and_verified() {
    let place = both();
    let asked = ask(&place, "--dir disk --validator alice", BEACON, "asked");
    let number = |field: &str| asked[field].as_u64().unwrap_or_else(|| panic!("{field} in {asked:#}"));
    assert_eq!((number("object_bytes"), number("records")), (1_200_000, 2));
    assert_eq!(number("window_samples"), 4, "what the test policy asks of windows: {asked:#}");
    let exact = number("samples") as f64 * 1.2e6 / (1.2e6 + number("window_bytes") as f64);
    assert!((number("object_samples") as f64 - exact).abs() <= 0.5, "{asked:#}");
    let challenges = asked["challenges"].as_array().expect("a list");
    let shares: u64 = challenges.iter().map(|challenge| challenge["share"].as_u64().expect("a number")).sum();
    assert_eq!(shares, number("samples"));
    assert_eq!(challenges[0]["kind"], "space");
    assert!(challenges.len() > 1, "an object is asked: {asked:#}");

    assert_eq!(answer_all(&place, "asked", "got"), challenges.len());
    let verify = "verify --commitment kept --challenge asked --response got --batch --policy test --json";
    let verdict = place.run(verify).expect(0).json();
    assert_eq!(verdict["accepted"].as_u64(), Some(challenges.len() as u64));
    assert_eq!(verdict["unanswered"], serde_json::json!([]));

    // A validator that keeps the registered files asks byte for byte the same; it needs no disk of the miner's.
    let from = "--commitment kept/partition --records kept --recorder disk/recorder.json";
    ask(&place, from, BEACON, "asked-by-validator");
    for challenge in fs::read_dir(place.path("asked")).expect("reads").flatten() {
        let same = place.path("asked-by-validator").join(challenge.file_name());
        assert_eq!(fs::read(same).expect("reads"), fs::read(challenge.path()).expect("reads"));
    }
}

/// With enough samples every object is drawn: blocks are asked where there are commitments, chunks where not, and the answers
/// of one round are none of another.
#[test]
fn answers_of_another_round_are_refused() {
    let place = both();
    let from = "--commitment kept/partition --records kept --samples 200";
    let asked = ask(&place, from, BEACON, "asked");
    let kinds: Vec<&str> = (0..3).filter_map(|i| asked["challenges"][i]["kind"].as_str()).collect();
    assert!(kinds.contains(&"possession") && kinds.contains(&"chunks") && kinds[0] == "space", "{kinds:?}");
    answer_all(&place, "asked", "got");
    ask(&place, from, OTHER_BEACON, "later");
    for (asked, code, class) in [("asked", 0, Value::Null), ("later", 2, "wrong-challenge".into())] {
        let verify =
            format!("verify --commitment kept --challenge {asked} --response got --policy test --json");
        let verdict = place.run(&verify).expect(code).json();
        assert_eq!(verdict["class"], class, "{verdict:#}");
        assert_eq!(verdict["responses"].as_array().map(Vec::len), Some(3));
    }
}

/// What would move the split, or thin out the windows' samples, is refused before a file is written.
#[test]
fn rounds_that_nobody_may_ask_are_refused() {
    let place = both();
    let refused = |words: &str, class: &str| {
        let words = format!("challenge round {words} --policy test --beacon {BEACON} --out asked --json");
        assert_eq!(place.run(&words).expect(2).json()["class"], class, "{words}");
        assert!(!place.path("asked").exists(), "{words}");
    };
    let kept = "--commitment kept/partition --records kept";
    refused(&format!("{kept} --samples 4"), "policy");
    refused(&format!("{kept} --height 1"), "not-final");
    // Another height in the record: its signature is gone, and unsigned it is still not what was recorded.
    let mut record = place.read("kept/one");
    record[24] ^= 1;
    place.write("forged", &record);
    refused("--commitment kept/partition --records forged", "bad-signature");
    let signature = record.len() - 64;
    record[signature..].fill(0);
    place.write("forged", &record);
    refused("--commitment kept/partition --records forged --recorder disk/recorder.json", "wrong-record");
    place.run("commitment --dir disk --validator bob --out bob").expect(0);
    ask(&place, "--commitment bob", BEACON, "of-windows-alone");
    refused("--commitment kept/partition --records forged kept/one", "wrong-record");

    ask(&place, kept, BEACON, "once");
    let again = format!("challenge round {kept} --policy test --beacon {BEACON} --out once --json");
    assert_eq!(place.run(&again).expect(1).error().0, "state");
    let unnamed = format!("challenge round --dir disk --policy test --beacon {BEACON} --out x --json");
    let (kind, message) = place.run(&unnamed).expect(64).error();
    assert!(kind == "usage" && message.contains("--validator"), "{message}");
    let nothing = format!("challenge round --policy test --beacon {BEACON} --out x --json");
    assert_eq!(place.run(&nothing).expect(64).error().0, "usage");
}

/// Objects of a directory that was not allocated are a round of their own.
#[test]
fn objects_alone_are_sampled_as_one() {
    let place = Place::new();
    for (name, length) in [("one", 40_000), ("two", 700_000)] {
        place.write(name, bytes(length));
        place.run(&format!("object put --dir store {name} --no-encrypt")).expect(0);
    }
    let asked = ask(&place, "--dir store", BEACON, "asked");
    assert_eq!((&asked["window_samples"], &asked["samples"]), (&0.into(), &4.into()));
    let challenges = asked["challenges"].as_array().expect("a list");
    assert!((1..=2).contains(&challenges.len()) && challenges.iter().all(|one| one["kind"] == "possession"));
}
