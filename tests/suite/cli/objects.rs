//! User objects and their audits: the commands of owners, miners and validators as a script.

use holdfast_partition::objects::ObjectStore;
use holdfast_partition::partition_file::OpenMode;
use serde_json::Value;

use crate::support::{Place, Run, command};

const BEACON: &str = "5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a";
const BLOCK_BYTES: usize = 16_384;

/// Bytes that no block repeats.
pub(crate) fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|i| (i * 31 + i / BLOCK_BYTES * 7 + i / 251).to_le_bytes()[0]).collect()
}

fn text(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap_or_else(|| panic!("{field} in {value:#}")).to_owned()
}

/// Stores a file of these bytes as it is; gives its CID.
fn put(place: &Place, name: &str, bytes: &[u8]) -> String {
    place.write(name, bytes);
    let stored = place.run(&format!("object put --dir store {name} --no-encrypt --json")).expect(0).json();
    text(&stored, "cid")
}

/// A stored object of 40 blocks and a bit, its record `c` and its points `p`.
fn stored() -> (Place, String) {
    let place = Place::new();
    let cid = put(&place, "file", &bytes(40 * BLOCK_BYTES + 5));
    place.run(&format!("commitment --dir store --object {cid} --out c --points p")).expect(0);
    (place, cid)
}

/// Challenge, answer and verdict under names with this ending.
fn audit(place: &Place, kind: &str, ending: &str) -> Value {
    let challenge = format!("challenge {kind} --commitment c --beacon {BEACON} --out q{ending} --json");
    place.run(&challenge).expect(0);
    place.run(&format!("prove --dir store --challenge q{ending} --out r{ending} --json")).expect(0);
    let verify = format!("verify --commitment c --challenge q{ending} --response r{ending} --json");
    place.run(&verify).expect(0).json()
}

/// The whole contract: what an owner, a miner and a validator type, and the fields that scripts read.
#[test]
fn an_object_is_stored_audited_and_got_back() {
    let place = Place::new();
    let file = bytes(100_000);
    place.write("file", &file);
    place.write("passphrase", "correct horse\n");
    let put = place.run("object put --dir store file --passphrase-file passphrase --json").expect(0).json();
    let cid = text(&put, "cid");
    assert!(cid.starts_with("bafkr4i"), "{cid}");
    assert_eq!(text(&put, "blake3_root").len(), 64);
    assert_eq!(text(&put, "commitment_root").len(), 64);
    assert!(put["bytes"].as_u64() > Some(100_000), "encryption adds a header: {put}");
    assert_eq!(put["blocks"], 7);
    assert_eq!(put["audits"], serde_json::json!(["possession", "chunks", "link"]));

    let listed = place.run("object ls --dir store --json").expect(0).json();
    assert_eq!(listed["objects"][0]["cid"], put["cid"]);
    let stat = place.run(&format!("object stat --dir store {cid} --json")).expect(0).json();
    assert_eq!(stat["commitment_root"], put["commitment_root"]);
    let by_root = text(&put, "blake3_root");
    assert_eq!(place.run(&format!("object stat --dir store {by_root} --json")).expect(0).json(), stat);
    let by_sha256 = text(&put, "cid_sha256");
    assert_eq!(place.run(&format!("object stat --dir store {by_sha256} --json")).expect(0).json(), stat);
    assert_eq!(place.run(&format!("object verify --dir store {cid} --json")).expect(0).json()["damaged"], 0);

    place.run(&format!("object get --dir store {cid} --out stored --json")).expect(0);
    let ciphertext = place.read("stored");
    assert_eq!(ciphertext.len() as u64, put["bytes"].as_u64().expect("a number"));
    assert!(ciphertext.starts_with(b"age-encryption.org/v1"));
    place.run(&format!("object get --dir store {cid} --passphrase-file passphrase --out again")).expect(0);
    assert_eq!(place.read("again"), file);
    place.run(&format!("object get --dir store {cid} --range 16380-16390 --out part")).expect(0);
    assert_eq!(place.read("part"), ciphertext[16_380..16_390]);

    let written = place.run(&format!("commitment --dir store --object {cid} --out c --points p --json"));
    let written = written.expect(0).json();
    assert_eq!(written["commitment_root"], put["commitment_root"]);
    let check =
        place.run("check --commitment c --points p stored --sign carol --out signed --json").expect(0);
    assert_eq!(check.json()["verdict"], "accepted");
    place.run(&format!("object rm --dir store {cid} --json")).expect(0);
    let (kind, _) = place.run(&format!("object stat --dir store {cid} --json")).expect(1).error();
    assert_eq!(kind, "not-found");
    let left = std::fs::read_dir(place.path("store/.holdfast-secrets")).expect("reads").count();
    assert_eq!(left, 0, "the blinding key went with the object");
}

/// Every kind, judged alone, then all together from directories and from lines: verdicts by digest.
#[test]
fn audits_of_every_kind_are_answered_and_verified() {
    let (place, _) = stored();
    for (kind, ending) in [
        ("possession", ".plain"),
        ("possession --compressed --samples 41", ".short"),
        ("chunks", ".chunks"),
        ("link --samples 41", ".link"),
    ] {
        let verdict = audit(&place, kind, ending);
        assert_eq!(verdict["verdict"], "accepted", "{kind}: {verdict}");
        assert_eq!(verdict["class"], Value::Null);
        assert_eq!(verdict["responses"][0]["file"], format!("r{ending}"));
    }
    place.run("token make --input file --commitment c --count 2 --out t --dir store --json").expect(0);
    let used = place.run("token use --tokens t --commitment c --out qt --json").expect(0).json();
    assert_eq!((&used["token"], &used["unused"]), (&0.into(), &1.into()));
    place.run("prove --dir store --challenge qt --out rt").expect(0);
    let verdict = place.run("token verify --commitment c --challenge qt --response rt --tokens t --json");
    assert_eq!(verdict.expect(0).json()["verdict"], "accepted");
    // The list is enough for somebody else.
    place.run("token list --tokens t --out list").expect(0);
    place.run("verify --commitment c --challenge qt --response rt --tokens list").expect(0);
    place.run("token use --tokens t --commitment c --out q2").expect(0);
    let (kind, _) = place.run("token use --tokens t --commitment c --out q3 --json").expect(1).error();
    assert_eq!(kind, "state", "no token is left");
    assert!(!place.path("q3").exists());
}

#[test]
fn a_batch_gives_the_verdicts_of_each_alone_and_names_culprits() {
    let (place, _) = stored();
    for ending in [".1", ".2", ".3", ".4"] {
        let beacon = BEACON.replace("5a", &format!("5{}", &ending[1..]));
        let form = if ending == ".2" { "--compressed" } else { "" };
        place
            .run(&format!("challenge possession {form} --commitment c --beacon {beacon} --out q{ending}"))
            .expect(0);
        place.run(&format!("prove --dir store --challenge q{ending} --out r{ending}")).expect(0);
    }
    let all = "--commitment c --challenge q.1 q.2 q.3 q.4 --response r.1 r.2 r.3";
    let batch = place.run(&format!("verify {all} --batch --json")).expect(0).json();
    assert_eq!((&batch["accepted"], &batch["batch"]["responses"]), (&3.into(), &3.into()));
    assert_eq!(batch["unanswered"].as_array().map(Vec::len), Some(1), "{batch:#}");

    // A scalar of the proof, with its length and form left as they are.
    let mut wrong = place.read("r.3");
    wrong[144 + 64] ^= 1;
    place.write("r.3", &wrong);
    for flags in ["", "--batch"] {
        let verdict = place.run(&format!("verify {all} {flags} --json")).expect(2).json();
        assert_eq!(verdict["class"], "wrong-proof");
        let classes: Vec<&Value> = (0..3).map(|i| &verdict["responses"][i]["class"]).collect();
        assert_eq!(classes, [&Value::Null, &Value::Null, &"wrong-proof".into()], "{flags}");
    }

    // From directories, by tags.
    std::fs::create_dir(place.path("all")).expect("creates");
    for name in ["c", "q.1", "q.2", "r.1", "r.2"] {
        place.write(&format!("all/{name}"), place.read(name));
    }
    let verdict = place.run("verify --commitment all --challenge all --response all --batch --json");
    assert_eq!(verdict.expect(0).json()["accepted"], 2);
}

/// A verifier that keeps the table takes responses without openings, and nobody else does.
#[test]
fn a_kept_table_stands_for_openings() {
    let (place, _) = stored();
    place.run(&format!("challenge possession --commitment c --beacon {BEACON} --out q")).expect(0);
    let proven = place.run("prove --dir store --challenge q --no-openings --out r --json").expect(0).json();
    assert_eq!(proven["bytes"], 17_104);
    let verify = "verify --commitment c --challenge q --response r --json";
    assert_eq!(place.run(verify).expect(2).json()["class"], "malformed");
    place.run(&format!("{verify} --points p")).expect(0);
    place.run(&format!("{verify} --points p --batch")).expect(0);
}

#[test]
fn lines_on_standard_input_are_judged_in_order() {
    let (place, _) = stored();
    audit(&place, "possession", "");
    let hex = |name: &str| format!("hex:{}", hex::encode(place.read(name)));
    let mut wrong = place.read("r");
    wrong[20] ^= 1;
    place.write("wrong", &wrong);
    let lines = [
        serde_json::json!({"id": "a", "commitment": "c", "challenge": "q", "response": "r"}),
        serde_json::json!({"id": 2, "commitment": hex("c"), "challenge": hex("q"), "response": hex("r")}),
        serde_json::json!({"id": null, "commitment": "c", "challenge": "q", "response": "wrong"}),
        serde_json::json!({"commitment": "c", "challenge": "hex:zz", "response": "r"}),
    ];
    let input = lines.map(|line| line.to_string()).join("\n");
    let verdict = with_input(&place, "verify --lines --json", &input).expect(2).json();
    let of = |field: &str| (0..4).map(|i| verdict["responses"][i][field].clone()).collect::<Vec<_>>();
    assert_eq!(of("id"), ["a".into(), 2.into(), Value::Null, Value::Null]);
    assert_eq!(of("class"), [Value::Null, Value::Null, "wrong-challenge".into(), "malformed".into()]);
    // With the rest as files, a line is a response.
    let input = "{\"response\": \"r\"}\n\n{\"response\": \"r\"}\n";
    let run = with_input(&place, "verify --lines --commitment c --challenge q --batch --json", input);
    assert_eq!(run.expect(0).json()["accepted"], 2);
    let (kind, message) = with_input(&place, "verify --lines --json", "{\"response\": 1}").expect(1).error();
    assert_eq!(kind, "foreign-file");
    assert!(message.contains("line 1"), "{message}");
}

fn with_input(place: &Place, words: &str, input: &str) -> Run {
    place.write("input", input);
    let mut command = command(words.split_whitespace());
    let input = std::fs::File::open(place.path("input")).expect("opens");
    Run::of(command.current_dir(place.0.path()).stdin(input))
}

/// Lengths around limbs, blocks and pages: each stored, audited on every block in every way, and got back.
#[test]
fn objects_of_edge_sizes_are_stored_audited_whole_and_got_back() {
    let block = BLOCK_BYTES;
    let sizes = [0, 1, 30, 31, 32, block - 1, block, block + 1, 3 * block - 1, 3 * block, 3 * block + 1];
    for length in sizes.into_iter().chain([64 * block, 64 * block + 1]) {
        let place = Place::new();
        let file = bytes(length);
        let cid = put(&place, "file", &file);
        place.run(&format!("commitment --dir store --object {cid} --out c --points p")).expect(0);
        place.run("check --commitment c --points p file").expect(0);
        let blocks = length.div_ceil(block).max(1);
        for kind in ["possession", "possession --compressed", "link"] {
            let verdict = audit(&place, &format!("{kind} --samples {blocks}"), "");
            assert_eq!(verdict["verdict"], "accepted", "{length} bytes, {kind}");
        }
        let chunks = length.div_ceil(1024).max(1);
        assert_eq!(audit(&place, &format!("chunks --samples {chunks}"), "")["verdict"], "accepted");
        place.run("token make --input file --commitment c --count 1 --out t --dir store").expect(0);
        place.run("token use --tokens t --commitment c --out q").expect(0);
        place.run("prove --dir store --challenge q --out r").expect(0);
        place.run("verify --commitment c --challenge q --response r --tokens t").expect(0);
        place.run(&format!("object get --dir store {cid} --out back")).expect(0);
        assert_eq!(place.read("back"), file, "{length} bytes");
    }
}

/// Committing later, resumed after it was broken off: the commitments are those of one go under the same key.
#[test]
fn committing_later_goes_on_where_it_was_broken_off() {
    let place = Place::new();
    place.write("file", bytes(700 * BLOCK_BYTES));
    let put = place.run("object put --dir store file --no-encrypt --later --json").expect(0).json();
    let cid = text(&put, "cid");
    assert_eq!(put["commitment_root"], Value::Null);
    assert_eq!(put["audits"], serde_json::json!(["chunks"]));
    let (kind, message) =
        place.run(&format!("commitment --dir store --object {cid} --out c --json")).expect(1).error();
    assert_eq!(kind, "state");
    assert!(message.contains("holdfast commit"), "{message}");
    assert_eq!(place.run("status --dir store --json").expect(0).json()["stores"][0]["uncommitted"], 1);

    let commit = place.run("commit --dir store --threads 1 --json").expect(0).json();
    assert_eq!(commit["count"], 1);
    assert_eq!(commit["objects"][0]["blocks_committed"], 700);
    let table = format!("store/objects/{}/table", text(&put, "blake3_root"));
    let whole = place.read(&table);
    // As a kill leaves it: some whole chunks and a torn one, and no record.
    std::fs::remove_file(place.path(&table.replace("table", "record"))).expect("deletes");
    let partial = format!("store/.holdfast-commit-{}", text(&put, "blake3_root"));
    place.write(&partial, &whole[..30 * 1024 + 77]);
    let resumed = place.run("commit --dir store --json").expect(0).json();
    assert_eq!(resumed["objects"][0]["blocks_kept"], 300, "{resumed}");
    assert_eq!(place.read(&table), whole);
    assert!(!place.path(&partial).exists());

    // What was kept is not trusted: with a wrong point all is done again.
    std::fs::remove_file(place.path(&table.replace("table", "record"))).expect("deletes");
    let mut wrong = whole[..30 * 1024].to_vec();
    wrong[1024..2048].copy_from_slice(&whole[2048..3072]);
    place.write(&partial, &wrong);
    let again = place.run("commit --dir store --json").expect(0).json();
    assert_eq!(again["objects"][0]["blocks_kept"], 0, "{again}");
    assert_eq!(place.read(&table), whole);
    assert_eq!(place.run("commit --dir store --json").expect(0).json()["count"], 0, "nothing waits");
}

/// Windows give way to objects, in record before in space, and come again when objects go.
#[test]
fn objects_take_the_place_of_windows_and_give_it_back() {
    let place = Place::filled();
    let windows = |place: &Place| -> u64 {
        let status = place.run("status --dir disk --json").expect(0).json();
        status["disks"][0]["partitions"][0]["windows"]["sealed"].as_u64().expect("a number")
    };
    let before = windows(&place);
    place.write("file", bytes(300_000));
    let (kind, message) = place
        .run("object put --dir disk file --no-encrypt --validator alice --keep-windows --json")
        .expect(1)
        .error();
    assert_eq!(kind, "state", "{message}");
    let run = place.run("object put --dir disk file --no-encrypt --validator alice --json").expect(0);
    assert!(run.stderr.contains("give way"), "says so: {}", run.stderr);
    let put = run.json();
    let gone = put["windows"]["windows_given_up"].as_u64().expect("a number");
    assert!((5..=8).contains(&gone), "300 KB are five windows of 64 KiB and a bit: {gone}");
    assert_eq!(windows(&place), before - gone);

    let status = place.run("status --dir disk --json").expect(0).json();
    let map = &status["stores"][0]["allocation"];
    assert_eq!(map["windows"]["count"], before - gone, "{status:#}");
    assert_eq!(map["objects"][0]["name"], put["blake3_root"]);
    let total = map["windows"]["disk_bytes"].as_u64().zip(map["object_disk_bytes"].as_u64());
    assert!(total.is_some_and(|(w, o)| Some(w + o) <= map["budget_bytes"].as_u64()), "{map:#}");

    // The same shares again change nothing.
    place.allocate("disk", 8 << 20);
    assert_eq!(windows(&place), before - gone);

    // Both kinds of audits are answered side by side.
    place.run("commitment --dir disk --validator alice --out a.commitment").expect(0);
    let space = "challenge space --commitment a.commitment --policy test --out a.challenge --beacon";
    place.run(&format!("{space} {BEACON}")).expect(0);
    place.run("prove --dir disk --challenge a.challenge --out a.response").expect(0);
    let cid = text(&put, "cid");
    place.run(&format!("commitment --dir disk --object {cid} --out c")).expect(0);
    place
        .run(&format!("challenge possession --commitment c --policy test --beacon {BEACON} --out q"))
        .expect(0);
    place.run("prove --dir disk --challenge q --out r").expect(0);
    let both = "verify --commitment a.commitment c --challenge a.challenge q --response a.response r";
    assert_eq!(place.run(&format!("{both} --policy test --json")).expect(0).json()["accepted"], 2);

    let (kind, _) = place.run("remove --dir disk --validator alice --yes --json").expect(1).error();
    assert_eq!(kind, "state", "objects would be lost");
    place.run(&format!("object rm --dir disk {cid}")).expect(0);
    // Only a writer knows what space it has promised; fails if `fill` does not ask for the store's lock.
    let mut stores =
        std::fs::read_dir(place.path("disk")).expect("reads").flatten().map(|entry| entry.path());
    let store = stores.find(|path| path.extension().is_some_and(|end| end == "objects")).expect("a store");
    let (writer, _) = ObjectStore::open(&store, OpenMode::ReadWrite).expect("opens");
    let filled = place.run("fill --dir disk --json").expect(0).json();
    assert_eq!(filled["windows_again"], 0);
    drop(writer);
    let filled = place.run("fill --dir disk --json").expect(0).json();
    assert_eq!(filled["windows_again"].as_u64(), Some(gone));
    assert_eq!(windows(&place), before);
    place.run("remove --dir disk --all --yes").expect(0);
    let left: Vec<_> = std::fs::read_dir(place.path("disk")).expect("reads").flatten().collect();
    assert!(left.iter().all(|entry| entry.file_name() == ".holdfast-secrets"), "{left:?}");
}

/// Chunks and tokens need no commitments: a record is enough, and committing later replaces it.
#[test]
fn an_object_with_a_record_alone_answers_chunks_and_tokens() {
    let place = Place::new();
    place.write("file", bytes(100_000));
    let put = place.run("object put --dir store file --no-encrypt --later --json").expect(0).json();
    let cid = text(&put, "cid");
    assert_eq!(place.run("commit --dir store --no-table --json").expect(0).json()["count"], 1);
    assert_eq!(place.run("commit --dir store --no-table --json").expect(0).json()["count"], 0);
    place.run(&format!("commitment --dir store --object {cid} --out c")).expect(0);
    assert_eq!(audit(&place, "chunks", "")["verdict"], "accepted");
    let possession = format!("challenge possession --commitment c --beacon {BEACON} --out x --json");
    assert_eq!(place.run(&possession).expect(2).json()["class"], "wrong-challenge");
    place.run("token make --input file --commitment c --count 1 --out t --dir store").expect(0);
    let stat = place.run(&format!("object stat --dir store {cid} --json")).expect(0).json();
    assert_eq!(stat["audits"], serde_json::json!(["chunks", "whole"]));
    assert_eq!(place.run("commit --dir store --json").expect(0).json()["count"], 1);
    place.run(&format!("commitment --dir store --object {cid} --out c")).expect(0);
    assert_eq!(audit(&place, "possession", "")["verdict"], "accepted");
}

/// More bytes than 32 bits count, most of them a hole. Committing to 4 GiB takes minutes, so it is not part of the gate:
/// `cargo test -p holdfast-service --test cli -- --ignored`.
#[test]
#[ignore = "commits to 4 GiB, which takes minutes"]
fn an_object_of_more_than_4_gib_is_stored_audited_and_got_back() {
    use std::os::unix::fs::FileExt;
    let place = Place::new();
    let length = (4 << 30) + 12_345;
    let file = std::fs::File::create(place.path("file")).expect("creates");
    file.set_len(length).expect("makes a hole");
    file.write_all_at(b"not a hole", length - 10).expect("writes");
    let put = place.run("object put --dir store file --no-encrypt --later --json").expect(0).json();
    let cid = text(&put, "cid");
    assert_eq!((put["bytes"].as_u64(), put["blocks"].as_u64()), (Some(length), Some(262_145)));
    let range = format!("object get --dir store {cid} --range {}-{length} --out end", length - 20_000);
    place.run(&range).expect(0);
    assert!(place.read("end").ends_with(b"\0not a hole"));
    place.run("commit --dir store --no-table").expect(0);
    place.run(&format!("commitment --dir store --object {cid} --out c")).expect(0);
    assert_eq!(audit(&place, "chunks --samples 1000", "")["verdict"], "accepted");

    let committed = place.run("commit --dir store --json").expect(0).json();
    eprintln!("{committed:#}");
    place.run(&format!("commitment --dir store --object {cid} --out c --points p")).expect(0);
    place.run("check --commitment c --points p file").expect(0);
    for kind in ["possession --samples 100", "possession --compressed", "link"] {
        assert_eq!(audit(&place, kind, "")["verdict"], "accepted", "{kind}");
    }
}
