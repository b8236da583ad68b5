//! `holdfast keys` as scripts and people meet it: forms, exit codes, and what must never be printed. No password here: each would
//! take seconds.

use std::path::Path;
use std::process::Output;

use serde_json::Value;

use crate::Keys;

const WORDS: &str = "legal winner thank year wave sausage worth useful legal winner thank yellow";
/// Of these words, as `bittensor-wallet` has it (tests/fixtures/wallet).
const ADDRESS: &str = "5EHgWw2Af1pnoc7f1A8bfmM97W3DAYW8xr82RfhLL9oAabAe";
const PLACE: [&str; 4] = ["--wallet-dir", "wallets", "--hotkey", "disk1"];

fn keys(folder: &Path) -> Keys<'_> {
    Keys { folder, password: None }
}

fn words<'a>(first: &[&'a str], then: &[&'a str]) -> Vec<&'a str> {
    [first, then].concat()
}

/// The exit code, and the failure's kind in the JSON.
fn failure(output: &Output) -> (Option<i32>, String) {
    let document: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    (output.status.code(), document["error"]["kind"].as_str().expect("a kind").to_owned())
}

fn printed(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn a_key_is_made_once_shown_without_its_secret_and_signs() {
    let folder = tempfile::tempdir().expect("a folder");
    let keys = keys(folder.path());
    let new = words(&["new", "--no-password"], &PLACE);
    let made = keys.json(&new, "");
    let (address, mnemonic) =
        (made["address"].as_str().expect("text"), made["mnemonic"].as_str().expect("text"));
    assert_eq!(mnemonic.split(' ').count(), 12);
    assert_eq!((&made["sealed"], &made["file"]), (&false.into(), &"wallets/default/hotkeys/disk1".into()));

    // A second key under the name would cost the first one.
    let file = folder.path().join("wallets/default/hotkeys/disk1");
    let before = std::fs::read_to_string(&file).expect("reads");
    let again = keys.run(&words(&new, &["--json"]), "");
    assert_eq!(failure(&again), (Some(1), "state".to_owned()));
    assert_eq!(std::fs::read_to_string(&file).expect("reads"), before);

    // Neither form shows a secret, by any way to name the key.
    for place in [PLACE.as_slice(), &["--key-file", "wallets/default/hotkeys/disk1"]] {
        let shown = keys.json(&words(&["show"], place), "");
        assert_eq!((&shown["address"], &shown["secret"]), (&made["address"], &"open".into()));
        let text = printed(&keys.run(&words(&["show"], place), ""));
        assert!(text.contains(address) && text.contains("not protected by a password"), "{text}");
        let secrets: Value = serde_json::from_str(&before).expect("JSON");
        for secret in ["secretPhrase", "secretSeed", "privateKey"] {
            let secret = secrets[secret].as_str().expect("text").trim_start_matches("0x");
            assert!(!text.contains(secret) && !shown.to_string().contains(secret));
        }
    }

    let sign = keys.run(&words(&["sign", "--message", "hello"], &PLACE), "");
    let signature = String::from_utf8(sign.stdout).expect("text");
    let verify = ["verify", "--address", address, "--signature", signature.trim(), "--message"];
    assert_eq!(keys.json(&words(&verify, &["hello"]), "")["verdict"], "accepted");
    let rejected = keys.run(&words(&verify, &["hullo", "--json"]), "");
    assert_eq!(failure(&rejected), (Some(2), "rejected".to_owned()));
    let document: Value = serde_json::from_slice(&rejected.stdout).expect("JSON");
    assert_eq!(document["class"], "bad-signature");
}

#[test]
fn keys_come_back_from_words_and_seeds() {
    let folder = tempfile::tempdir().expect("a folder");
    let keys = keys(folder.path());
    let import = |name: &'static str| {
        words(&["import", "--no-password", "--wallet-dir", "wallets", "--hotkey"], &[name])
    };
    let from_input = keys.json(&import("input"), &format!(" {WORDS}\n"));
    assert_eq!(from_input["address"], ADDRESS);
    assert!(from_input.get("mnemonic").is_none(), "whoever imports has the words");
    std::fs::write(folder.path().join("words"), WORDS).expect("writes");
    let from_file = keys.json(&words(&import("file"), &["--secret-file", "words"]), "");
    assert_eq!(from_file["address"], ADDRESS);
    // The seed of `tests/fixtures/wallet`'s key of that name, and its address there.
    let seed = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
    for (name, text) in [("bare", seed.to_owned()), ("prefixed", format!("0x{seed}\n"))] {
        assert_eq!(
            keys.json(&import(name), &text)["address"],
            "5DcjVUSFQsUSFDCMFNSFYRwBYgya7BEcoA47F5pkphi8NXnu"
        );
    }
}

/// What was meant to be a secret stays one when it is mistyped.
#[test]
fn mistyped_secrets_are_refused_and_not_repeated() {
    let folder = tempfile::tempdir().expect("a folder");
    let keys = keys(folder.path());
    for text in [
        WORDS.replace("sausage", "sausages"),
        WORDS[6..].to_owned(),
        "0x9d61b19deffd5a60".to_owned(),
        String::new(),
    ] {
        let output = keys.run(&words(&["import", "--no-password", "--json"], &PLACE), &text);
        assert_eq!(failure(&output), (Some(1), "foreign-file".to_owned()));
        for secret in ["sausage", "winner", "9d61"] {
            assert!(!printed(&output).contains(secret), "{}", printed(&output));
        }
    }
    assert!(!folder.path().join("wallets").exists(), "nothing is written for a key that is none");
}

#[test]
fn wrong_usage_is_told_and_changes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let keys = keys(folder.path());
    let expect = |command: &[&str], code: i32, kind: &str| {
        let output = keys.run(&words(command, &["--json"]), WORDS);
        assert_eq!(failure(&output), (Some(code), kind.to_owned()), "{command:?}: {}", printed(&output));
    };
    // Nobody is there to be asked, and a key without a password is made only if that was said.
    expect(&words(&["new"], &PLACE), 64, "usage");
    expect(&words(&["new", "--words", "13"], &PLACE), 64, "usage");
    expect(&words(&["new", "--no-password", "--password-file", "f"], &PLACE), 64, "usage");
    expect(&words(&["new", "--password-file", "missing"], &PLACE), 1, "missing-file");
    expect(&["new", "--no-password", "--wallet-dir", "wallets", "--hotkey", "../../elsewhere"], 64, "usage");
    expect(&["new", "--no-password", "--wallet-dir", "wallets", "--coldkey", "--hotkey", "a"], 64, "usage");
    expect(&words(&["show"], &PLACE), 1, "not-found");
    expect(&words(&["sign", "--message", "a"], &PLACE), 1, "not-found");
    assert_eq!(std::fs::read_dir(folder.path()).expect("reads").count(), 0);

    keys.json(&words(&["import", "--no-password"], &PLACE), WORDS);
    // It could be a digest of a receipt.
    expect(&words(&["sign", "--message", &"x".repeat(32)], &PLACE), 64, "usage");
    expect(&words(&["sign"], &PLACE), 64, "usage");
    expect(&words(&["sign", "--message", "a", "--file", "b"], &PLACE), 64, "usage");
    expect(&words(&["sign", "--file", "missing"], &PLACE), 1, "missing-file");
    // One letter wrong: not the key of a name that nobody meant.
    let mistyped = ADDRESS.replace('H', "J");
    let signature = "00".repeat(64);
    expect(&["verify", "--message", "a", "--signature", &signature, "--address", &mistyped], 64, "usage");
    expect(&["verify", "--message", "a", "--signature", "00", "--address", ADDRESS], 64, "usage");
    expect(&["verify", "--message", "a", "--signature", &signature, "--address", ADDRESS], 2, "rejected");
}

/// A damaged or foreign key file is named, and told from one that is not there.
#[test]
fn unusable_key_files_are_told_apart() {
    let folder = tempfile::tempdir().expect("a folder");
    let keys = keys(folder.path());
    for (content, kind) in [
        ("legal winner thank", "foreign-file"),
        ("$ANSIBLE_VAULT;1.1;AES256\n", "foreign-file"),
        ("$NACL", "foreign-file"),
        (r#"{"cryptoType":0,"secretPhrase":"legal winner thank"}"#, "foreign-file"),
    ] {
        std::fs::write(folder.path().join("key"), content).expect("writes");
        let output = keys.run(&["show", "--key-file", "key", "--json"], "");
        assert_eq!(failure(&output), (Some(1), kind.to_owned()), "{content}");
        assert!(printed(&output).contains("key is not a key file"), "{}", printed(&output));
        assert!(!printed(&output).contains("winner"), "{}", printed(&output));
    }
}
