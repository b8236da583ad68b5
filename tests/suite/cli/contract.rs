//! The script contract: forms, exit codes, JSON on standard output.

use holdfast_engine::commitment::Commitment;
use holdfast_engine::recorder::{FileRecorder, Recorder};
use serde_json::Value;

use crate::support::{Place, Run, run};

const BEACON: &str = "5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a";

/// A challenge for alice's partition, `a.commitment` and `a.challenge`.
fn challenged() -> Place {
    let place = Place::filled();
    place.run("commitment --dir disk --validator alice --out a.commitment").expect(0);
    let challenge = "challenge space --commitment a.commitment --policy test --out a.challenge --beacon";
    place.run(&format!("{challenge} {BEACON}")).expect(0);
    place
}

fn verify(place: &Place, responses: &str) -> Run {
    place.run(&format!(
        "verify --commitment a.commitment --challenge a.challenge --policy test --json --response {responses}"
    ))
}

#[test]
fn an_honest_miner_is_accepted() {
    let place = challenged();
    place.run("prove --dir disk --challenge a.challenge --out a.response").expect(0);
    let verdict = verify(&place, "a.response").expect(0).json();
    assert_eq!(verdict["verdict"], "accepted");
    assert_eq!(verdict["responses"][0]["verdict"], "accepted");
    assert_eq!(verdict["class"], Value::Null);
}

#[test]
fn a_changed_byte_is_rejected_with_its_class_and_named_among_good_ones() {
    let place = challenged();
    place.run("prove --dir disk --challenge a.challenge --out a.response").expect(0);
    let mut bytes = place.read("a.response");
    bytes[48 + 7] ^= 1;
    place.write("bad.response", &bytes);
    bytes.pop();
    place.write("short.response", &bytes);
    let verdict = verify(&place, "a.response bad.response short.response").expect(2).json();
    assert_eq!(verdict["verdict"], "rejected");
    assert_eq!(verdict["class"], "wrong-root");
    let classes: Vec<&Value> = (0..3).map(|i| &verdict["responses"][i]["class"]).collect();
    assert_eq!(classes, [&Value::Null, &"wrong-root".into(), &"wrong-length".into()]);
    assert_eq!(verdict["responses"][1]["file"], "bad.response");
}

#[test]
fn an_answer_to_another_challenge_is_rejected() {
    let place = challenged();
    place.run("prove --dir disk --challenge a.challenge --out a.response").expect(0);
    let other = BEACON.replace("5a", "5b");
    place
        .run(&format!(
            "challenge space --commitment a.commitment --policy test --beacon {other} --out a.challenge"
        ))
        .expect(0);
    let verdict = verify(&place, "a.response").expect(2).json();
    assert_eq!(verdict["class"], "wrong-challenge");
}

#[test]
fn the_default_policy_refuses_small_windows_as_policy() {
    let place = challenged();
    let run =
        place.run(&format!("challenge space --commitment a.commitment --beacon {BEACON} --out x --json"));
    assert_eq!(run.expect(2).json()["class"], "policy");
    assert!(!place.path("x").exists(), "nothing is written");
}

#[test]
fn two_directories_allocated_alike_end_with_equal_commitments() {
    let place = Place::new();
    std::fs::create_dir(place.path("other")).expect("creates a directory");
    for (dir, flags) in [("disk", ""), ("other", "--backend portable --io pread --threads 1")] {
        place.allocate(dir, 8 << 20);
        place.run(&format!("fill --dir {dir} {flags} --json")).expect(0);
        for validator in ["alice", "bob", "carol"] {
            place
                .run(&format!("commitment --dir {dir} --validator {validator} --out {dir}-{validator}"))
                .expect(0);
        }
    }
    for validator in ["alice", "bob", "carol"] {
        let [one, other] = ["disk", "other"].map(|dir| place.read(&format!("{dir}-{validator}")));
        assert_eq!(one, other, "{validator}");
    }
    assert_ne!(place.read("disk-alice"), place.read("disk-bob"), "the comparison can fail");
}

#[test]
fn scrub_finds_what_was_corrupted_and_repairs_it_byte_for_byte() {
    let place = challenged();
    let file = partition_file(&place, "alice");
    let whole = place.read(&file);
    let clean = place.run("scrub --dir disk --json").expect(0).json();
    assert_eq!(clean["damaged_windows"], 0);
    let mut corrupt = whole.clone();
    let at = corrupt.len() - (70 << 10);
    corrupt[at] ^= 0x40;
    place.write(&file, &corrupt);
    let found = place.run("scrub --dir disk --json").expect(1).json();
    assert_eq!(found["damaged_windows"], 1, "{found:#}");
    let repaired = place.run("scrub --dir disk --repair --json").expect(0).json();
    assert_eq!(repaired["repaired_windows"], 1, "{repaired:#}");
    assert_eq!(place.run("scrub --dir disk --json").expect(0).json()["damaged_windows"], 0);
    let start = place.read(&file);
    assert_eq!(start[at - 4096..at + 4096], whole[at - 4096..at + 4096]);
    place.run("commitment --dir disk --validator alice --out again.commitment").expect(0);
    assert_eq!(place.read("again.commitment"), place.read("a.commitment"));
}

/// The path of a validator's partition file, from the manifest.
fn partition_file(place: &Place, validator: &str) -> String {
    let status = place.run("status --dir disk --json").expect(0).json();
    let disks = status["disks"].as_array().expect("disks").iter();
    let mut partitions = disks.flat_map(|disk| disk["partitions"].as_array().expect("partitions").iter());
    let found = partitions.find(|partition| partition["validator"] == validator).expect("is allocated");
    found["path"].as_str().expect("a path").to_owned()
}

#[test]
fn seal_audits_are_answered_verified_and_replayed() {
    let place = challenged();
    let challenge = "challenge seal --commitment a.commitment --policy test --out s.challenge --beacon";
    place.run(&format!("{challenge} {BEACON}")).expect(0);
    place.run("prove --dir disk --challenge s.challenge --out s.response").expect(0);
    let verify =
        "verify --commitment a.commitment --challenge s.challenge --policy test --json --response s.response";
    assert_eq!(place.run(verify).expect(0).json()["verdict"], "accepted");
    let audit = place.run("seal-audit --dir disk --policy test --json").expect(0).json();
    assert_eq!(audit["verdict"], "accepted");
    let replay = "seal-audit --commitment a.commitment --replay --windows 2 --policy test --json";
    assert_eq!(place.run(replay).expect(0).json()["windows_replayed"], 2);
}

#[test]
fn a_fill_that_is_done_is_done_again_at_once() {
    let place = Place::filled();
    let again = place.run("fill --dir disk --json").expect(0).json();
    assert_eq!(again["windows_filled"], 0);
    assert!(again["windows_kept"].as_u64() > Some(0));
}

#[test]
fn every_report_is_one_json_document() {
    let place = challenged();
    for words in [
        "devices --json",
        "devices --dir disk --json",
        "plan --dir disk --stakes stakes.json --threshold 0.5 --window 64KiB --policy test --json",
        "allocate --dir disk --stakes stakes.json --miner miner --threshold 0.9 --max-bytes 8MiB --window 64KiB \
         --profile swift --policy test --dry-run --json",
        "status --dir disk --json",
        "scrub --dir disk --json",
        "commitment --dir disk --validator bob --out b.commitment --json",
        "trim --dir disk --free 128KiB --dry-run --json",
        "remove --dir disk --all --dry-run --json",
        "resize --dir disk --validator alice --windows 3 --dry-run --json",
    ] {
        let run = place.run(words).expect(0);
        assert!(run.json().is_object(), "{words}: {run:#?}");
    }
}

#[test]
fn the_demo_tells_its_story_and_cleans_up() {
    let place = Place::new();
    let demo = place.run("demo --size 16MiB --dir play --json").expect(0);
    let report = demo.json();
    let classes: Vec<_> =
        report["cheats"].as_array().expect("cheats").iter().map(|cheat| &cheat["class"]).collect();
    assert_eq!(classes, ["wrong-root", "wrong-challenge", "wrong-length", "late"]);
    assert_eq!(report["repair"]["root_equal"], true);
    assert_eq!(report["receipts"]["accepted"], report["audits"]["accepted"]);
    let objects = &report["objects"];
    let kinds: Vec<_> =
        objects["audits"].as_array().expect("audits").iter().map(|audit| &audit["kind"]).collect();
    assert_eq!(kinds, ["possession", "possession", "chunks", "whole"]);
    let classes: Vec<_> =
        objects["loss"]["cheats"].as_array().expect("cheats").iter().map(|cheat| &cheat["class"]).collect();
    assert_eq!(classes, ["wrong-challenge", "wrong-proof", "wrong-point", "wrong-length"]);
    assert_eq!(
        (&objects["loss"]["mended_blocks"], &objects["loss"]["accepted_again"]),
        (&1.into(), &true.into())
    );
    assert!(demo.stderr.contains("REJECTED  wrong-root"), "the story is told beside the JSON");
    assert!(!place.path("play").exists(), "everything is deleted");
    place.run("demo --size 16MiB --dir kept --keep").expect(0);
    place.run("status --dir kept").expect(0);
    place.run("chain verify kept/receipts.chain --recorder kept/recorder.json").expect(0);
}

#[test]
fn audits_of_objects_are_measured() {
    let commit = run("bench commit --most 10 --json").expect(0).json();
    assert_eq!(commit["rows"][1]["blocks"], 10);
    let check = run("bench check --most 100 --json").expect(0).json();
    assert_eq!(check["rows"].as_array().map(Vec::len), Some(3));
    let verify = run("bench verify --most 10 --samples 5 --json").expect(0).json();
    assert_eq!(verify["forms"][1]["compressed"], true);
    assert_eq!(verify["forms"][1]["rows"][1]["responses"], 10);
    let text = run("bench check --most 10").expect(0).stdout;
    assert!(text.contains('█'), "a bar chart: {text}");
}

#[test]
fn text_reports_name_what_matters() {
    let place = Place::filled();
    let status = place.run("status --dir disk").expect(0).stdout;
    for word in ["alice", "bob", "carol", "disk"] {
        assert!(status.contains(word), "{word} in {status}");
    }
    let devices = run("devices").expect(0).stdout;
    assert!(devices.contains("portable") && devices.contains("present"), "{devices}");
}

#[test]
fn windows_are_given_back_only_once_their_trim_is_in_force() {
    let place = Place::filled();
    place.run("resize --dir disk --validator alice --windows 2 --yes").expect(0);
    place.run("commitment --dir disk --validator alice --out a.commitment").expect(0);
    let commitment = Commitment::decode(&place.read("a.commitment")).expect("ours");
    assert_eq!((commitment.batches.len(), commitment.window_count()), (2, 2));
    assert!(commitment.batches[0].end > 2, "the windows that went were committed");

    // At no height from now on can anybody ask for a window that is gone.
    let recorder = FileRecorder::open(place.path("disk/recorder.json")).expect("opens");
    let (height, finality_blocks) =
        (recorder.height().expect("reads"), recorder.finality_blocks().expect("reads"));
    assert_eq!(commitment.in_force(height, finality_blocks).expect("in force").window_count(), 2);

    let challenge = "challenge space --commitment a.commitment --policy test --out a.challenge --beacon";
    place.run(&format!("{challenge} {BEACON}")).expect(0);
    place.run("prove --dir disk --challenge a.challenge --out a.response").expect(0);
    verify(&place, "a.response").expect(0);
}

/// The design's number: 20 blocks an hour find a loss of 1 % within a day. Impossible questions are usage.
#[test]
fn an_audit_is_planned() {
    let place = Place::new();
    let plan =
        place.run("plan audit --size 1TiB --loss 0.01 --rounds 24 --no-measure --json").expect(0).json();
    assert_eq!(plan["least"]["samples"], 20);
    assert_eq!(plan["units"], 1u64 << 26);
    assert_eq!(plan["least"]["answer_cpu_seconds"], Value::Null);
    for kind in ["possession", "compressed", "chunks"] {
        let measured = format!("plan audit --size 1GiB --loss 0.01 --kind {kind} --json");
        let plan = place.run(&measured).expect(0).json();
        for field in ["answer_cpu_seconds", "verify_cpu_seconds"] {
            assert!(plan["least"][field].as_f64() > Some(0.0), "{kind}: {plan:#}");
        }
    }
    place.run("plan audit --size 1TiB --loss 0.000000001").expect(64);
    place.run("plan audit --size 1TiB --loss 2").expect(64);
    place.run("plan --dir disk audit --size 1TiB --loss 0.1").expect(64);
}
