//! The test vectors of the age format (`tests/fixtures/age/testkit`) against decryption on the owner's side.
//!
//! A file begins with lines `key: value` and an empty line; then comes what is to be decrypted, of some of
//! them compressed.

use std::path::PathBuf;

use age::secrecy::SecretString;
use holdfast_service::encryption::{DecryptionError, Identities};
use miniz_oxide::inflate::decompress_to_vec_zlib;
use sha2::{Digest, Sha256};

struct Vector {
    name: String,
    expect: String,
    /// SHA-256 of what has been decrypted, at the end or before an error.
    payload: Option<String>,
    /// Lines of an identity file.
    identities: String,
    passphrase: Option<String>,
    file: Vec<u8>,
}

impl Vector {
    fn read(path: PathBuf) -> Vector {
        let bytes = std::fs::read(&path).expect("a readable vector");
        let end = bytes.windows(2).position(|pair| pair == b"\n\n").expect("an empty line");
        let header = std::str::from_utf8(&bytes[..end]).expect("text");
        let values = |key: &str| -> Vec<&str> {
            let fields = header.lines().filter_map(|line| line.split_once(": "));
            fields.filter(|(name, _)| *name == key).map(|(_, value)| value).collect()
        };
        let file = match values("compressed").as_slice() {
            [] => bytes[end + 2..].to_vec(),
            ["zlib"] => decompress_to_vec_zlib(&bytes[end + 2..]).expect("zlib"),
            other => panic!("compressed by {other:?}"),
        };
        let one = |key: &str| values(key).first().map(|value| (*value).to_owned());
        Vector {
            name: path.file_name().expect("a name").to_string_lossy().into_owned(),
            expect: one("expect").expect("an outcome"),
            payload: one("payload"),
            identities: values("identity").join("\n"),
            passphrase: one("passphrase"),
            file,
        }
    }

    fn identities(&self) -> Identities {
        match &self.passphrase {
            Some(passphrase) => Identities::Passphrase(SecretString::from(passphrase.clone())),
            None if self.identities.is_empty() => Identities::Keys(Vec::new()),
            None => Identities::of_file(&SecretString::from(self.identities.clone())).expect("identities"),
        }
    }

    /// What of the outcome is not as expected.
    fn fault(&self) -> Option<String> {
        let mut decrypted = Vec::new();
        let outcome = self.identities().decrypt(self.file.as_slice(), &mut decrypted);
        let expect = if LENIENT.contains(&self.name.as_str()) { "lenient" } else { self.expect.as_str() };
        let right = match (expect, &outcome) {
            ("success" | "lenient", Ok(bytes)) => *bytes == decrypted.len() as u64,
            ("no match", Err(DecryptionError::WrongKey)) => true,
            // A header may also end too early, which is damage like any other.
            ("header failure", Err(error)) => matches!(
                error,
                DecryptionError::NotAnAgeFile
                    | DecryptionError::TooMuchWork { .. }
                    | DecryptionError::Damaged
            ),
            ("HMAC failure" | "payload failure", Err(error)) => matches!(error, DecryptionError::Damaged),
            _ => false,
        };
        // Nothing is handed on that is not authentic, whatever comes after it.
        let handed_on = match &self.payload {
            Some(payload) => hex::encode(Sha256::digest(&decrypted)) == *payload,
            None => expect == "lenient" || decrypted.is_empty(),
        };
        let Vector { name, expect, .. } = self;
        (!right || !handed_on)
            .then(|| format!("{name}: {expect} expected, found {outcome:?} of {} bytes", decrypted.len()))
    }
}

/// The `age` crate also reads stanzas of the format's drafts, which lack a last short line. What is decrypted is authentic
/// all the same.
const LENIENT: [&str; 2] = ["stanza_missing_body", "stanza_missing_final_line"];

#[test]
fn vectors_of_the_format() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/age/testkit");
    let entries = std::fs::read_dir(folder).expect("the vectors are in the tree");
    let vectors: Vec<Vector> = entries.map(|entry| Vector::read(entry.expect("an entry").path())).collect();
    let count = |expect: &str| vectors.iter().filter(|vector| vector.expect == expect).count();
    assert_eq!(
        ["success", "no match", "header failure", "payload failure", "HMAC failure"].map(count),
        [15, 7, 51, 18, 1]
    );
    let faults: Vec<String> = vectors.iter().filter_map(Vector::fault).collect();
    assert!(faults.is_empty(), "{faults:#?}");
}
