//! challenge-v1.

use holdfast_engine::challenge::Challenge;
use holdfast_engine::commitment::Commitment;
use holdfast_engine::space::response::{response_bytes, response_digest, response_signing_digest};
use holdfast_engine::space::seal::verify_seal;
use holdfast_engine::space::verify::verify_space;
use holdfast_engine::transcript::ALL_CONTEXTS;
use serde_json::{Value, json};

use super::edits::{apply, case, insert, original, overwrite, remove};
use super::files::{assert_verdict, back_ends, bytes, cases, digest, dump, name, number, read};
use super::plain::derive;
use super::plain_space::{
    FINALITY_BLOCKS, Partition, challenge_digest, seal_nodes, seed, space_samples, windows,
};

const FILE: &str = "tests/vectors/challenge-v1.json";
const SPACE: u8 = 1;
const SEAL: u8 = 2;
const HEADER: usize = 48;
const OPENING: usize = 1024 + 32 * 5;
const NAMES: [&str; 2] = ["space", "seal"];

pub(crate) fn vectors() -> Value {
    let partition = Partition::new(3);
    let challenges = [partition.challenge(SPACE, 2), partition.challenge(SEAL, 1)];
    let nodes = |challenge: &[u8]| match challenge[4] {
        SEAL => windows(challenge).into_iter().map(|w| json!(seal_nodes(challenge, w))).collect(),
        _ => Vec::new(),
    };
    let chunks = |challenge: &[u8]| match challenge[4] {
        SPACE => space_samples(challenge).into_iter().map(|(_, chunk)| chunk).collect(),
        _ => Vec::new(),
    };
    json!({
        "challenge": challenges.each_ref().map(|challenge| json!({
            "name": NAMES[usize::from(challenge[4]) - 1],
            "challenge": hex::encode(challenge),
            "seed": hex::encode(seed(challenge)),
            "digest": hex::encode(challenge_digest(challenge)),
            "windows": windows(challenge),
            "chunks": chunks(challenge),
            "layers_and_nodes": nodes(challenge),
        })),
        "decode_challenge": challenge_defects(),
        "check_challenge": misplaced(&partition),
        "response": responses(&partition, &challenges),
        "verify_response": response_defects(),
    })
}

fn challenge_defects() -> Vec<Value> {
    let space = |name: &str, edit: Value, rejection: &str| case(name, "space", &[edit], rejection);
    vec![
        space("another tag", overwrite(0, b"HFQ2"), "malformed"),
        space("kind 0", overwrite(4, &[0]), "malformed"),
        space("kind 3", overwrite(4, &[3]), "malformed"),
        space("k = 9", overwrite(5, &[9]), "malformed"),
        space("one layer", overwrite(6, &[1]), "malformed"),
        space("a zero field", overwrite(7, &[1]), "malformed"),
        space("a partition id of 2^63", overwrite(23, &[0x80]), "malformed"),
        space("space from window 1 on", overwrite(24, &[1]), "malformed"),
        space("windows past 2^64", overwrite(24, &[255; 16]), "malformed"),
        space("no samples", overwrite(232, &[0]), "malformed"),
        space("more samples than windows", overwrite(232, &[3]), "malformed"),
        case(
            "2^20 + 1 samples",
            "space",
            &[overwrite(32, &(1u64 << 30).to_le_bytes()), overwrite(232, &((1u32 << 20) + 1).to_le_bytes())],
            "malformed",
        ),
        space("a byte too few", remove(239, 1), "wrong-length"),
        space("a byte too many", insert(240, &[0]), "wrong-length"),
    ]
}

/// Challenges of another place, party or time than the commitment's.
fn misplaced(partition: &Partition) -> Value {
    let place = |name: &str, of: &str, at: usize, new: &[u8]| {
        case(name, of, &[overwrite(at, new)], "wrong-challenge")
    };
    json!([{
        "name": "against a commitment",
        "commitment": hex::encode(partition.commitment()),
        "finality_blocks": FINALITY_BLOCKS,
        "cases": [
            place("another k", "space", 5, &[11]),
            place("another number of layers", "space", 6, &[4]),
            place("another partition", "space", 16, &[8]),
            place("another first window", "seal", 24, &[1]),
            place("another window count", "space", 32, &[3]),
            place("another network", "space", 72, &[0; 32]),
            place("another validator", "space", 104, &[0; 32]),
            place("another miner", "space", 136, &[0; 32]),
            place("another registration", "space", 168, &[0; 32]),
            place("another partition root", "space", 200, &[0; 32]),
            case("one block too early", "space", &[overwrite(8, &1_029u64.to_le_bytes())], "not-final"),
        ],
    }])
}

fn responses(partition: &Partition, challenges: &[Vec<u8>; 2]) -> Vec<Value> {
    let [space, seal] = challenges;
    let case = |name: &str,
                partition: &Partition,
                challenge: &[u8],
                response: &[u8],
                rejection: Option<&str>| {
        let digest = derive("response digest", &[response]);
        json!({
            "name": name,
            "commitment": hex::encode(partition.commitment()),
            "challenge": hex::encode(challenge),
            "response": hex::encode(response),
            "response_digest": hex::encode(digest),
            "signing_digest": hex::encode(derive("response signing", &[&challenge_digest(challenge), &digest])),
            "rejection": rejection,
        })
    };
    let fake = Partition::with(2, |layer, bytes| {
        if layer == 2 {
            bytes.rotate_left(32);
        }
    });
    let fake_challenge = fake.challenge(SEAL, 1);
    vec![
        case("space", partition, space, &partition.space_response(space), None),
        case("seal", partition, seal, &partition.seal_response(seal), None),
        case(
            "every label of layer 2 is that of the next node",
            &fake,
            &fake_challenge,
            &fake.seal_response(&fake_challenge),
            Some("wrong-label"),
        ),
    ]
}

fn response_defects() -> Vec<Value> {
    let mut defects = Vec::new();
    for (of, other_kind) in NAMES.into_iter().zip([SEAL, SPACE]) {
        let one = |name: &str, edit: Value, rejection: &str| case(name, of, &[edit], rejection);
        defects.extend([
            one(&format!("{of}: another tag"), overwrite(0, b"HFA2"), "malformed"),
            one(&format!("{of}: the other kind"), overwrite(4, &[other_kind]), "wrong-challenge"),
            one(&format!("{of}: kind 3"), overwrite(4, &[3]), "malformed"),
            one(&format!("{of}: first zero field"), overwrite(7, &[1]), "malformed"),
            one(&format!("{of}: second zero field"), overwrite(12, &[1]), "malformed"),
            one(&format!("{of}: other samples"), overwrite(8, &[9]), "malformed"),
            one(&format!("{of}: another challenge"), overwrite(16, &[0; 32]), "wrong-challenge"),
            one(&format!("{of}: a byte too few"), remove(HEADER, 1), "wrong-length"),
            one(&format!("{of}: a byte too many"), insert(HEADER, &[0]), "wrong-length"),
            one(&format!("{of}: nothing"), remove(0, HEADER), "malformed"),
        ]);
    }
    let first_sibling = HEADER + 1024;
    let first_opening = HEADER + 3 * 32;
    defects.extend([
        case("space: a chunk of zeros", "space", &[overwrite(HEADER, &[0; 1024])], "wrong-root"),
        case("space: a sibling of zeros", "space", &[overwrite(first_sibling, &[0; 32])], "wrong-root"),
        case(
            "space: a sibling too few, made good in the next opening",
            "space",
            &[remove(first_sibling, 32), insert(HEADER + 2 * OPENING - 32, &[0; 32])],
            "wrong-root",
        ),
        case("seal: a layer root of zeros", "seal", &[overwrite(HEADER, &[0; 32])], "wrong-layers"),
        case("seal: a label of zeros", "seal", &[overwrite(first_opening, &[0; 1024])], "wrong-root"),
    ]);
    defects
}

/// The table of §9.
pub(crate) fn contexts() -> String {
    let mut text = String::from("| name here | context string |\n| --- | --- |\n");
    for (name, string) in ALL_CONTEXTS {
        text += &format!("| `{}` | `{string}` |\n", name.to_lowercase().replace('_', " "));
    }
    text
}

pub(crate) fn worked_example() -> String {
    let partition = Partition::new(3);
    let challenge = partition.challenge(SPACE, 2);
    let response = partition.space_response(&challenge);
    let digest = derive("response digest", &[&response]);
    let mut text = String::from("```text\n");
    let mut line = |label: &str, bytes: &[u8]| text += &format!("{label}\n{}", dump(bytes));
    line("challenge: space, height 1,031, q = 2, 5,000 ms, beacon 32 times 0x55", &challenge);
    line("challenge seed", &seed(&challenge));
    line("challenge digest", &challenge_digest(&challenge));
    line("response: header, the first 16 bytes of the first chunk", &response[..HEADER + 16]);
    line("response: siblings of the first chunk", &response[HEADER + 1024..HEADER + OPENING]);
    line("response digest", &digest);
    line("what the miner signs", &derive("response signing", &[&challenge_digest(&challenge), &digest]));
    for (window, chunk) in space_samples(&challenge) {
        text += &format!("sample: chunk {chunk} of window {window}\n");
    }
    text += &format!("response: {} bytes\n\n", response.len());
    let seal = partition.challenge(SEAL, 1);
    for window in windows(&seal) {
        let nodes = seal_nodes(&seal, window);
        text += &format!("kind 2, q = 1: window {window}, (layer, node) {nodes:?}\n");
    }
    text += &format!("seal response: {} bytes\n", partition.seal_response(&seal).len());
    text + "```\n"
}

#[test]
fn challenges() {
    let vectors = read(FILE);
    for case in cases(&vectors, "challenge") {
        let challenge = Challenge::decode(&bytes(&case["challenge"])).expect("valid");
        assert_eq!(challenge.encode().to_vec(), bytes(&case["challenge"]), "{}", name(case));
        assert_eq!(challenge.seed(), digest(&case["seed"]), "{}", name(case));
        assert_eq!(challenge.digest(), digest(&case["digest"]), "{}", name(case));
        assert_eq!(json!(challenge.windows()), case["windows"], "{}", name(case));
        let chunks: Vec<_> = challenge.space_samples().iter().map(|sample| sample.chunk).collect();
        assert_eq!(json!(chunks), case["chunks"], "{}", name(case));
        let nodes = |window| {
            let nodes = challenge.seal_nodes(window);
            nodes.iter().map(|node| (node.layer, node.node)).collect::<Vec<_>>()
        };
        let nodes: Vec<_> =
            challenge.windows().into_iter().map(nodes).filter(|nodes| !nodes.is_empty()).collect();
        assert_eq!(json!(nodes), case["layers_and_nodes"], "{}", name(case));
    }
    for case in cases(&vectors, "decode_challenge") {
        let bytes = bytes(&original(&vectors, "challenge", case)["challenge"]);
        assert_verdict(case, Challenge::decode(&apply(case, &bytes)));
    }
}

#[test]
fn challenges_against_a_commitment() {
    let vectors = read(FILE);
    for group in cases(&vectors, "check_challenge") {
        let commitment = Commitment::decode(&bytes(&group["commitment"])).expect("valid");
        let finality_blocks = number(&group["finality_blocks"]);
        for case in cases(group, "cases") {
            let unedited = bytes(&original(&vectors, "challenge", case)["challenge"]);
            let check = |bytes: &[u8]| {
                Challenge::decode(bytes).expect("in range").check_against(&commitment, finality_blocks)
            };
            assert_eq!(check(&unedited), Ok(()));
            assert_verdict(case, check(&apply(case, &unedited)));
        }
    }
}

/// Verifies a response with the commitment and challenge of a case, on every back end.
fn assert_response(case: &Value, of: &Value, response: &[u8]) {
    let commitment = Commitment::decode(&bytes(&of["commitment"])).expect("valid");
    let challenge = Challenge::decode(&bytes(&of["challenge"])).expect("valid");
    for backend in back_ends() {
        let verify = match challenge.kind.name() {
            "space" => verify_space,
            _ => verify_seal,
        };
        assert_verdict(case, verify(backend, &commitment, &challenge, response));
    }
}

#[test]
fn responses_on_every_back_end() {
    let vectors = read(FILE);
    for case in cases(&vectors, "response") {
        let response = bytes(&case["response"]);
        let challenge = Challenge::decode(&bytes(&case["challenge"])).expect("valid");
        assert_eq!(response.len(), response_bytes(&challenge), "{}", name(case));
        assert_eq!(response_digest(&response), digest(&case["response_digest"]), "{}", name(case));
        let signing = response_signing_digest(&challenge.digest(), &response_digest(&response));
        assert_eq!(signing, digest(&case["signing_digest"]), "{}", name(case));
        assert_response(case, case, &response);
    }
    for case in cases(&vectors, "verify_response") {
        let of = original(&vectors, "response", case);
        assert_response(case, of, &apply(case, &bytes(&of["response"])));
    }
}
