//! What a new user gets wrong, and what the message then says.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::support::{Place, Run, binary, run};

#[test]
fn wrong_usage_is_64_and_names_the_word() {
    let place = Place::new();
    for (words, named) in [
        ("", "Usage"),
        ("fil --dir disk", "fil"),
        ("fill", "--dir"),
        ("fill --dir disk --no-such-flag", "--no-such-flag"),
        ("fill --dir disk --backend sse2", "sse2"),
        ("fill --dir disk --io aio", "aio"),
        ("fill --dir disk --threads 0", "--threads"),
        ("fill --dir disk --threads many", "many"),
        ("fill --dir disk --rate-limit fast", "fast"),
        ("allocate --dir disk --stakes stakes.json --miner m --threshold 0 --yes", "--threshold"),
        ("allocate --dir disk --stakes stakes.json --miner m --threshold 1.5 --yes", "1.5"),
        ("allocate --dir disk --stakes stakes.json --miner m --threshold much --yes", "much"),
        ("allocate --dir disk --stakes stakes.json --threshold 0.5", "--miner"),
        ("allocate --dir disk --stakes stakes.json --miner m --threshold 0.5 --window 3MiB --yes", "3MiB"),
        ("allocate --dir disk --stakes stakes.json --miner m --threshold 0.5 --profile fast --yes", "fast"),
        ("allocate --dir disk --stakes stakes.json --miner m --threshold 0.5 --max-bytes lots --yes", "lots"),
        ("allocate --dir disk --stakes stakes.json --miner m --threshold 0.5 --yes --dry-run", "--dry-run"),
        ("commitment --dir disk --out x", "--validator"),
        ("commitment --dir disk --validator a --partition 1 --out x", "--partition"),
        ("challenge --json", "space"),
        ("challenge space --commitment a --beacon 12 --out x", "64 hex digits"),
        ("challenge space --commitment a --beacon zz --out x", "64 hex digits"),
        ("challenge space --commitment a --out x", "--beacon"),
        ("verify --commitment a --challenge b", "--response"),
        ("prove --dir disk --out x", "--challenge"),
        ("resize --dir disk --validator a --windows 0", "--windows"),
        ("remove --dir disk", "--validator"),
        ("remove --dir disk --all --validator a", "--validator"),
        ("seal-audit --commitment a", "--replay"),
        ("chain", "verify"),
        ("completions tcsh7", "tcsh7"),
        ("status --dir disk --progress sometimes", "sometimes"),
    ] {
        let run = place.run(words).expect(64);
        assert!(run.stderr.contains(named), "`{words}` names {named}: {}", run.stderr);
        if !words.contains("--json") {
            assert_eq!(run.stdout, "", "`{words}` writes nothing to standard output");
        }
    }
}

#[test]
fn wrong_usage_with_json_is_json() {
    let (kind, message) = run("fill --json").expect(64).error();
    assert_eq!(kind, "usage");
    assert!(message.contains("--dir"), "{message}");
}

#[test]
fn missing_files_are_named() {
    let place = Place::filled();
    place.run("commitment --dir disk --validator alice --out a.commitment").expect(0);
    let verify = "verify --commitment a.commitment --challenge nowhere --response nowhere --json";
    for words in [
        "allocate --dir disk --stakes nowhere --miner m --threshold 0.5 --yes --json",
        "plan --dir disk --stakes nowhere --threshold 0.5 --json",
        "challenge space --commitment nowhere --beacon \
         0000000000000000000000000000000000000000000000000000000000000000 --out x --json",
        "prove --dir disk --challenge nowhere --out x --json",
        "chain verify nowhere --json",
        "fill --dir nowhere --json",
        "status --dir nowhere --json",
        verify,
    ] {
        let (kind, message) = place.run(words).expect(1).error();
        assert_eq!(kind, "missing-file", "`{words}`: {message}");
        assert!(message.contains("nowhere"), "`{words}`: {message}");
    }
}

#[test]
fn a_directory_that_was_never_allocated_says_how_to() {
    let place = Place::new();
    for words in ["fill --dir disk", "status --dir disk", "scrub --dir disk", "remove --dir disk --all --yes"]
    {
        let (kind, message) = place.run(&format!("{words} --json")).expect(1).error();
        assert_eq!(kind, "not-allocated", "{words}");
        assert!(message.contains("holdfast allocate"), "{message}");
    }
}

#[test]
fn stake_tables_that_are_wrong_say_where() {
    let place = Place::new();
    for (text, named) in [
        ("", "stakes.json"),
        ("[]", "stakes.json"),
        ("[{\"uid\":0,\"hotkey\":\"alice\"}]", "stake"),
        ("[{\"uid\":0,\"hotkey\":\"alice\",\"stake\":-1.0}]", "-1"),
        ("[{\"uid\":0,\"hotkey\":\"a\",\"stake\":1},{\"uid\":1,\"hotkey\":\"a\",\"stake\":1}]", "a"),
    ] {
        place.write("stakes.json", text);
        let run =
            place.run("allocate --dir disk --stakes stakes.json --miner m --threshold 0.5 --yes").expect(1);
        assert!(run.stderr.contains(named), "{text:?}: {}", run.stderr);
    }
}

#[test]
fn foreign_files_are_refused_and_left_alone() {
    let place = Place::filled();
    place.write("disk/holiday.jpg", "not ours");
    place.write("disk/partition-00000099.holdfast", "not ours either");
    let status = place.run("status --dir disk --json").expect(0).json();
    assert!(status.to_string().contains("partition-00000099.holdfast"), "a stray file is shown: {status}");
    place.run("remove --dir disk --all --yes --json").expect(0);
    assert_eq!(place.read("disk/holiday.jpg"), b"not ours");
    assert_eq!(place.read("disk/partition-00000099.holdfast"), b"not ours either");
    let left = std::fs::read_dir(place.path("disk")).expect("reads").count();
    assert_eq!(left, 2, "everything of ours is gone");
}

#[test]
fn a_partition_file_that_was_replaced_is_foreign_and_survives() {
    let place = Place::filled();
    let file = first_partition_file(&place);
    place.write(&file, vec![7u8; 1 << 20]);
    for words in ["fill --dir disk", "remove --dir disk --all --yes"] {
        let run = place.run(&format!("{words} --json")).expect(1);
        assert!(run.stdout.contains("foreign-file"), "{words}: {run:#?}");
    }
    assert_eq!(place.read(&file).len(), 1 << 20);
}

fn first_partition_file(place: &Place) -> String {
    let mut names: Vec<_> = std::fs::read_dir(place.path("disk"))
        .expect("reads")
        .map(|entry| entry.expect("reads").file_name().into_string().expect("UTF-8"))
        .filter(|name| name.ends_with(".holdfast"))
        .collect();
    names.sort();
    format!("disk/{}", names[0])
}

#[test]
fn a_manifest_that_is_not_one_is_refused() {
    let place = Place::filled();
    for text in ["{", "{}", "{\"version\": 99}"] {
        place.write("disk/partition.json", text);
        let (kind, message) = place.run("status --dir disk --json").expect(1).error();
        assert_eq!(kind, "foreign-file", "{text}: {message}");
        assert!(message.contains("partition.json"), "{message}");
    }
}

#[test]
fn nothing_is_destroyed_without_yes() {
    let place = Place::filled();
    let before = place.run("status --dir disk --json").expect(0).stdout;
    for words in [
        "remove --dir disk --all",
        "trim --dir disk --free 128KiB",
        "resize --dir disk --validator alice --windows 2",
    ] {
        let (kind, message) = place.run(&format!("{words} --json")).expect(1).error();
        assert_eq!(kind, "not-confirmed", "{words}");
        assert!(message.contains("--yes"), "{message}");
        place.run(&format!("{words} --dry-run")).expect(0);
    }
    let windows =
        |text: &str| serde_json::from_str::<serde_json::Value>(text).expect("JSON")["windows"].clone();
    let after = place.run("status --dir disk --json").expect(0).stdout;
    assert_eq!(windows(&before), windows(&after));
}

#[test]
fn an_unknown_validator_lists_the_known_ones() {
    let place = Place::filled();
    let (kind, message) =
        place.run("commitment --dir disk --validator mallory --out x --json").expect(1).error();
    assert_eq!(kind, "not-found");
    assert!(message.contains("alice"), "{message}");
}

#[test]
fn a_mistyped_address_is_warned_about() {
    let place = Place::new();
    // Alice's well-known address with one letter changed.
    let run = place.run(
        "allocate --dir disk --stakes stakes.json --miner 5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQZ \
         --threshold 0.5 --max-bytes 1MiB --window 64KiB --profile swift --policy test --dry-run",
    );
    assert!(run.stderr.contains("checksum"), "{run:#?}");
}

#[test]
fn a_response_is_not_written_over_a_broken_disk() {
    let place = Place::filled();
    place.run("commitment --dir disk --validator alice --out a.commitment").expect(0);
    place
        .run(
            "challenge space --commitment a.commitment --policy test --out a.challenge --beacon \
             5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a",
        )
        .expect(0);
    let files: Vec<_> = std::fs::read_dir(place.path("disk")).expect("reads").flatten().collect();
    for file in files.iter().filter(|file| file.file_name().to_string_lossy().ends_with(".holdfast")) {
        let mut bytes = std::fs::read(file.path()).expect("reads");
        let data = 2 << 20;
        bytes.iter_mut().skip(data).for_each(|byte| *byte ^= 0xff);
        std::fs::write(file.path(), bytes).expect("writes");
    }
    let (_, message) =
        place.run("prove --dir disk --challenge a.challenge --out a.response --json").expect(1).error();
    assert!(message.contains("scrub"), "says what to do: {message}");
    assert!(!place.path("a.response").exists());
}

/// Runs as an unprivileged user, since permissions do not bind root.
fn as_nobody(place: &Place, words: &str) -> Run {
    let mut command = place.command(words);
    let uid = std::fs::metadata("/proc/self").expect("procfs").uid();
    if uid == 0 {
        // The build's directory may be closed to others: run a copy.
        let copy = place.path("holdfast-copy");
        std::fs::copy(binary(), &copy).expect("copies the binary");
        let mut other = Command::new(&copy);
        other.args(command.get_args()).current_dir(place.0.path()).uid(65534).gid(65534);
        command = other;
        std::fs::set_permissions(place.0.path(), PermissionsExt::from_mode(0o755)).expect("opens the place");
    }
    Run::of(&mut command)
}

#[test]
fn unreadable_directories_and_files_say_so() {
    let place = Place::new();
    std::fs::set_permissions(place.path("disk"), PermissionsExt::from_mode(0o000)).expect("changes the mode");
    let run = as_nobody(&place, "status --dir disk --json");
    std::fs::set_permissions(place.path("disk"), PermissionsExt::from_mode(0o755)).expect("changes it back");
    let (kind, message) = run.expect(1).error();
    assert_eq!(kind, "permission", "{message}");
    assert!(message.contains("disk"), "{message}");
}

#[test]
fn unwritable_directories_say_so() {
    let place = Place::new();
    std::fs::set_permissions(place.path("disk"), PermissionsExt::from_mode(0o555)).expect("changes the mode");
    let run = as_nobody(
        &place,
        "allocate --dir disk --stakes stakes.json --miner m --threshold 0.5 --max-bytes 8MiB --window 64KiB \
         --profile swift --policy test --yes --json",
    );
    let (kind, message) = run.expect(1).error();
    assert_eq!(kind, "permission", "{message}");
}

/// A small file system of its own, unmounted when dropped; `None` where mounting is not allowed.
struct SmallDisk<'p>(&'p Place);

impl<'p> SmallDisk<'p> {
    fn mount(place: &'p Place) -> Option<SmallDisk<'p>> {
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=12m", "tmpfs"]).arg(place.path("disk"));
        let why = match mount.output() {
            Ok(output) if output.status.success() => return Some(SmallDisk(place)),
            Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
            Err(error) => error.to_string(),
        };
        let required = std::env::var("HOLDFAST_REQUIRE").unwrap_or_default();
        assert!(!required.split(',').any(|name| name == "mount"), "mounting is required: {why}");
        eprintln!("ABSENT(a small file system: {why})");
        None
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path("disk")).status();
    }
}

#[test]
fn a_full_disk_is_a_clean_stop_that_leaves_everything_as_it_was() {
    let place = Place::new();
    let Some(_disk) = SmallDisk::mount(&place) else { return };
    place.allocate("disk", 8 << 20);
    place.run("fill --dir disk --json").expect(0);
    place.run("commitment --dir disk --validator alice --out before").expect(0);
    let run = place.run("resize --dir disk --validator alice --windows 180 --json").expect(1);
    let (kind, message) = run.error();
    assert_eq!(kind, "disk-full", "{message}");
    assert!(message.contains("free some space"), "{message}");
    place.run("fill --dir disk --json").expect(0);
    place.run("commitment --dir disk --validator alice --out after").expect(0);
    assert_eq!(place.read("before"), place.read("after"));
}

#[test]
fn a_report_that_cannot_be_written_is_a_failure() {
    let place = Place::filled();
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("opens");
    let output = place.command("status --dir disk --json").stdout(full).output().expect("runs");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("standard output"));
}
