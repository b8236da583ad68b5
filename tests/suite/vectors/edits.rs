//! Negative cases as edits of a positive one: `at` an offset, `remove` so many bytes and `insert` others.

use serde_json::{Value, json};

use super::files::{bytes, cases, number};

/// Bytes written over others.
pub(crate) fn overwrite(at: usize, new: &[u8]) -> Value {
    json!({ "at": at, "remove": new.len(), "insert": hex::encode(new) })
}

/// Bytes put in between.
pub(crate) fn insert(at: usize, new: &[u8]) -> Value {
    json!({ "at": at, "remove": 0, "insert": hex::encode(new) })
}

/// Bytes taken out.
pub(crate) fn remove(at: usize, count: usize) -> Value {
    json!({ "at": at, "remove": count, "insert": "" })
}

/// A case: `edits` of the bytes of case `of`, and the class that refuses the result.
pub(crate) fn case(name: &str, of: &str, edits: &[Value], rejection: &str) -> Value {
    json!({ "name": name, "of": of, "edits": edits, "rejection": rejection })
}

/// The bytes of a case after its edits.
pub(crate) fn apply(case: &Value, original: &[u8]) -> Vec<u8> {
    let mut edited = original.to_vec();
    for edit in case["edits"].as_array().map_or(&[][..], Vec::as_slice) {
        let at = number(&edit["at"]) as usize;
        edited.splice(at..at + number(&edit["remove"]) as usize, bytes(&edit["insert"]));
    }
    assert_ne!(edited, original, "an edit that changes nothing");
    edited
}

/// The case whose bytes a negative one edits.
pub(crate) fn original<'a>(vectors: &'a Value, function: &str, negative: &Value) -> &'a Value {
    let positive = cases(vectors, function).iter().find(|case| case["name"] == negative["of"]);
    positive.expect("the case that is edited")
}
