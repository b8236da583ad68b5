//! The engine against the vectors of possession-v1.

use std::num::NonZeroU64;

use holdfast_engine::possession::batch::verify_possession_batch;
use holdfast_engine::possession::blinding::BlindingKey;
use holdfast_engine::possession::challenge::{AuditKind, ObjectChallenge};
use holdfast_engine::possession::chunks::{answer_chunks, verify_chunks};
use holdfast_engine::possession::commitment_table::CommitmentTable;
use holdfast_engine::possession::generators::Generators;
use holdfast_engine::possession::link::{HeldBlock, answer_link, verify_link};
use holdfast_engine::possession::mask::DeviceSecret;
use holdfast_engine::possession::prove::Prover;
use holdfast_engine::possession::record::{ObjectRecord, SignedRecord};
use holdfast_engine::possession::secret_file::SecretFileError;
use holdfast_engine::possession::token::{
    TokenChallenge, TokenFile, TokenFileError, answer_token, token_list, verify_token,
};
use holdfast_engine::possession::verify::{PossessionCase, verify_possession};
use holdfast_engine::reference::possession as reference;
use holdfast_engine::rejection::Rejection;
use holdfast_engine::space::response::response_digest;
use holdfast_engine::tree::Outboard;
use serde_json::{Value, json};

use super::commitment_engine::string_of;
use super::edits::{apply, original};
use super::files::{assert_verdict, bytes, cases, digest, name, number, read};
use super::possession::FILE;
use super::{plain, plain_possession};

fn record_of(case: &Value) -> ObjectRecord {
    SignedRecord::decode(&bytes(&case["record"])).expect("valid").record
}

fn challenge_of(case: &Value) -> ObjectChallenge {
    ObjectChallenge::decode(&bytes(&case["challenge"])).expect("valid")
}

fn places(challenge: &ObjectChallenge) -> Vec<u64> {
    [challenge.possession_blocks(), challenge.chunks(), challenge.link_blocks()].concat()
}

#[test]
fn challenges() {
    let vectors = read(FILE);
    for case in cases(&vectors, "challenge") {
        let challenge = challenge_of(case);
        assert_eq!(challenge.encode().to_vec(), bytes(&case["challenge"]), "{}", name(case));
        assert_eq!(challenge.seed(), digest(&case["seed"]), "{}", name(case));
        assert_eq!(challenge.digest(), digest(&case["digest"]), "{}", name(case));
        assert_eq!(json!(places(&challenge)), case["places"], "{}", name(case));
        let rho: Vec<_> = challenge.possession_coefficients().into_iter().map(u128::to_le_bytes).collect();
        assert_eq!(
            json!(rho.iter().map(hex::encode).collect::<Vec<_>>()),
            case["coefficients"],
            "{}",
            name(case)
        );
    }
    for case in cases(&vectors, "decode_challenge") {
        let bytes = bytes(&original(&vectors, "challenge", case)["challenge"]);
        assert_verdict(case, ObjectChallenge::decode(&apply(case, &bytes)));
    }
}

#[test]
fn challenges_against_a_record() {
    let vectors = read(FILE);
    for group in cases(&vectors, "check_challenge") {
        let (record, finality_blocks) = (record_of(group), number(&group["finality_blocks"]));
        let check = |bytes: &[u8]| {
            ObjectChallenge::decode(bytes).expect("in range").check_against(&record, finality_blocks)
        };
        for case in cases(group, "cases") {
            let edited = match case["challenge"].as_str() {
                Some(_) => bytes(&case["challenge"]),
                None => {
                    let unedited = bytes(&original(&vectors, "challenge", case)["challenge"]);
                    assert_eq!(check(&unedited), Ok(()));
                    apply(case, &unedited)
                }
            };
            assert_verdict(case, check(&edited));
        }
    }
}

#[test]
fn which_objects_are_audited() {
    for case in cases(&read(FILE), "audited") {
        let kind = u8::try_from(number(&case["kind"])).ok().and_then(|kind| AuditKind::of_number(kind).ok());
        let one_in = NonZeroU64::new(number(&case["one_in"])).expect("not 0");
        let audited =
            kind.expect("a kind").falls_on(&digest(&case["beacon"]), &digest(&case["record_digest"]), one_in);
        assert_eq!(json!(audited), case["audited"], "{}", name(case));
    }
}

/// With the same masks, whoever proves gives the same bytes.
#[test]
fn proofs_with_given_masks() {
    for case in cases(&read(FILE), "proof") {
        let (record, challenge, string) = (record_of(case), challenge_of(case), string_of(&case["string"]));
        let key = digest(&case["blinding_key"]);
        let points = reference::commitments(&key, &string, record.replica.replica_id());
        let table = CommitmentTable::of_points(&points);
        let prover = Prover {
            generators: Generators::standard(),
            record: &record,
            key: &BlindingKey::from_bytes(key),
            secret: &DeviceSecret::from_bytes(digest(&case["device_secret"])),
            object: &string.as_slice(),
            table: &table,
        };
        let response =
            prover.answer_with(&challenge, true, &digest(&case["fresh_bytes"])).expect("an answer");
        assert_eq!(response[48..144], bytes(&case["T"]), "{}", name(case));
        assert!(response == bytes(&case["response"]), "{}: another response", name(case));
        let chosen = prover.answer(&challenge, true).expect("an answer");
        assert!(chosen != response, "{}: masks that anybody knows", name(case));
    }
}

/// The verdict on a response, by whoever has the record and, where the case gives it, the table.
fn verdict(of: &Value, response: &[u8]) -> Result<(), Rejection> {
    let (record, challenge) = (record_of(of), challenge_of(of));
    let table = of["table"]
        .as_str()
        .map(|_| CommitmentTable::from_bytes(record.replica.blocks(), bytes(&of["table"])).expect("a table"));
    match challenge.kind {
        AuditKind::Possession => {
            let case =
                PossessionCase { record: &record, challenge: &challenge, table: table.as_ref(), response };
            verify_possession(Generators::standard(), &case)
        }
        AuditKind::Chunks => verify_chunks(&record, &challenge, response),
        AuditKind::Link => verify_link(&record, &challenge, response),
        AuditKind::Whole => {
            let challenge = TokenChallenge::decode(&bytes(&of["token_challenge"])).expect("valid");
            let list: Vec<_> = cases(of, "token_list").iter().map(digest).collect();
            verify_token(&record, &list, &challenge, response)
        }
    }
}

#[test]
fn responses() {
    let vectors = read(FILE);
    for case in cases(&vectors, "response") {
        let response = bytes(&case["response"]);
        assert_eq!(response_digest(&response), digest(&case["response_digest"]), "{}", name(case));
        assert_verdict(case, verdict(case, &response));
    }
    for case in cases(&vectors, "verify_response") {
        let of = original(&vectors, "response", case);
        assert_verdict(case, verdict(of, &apply(case, &bytes(&of["response"]))));
    }
}

/// Right and wrong ones in one batch: each has the verdict that it has alone.
#[test]
fn possession_responses_together() {
    let vectors = read(FILE);
    let edited = cases(&vectors, "verify_response").iter().map(|case| {
        let of = original(&vectors, "response", case);
        (case, of, apply(case, &bytes(&of["response"])))
    });
    let whole = cases(&vectors, "response").iter().map(|case| (case, case, bytes(&case["response"])));
    let all: Vec<_> = whole
        .chain(edited)
        .map(|(case, of, response)| (case, record_of(of), challenge_of(of), response))
        .collect();
    let possession: Vec<_> = all
        .iter()
        .filter(|(case, _, challenge, _)| {
            challenge.kind == AuditKind::Possession && !name(case).contains("table kept")
        })
        .collect();
    let batch: Vec<_> = possession
        .iter()
        .map(|(_, record, challenge, response)| PossessionCase { record, challenge, table: None, response })
        .collect();
    let verdicts = verify_possession_batch(Generators::standard(), &batch).expect("randomness");
    assert!(verdicts.len() > 40);
    for ((case, ..), verdict) in possession.iter().zip(verdicts) {
        assert_verdict(case, verdict);
    }
}

/// The case of this kind, and its string: the vectors' responses of these kinds have no masks in them.
fn answered(vectors: &Value, name: &str) -> (ObjectRecord, ObjectChallenge, Vec<u8>, Value) {
    let case = cases(vectors, "response").iter().find(|case| case["name"] == name).expect("the case");
    let record = record_of(case);
    let string = plain::string(record.replica.length());
    (record, challenge_of(case), string, case["response"].clone())
}

#[test]
fn answers_of_chunks() {
    let vectors = read(FILE);
    for name in ["chunks", "chunks of no bytes", "chunks of one limb"] {
        let (record, challenge, string, expected) = answered(&vectors, name);
        let outboard = Outboard::of(&string);
        let open =
            |chunks: &[u64]| Ok::<_, ()>(chunks.iter().map(|chunk| outboard.open(&string, *chunk)).collect());
        let response = answer_chunks(&record, &challenge, open).expect("an answer");
        assert!(json!(hex::encode(response)) == expected, "{name}: another answer");
    }
}

#[test]
fn answers_of_link_audits() {
    let vectors = read(FILE);
    for name in ["link", "link of one byte", "link of no bytes"] {
        let (record, challenge, string, expected) = answered(&vectors, name);
        let key = [0x77; 32];
        let points = reference::commitments(&key, &string, record.replica.replica_id());
        let table = CommitmentTable::of_points(&points);
        let read_blocks = |blocks: &[u64]| {
            let held = |block: &u64| {
                let start = *block as usize * 16_384;
                let bytes = string[start..string.len().min(start + 16_384)].to_vec();
                let path = plain_possession::block_siblings(&string, *block);
                HeldBlock { bytes, path: path.as_chunks().0.to_vec() }
            };
            Ok::<_, ()>(blocks.iter().map(held).collect())
        };
        let key = BlindingKey::from_bytes(key);
        let response = answer_link(&record, &challenge, &key, &table, read_blocks).expect("an answer");
        assert!(json!(hex::encode(response)) == expected, "{name}: another answer");
    }
}

#[test]
fn answers_of_tokens() {
    let vectors = read(FILE);
    let (record, _, string, expected) = answered(&vectors, "whole");
    let case = cases(&vectors, "response").iter().find(|case| case["name"] == "whole").expect("the case");
    let challenge = TokenChallenge::decode(&bytes(&case["token_challenge"])).expect("valid");
    assert_eq!(challenge.encode().to_vec(), bytes(&case["token_challenge"]));
    assert_eq!(hex::encode(challenge.digest()), case["token_challenge_digest"]);
    let response = answer_token(&record, &challenge, string.as_slice(), |_| true).expect("an answer");
    assert_eq!(json!(hex::encode(response)), expected);
    for case in cases(&vectors, "decode_token_challenge") {
        let of = original(&vectors, "response", case);
        let edited = apply(case, &bytes(&of["token_challenge"]));
        let decoded = TokenChallenge::decode(&edited);
        assert_verdict(case, decoded.and_then(|challenge| challenge.check_place(&record)));
    }
}

/// What a token file lists, and the number and key of its next token.
struct Opened {
    entries: Vec<[u8; 32]>,
    number: u64,
    key: [u8; 32],
}

/// Opens a token file with these bytes.
fn open(bytes: &[u8]) -> Result<Opened, Rejection> {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("tokens");
    std::fs::write(&path, bytes).expect("a file");
    let file = TokenFile::open(&path).map_err(|error| match error {
        TokenFileError::File(SecretFileError::Unusable { rejection, .. }) => rejection,
        other => panic!("{other}"),
    })?;
    let (number, token) = file.take().expect("one is unused");
    Ok(Opened { entries: file.entries().expect("readable"), number, key: *token.key() })
}

#[test]
fn token_lists_and_files() {
    let vectors = read(FILE);
    for case in cases(&vectors, "tokens") {
        let record = record_of(case);
        let Opened { entries, number, key } = open(&bytes(&case["token_file"])).expect("a token file");
        assert_eq!(hex::encode(entries.as_flattened()), case["list"], "{}", name(case));
        let list = token_list(&entries).expect("a list");
        assert_eq!(
            (*list.root(), Some(list)),
            (digest(&case["token_root"]), record.tokens),
            "{}",
            name(case)
        );
        assert_eq!((number, json!(hex::encode(key))), (0, case["keys"][0].clone()), "{}", name(case));
    }
    for case in cases(&vectors, "decode_token_file") {
        let of = original(&vectors, "tokens", case);
        assert_verdict(case, open(&apply(case, &bytes(&of["token_file"]))));
    }
}
