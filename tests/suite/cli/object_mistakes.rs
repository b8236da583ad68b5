//! What goes wrong with objects: absent, damaged, not committed, no room, the wrong key, a kill in the middle.

use std::io::Write;
use std::os::unix::fs::FileExt;
use std::process::Stdio;

use crate::objects::bytes;
use crate::support::Place;

const BEACON: &str = "5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a";
/// A CID of nothing that is stored here.
const NOBODY: &str = "bafkr4ifpcne3t5pzugtkaqcn5i3nzskjtpfslsnnyejlpte2spfoihzsmi";

fn stored(length: usize) -> (Place, String, String) {
    let place = Place::new();
    place.write("file", bytes(length));
    let put = place.run("object put --dir store file --no-encrypt --json").expect(0).json();
    let field = |name: &str| put[name].as_str().expect("a text").to_owned();
    (place, field("cid"), field("blake3_root"))
}

#[test]
fn what_secrecy_is_wanted_must_be_said() {
    let place = Place::new();
    place.write("file", "x");
    let (kind, message) = place.run("object put --dir store file --json").expect(64).error();
    assert_eq!(kind, "usage");
    for flag in ["--recipient", "--passphrase-file", "--no-encrypt"] {
        assert!(message.contains(flag), "{message}");
    }
    assert!(!place.path("store").exists());
    let both = "object put --dir store file --no-encrypt --passphrase-file file --json";
    assert_eq!(place.run(both).expect(64).error().0, "usage");
    let key = "object put --dir store file --recipient age1nonsense --json";
    assert_eq!(place.run(key).expect(64).error().0, "usage");
}

#[test]
fn what_is_not_there_is_not_found() {
    let (place, _, _) = stored(1000);
    for words in [
        format!("object get --dir store {NOBODY} --out x"),
        format!("object stat --dir store {NOBODY}"),
        format!("object verify --dir store {NOBODY}"),
        format!("object rm --dir store {NOBODY}"),
        format!("commitment --dir store --object {NOBODY} --out x"),
        format!("commit --dir store --object {NOBODY}"),
    ] {
        assert_eq!(place.run(&format!("{words} --json")).expect(1).error().0, "not-found", "{words}");
    }
    assert_eq!(place.run("object get --dir store nonsense --out x --json").expect(64).error().0, "usage");
    assert_eq!(
        place.run("object put --dir store absent --no-encrypt --json").expect(1).error().0,
        "missing-file"
    );
    assert_eq!(place.run("object ls --dir absent --json").expect(1).error().0, "missing-file");
}

/// A changed byte is never handed on and never proven: every command says `damaged`, and storing again mends it.
#[test]
fn damage_is_said_by_every_command_and_mended_by_storing_again() {
    let (place, cid, root) = stored(200_000);
    place.run(&format!("commitment --dir store --object {cid} --out c")).expect(0);
    let data =
        std::fs::OpenOptions::new().write(true).open(place.path(&format!("store/objects/{root}/data")));
    data.expect("opens").write_all_at(&[0xff; 16], 5 * 16_384 + 100).expect("writes");
    let verified = place.run(&format!("object verify --dir store {cid} --json")).expect(1).json();
    assert_eq!(verified["objects"][0]["damaged_blocks"], serde_json::json!([5]));
    let get = format!("object get --dir store {cid} --out x --json");
    assert_eq!(place.run(&get).expect(1).error().0, "damaged");
    assert!(!place.path("x").exists(), "nothing that is not whole appears");
    for kind in ["possession", "possession --compressed", "chunks --samples 300", "link"] {
        place.run(&format!("challenge {kind} --commitment c --beacon {BEACON} --out q")).expect(0);
        let (named, message) = place.run("prove --dir store --challenge q --out r --json").expect(1).error();
        assert_eq!(named, "damaged", "{kind}: {message}");
        assert!(!place.path("r").exists());
    }
    let mended = place.run("object put --dir store file --no-encrypt --json").expect(0).json();
    assert_eq!((&mended["already_there"], &mended["mended_blocks"]), (&true.into(), &1.into()));
    assert_eq!(place.run("object verify --dir store --json").expect(0).json()["damaged"], 0);
    place.run(&format!("challenge possession --commitment c --beacon {BEACON} --out q")).expect(0);
    place.run("prove --dir store --challenge q --out r").expect(0);
    place.run("verify --commitment c --challenge q --response r").expect(0);
}

#[test]
fn the_wrong_key_decrypts_nothing() {
    let place = Place::new();
    place.write("file", "a secret");
    place.write("right", "right\n");
    place.write("wrong", "wrong\n");
    place.write("identity", "not an identity\n");
    let put =
        place.run("object put --dir store file --passphrase-file right --later --json").expect(0).json();
    let cid = put["cid"].as_str().expect("a CID");
    for key in ["--passphrase-file wrong", "--identity identity"] {
        let get = format!("object get --dir store {cid} --out x {key} --json");
        assert_eq!(place.run(&get).expect(1).error().0, "decryption", "{key}");
        assert!(!place.path("x").exists());
    }
    let left = std::fs::read_dir(place.0.path()).expect("reads").flatten();
    assert!(left.into_iter().all(|entry| !entry.file_name().to_string_lossy().ends_with(".new")));
}

#[test]
fn a_full_quota_refuses_and_a_freed_one_takes() {
    let (place, cid, _) = stored(100_000);
    let quota = place.run("object quota --dir store --bytes 200KB --json").expect(0).json();
    assert_eq!(quota["budget_bytes"], 200_000);
    place.write("other", bytes(90_001));
    let put = "object put --dir store other --no-encrypt --json";
    let (kind, message) = place.run(put).expect(1).error();
    assert_eq!(kind, "quota-full", "{message}");
    assert_eq!(
        place.run("object ls --dir store --json").expect(0).json()["objects"].as_array().map(Vec::len),
        Some(1)
    );
    place.run(&format!("object rm --dir store {cid}")).expect(0);
    place.run(put).expect(0);
    assert_eq!(place.run("object quota --dir store --bytes 1KB --json").expect(1).error().0, "quota-full");
}

#[test]
fn what_expired_is_refused_and_collected() {
    let place = Place::new();
    place.write("file", "x");
    let put = place
        .run("object put --dir store file --no-encrypt --expires-in 30d --later --json")
        .expect(0)
        .json();
    assert!(put["expires_at"].as_u64().is_some());
    let collected = place.run("object rm --dir store --expired --json").expect(0).json();
    assert_eq!(collected["removed"], serde_json::json!([]));
    for time in ["", "0s", "5", "1y", "-1s"] {
        let put = format!("object put --dir store file --no-encrypt --expires-in={time} --json");
        assert_eq!(place.run(&put).expect(64).error().0, "usage", "{time:?}");
    }
}

/// A record speaks for its checker; a policy, a height or another object is refused before anything is asked.
#[test]
fn questions_that_nobody_may_ask_are_refused() {
    let (place, cid, _) = stored(500_000);
    place.run(&format!("commitment --dir store --object {cid} --out c --points p")).expect(0);
    let challenge = format!("challenge possession --commitment c --beacon {BEACON} --out q --json");
    let class = |words: &str| place.run(words).expect(2).json()["class"].clone();
    assert_eq!(class(&format!("{challenge} --samples 3")), "policy");
    assert_eq!(class(&format!("{challenge} --height 3")), "not-final");
    assert!(!place.path("q").exists());
    assert_eq!(place.run(&format!("{challenge} --samples 0")).expect(64).error().0, "usage");
    place.run(&challenge).expect(0);
    place.run("prove --dir store --challenge q --out r").expect(0);
    let verify = "verify --commitment c --challenge q --response r --json";
    assert_eq!(class(&format!("{verify} --checker mallory")), "wrong-record");
    place.run(&format!("{verify} --checker owner")).expect(0);

    // A changed record no longer bears the checker's signature.
    let mut record = place.read("c");
    record[160] ^= 1;
    place.write("forged", &record);
    assert_eq!(
        class(&format!("{challenge} --commitment forged").replacen("--commitment c ", "", 1)),
        "bad-signature"
    );

    place.write("other", bytes(1_000_000));
    let put = place.run("object put --dir store other --no-encrypt --json").expect(0).json();
    let other = put["cid"].as_str().expect("a CID");
    place.run(&format!("commitment --dir store --object {other} --out o --points po")).expect(0);
    assert_eq!(class("verify --commitment o --challenge q --response r --json"), "wrong-challenge");
    assert_eq!(class("check --commitment c --points po file --json"), "wrong-record");
    assert_eq!(class("check --commitment c --points p other --json"), "wrong-length");
    // A point that belongs elsewhere.
    let mut points = place.read("p");
    points.copy_within(88..88 + 96, 88 + 96);
    place.write("wrong", &points);
    assert_eq!(class("check --commitment c --points wrong file --json"), "wrong-proof");
    place.write("short", &points[..50]);
    assert_eq!(class("check --commitment c --points short file --json"), "wrong-length");
}

/// Killed while it is stored: nothing is there, and the next writer sweeps what was left.
#[test]
fn a_kill_in_mid_put_leaves_nothing() {
    let place = Place::new();
    place.write("first", "x");
    place.run("object put --dir store first --no-encrypt --later").expect(0);
    let pipe = place.path("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.expect("mkfifo runs").success());
    let mut child = place
        .command("object put --dir store pipe --no-encrypt --later --json")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("starts");
    // A pipe that stays open keeps the command in the middle of the file.
    let mut writer = std::fs::OpenOptions::new().write(true).open(&pipe).expect("opens");
    writer.write_all(&bytes(3 << 20)).expect("writes");
    let incoming = || {
        let entries = std::fs::read_dir(place.path("store/objects")).expect("reads").flatten();
        entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(".incoming-")).count()
    };
    assert_eq!(incoming(), 1, "it is on its way");
    child.kill().expect("kills");
    assert!(!child.wait().expect("ends").success());
    drop(writer);
    let listed = place.run("object ls --dir store --json").expect(0).json();
    assert_eq!(listed["objects"].as_array().map(Vec::len), Some(1), "only what was acknowledged");
    place.run("object put --dir store first --no-encrypt --later").expect(0);
    assert_eq!(incoming(), 0, "swept");
}
