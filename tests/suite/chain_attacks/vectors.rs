//! `tests/vectors/receipt-v1.json`: written from the simulated chain, then read and judged as another implementation would.

use std::path::Path;

use holdfast_engine::account::Account;
use holdfast_engine::possession::challenge::AuditKind;
use holdfast_engine::receipt::{
    AnchoredPairs, Body, ChainFailure, ChainVerifier, Evidence, ObjectNumber, PairProof, Receipt,
    verify_chain,
};
use holdfast_engine::recorder::{Anchor, Recorder, Simulation};
use holdfast_engine::rejection::Rejection;
use holdfast_engine::signature::{Signature, Signer};
use holdfast_tests::rounds::{Rounds, response_digest};
use serde_json::{Value, json};

use crate::file;

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/vectors/receipt-v1.json");

#[test]
fn the_file_is_what_the_code_writes() {
    let mut text = serde_json::to_string_pretty(&vectors()).unwrap();
    text.push('\n');
    if std::env::var_os("HOLDFAST_BLESS").is_some() {
        std::fs::write(PATH, &text).unwrap();
    }
    let found = std::fs::read_to_string(Path::new(PATH)).unwrap_or_default();
    assert!(found == text, "HOLDFAST_BLESS=1 cargo test -p holdfast-tests writes {PATH} anew");
}

fn vectors() -> Value {
    let rounds = Rounds::new();
    let receipts = rounds.receipts(5);
    let of_object = object_receipts(&rounds);
    let bodies = receipts.iter().chain(&of_object);
    json!({
        "accounts": accounts(),
        "object_numbers": object_numbers(),
        "bodies": bodies.map(|receipt| body(&rounds, receipt)).collect::<Vec<_>>(),
        "receipts": malformed(&receipts, &of_object),
        "chains": chains(&rounds, &receipts, &of_object),
        "evidence": evidence(&rounds, &receipts, &of_object),
        "pair_proofs": pair_proofs(&rounds),
    })
}

/// A round of each kind of one object.
fn object_receipts(rounds: &Rounds) -> Vec<Receipt> {
    let object = rounds.object(1);
    let first = rounds.first_object_height(&object);
    let heights = AuditKind::ALL.into_iter().zip(first..);
    rounds.object_receipts(&object, &heights.collect::<Vec<_>>())
}

fn object_numbers() -> Vec<Value> {
    let digests = [[0; 32], [0x77; 32], [0xff; 32], response_digest(0)];
    let case = |digest: [u8; 32]| {
        let number = ObjectNumber::of(&digest);
        json!({ "record_digest": hex::encode(digest), "object_number": number })
    };
    digests.map(case).to_vec()
}

fn accounts() -> Vec<Value> {
    let names = ["miner", "validator", "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQZ", "ü"];
    let account = |name: &str| {
        let account = Signer::development(name).account();
        json!({ "name": name, "account": account.to_hex(), "ss58": account.to_ss58() })
    };
    names.map(account).to_vec()
}

fn body(rounds: &Rounds, receipt: &Receipt) -> Value {
    let (body, network) = (receipt.body, rounds.network());
    json!({
        "name": format!("{} {:?} at height {}", body.kind.name(), body.outcome, body.height),
        "network": hex::encode(network),
        "body": hex::encode(body.encode()),
        "digest": hex::encode(body.digest(&network)),
        "signing_digest": hex::encode(body.signing_digest(&network)),
        "receipt": hex::encode(receipt.encode()),
    })
}

/// One byte or field each of a receipt that is otherwise right.
fn malformed(receipts: &[Receipt], of_object: &[Receipt]) -> Vec<Value> {
    let chunks = of_object[1].encode().to_vec();
    let (accepted, missed) = (receipts[2].encode().to_vec(), receipts[0].encode().to_vec());
    let broken = |name: &str, bytes: &[u8], at: usize, value: u8| {
        let mut bytes = bytes.to_vec();
        bytes[at] = value;
        json!({ "name": name, "bytes": hex::encode(bytes), "rejection": "malformed" })
    };
    let length = |name: &str, bytes: &[u8]| json!({ "name": name, "bytes": hex::encode(bytes), "rejection": "wrong-length" });
    vec![
        json!({ "name": "honest", "bytes": hex::encode(&accepted), "rejection": null }),
        broken("other tag", &accepted, 3, b'2'),
        broken("kind 0", &accepted, 4, 0),
        broken("kind 7", &accepted, 4, 7),
        broken("an object's kind about a partition", &accepted, 4, 3),
        broken("a partition's kind about an object", &chunks, 4, 2),
        broken("a partition id with the top bit", &accepted, 23, 0x80),
        broken("an object number without the top bit", &chunks, 23, chunks[23] & 0x7f),
        broken("outcome 0", &accepted, 5, 0),
        broken("outcome 4", &accepted, 5, 4),
        broken("zero field", &accepted, 7, 1),
        broken("missed with a response digest", &accepted, 5, 3),
        broken("accepted without a response digest", &missed, 5, 1),
        broken("missed and signed by the miner", &missed, 311, 1),
        length("a byte short", &accepted[..311]),
        length("a byte more", &[&accepted[..], &[0]].concat()),
    ]
}

fn chains(rounds: &Rounds, receipts: &[Receipt], of_object: &[Receipt]) -> Vec<Value> {
    let network = rounds.network();
    let case = |name: &str, bytes: Vec<u8>, refused: Option<(Option<u64>, &str)>| {
        json!({
            "name": name,
            "network": hex::encode(network),
            "file": hex::encode(bytes),
            "receipt": refused.and_then(|(number, _)| number),
            "rejection": refused.map(|(_, class)| class),
        })
    };
    let changed = |name: &str, number: u64, class: &str, change: &dyn Fn(&mut Vec<Receipt>)| {
        let mut receipts = receipts.to_vec();
        change(&mut receipts);
        case(name, file(&network, &receipts), Some((Some(number), class)))
    };
    let (first, second) = (receipts[0], receipts[1]);
    let honest = file(&network, receipts);
    let mut other_tag = honest.clone();
    other_tag[3] = b'2';
    let mut zero_field = honest.clone();
    zero_field[4] = 1;
    let stranger = Signer::development("stranger");
    vec![
        case("honest", honest.clone(), None),
        case("a partition and an object", file(&network, &[receipts, of_object].concat()), None),
        case("no receipts", honest[..40].to_vec(), None),
        case("header cut", honest[..39].to_vec(), Some((None, "wrong-length"))),
        case("other tag", other_tag, Some((None, "malformed"))),
        case("zero field", zero_field, Some((None, "malformed"))),
        case("another network", file(&[9; 32], receipts), Some((None, "wrong-challenge"))),
        case("last receipt cut", honest[..honest.len() - 1].to_vec(), Some((Some(4), "wrong-length"))),
        changed("first receipt removed", 0, "broken-chain", &|receipts| {
            receipts.retain(|receipt| *receipt != first)
        }),
        changed("second receipt removed", 1, "broken-chain", &|receipts| {
            receipts.retain(|receipt| *receipt != second)
        }),
        changed("third receipt twice", 3, "broken-chain", &|receipts| receipts.insert(3, receipts[2])),
        changed("two receipts exchanged", 1, "broken-chain", &|receipts| receipts.swap(1, 2)),
        changed("height of the round before", 4, "broken-chain", &|receipts| {
            receipts[4] = rounds.sign(Body { height: receipts[3].body.height, ..receipts[4].body });
        }),
        changed("an object's receipt after a partition's", 1, "broken-chain", &|receipts| {
            receipts.insert(1, of_object[1]);
        }),
        changed("validator's signature by a stranger", 2, "bad-signature", &|receipts| {
            receipts[2].validator_signature = stranger.sign(&receipts[2].body.signing_digest(&network));
        }),
        changed("validator's signature missing", 2, "bad-signature", &|receipts| {
            receipts[2].validator_signature = Signature::NONE;
        }),
        changed("miner's signature of another receipt", 2, "bad-signature", &|receipts| {
            receipts[2].miner_signature = receipts[1].miner_signature;
        }),
    ]
}

fn evidence(rounds: &Rounds, receipts: &[Receipt], of_object: &[Receipt]) -> Vec<Value> {
    let (network, first) = (rounds.network(), receipts[2]);
    let same_round = Body { challenge_seed: [1; 32], ..first.body };
    let same_predecessor = Body { height: first.body.height + 9, ..first.body };
    let unrelated = Body { previous: [1; 32], ..same_predecessor };
    let pair = |name: &str, receipts: [Receipt; 2], rejection: Option<&str>, culprits: &[&str]| {
        let bytes = Evidence { network, receipts }.encode();
        json!({
            "name": name,
            "bytes": hex::encode(bytes),
            "rejection": rejection,
            "validator": culprits.contains(&"validator"),
            "miner": culprits.contains(&"miner"),
        })
    };
    let case = |name: &str, second: Receipt, rejection: Option<&str>, culprits: &[&str]| {
        pair(name, [first, second], rejection, culprits)
    };
    let object = of_object[0];
    let same_height = rounds.sign(Body { height: object.body.height, ..of_object[1].body });
    let other_kind = rounds.sign(Body { previous: object.body.previous, ..of_object[1].body });
    let validator_alone = Receipt::issue(same_round, &network, &rounds.validator);
    let elsewhere = Receipt::issue(same_round, &[9; 32], &rounds.validator);
    let both: &[&str] = &["validator", "miner"];
    vec![
        case("two bodies for one round", rounds.sign(same_round), None, both),
        case("two bodies after one", rounds.sign(same_predecessor), None, both),
        case("signed by the validator alone", validator_alone, None, &["validator"]),
        pair("two kinds of an object after one body", [object, other_kind], None, both),
        pair("two kinds of an object at one height", [object, same_height], Some("malformed"), &[]),
        case("of a partition and of an object", object, Some("malformed"), &[]),
        case("the same body", first, Some("malformed"), &[]),
        case("two rounds of one chain", rounds.sign(unrelated), Some("malformed"), &[]),
        case("a body of another network", elsewhere, Some("bad-signature"), &[]),
    ]
}

fn pair_proofs(rounds: &Rounds) -> Vec<Value> {
    let height = rounds.first_height;
    let pair = |number: u64| (response_digest(number), response_digest(number + 1_000));
    let pairs = AnchoredPairs::new((0..40).map(pair)).unwrap();
    let validator = rounds.validator.account();
    let claim = pairs.claim(height, &rounds.network(), &rounds.validator);
    rounds.recorder.record_anchor(&claim).unwrap();
    let recorded_at = rounds.recorder.height().unwrap();
    rounds.recorder.advance(1).unwrap();
    let (seed, digest) = pair(7);
    let good = pairs.prove(height, validator, &seed).unwrap();
    let case = |name: &str, proof: &PairProof, rejection: Option<&str>| {
        json!({
            "name": name,
            "anchor": { "height": height, "validator": validator, "root": hex::encode(claim.root), "count": claim.count,
                "recorded_at": recorded_at },
            "proof": hex::encode(proof.encode()),
            "rejection": rejection,
            "challenge_seed": rejection.is_none().then(|| hex::encode(seed)),
            "response_digest": rejection.is_none().then(|| hex::encode(digest)),
        })
    };
    let broken = |name: &str, class: &str, change: &dyn Fn(&mut PairProof)| {
        let mut proof = good.clone();
        change(&mut proof);
        case(name, &proof, Some(class))
    };
    vec![
        case("honest", &good, None),
        broken("another round", "wrong-challenge", &|proof| proof.height += 1),
        broken("another validator", "wrong-challenge", &|proof| proof.validator = Account([1; 32])),
        broken("index beyond the last pair", "malformed", &|proof| proof.index = 40),
        broken("place in another chunk", "wrong-root", &|proof| proof.index ^= 16),
        broken("a flipped bit of the pair", "wrong-root", &|proof| proof.opening[0] ^= 1),
        broken("a byte short", "wrong-length", &|proof| proof.opening.truncate(proof.opening.len() - 1)),
        broken("a byte more", "wrong-length", &|proof| proof.opening.push(0)),
    ]
}

fn read() -> Value {
    serde_json::from_slice(&std::fs::read(PATH).unwrap()).unwrap()
}

fn cases<'a>(vectors: &'a Value, array: &str) -> &'a [Value] {
    let cases = vectors[array].as_array().unwrap();
    assert!(cases.len() >= 4, "{array}");
    cases
}

fn bytes(case: &Value, field: &str) -> Vec<u8> {
    hex::decode(case[field].as_str().unwrap()).unwrap()
}

fn digest(case: &Value, field: &str) -> [u8; 32] {
    bytes(case, field).try_into().unwrap()
}

fn judge<T>(case: &Value, result: Result<T, Rejection>) -> Option<T> {
    let found = result.as_ref().err().map(|rejection| rejection.class.name());
    assert_eq!(found, case["rejection"].as_str(), "{}", case["name"]);
    result.ok()
}

#[test]
fn accounts_and_bodies_of_the_file() {
    let vectors = read();
    for case in cases(&vectors, "accounts") {
        let (account, _) = Account::parse(case["name"].as_str().unwrap()).unwrap();
        assert_eq!(json!(account.to_hex()), case["account"]);
        assert_eq!(json!(account), case["ss58"]);
    }
    for case in cases(&vectors, "object_numbers") {
        assert_eq!(json!(ObjectNumber::of(&digest(case, "record_digest"))), case["object_number"]);
    }
    for case in cases(&vectors, "bodies") {
        let body = Body::decode(&bytes(case, "body")).unwrap();
        let network = digest(case, "network");
        assert_eq!(body.digest(&network), digest(case, "digest"));
        assert_eq!(body.signing_digest(&network), digest(case, "signing_digest"));
        assert_eq!(Receipt::decode(&bytes(case, "receipt")).unwrap().body, body);
    }
}

#[test]
fn receipts_and_chains_of_the_file() {
    let vectors = read();
    for case in cases(&vectors, "receipts") {
        judge(case, Receipt::decode(&bytes(case, "bytes")));
    }
    for case in cases(&vectors, "chains") {
        let verifier = ChainVerifier::new(digest(case, "network"));
        let result =
            verify_chain(&bytes(case, "file")[..], verifier, |_, _| ()).map_err(|failure| match failure {
                ChainFailure::Receipt { number, rejection } => (Some(number), rejection),
                ChainFailure::Header { rejection } => (None, rejection),
                other => panic!("{other}"),
            });
        let number = result.as_ref().err().and_then(|(number, _)| *number);
        assert_eq!(number, case["receipt"].as_u64(), "{}", case["name"]);
        judge(case, result.map_err(|(_, rejection)| rejection));
    }
}

#[test]
fn evidence_and_pair_proofs_of_the_file() {
    let vectors = read();
    for case in cases(&vectors, "evidence") {
        let culprits =
            judge(case, Evidence::decode(&bytes(case, "bytes")).and_then(|evidence| evidence.verify()));
        let found = culprits.map(|found| (found.validator.is_some(), found.miner.is_some()));
        let expected = (case["validator"].as_bool().unwrap(), case["miner"].as_bool().unwrap());
        assert_eq!(found.unwrap_or_default(), expected, "{}", case["name"]);
    }
    for case in cases(&vectors, "pair_proofs") {
        let anchor: Anchor = serde_json::from_value(case["anchor"].clone()).unwrap();
        let proof = PairProof::decode(&bytes(case, "proof"));
        if let Some(pair) = judge(case, proof.and_then(|proof| proof.verify(&anchor))) {
            assert_eq!(pair, (digest(case, "challenge_seed"), digest(case, "response_digest")));
        }
    }
}
