//! tree-v1.

use holdfast_engine::tree::{self, Outboard, page_count, verify_opening};
use serde_json::{Value, json};

use super::files::{assert_verdict, bytes, cases, digest, name, number, read};
use super::plain;

const FILE: &str = "tests/vectors/tree-v1.json";
const EXAMPLE_BYTES: u64 = 100_000;
/// 129 blocks: three groups, of which the last has one block and is carried up.
const PAGED_BYTES: u64 = 128 * 16_384 + 1;

fn root(string: &[u8]) -> String {
    blake3::hash(string).to_hex().to_string()
}

fn string(length: u64) -> Value {
    json!({ "bytes": length, "rule": "t mod 251" })
}

pub(crate) fn vectors() -> Value {
    json!({
        "root": roots_of_strings(),
        "opening": openings_of_chunks(),
        "outboard": outboards_of_strings(),
        "verify_opening": defects(),
    })
}

fn roots_of_strings() -> Vec<Value> {
    let lengths = [0, 1, 1023, 1024, 1025, 16_383, 16_384, 16_385, 100_000, 1_048_575, 1_048_576, 1_048_577];
    let case = |length| json!({ "name": format!("{length} bytes"), "string": string(length), "root": root(&plain::string(length)) });
    lengths.map(case).to_vec()
}

fn openings_of_chunks() -> Vec<Value> {
    let case = |(name, length, index): (&str, u64, u64)| {
        let bytes = plain::string(length);
        let opening = hex::encode(plain::opening(&bytes, index));
        json!({
            "name": name, "string": string(length), "index": index, "root": root(&bytes), "opening": opening,
            "rejection": Value::Null,
        })
    };
    let places = [
        ("the empty string", 0, 0),
        ("a lone short chunk", 300, 0),
        ("the first of two chunks", 1_025, 0),
        ("a last chunk of one byte", 1_025, 1),
        ("a last chunk that is carried up", 2_500, 2),
        ("a chunk in the middle", EXAMPLE_BYTES, 70),
        ("a short last chunk, carried up with its block", EXAMPLE_BYTES, 97),
        ("the first chunk of the second page", 1_048_577 + 16_384, 1_024),
    ];
    places.map(case).to_vec()
}

fn outboards_of_strings() -> Vec<Value> {
    let case = |length| {
        let pages = plain::pages(&plain::string(length));
        json!({
            "name": format!("{length} bytes"),
            "string": string(length),
            "pages": pages.len() / 4096,
            "blake3_of_pages": root(&pages),
        })
    };
    [16_384, 16_385, 100_000, 1_048_576, 1_048_577, PAGED_BYTES, 3_000_000].map(case).to_vec()
}

/// One defect each, of the opening of chunk 70 of 100,000 bytes.
fn defects() -> Vec<Value> {
    let string = plain::string(EXAMPLE_BYTES);
    let (good, root) = (plain::opening(&string, 70), root(&string));
    let case = |name: &str, index: u64, root: &str, opening: &[u8], rejection: Option<&str>| {
        let opening = hex::encode(opening);
        json!({
            "name": name, "length": EXAMPLE_BYTES, "index": index, "root": root, "opening": opening,
            "rejection": rejection,
        })
    };
    let changed = |change: fn(&mut Vec<u8>)| {
        let mut opening = good.clone();
        change(&mut opening);
        opening
    };
    let other_root = hex::encode([0; 32]);
    let (wrong_root, wrong_length) = (Some("wrong-root"), Some("wrong-length"));
    vec![
        case("no defect", 70, &root, &good, None),
        case("a bit of the chunk", 70, &root, &changed(|o| o[0] ^= 1), wrong_root),
        case("a bit of the last sibling", 70, &root, &changed(|o| o[1024 + 6 * 32] ^= 1), wrong_root),
        case("two siblings exchanged", 70, &root, &changed(|o| o[1024..1088].rotate_left(32)), wrong_root),
        case("another index", 71, &root, &good, wrong_root),
        case("another root", 70, &other_root, &good, wrong_root),
        case("an index past the end", 98, &root, &good, Some("malformed")),
        case("a sibling too few", 70, &root, &good[..good.len() - 32], wrong_length),
        case("a byte too many", 70, &root, &changed(|o| o.push(0)), wrong_length),
        case("no bytes", 70, &root, &[], wrong_length),
    ]
}

pub(crate) fn worked_example() -> String {
    let string = plain::string(EXAMPLE_BYTES);
    let mut text = format!("```text\nroot  {}\n", root(&string));
    for index in [70u64, 97] {
        let chunk = &string[index as usize * 1024..string.len().min((index as usize + 1) * 1024)];
        let value = hex::encode(plain::levels(&string)[0][index as usize]);
        let bytes = plain::opening(&string, index).len();
        text += &format!("\nchunk {index}: {} bytes, CV\n      {value}\n", chunk.len());
        text += &format!("its opening: {bytes} bytes, the chunk and\n");
        for (sibling, right) in plain::siblings(&string, index) {
            text += &format!("{:5} {}\n", if right { "right" } else { "left" }, hex::encode(sibling));
        }
    }
    text += "\noutboard: one page, 7 block CVs and no path; blocks 0 and 6\n";
    text += &values(&plain::pages(&string), &[0, 6]);
    let long = plain::string(PAGED_BYTES);
    let pages = plain::pages(&long);
    text += &format!("\nstring of {PAGED_BYTES} bytes, {} pages", pages.len() / 4096);
    for (page, bytes) in pages.chunks(4096).enumerate() {
        let path = bytes[2048..].chunks(32).take_while(|value| *value != [0; 32]).count();
        let places: Vec<usize> = [0].into_iter().chain(64..64 + path).collect();
        text += &format!("\npage {page}: the first block CV, and {path} of the path\n");
        text += &values(bytes, &places);
    }
    text + "```\n"
}

/// The values of 32 bytes with these numbers.
fn values(pages: &[u8], numbers: &[usize]) -> String {
    numbers.iter().map(|&n| format!("{n:5} {}\n", hex::encode(&pages[n * 32..][..32]))).collect()
}

fn string_of(case: &Value) -> Vec<u8> {
    assert_eq!(case["string"]["rule"], "t mod 251");
    plain::string(number(&case["string"]["bytes"]))
}

#[test]
fn roots() {
    for case in cases(&read(FILE), "root") {
        assert_eq!(tree::root(&string_of(case)), digest(&case["root"]), "{}", name(case));
        assert_eq!(Outboard::of(&string_of(case)).root(), digest(&case["root"]), "{}", name(case));
    }
}

#[test]
fn openings() {
    for case in cases(&read(FILE), "opening") {
        let (string, index) = (string_of(case), number(&case["index"]));
        let opening = bytes(&case["opening"]);
        assert_eq!(Outboard::of(&string).open(&string, index), opening, "{}", name(case));
        assert_verdict(case, verify_opening(index, string.len() as u64, &digest(&case["root"]), &opening));
    }
}

#[test]
fn outboards() {
    for case in cases(&read(FILE), "outboard") {
        let outboard = Outboard::of(&string_of(case));
        let pages: Vec<u8> = outboard.pages().flatten().collect();
        assert_eq!(page_count(outboard.length()), number(&case["pages"]), "{}", name(case));
        assert_eq!(tree::root(&pages), digest(&case["blake3_of_pages"]), "{}", name(case));
    }
}

#[test]
fn refusals() {
    for case in cases(&read(FILE), "verify_opening") {
        let (index, length) = (number(&case["index"]), number(&case["length"]));
        let opening = bytes(&case["opening"]);
        assert_verdict(case, verify_opening(index, length, &digest(&case["root"]), &opening));
    }
}
