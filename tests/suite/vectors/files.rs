//! Files and sections of files that are generated; hex and case handling shared by the vector files.

use std::path::PathBuf;

use holdfast_engine::backend::{Backend, State, survey};
use holdfast_engine::rejection::Rejection;
use serde_json::Value;

/// What a file, or a marked section of one, should hold.
pub(crate) struct Generated {
    path: PathBuf,
    section: Option<&'static str>,
    text: String,
}

impl Generated {
    /// A whole file of JSON.
    pub(crate) fn file(path: &str, value: Value) -> Generated {
        let text = serde_json::to_string_pretty(&value).expect("JSON of strings and numbers") + "\n";
        Generated { path: in_tree(path), section: None, text }
    }

    /// What stands between `<!-- generated: NAME -->` and `<!-- end of NAME -->`.
    pub(crate) fn section(path: &str, name: &'static str, text: String) -> Generated {
        Generated { path: in_tree(path), section: Some(name), text }
    }

    /// Fails unless the tree holds it.
    pub(crate) fn check(&self) {
        let whole = self.whole();
        let found = std::fs::read_to_string(&self.path).unwrap_or_default();
        let differs = found.lines().zip(whole.lines()).position(|(a, b)| a != b);
        assert!(
            found == whole,
            "{} is not what the specification gives (line {:?}); bash .ci/generate/vectors.sh writes it anew",
            self.path.display(),
            differs.map(|line| line + 1)
        );
    }

    /// Puts it into the tree.
    pub(crate) fn write(&self) {
        std::fs::write(&self.path, self.whole()).expect("a writable source tree");
    }

    fn whole(&self) -> String {
        let Some(name) = self.section else { return self.text.clone() };
        let file = std::fs::read_to_string(&self.path).expect("the file with the section");
        let (start, end) = (format!("<!-- generated: {name} -->\n"), format!("<!-- end of {name} -->"));
        let (before, rest) = file.split_once(&start).expect("the section's start");
        let (_, after) = rest.split_once(&end).expect("the section's end");
        [before, &start, &self.text, &end, after].concat()
    }
}

fn in_tree(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// The committed vectors, read back.
pub(crate) fn read(path: &str) -> Value {
    let text = std::fs::read_to_string(in_tree(path)).expect("the vectors are in the tree");
    serde_json::from_str(&text).expect("JSON")
}

/// The cases of one function; there is at least one.
pub(crate) fn cases<'a>(vectors: &'a Value, function: &str) -> &'a [Value] {
    let cases = vectors[function].as_array().map_or(&[][..], Vec::as_slice);
    assert!(!cases.is_empty(), "no cases of {function}");
    cases
}

pub(crate) fn name(case: &Value) -> &str {
    case["name"].as_str().expect("a case has a name")
}

pub(crate) fn bytes(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().expect("bytes are hex")).expect("hex")
}

pub(crate) fn digest(value: &Value) -> [u8; 32] {
    bytes(value).try_into().expect("32 bytes")
}

pub(crate) fn number(value: &Value) -> u64 {
    value.as_u64().expect("a number")
}

/// The verdict has to be what the case says: no `rejection`, or one of that class.
pub(crate) fn assert_verdict<T>(case: &Value, verdict: Result<T, Rejection>) {
    let found = verdict.err().map(|rejection| rejection.class.name());
    assert_eq!(found, case["rejection"].as_str(), "{}", name(case));
}

/// Every back end of this machine; `HOLDFAST_REQUIRE` makes the absence of one a failure.
pub(crate) fn back_ends() -> impl Iterator<Item = &'static dyn Backend> {
    let required = std::env::var("HOLDFAST_REQUIRE").unwrap_or_default();
    survey().into_iter().filter_map(move |presence| match presence.state {
        State::Present(backend) => Some(backend),
        State::Absent(why) => {
            assert!(
                required.split(',').all(|name| name != presence.name),
                "{} is required: {why}",
                presence.name
            );
            eprintln!("ABSENT({why}) {}", presence.name);
            None
        }
    })
}

/// Bytes of a worked example: 32 a line.
pub(crate) fn dump(bytes: &[u8]) -> String {
    bytes
        .chunks(32)
        .zip((0..).step_by(32))
        .map(|(line, at)| format!("{at:5}  {}\n", hex::encode(line)))
        .collect()
}
