//! Wallet files, addresses and signatures against `bittensor-wallet` of PyPI, in both directions.
//!
//! The files in `tests/fixtures/wallet` are always read. Where `HOLDFAST_PYTHON` names a Python that has the packages of
//! `tests/interop/requirements.txt`, it also makes fresh ones for us and reads what `holdfast keys` writes; `HOLDFAST_REQUIRE=python`
//! makes its absence a failure. `commands` has what scripts and people meet at the command line.

#[path = "wallets/commands.rs"]
mod commands;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use holdfast_engine::account::Account;
use holdfast_engine::signature::{SIGNATURE_BYTES, Signature, verify_message};
use holdfast_service::identity::{
    DevelopmentNames, Identity, IdentityError, IdentitySource, Key, KeyFileError, KeyFiles, KeyName,
    PASSWORD_VARIABLE, PasswordSource, SealError, Secrecy,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

const WALLET: &str = "interop";

/// A key as the Python side describes it.
#[derive(Deserialize)]
struct Case {
    /// `None` for the coldkey.
    hotkey: Option<String>,
    secret: String,
    address: String,
    public_key: String,
    signatures: Vec<Signed>,
    mnemonic: Option<String>,
    uri: Option<String>,
    seed: Option<String>,
}

#[derive(Deserialize)]
struct Signed {
    message: String,
    signature: String,
}

/// A key that we wrote, for the Python side to check.
#[derive(Serialize)]
struct Claim {
    wallet: &'static str,
    hotkey: Option<&'static str>,
    password: Option<String>,
    address: String,
    public_key: String,
    mnemonic: Option<String>,
    message: String,
    signature: String,
}

fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn signature(text: &str) -> Signature {
    let mut bytes = [0; SIGNATURE_BYTES];
    hex::decode_to_slice(text, &mut bytes).expect("128 hex digits");
    Signature(bytes)
}

fn account(address: &str) -> Account {
    Account::parse(address).expect("an address").0
}

impl Case {
    fn files(&self, folder: &Path) -> KeyFiles {
        let name = self.hotkey.clone().map_or(KeyName::Coldkey, KeyName::Hotkey);
        KeyFiles::in_wallet(&folder.join("wallets"), WALLET, &name).expect("a name")
    }

    fn check(&self, folder: &Path) {
        let what = self.hotkey.as_deref().unwrap_or("coldkey");
        // No password is needed to see whose key it is.
        let description = self.files(folder).describe(&PasswordSource::default()).expect(what);
        let secrecy = match self.secret.as_str() {
            "open" => Secrecy::Open,
            "sealed" => Secrecy::Sealed,
            "absent" => Secrecy::Absent,
            other => panic!("{what}: {other}"),
        };
        assert_eq!(description.secrecy, secrecy, "{what}");
        assert_eq!(description.account.to_ss58(), self.address, "{what}");
        assert_eq!(description.account.to_hex(), self.public_key, "{what}");
        for signed in &self.signatures {
            let message = hex::decode(&signed.message).expect("hex");
            let theirs = signature(&signed.signature);
            verify_message(&description.account, &message, &theirs).expect(what);
            let longer = [message.as_slice(), b"x"].concat();
            assert!(verify_message(&description.account, &longer, &theirs).is_err(), "{what}");
        }
        match secrecy {
            Secrecy::Open => self.check_open(folder, what),
            Secrecy::Absent => {
                let error = self.files(folder).load(&PasswordSource::default()).expect_err("no secret");
                assert!(matches!(error, IdentityError::Missing { .. }), "{error}");
            }
            // Opening takes seconds: one is opened in a test of its own.
            Secrecy::Sealed => {}
        }
    }

    fn check_open(&self, folder: &Path, what: &str) {
        let loaded = self.files(folder).load(&PasswordSource::default()).expect(what);
        assert_eq!(loaded.key.account().to_ss58(), self.address, "{what}");
        assert_eq!(loaded.key.signer().account(), loaded.key.account(), "{what}");
        if let Some(text) = self.mnemonic.as_ref().or(self.uri.as_ref()) {
            assert_eq!(Key::from_uri(text).expect(what).account(), loaded.key.account(), "{what}");
        }
        if let Some(seed) = &self.seed {
            let mut bytes = [0; 32];
            hex::decode_to_slice(&seed[2..], &mut bytes).expect("hex");
            assert_eq!(Key::from_seed(bytes.into()).account(), loaded.key.account(), "{what}");
        }
    }
}

fn cases(folder: &Path) -> Vec<Case> {
    let text = std::fs::read(folder.join("cases.json")).expect("cases");
    serde_json::from_slice(&text).expect("cases")
}

fn fixtures() -> PathBuf {
    repository().join("tests/fixtures/wallet")
}

#[test]
fn keys_of_bittensor_wallet_are_read_and_its_signatures_verify() {
    let cases = cases(&fixtures());
    assert_eq!(cases.len(), 12);
    for case in &cases {
        case.check(&fixtures());
    }
}

/// Two derivations of Argon2: seconds, and 512 MiB.
#[test]
fn a_sealed_hotkey_opens_with_its_password_alone() {
    let load = |passwords: PathBuf| {
        let source = IdentitySource::Wallet {
            wallets: Some(fixtures().join("wallets")),
            wallet: WALLET.to_owned(),
            hotkey: "sealed".to_owned(),
        };
        Identity::load(&source, DevelopmentNames::Refused, &PasswordSource::new(Some(passwords)))
    };
    let identity = load(fixtures().join("password.txt")).expect("opens");
    // The key of Substrate's development phrase.
    let address = "5DfhGyQdFobKM8NsWvEeAKk5EQQgYe9AydgJ7rMB6E1EqRzV";
    assert_eq!(identity.account().to_ss58(), address);
    let signature = identity.signer().sign_message(b"hello").expect("signs");
    verify_message(&account(address), b"hello", &signature).expect("its own");

    let wrong = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(wrong.path(), "correct-horse 7 bättery").expect("writes");
    match load(wrong.path().to_owned()).expect_err("another password") {
        IdentityError::KeyFile { source: KeyFileError::Seal(SealError::WrongPassword), .. } => {}
        other => panic!("{other}"),
    }
}

#[test]
fn other_keys_of_bittensor_wallet_are_refused() {
    let load = |hotkey: &str| {
        let wallets = fixtures().join("wallets");
        let files =
            KeyFiles::in_wallet(&wallets, WALLET, &KeyName::Hotkey(hotkey.to_owned())).expect("a name");
        files.load(&PasswordSource::default()).expect_err("is refused")
    };
    match load("ed25519") {
        IdentityError::KeyFile { source: KeyFileError::CryptoType { crypto_type: 0 }, .. } => {}
        other => panic!("{other}"),
    }
    match load("vault") {
        IdentityError::KeyFile {
            source: KeyFileError::FormerEncryption { method: "Ansible Vault" }, ..
        } => {}
        other => panic!("{other}"),
    }
}

/// The Python to compare with, if this machine has one.
fn python() -> Option<PathBuf> {
    let named = std::env::var_os("HOLDFAST_PYTHON").map(PathBuf::from);
    if named.is_none() {
        let required = std::env::var("HOLDFAST_REQUIRE").unwrap_or_default();
        let why = "HOLDFAST_PYTHON names no Python with tests/interop/requirements.txt";
        assert!(!required.split(',').any(|name| name == "python"), "python is required: ABSENT({why})");
        eprintln!("python ABSENT({why})");
    }
    named
}

fn run_python(python: &Path, words: &[&str], folder: &Path) {
    let script = repository().join("tests/interop/wallet.py");
    let output = Command::new(python).arg(script).args(words).arg(folder).output().expect("python starts");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "wallet.py {words:?}: {errors}");
}

/// `holdfast keys …` in a folder.
struct Keys<'a> {
    folder: &'a Path,
    /// In the environment, if any.
    password: Option<&'a str>,
}

impl Keys<'_> {
    fn run(&self, words: &[&str], input: &str) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_holdfast"));
        command.arg("keys").args(words).current_dir(self.folder).env_remove(PASSWORD_VARIABLE);
        if let Some(password) = self.password {
            command.env(PASSWORD_VARIABLE, password);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("holdfast starts");
        // A command that reads no input may have ended already.
        let _ = child.stdin.take().expect("a pipe").write_all(input.as_bytes());
        child.wait_with_output().expect("ends")
    }

    /// The one JSON document of a command that does what it is asked.
    fn json(&self, words: &[&str], input: &str) -> Value {
        let output = self.run(&[words, &["--json"]].concat(), input);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "holdfast keys {words:?}: {errors}");
        serde_json::from_slice(&output.stdout).expect("JSON")
    }

    /// Makes a key with this command, signs with it, and says what Python must find.
    fn claim(&self, command: &[&str], hotkey: Option<&'static str>, input: &str) -> Claim {
        let mut place = vec!["--wallet-dir", "wallets", "--wallet", WALLET];
        match hotkey {
            Some(hotkey) => place.extend(["--hotkey", hotkey]),
            None => place.push("--coldkey"),
        }
        let written = self.json(&[command, &place].concat(), input);
        let message = format!("written by {command:?}");
        let signed = self.json(&[&["sign", "--message", &message], place.as_slice()].concat(), "");
        let text = |value: &Value| value.as_str().map(str::to_owned);
        Claim {
            wallet: WALLET,
            hotkey,
            password: written["sealed"]
                .as_bool()
                .expect("sealed")
                .then(|| self.password.expect("sealed with one").to_owned()),
            address: text(&written["address"]).expect("an address"),
            public_key: text(&written["public_key"]).expect("a key"),
            mnemonic: text(&written["mnemonic"]),
            message: hex::encode(message),
            signature: text(&signed["signature"]).expect("a signature"),
        }
    }
}

#[test]
fn fresh_keys_of_bittensor_wallet_are_read() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    run_python(&python, &["make", "--fresh"], folder.path());
    let cases = cases(folder.path());
    assert_eq!(cases.len(), 12);
    for case in &cases {
        case.check(folder.path());
    }
    let sealed = cases.iter().find(|case| case.hotkey.is_none()).expect("a coldkey");
    let passwords = PasswordSource::new(Some(folder.path().join("password.txt")));
    let loaded = sealed.files(folder.path()).load(&passwords).expect("opens");
    assert_eq!(loaded.key.account().to_ss58(), sealed.address);
    assert_eq!(loaded.exposed, None, "the package makes its files with mode 0600");
}

#[test]
fn bittensor_wallet_reads_our_keys_and_we_verify_its_signatures() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let keys = Keys { folder: folder.path(), password: Some("Wörd of 9 letters") };
    let development = "bottom drive obey lake curtain smoke basket hold race lonely fit walk";
    let seed = "0x9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
    let claims = [
        keys.claim(&["new", "--no-password"], Some("twelve"), ""),
        keys.claim(&["new", "--words", "24", "--no-password"], Some("twenty-four"), ""),
        keys.claim(&["new"], None, ""),
        keys.claim(&["import", "--no-password"], Some("words"), development),
        keys.claim(&["import", "--no-password"], Some("path"), &format!("{development}//hard/soft///word")),
        keys.claim(&["import", "--no-password"], Some("seed"), seed),
    ];
    assert_eq!(
        claims.each_ref().map(|claim| claim.mnemonic.is_some()),
        [true, true, true, false, false, false]
    );
    let text = serde_json::to_vec(&claims).expect("JSON");
    std::fs::write(folder.path().join("claims.json"), text).expect("writes");
    run_python(&python, &["check"], folder.path());

    let answers = std::fs::read(folder.path().join("answers.json")).expect("answers");
    let answers: Value = serde_json::from_slice(&answers).expect("JSON");
    let answers = answers.as_array().expect("a list");
    assert_eq!(answers.len(), claims.len());
    for answer in answers {
        let text = |name: &str| answer[name].as_str().expect("a text").to_owned();
        std::fs::write(folder.path().join("message"), hex::decode(text("message")).expect("hex"))
            .expect("writes");
        let (address, signature) = (text("address"), text("signature"));
        let verify = ["verify", "--address", &address, "--file", "message", "--signature"];
        assert_eq!(
            keys.json(&[&verify, [signature.as_str()].as_slice()].concat(), "")["verdict"],
            "accepted"
        );
        let flipped = if signature.starts_with('0') { "1" } else { "0" }.to_owned() + &signature[1..];
        let output = keys.run(&[&verify, [flipped.as_str()].as_slice()].concat(), "");
        assert_eq!(output.status.code(), Some(2), "a wrong signature");
    }
}
