//! possession-v1: what the specification gives. `possession_engine.rs` holds the engine to it.

use serde_json::{Value, json};

use super::commitment::{ELEVEN_BLOCKS, TOKENS, string};
use super::edits::{case, insert, overwrite, remove};
use super::files::dump;
use super::plain::derive;
use super::plain_curve::{Scalar, generators, order, padded, scalar_bytes};
use super::plain_objects::{Object, RECORD_HEIGHT, record_digest};
use super::plain_possession::{
    CHUNKS, DEVICE_SECRET, FRESH, LINK, POSSESSION, Proof, WHOLE, block_siblings, challenge,
    challenge_digest, chunks_response, coefficients, fold, folded_holds, header, holds, is_audited,
    link_response, places, possession_response, prove, seed, table_point, token, token_file, token_list,
};
use super::plain_space::{FINALITY_BLOCKS, join};

pub(crate) const FILE: &str = "tests/vectors/possession-v1.json";
const PLAIN: u8 = 0;
const COMPRESSED: u8 = 1;
/// Offsets in a possession response.
const T: usize = 48;
const ANSWER: usize = 144;
const PLAIN_END: usize = 17_104;
const COMPRESSED_END: usize = 1_584;

/// An object with its table and record.
struct Held {
    object: Object,
    table: Vec<u8>,
    record: Vec<u8>,
}

impl Held {
    fn new(length: u64) -> Held {
        let object = Object::new(length);
        let table = object.table();
        Held::with_table(object, table)
    }

    /// The same bytes under another table, which its checker has signed.
    fn with_table(object: Object, table: Vec<u8>) -> Held {
        let record = object.record(Some(&table), &token_list(&object, TOKENS));
        Held { object, table, record }
    }

    fn challenge(&self, kind: u8, samples: u32, form: u8) -> Vec<u8> {
        challenge(&self.record, kind, samples, form)
    }

    fn response(&self, challenge: &[u8], with_openings: bool) -> Vec<u8> {
        match challenge[4] {
            POSSESSION => {
                let proof = prove(&self.object, &self.table, &self.record, challenge);
                possession_response(&proof, challenge, &self.table, with_openings)
            }
            CHUNKS => chunks_response(&self.object, challenge),
            LINK => link_response(&self.object, &self.table, challenge),
            _ => whole_response(&self.object, challenge),
        }
    }
}

/// Token 1 is the one that is asked for.
const ASKED_TOKEN: u8 = 1;

fn token_challenge(challenge: &[u8], object: &Object) -> Vec<u8> {
    join(&[challenge, &u64::from(ASKED_TOKEN).to_le_bytes(), &token(object, ASKED_TOKEN).0])
}

fn whole_response(object: &Object, challenge: &[u8]) -> Vec<u8> {
    let header = header(&token_challenge(challenge, object), [0, 0], 1);
    join(&[&header, &token(object, ASKED_TOKEN).1])
}

pub(crate) fn vectors() -> Value {
    let held = Held::new(ELEVEN_BLOCKS);
    json!({
        "challenge": challenges(&held),
        "decode_challenge": challenge_defects(),
        "check_challenge": misplaced(&held),
        "audited": lottery(&held),
        "proof": [proof("plain", &held, 3, PLAIN), proof("compressed", &held, 20, COMPRESSED)],
        "response": responses(&held),
        "verify_response": response_defects(&held),
        "tokens": [tokens(&held)],
        "decode_token_challenge": token_challenge_defects(),
        "decode_token_file": token_file_defects(),
    })
}

fn response_defects(held: &Held) -> Vec<Value> {
    [
        possession_defects("possession, plain", PLAIN_END),
        plain_defects(),
        possession_defects("possession, compressed", COMPRESSED_END),
        compressed_defects(),
        chunks_defects(),
        link_defects(held),
        whole_defects(),
    ]
    .concat()
}

const NAMES: [&str; 4] = ["possession", "chunks", "link", "whole"];

fn challenges(held: &Held) -> Vec<Value> {
    let small = Held::new(0);
    let case = |name: &str, challenge: Vec<u8>| {
        let rho = match challenge[4] {
            POSSESSION => coefficients(&challenge).map_hex(),
            _ => Vec::new(),
        };
        json!({
            "name": name,
            "challenge": hex::encode(&challenge),
            "seed": hex::encode(seed(&challenge)),
            "digest": hex::encode(challenge_digest(&challenge)),
            "places": places(&challenge),
            "coefficients": rho,
        })
    };
    let kinds = [(POSSESSION, 3), (CHUNKS, 5), (LINK, 2), (WHOLE, 1)];
    let of_all = |held: &Held, suffix: &str| {
        kinds.map(|(kind, samples)| {
            let name = format!("{}{suffix}", NAMES[usize::from(kind - POSSESSION)]);
            case(&name, held.challenge(kind, samples, PLAIN))
        })
    };
    let mut cases = of_all(held, "").to_vec();
    cases.extend(of_all(&small, " of no bytes"));
    cases.push(case("more samples than blocks", held.challenge(POSSESSION, 65_536, COMPRESSED)));
    cases
}

/// Hex of each of some coefficients.
trait MapHex {
    fn map_hex(self) -> Vec<String>;
}

impl<const N: usize> MapHex for Vec<[u8; N]> {
    fn map_hex(self) -> Vec<String> {
        self.iter().map(hex::encode).collect()
    }
}

fn challenge_defects() -> Vec<Value> {
    let one = |name: &str, edit: Value, rejection: &str| case(name, "possession", &[edit], rejection);
    let other = |name: &str, of: &str, edit: Value| case(name, of, &[edit], "malformed");
    vec![
        one("another tag", overwrite(0, b"HFQ1"), "malformed"),
        one("kind 2", overwrite(4, &[2]), "malformed"),
        one("kind 7", overwrite(4, &[7]), "malformed"),
        one("a zero field", overwrite(5, &[1]), "malformed"),
        one("2^50 + 1 bytes", overwrite(16, &((1u64 << 50) + 1).to_le_bytes()), "malformed"),
        one("the zero integer", overwrite(39, &[1]), "malformed"),
        one("no samples", overwrite(232, &[0; 4]), "malformed"),
        one("2^16 + 1 samples", overwrite(232, &65_537u32.to_le_bytes()), "malformed"),
        one("form 2", overwrite(240, &[2]), "malformed"),
        one("the last zero field", overwrite(247, &[1]), "malformed"),
        other("chunks, compressed", "chunks", overwrite(240, &[1])),
        other("link, compressed", "link", overwrite(240, &[1])),
        other("whole, compressed", "whole", overwrite(240, &[1])),
        other("two samples of all bytes", "whole", overwrite(232, &[2])),
        one("a byte too few", remove(247, 1), "wrong-length"),
        one("a byte too many", insert(248, &[0]), "wrong-length"),
    ]
}

/// Challenges of another object, party or time than the record's.
fn misplaced(held: &Held) -> Value {
    let place = |name: &str, at: usize, new: &[u8]| {
        case(name, "possession", &[overwrite(at, new)], "wrong-challenge")
    };
    let too_early = (RECORD_HEIGHT + FINALITY_BLOCKS - 1).to_le_bytes();
    let bare = Object::new(ELEVEN_BLOCKS).record(None, &[]);
    let unanswerable = |kind: u8, samples: u32| {
        let name =
            format!("{} of an object with neither table nor tokens", NAMES[usize::from(kind - POSSESSION)]);
        let challenge = challenge(&bare, kind, samples, PLAIN);
        json!({ "name": name, "challenge": hex::encode(challenge), "rejection": "wrong-challenge" })
    };
    let answerable = json!({
        "name": "chunks of an object with neither",
        "challenge": hex::encode(challenge(&bare, CHUNKS, 5, PLAIN)),
        "rejection": Value::Null,
    });
    json!([{
        "name": "against a record",
        "record": hex::encode(&held.record),
        "finality_blocks": FINALITY_BLOCKS,
        "cases": [
            place("another length", 16, &163_939u64.to_le_bytes()),
            place("another replica id", 24, &[4]),
            place("another network", 72, &[0; 32]),
            place("another miner", 136, &[0; 32]),
            place("another record", 168, &[0; 32]),
            place("another object", 200, &[0; 32]),
            case("one block too early", "possession", &[overwrite(8, &too_early)], "not-final"),
        ],
    }, {
        "name": "against a record without table and tokens",
        "record": hex::encode(&bare),
        "finality_blocks": FINALITY_BLOCKS,
        "cases": [answerable, unanswerable(POSSESSION, 3), unanswerable(LINK, 2), unanswerable(WHOLE, 1)],
    }])
}

fn lottery(held: &Held) -> Vec<Value> {
    let digest = record_digest(&held.record);
    let case = |(i, n): (u8, u64)| {
        let (kind, beacon) = (POSSESSION + i % 2, [i; 32]);
        json!({
            "name": format!("kind {kind}, beacon 32 times {i}, one in {n}"),
            "kind": kind,
            "beacon": hex::encode(beacon),
            "record_digest": hex::encode(digest),
            "one_in": n,
            "audited": is_audited(kind, &beacon, &digest, n),
        })
    };
    let cases: Vec<_> = (0..12).map(|i| (i, [1, 2, 3][usize::from(i % 3)])).map(case).collect();
    let audited = cases.iter().filter(|case| case["one_in"] != 1 && case["audited"] == true).count();
    assert!((1..8).contains(&audited), "both answers are there");
    cases
}

/// What a proof is made of, with masks that anybody can make again.
fn proof(name: &str, held: &Held, samples: u32, form: u8) -> Value {
    let challenge = held.challenge(POSSESSION, samples, form);
    let proof = prove(&held.object, &held.table, &held.record, &challenge);
    assert!(holds(&proof, &challenge, &held.table), "{name}");
    let folded = fold(&proof);
    assert!(folded_holds(&proof, &folded, &challenge, &held.table), "{name}");
    let digest = |scalars: &[Scalar]| blake3::hash(&scalar_bytes(scalars)).to_hex().to_string();
    let mut value = json!({
        "name": name,
        "string": string(held.object.length()),
        "record": hex::encode(&held.record),
        "blinding_key": hex::encode(held.object.blinding_key),
        "challenge": hex::encode(&challenge),
        "device_secret": hex::encode(DEVICE_SECRET),
        "fresh_bytes": hex::encode(FRESH),
        "blake3_of_masks": digest(&proof.masks),
        "T": hex::encode(proof.t.bytes()),
        "state": hex::encode(proof.state),
        "c": hex::encode(proof.c),
        "blake3_of_z": digest(&proof.z),
        "response": hex::encode(possession_response(&proof, &challenge, &held.table, true)),
    });
    if form == COMPRESSED {
        value["round_states"] = json!(folded.states[1..].to_vec().map_hex());
        value["round_coefficients"] = json!(folded.coefficients.map_hex());
    }
    value
}

/// A response that is right, or wrong because of what was registered.
fn response(name: &str, held: &Held, challenge: &[u8], response: &[u8], rejection: Option<&str>) -> Value {
    json!({
        "name": name,
        "record": hex::encode(&held.record),
        "table": (challenge[4] == POSSESSION && response[6] == 0).then(|| hex::encode(&held.table)),
        "challenge": hex::encode(challenge),
        "response": hex::encode(response),
        "response_digest": hex::encode(derive("response digest", &[response])),
        "rejection": rejection,
    })
}

fn responses(held: &Held) -> Vec<Value> {
    let right = |name: &str, held: &Held, challenge: Vec<u8>, openings: bool| {
        response(name, held, &challenge, &held.response(&challenge, openings), None)
    };
    let [empty, byte, limb, two] = [0, 1, 31, 16_385].map(Held::new);
    let mut cases = vec![
        right("possession, plain", held, held.challenge(POSSESSION, 3, PLAIN), true),
        right("possession, compressed", held, held.challenge(POSSESSION, 20, COMPRESSED), true),
        right("possession, compressed, table kept", held, held.challenge(POSSESSION, 3, COMPRESSED), false),
        right("possession of no bytes", &empty, empty.challenge(POSSESSION, 1, COMPRESSED), true),
        right("possession of two blocks", &two, two.challenge(POSSESSION, 2, COMPRESSED), true),
        right("chunks", held, held.challenge(CHUNKS, 3, PLAIN), false),
        right("chunks of no bytes", &empty, empty.challenge(CHUNKS, 3, PLAIN), false),
        right("chunks of one limb", &limb, limb.challenge(CHUNKS, 1, PLAIN), false),
        right("link", held, held.challenge(LINK, 1, PLAIN), false),
        right("link of one byte", &byte, byte.challenge(LINK, 44, PLAIN), false),
        right("link of no bytes", &empty, empty.challenge(LINK, 1, PLAIN), false),
    ];
    cases.extend(whole(held));
    cases.extend(wrongly_registered(held));
    cases
}

/// Responses to token challenges: with the record's list, and with another.
fn whole(held: &Held) -> [Value; 2] {
    let challenge = held.challenge(WHOLE, 1, PLAIN);
    let asked = token_challenge(&challenge, &held.object);
    let case = |name: &str, list: Vec<[u8; 32]>, rejection: Option<&str>| {
        let mut case = response(name, held, &challenge, &whole_response(&held.object, &challenge), rejection);
        case["token_challenge"] = json!(hex::encode(&asked));
        case["token_challenge_digest"] = json!(hex::encode(challenge_digest(&asked)));
        case["token_list"] = json!(list.map_hex());
        case
    };
    let list = token_list(&held.object, TOKENS);
    let mut exchanged = list.clone();
    exchanged.swap(0, 2);
    [
        case("whole", list, None),
        case("whole: a list that is not the record's", exchanged, Some("wrong-record")),
    ]
}

/// Tables that a checker should not have signed. Who trusts it cannot tell some of them by a proof that follows them; a
/// link audit can.
fn wrongly_registered(held: &Held) -> Vec<Value> {
    let registered = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut table = held.table.clone();
        change(&mut table);
        Held::with_table(Object::new(ELEVEN_BLOCKS), table)
    };
    let place = |held: &Held, challenge: &[u8]| {
        let block = *places(challenge).last().expect("at least one") as usize;
        assert_eq!(table_point(&held.table, block as u64).len(), 96);
        block / 10 * 1024 + block % 10 * 96
    };
    let mut cases = Vec::new();
    let mut with = |name: &str, kind: u8, rejection: &str, changed: Held| {
        let (samples, form) = if kind == POSSESSION { (20, COMPRESSED) } else { (1, PLAIN) };
        let challenge = changed.challenge(kind, samples, form);
        cases.push(response(
            name,
            &changed,
            &challenge,
            &changed.response(&challenge, true),
            Some(rejection),
        ));
    };
    let link = held.challenge(LINK, 1, PLAIN);
    let at = place(held, &link);
    let zero_data = generators()[529].bytes();
    with("possession: padding of the table", POSSESSION, "malformed", registered(&|table| table[1023] = 1));
    with(
        "possession: a commitment to nothing",
        POSSESSION,
        "wrong-proof",
        registered(&|table| {
            table[..96].copy_from_slice(&zero_data);
        }),
    );
    with("link: padding of the table", LINK, "malformed", registered(&|table| table[2047] = 1));
    with(
        "link: a commitment to nothing",
        LINK,
        "wrong-proof",
        registered(&|table| {
            table[at..at + 96].copy_from_slice(&zero_data);
        }),
    );
    with("link: a commitment off the curve", LINK, "wrong-point", registered(&|table| table[at + 95] ^= 1));
    cases
}

/// Defects of either form; the answer ends and the openings begin at `end`.
fn possession_defects(of: &str, end: usize) -> Vec<Value> {
    let one =
        |name: &str, edit: Value, rejection: &str| case(&format!("{of}: {name}"), of, &[edit], rejection);
    let generator = generators()[0].bytes();
    vec![
        one("another tag", overwrite(0, b"HFA1"), "malformed"),
        one("kind 7", overwrite(4, &[7]), "malformed"),
        one("another kind", overwrite(4, &[CHUNKS]), "wrong-challenge"),
        one("form 2", overwrite(5, &[2]), "malformed"),
        one("the other form", overwrite(5, &[u8::from(end == PLAIN_END)]), "wrong-challenge"),
        one("neither with nor without openings", overwrite(6, &[2]), "malformed"),
        one("first zero field", overwrite(7, &[1]), "malformed"),
        one("other samples", overwrite(8, &[9]), "malformed"),
        one("second zero field", overwrite(15, &[1]), "malformed"),
        one("another challenge", overwrite(16, &[0; 32]), "wrong-challenge"),
        one("T of zeros", overwrite(T, &[0; 96]), "wrong-point"),
        one("T at infinity", overwrite(T, &[&[0x40][..], &[0; 95]].concat()), "wrong-point"),
        one("another T", overwrite(T, &generator), "wrong-proof"),
        one("the last scalar is r", overwrite(end - 32, &padded(&order())), "malformed"),
        one("the last scalar is 0", overwrite(end - 32, &[0; 32]), "wrong-proof"),
        one("a table chunk of zeros", overwrite(end, &[0; 1024]), "wrong-root"),
        one("a sibling of zeros", overwrite(end + 1024, &[0; 32]), "wrong-root"),
        one("openings that are said to lack", overwrite(6, &[0]), "wrong-length"),
        one("a byte too few", remove(end, 1), "wrong-length"),
        one("a byte too many", insert(end, &[0]), "wrong-length"),
        one("no openings", remove(end, 1056), "wrong-length"),
    ]
}

fn plain_defects() -> Vec<Value> {
    let of = "possession, plain";
    let one =
        |name: &str, edits: &[Value], rejection: &str| case(&format!("{of}: {name}"), of, edits, rejection);
    let all_ones = [255; 32];
    vec![
        one("z_1 is 0", &[overwrite(ANSWER, &[0; 32])], "wrong-proof"),
        one("z_1 is 2^256 - 1", &[overwrite(ANSWER, &all_ones)], "malformed"),
        one("all scalars are 0", &[overwrite(ANSWER, &[0; 16_960])], "wrong-proof"),
        one(
            "a scalar moved to the end",
            &[remove(ANSWER, 32), insert(PLAIN_END - 32, &[1; 32])],
            "wrong-proof",
        ),
    ]
}

fn compressed_defects() -> Vec<Value> {
    let of = "possession, compressed";
    let one =
        |name: &str, edits: &[Value], rejection: &str| case(&format!("{of}: {name}"), of, edits, rejection);
    let generator = generators()[0].bytes();
    let (l_1, r_6, scalars) = (ANSWER, ANSWER + 11 * 96, ANSWER + 12 * 96);
    let opening = 1024 + 32;
    vec![
        one("L_1 of zeros", &[overwrite(l_1, &[0; 96])], "wrong-point"),
        one("another L_1", &[overwrite(l_1, &generator)], "wrong-proof"),
        one("R_6 of ones", &[overwrite(r_6, &[1; 96])], "wrong-point"),
        one("another R_6", &[overwrite(r_6, &generator)], "wrong-proof"),
        one("the first scalar is r", &[overwrite(scalars, &padded(&order()))], "malformed"),
        one("the first scalar is 1", &[overwrite(scalars, &padded(&1u8.into()))], "wrong-proof"),
        one("the second opening of zeros", &[overwrite(COMPRESSED_END + opening, &[0; 1024])], "wrong-root"),
        one("only the first opening", &[remove(COMPRESSED_END + opening, opening)], "wrong-length"),
    ]
}

/// Defects of the header of chunks, link and whole responses.
fn header_defects(of: &str, another_kind: u8) -> Vec<Value> {
    let one =
        |name: &str, edit: Value, rejection: &str| case(&format!("{of}: {name}"), of, &[edit], rejection);
    vec![
        one("another tag", overwrite(0, b"HFA1"), "malformed"),
        one("another kind", overwrite(4, &[another_kind]), "wrong-challenge"),
        one("kind 2", overwrite(4, &[2]), "malformed"),
        one("first zero field", overwrite(5, &[1]), "malformed"),
        one("second zero field", overwrite(12, &[1]), "malformed"),
        one("other samples", overwrite(8, &[9]), "malformed"),
        one("another challenge", overwrite(16, &[0; 32]), "wrong-challenge"),
        one("a byte too few", remove(48, 1), "wrong-length"),
        one("a byte too many", insert(48, &[0]), "wrong-length"),
    ]
}

fn chunks_defects() -> Vec<Value> {
    let of = "chunks";
    let one =
        |name: &str, edits: &[Value], rejection: &str| case(&format!("{of}: {name}"), of, edits, rejection);
    let mut defects = header_defects(of, LINK);
    defects.extend([
        one("a chunk of zeros", &[overwrite(48, &[0; 1024])], "wrong-root"),
        one("a sibling of zeros", &[overwrite(48 + 1024, &[0; 32])], "wrong-root"),
    ]);
    defects
}

fn link_defects(held: &Held) -> Vec<Value> {
    let of = "link";
    let one =
        |name: &str, edits: &[Value], rejection: &str| case(&format!("{of}: {name}"), of, edits, rejection);
    let challenge = held.challenge(LINK, 1, PLAIN);
    let [first, last] = places(&challenge).try_into().expect("one and the last");
    let siblings = block_siblings(&held.object.bytes, first).len();
    let (r, block) = (48, 48 + 32);
    let table_chunk = block + 16_384 + siblings;
    let second = table_chunk + 1024 + 32;
    let another_r = held.object.blinding(last).bytes();
    let mut defects = header_defects(of, POSSESSION);
    defects.extend([
        one("another block's blinding", &[overwrite(r, &another_r)], "wrong-proof"),
        one("blinding 0", &[overwrite(r, &[0; 32])], "wrong-proof"),
        one("blinding r", &[overwrite(r, &padded(&order()))], "malformed"),
        one("a byte of the block", &[overwrite(block + 7, &[255])], "wrong-root"),
        one("a sibling of zeros", &[overwrite(block + 16_384, &[0; 32])], "wrong-root"),
        one("a table chunk of zeros", &[overwrite(table_chunk, &[0; 1024])], "wrong-root"),
        one("a sibling of zeros in the table", &[overwrite(table_chunk + 1024, &[0; 32])], "wrong-root"),
        one("a byte of the last block", &[overwrite(second + 32 + 99, &[255])], "wrong-root"),
    ]);
    defects
}

fn whole_defects() -> Vec<Value> {
    let of = "whole";
    let mut defects = header_defects(of, CHUNKS);
    defects.push(case("whole: another digest", of, &[overwrite(48, &[0; 32])], "wrong-proof"));
    defects
}

fn tokens(held: &Held) -> Value {
    let (keys, digests): (Vec<_>, Vec<_>) = (0..TOKENS).map(|t| token(&held.object, t)).unzip();
    let list = token_list(&held.object, TOKENS);
    json!({
        "name": "three tokens, the second one used",
        "string": string(held.object.length()),
        "record": hex::encode(&held.record),
        "keys": keys.map_hex(),
        "digests": digests.map_hex(),
        "list": hex::encode(list.concat()),
        "token_root": blake3::hash(&list.concat()).to_hex().to_string(),
        "token_file": hex::encode(token_file(&held.object, &held.record, TOKENS, &[ASKED_TOKEN])),
    })
}

fn token_challenge_defects() -> Vec<Value> {
    let one = |name: &str, edit: Value, rejection: &str| case(name, "whole", &[edit], rejection);
    vec![
        one("another tag", overwrite(0, b"HFQ1"), "malformed"),
        one("a challenge of chunks", overwrite(4, &[CHUNKS]), "wrong-challenge"),
        one("another object", overwrite(200, &[0; 32]), "wrong-challenge"),
        one("a token that there is not", overwrite(248, &[TOKENS]), "wrong-challenge"),
        one("token 2^63 + 1", overwrite(255, &[0x80]), "wrong-challenge"),
        one("a byte too few", remove(287, 1), "wrong-length"),
        one("a byte too many", insert(288, &[0]), "wrong-length"),
    ]
}

/// The hash at the end is made right again, except where it is the defect.
fn token_file_defects() -> Vec<Value> {
    let held = Held::new(ELEVEN_BLOCKS);
    let file = token_file(&held.object, &held.record, TOKENS, &[ASKED_TOKEN]);
    let end = file.len() - 32;
    let of = "three tokens, the second one used";
    let one = |name: &str, at: usize, new: &[u8], rejection: &str| {
        let mut edited = file.clone();
        edited[at..at + new.len()].copy_from_slice(new);
        let hash = blake3::hash(&edited[..end]);
        case(name, of, &[overwrite(at, new), overwrite(end, hash.as_bytes())], rejection)
    };
    vec![
        one("another tag", 0, b"HFS2", "malformed"),
        one("a zero field", 4, &[1], "malformed"),
        one("used twice", 48, &[2], "malformed"),
        one("a zero field of a token", 49, &[1], "malformed"),
        one("a token fewer than there are", 40, &[TOKENS - 1], "wrong-length"),
        one("2^61 tokens", 47, &[0x20], "malformed"),
        case("a bit of the hash", of, &[overwrite(end, &[file[end] ^ 1])], "malformed"),
        case("a byte too few", of, &[remove(end, 1)], "wrong-length"),
        case("a byte too many", of, &[insert(end, &[0])], "wrong-length"),
    ]
}

pub(crate) fn worked_example() -> String {
    let held = Held::new(16_385);
    let challenge = held.challenge(POSSESSION, 2, COMPRESSED);
    let proof: Proof = prove(&held.object, &held.table, &held.record, &challenge);
    let folded = fold(&proof);
    let response = possession_response(&proof, &challenge, &held.table, true);
    let mut text = String::from("```text\n");
    let mut line = |label: &str, bytes: &[u8]| text += &format!("{label}\n{}", dump(bytes));
    line("record digest (the record of commitment-v1 §8, with three tokens)", &record_digest(&held.record));
    line(
        "challenge: possession, height 2,010, k = 2, 5,000 ms, compressed, beacon 32 times 0x55",
        &challenge,
    );
    line("challenge seed", &seed(&challenge));
    line("challenge digest", &challenge_digest(&challenge));
    for (block, rho) in places(&challenge).iter().zip(coefficients(&challenge)) {
        line(&format!("coefficient of block {block}"), &rho);
    }
    line("mask t_1: device secret 32 times 0x88, fresh bytes 32 times 0x99", &proof.masks[0].bytes());
    line("mask t_0", &proof.masks[529].bytes());
    line("T", &proof.t.bytes());
    line("state_0", &proof.state);
    line("c", &proof.c);
    line("z_1", &proof.z[0].bytes());
    line("z_0", &proof.z[529].bytes());
    line("L_1", &folded.rounds[0][0].bytes());
    line("R_1", &folded.rounds[0][1].bytes());
    line("state_1", &folded.states[1]);
    line("e_1", &folded.coefficients[0]);
    line("e_6", &folded.coefficients[5]);
    line("the first of nine scalars", &folded.z[0].bytes());
    line("the last of nine scalars", &folded.z[8].bytes());
    line("response digest", &derive("response digest", &[&response]));
    text += &format!("\nresponse: {} bytes\n", response.len());
    for (kind, samples) in [(CHUNKS, 3), (LINK, 1)] {
        let challenge = held.challenge(kind, samples, PLAIN);
        text += &format!("kind {kind}, k = {samples}: places {:?}, ", places(&challenge));
        text += &format!("response {} bytes\n", held.response(&challenge, false).len());
    }
    text + "```\n"
}
