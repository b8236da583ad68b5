//! commitment-v1: what the specification gives. `commitment_engine.rs` holds the engine to it.

use num_bigint::BigUint;
use serde_json::{Value, json};

use super::edits::{case, insert, overwrite, remove};
use super::files::dump;
use super::plain_curve::{
    Point, Scalar, generators, modulus, order, padded, published_generator, scalar_bytes, sum,
};
use super::plain_objects::{
    BLOCK, Object, checker, cid, encode, generators_digest, record_digest, record_signing_digest,
};
use super::plain_possession::token_list;
use super::plain_torsion::{Plain, add, coordinate, point_of_order_3, point_of_order_11};

pub(crate) const FILE: &str = "tests/vectors/commitment-v1.json";
/// Eleven blocks, the last one short: a table of two chunks.
pub(crate) const ELEVEN_BLOCKS: u64 = 10 * 16_384 + 100;
/// Where the table of a points file begins.
const TABLE: usize = 88;

pub(crate) fn string(length: u64) -> Value {
    json!({ "bytes": length, "rule": "t mod 251" })
}

pub(crate) fn vectors() -> Value {
    json!({
        "encoding": encodings(),
        "generator": some_generators(),
        "generators_digest": [{ "name": "all 530", "digest": hex::encode(generators_digest()) }],
        "point": points(),
        "scalar": scalars(),
        "commitment": objects().iter().map(commitment).collect::<Vec<_>>(),
        "points_file": points_file_defects(),
        "record": records(),
        "decode_record": record_defects(),
        "record_set": record_sets(),
        "cid": cids(),
    })
}

fn encodings() -> Vec<Value> {
    let case = |name: &str, rule: &str, block: &[u8]| {
        let scalars = encode(block);
        json!({
            "name": name,
            "block": { "bytes": block.len(), "rule": rule },
            "scalars": scalars.len(),
            "first": hex::encode(scalars[0].bytes()),
            "last": hex::encode(scalars[528].bytes()),
            "blake3_of_scalars": blake3::hash(&scalar_bytes(&scalars)).to_hex().to_string(),
        })
    };
    let counting = |length| super::plain::string(length);
    vec![
        case("no bytes", "t mod 251", &[]),
        case("one limb", "t mod 251", &counting(31)),
        case("one limb and a byte", "t mod 251", &counting(32)),
        case("all but the last byte", "t mod 251", &counting(16_383)),
        case("a block", "t mod 251", &counting(16_384)),
        case("the largest limbs", "255", &[255; BLOCK]),
    ]
}

fn some_generators() -> Vec<Value> {
    let case = |name: &str, message: &[u8], index: usize| json!({ "name": name, "message": hex::encode(message), "point": hex::encode(generators()[index].bytes()) });
    let numbered = |j: u32| [&b"generator"[..], &j.to_le_bytes()].concat();
    vec![
        case("G_1", &numbered(1), 0),
        case("G_2", &numbered(2), 1),
        case("G_257", &numbered(257), 256),
        case("G_529", &numbered(529), 528),
        case("H", b"blinding", 529),
    ]
}

/// A commitment with a point of small order added, which no equation sees.
pub(crate) fn outside(point: &Point, torsion: Plain) -> [u8; 96] {
    add(&Some(Plain::read(&point.bytes())), &Some(torsion)).expect("not opposite").bytes()
}

fn points() -> Vec<Value> {
    let case = |name: &str, point: &[u8], rejection: Option<&str>| json!({ "name": name, "point": hex::encode(point), "rejection": rejection });
    let good = generators()[0].bytes();
    let changed = |change: &dyn Fn(&mut [u8; 96])| {
        let mut bytes = good;
        change(&mut bytes);
        bytes
    };
    let number = |half: usize| BigUint::from_bytes_be(&good[half * 48..][..48]);
    let with_modulus = |half: usize, number: BigUint| {
        changed(&|bytes| bytes[half * 48..][..48].copy_from_slice(&coordinate(&(number.clone() + modulus()))))
    };
    let mut zero_as_modulus = point_of_order_3().bytes();
    zero_as_modulus[..48].copy_from_slice(&coordinate(&modulus()));
    let wrong = Some("wrong-point");
    vec![
        case("the curve's generator", &published_generator(), None),
        case("G_1", &good, None),
        case("a point of order 3", &point_of_order_3().bytes(), None),
        case("a point of order 11", &point_of_order_11().bytes(), None),
        case("G_1 and a point of order 11", &outside(&generators()[0], point_of_order_11()), None),
        case("zeros", &[0; 96], wrong),
        case(
            "infinity",
            &changed(&|bytes| {
                *bytes = [0; 96];
                bytes[0] = 0x40;
            }),
            wrong,
        ),
        case("the flag of compression", &changed(&|bytes| bytes[0] |= 0x80), wrong),
        case("the flag of infinity", &changed(&|bytes| bytes[0] |= 0x40), wrong),
        case("the flag of the sign", &changed(&|bytes| bytes[0] |= 0x20), wrong),
        case("x = p for x = 0", &zero_as_modulus, wrong),
        case("p added to x", &with_modulus(0, number(0)), wrong),
        case("p added to y", &with_modulus(1, number(1)), wrong),
        case("not on the curve", &changed(&|bytes| bytes[95] ^= 1), wrong),
        case("x and y exchanged", &changed(&|bytes| bytes.rotate_left(48)), wrong),
    ]
}

fn scalars() -> Vec<Value> {
    let case = |name: &str, number: BigUint, rejection: Option<&str>| json!({ "name": name, "scalar": hex::encode(padded(&number)), "rejection": rejection });
    vec![
        case("0", BigUint::ZERO, None),
        case("r - 1", order() - 1u8, None),
        case("r", order(), Some("malformed")),
        case("r + 1", order() + 1u8, Some("malformed")),
        case("2^256 - 1", (BigUint::from(1u8) << 256u32) - 1u8, Some("malformed")),
    ]
}

fn objects() -> Vec<(&'static str, Object)> {
    let unblinded = Object { blinding_key: [0; 32], ..Object::new(31) };
    let another_replica = Object { replica_id: 4, ..Object::new(31) };
    vec![
        ("no bytes", Object::new(0)),
        ("one byte", Object::new(1)),
        ("one limb", Object::new(31)),
        ("unblinded", unblinded),
        ("another replica id", another_replica),
        ("a block", Object::new(16_384)),
        ("a block and a byte", Object::new(16_385)),
        ("eleven blocks", Object::new(ELEVEN_BLOCKS)),
    ]
}

fn commitment((name, object): &(&str, Object)) -> Value {
    let table = object.table();
    let scalars: Vec<_> = (0..object.blocks()).map(|i| hex::encode(object.blinding(i).bytes())).collect();
    let points: Vec<_> = (0..object.blocks()).map(|i| hex::encode(object.commitment(i).bytes())).collect();
    json!({
        "name": name,
        "string": string(object.length()),
        "object_root": hex::encode(object.root()),
        "replica_id": object.replica_id,
        "blinding_key": hex::encode(object.blinding_key),
        "blinding_scalars": scalars,
        "commitments": points,
        "table_root": blake3::hash(&table).to_hex().to_string(),
        "points_file": hex::encode(object.points_file(&table)),
    })
}

/// Points files, as a checker gets them who has the bytes.
fn points_file_defects() -> Vec<Value> {
    let object = Object::new(ELEVEN_BLOCKS);
    let table = object.table();
    let of = "eleven blocks";
    let one = |name: &str, edit: Value, rejection: &str| case(name, of, &[edit], rejection);
    let (first, second) = (object.commitment(0), object.commitment(1));
    let end = TABLE + table.len();
    let without_blinding = {
        let mut vector = object.vector(0);
        vector[529] = Scalar::zero();
        sum(&vector, generators())
    };
    let negative = sum(&[Scalar::one().negated()], &[first]);
    // Nobody can tell, and nothing follows from it.
    let harmless = |name: &str, torsion: Plain| {
        let mut harmless = one(name, overwrite(TABLE, &outside(&first, torsion)), "");
        harmless["rejection"] = Value::Null;
        harmless
    };
    vec![
        one("another tag", overwrite(0, b"HFT2"), "malformed"),
        one("a zero field", overwrite(4, &[1]), "malformed"),
        one(
            "a longer object than there may be",
            overwrite(8, &((1u64 << 50) + 1).to_le_bytes()),
            "malformed",
        ),
        one("a length of ten blocks", overwrite(8, &163_840u64.to_le_bytes()), "wrong-record"),
        one("a length of 2^50", overwrite(8, &(1u64 << 50).to_le_bytes()), "wrong-record"),
        one("a byte too few", remove(end - 1, 1), "wrong-length"),
        one("a byte too many", insert(end, &[0]), "wrong-length"),
        one("a chunk too many", insert(end, &[0; 1024]), "wrong-length"),
        one("no table", remove(TABLE, 2048), "wrong-length"),
        one("a byte after ten points", overwrite(TABLE + 960, &[1]), "malformed"),
        one("the last byte of a chunk", overwrite(TABLE + 1023, &[1]), "malformed"),
        one("a twelfth point", overwrite(TABLE + 1024 + 96, &first.bytes()), "malformed"),
        one("a commitment of zeros", overwrite(TABLE, &[0; 96]), "wrong-point"),
        one("a commitment off the curve", overwrite(TABLE + 95, &[first.bytes()[95] ^ 1]), "wrong-point"),
        one("the commitment of another block", overwrite(TABLE, &second.bytes()), "wrong-proof"),
        one(
            "two commitments exchanged",
            overwrite(TABLE, &[second.bytes(), first.bytes()].concat()),
            "wrong-proof",
        ),
        one("a negative commitment", overwrite(TABLE, &negative.bytes()), "wrong-proof"),
        one("a commitment without blinding", overwrite(TABLE, &without_blinding.bytes()), "wrong-proof"),
        one(
            "the last commitment of zero data",
            overwrite(TABLE + 1024, &generators()[529].bytes()),
            "wrong-proof",
        ),
        one("another blinding key", overwrite(56, &[0; 32]), "wrong-proof"),
        one("another replica id", overwrite(16, &[4]), "wrong-proof"),
        one("another object root", overwrite(24, &[0; 32]), "wrong-proof"),
        harmless("a point of order 3 added to a commitment", point_of_order_3()),
        harmless("a point of order 11 added to a commitment", point_of_order_11()),
    ]
}

pub(crate) const TOKENS: u8 = 3;

fn records() -> Vec<Value> {
    let case = |name: &str, record: Vec<u8>| {
        json!({
            "name": name,
            "record": hex::encode(&record),
            "digest": hex::encode(record_digest(&record)),
            "signing_digest": hex::encode(record_signing_digest(&record)),
            "checker": hex::encode(checker().account().0),
            "rejection": Value::Null,
        })
    };
    let (object, small) = (Object::new(ELEVEN_BLOCKS), Object::new(1));
    let table = object.table();
    let tokens = token_list(&object, TOKENS);
    vec![
        case("table and tokens", object.record(Some(&table), &tokens)),
        case("a table", small.record(Some(&small.table()), &[])),
        case("neither", Object::new(0).record(None, &[])),
    ]
}

fn record_defects() -> Vec<Value> {
    let of = "table and tokens";
    let one = |name: &str, edit: Value, rejection: &str| case(name, of, &[edit], rejection);
    let other = |name: &str, of: &str, edit: Value| case(name, of, &[edit], "malformed");
    vec![
        one("another tag", overwrite(0, b"HFD2"), "malformed"),
        one("encoding 2", overwrite(4, &[2]), "malformed"),
        one("a zero field", overwrite(7, &[1]), "malformed"),
        one("no encoding with a table", overwrite(4, &[0]), "malformed"),
        other("an encoding without a table", "neither", overwrite(4, &[1])),
        one("2^50 + 1 bytes", overwrite(8, &((1u64 << 50) + 1).to_le_bytes()), "malformed"),
        one("2^20 + 1 tokens", overwrite(224, &((1u64 << 20) + 1).to_le_bytes()), "malformed"),
        one("a token root without tokens", overwrite(224, &[0]), "malformed"),
        other("tokens without a token root", "neither", overwrite(224, &[1])),
        one("a byte too few", remove(295, 1), "wrong-length"),
        one("a byte too many", insert(296, &[0]), "wrong-length"),
        one("no signature", overwrite(232, &[0; 64]), "bad-signature"),
        one("another length", overwrite(8, &163_939u64.to_le_bytes()), "bad-signature"),
        one("another replica id", overwrite(16, &[4]), "bad-signature"),
        one("another height", overwrite(24, &[0]), "bad-signature"),
        one("another network", overwrite(32, &[0; 32]), "bad-signature"),
        one("another miner", overwrite(64, &[0; 32]), "bad-signature"),
        one("another checker", overwrite(96, &[0x44; 32]), "bad-signature"),
        one("another object", overwrite(128, &[0; 32]), "bad-signature"),
        one("another table", overwrite(160, &[1; 32]), "bad-signature"),
        one("other tokens", overwrite(192, &[1; 32]), "bad-signature"),
        one("a token fewer", overwrite(224, &[TOKENS - 1]), "bad-signature"),
    ]
}

fn record_sets() -> Vec<Value> {
    let case = |name: &str, records: &[Vec<u8>], rejection: Option<&str>| {
        let records: Vec<_> = records.iter().map(hex::encode).collect();
        json!({ "name": name, "records": records, "rejection": rejection })
    };
    let record = |length, replica_id| Object { replica_id, ..Object::new(length) }.record(None, &[]);
    vec![
        case("distinct objects", &[record(1, 3), record(31, 3)], None),
        case("one object under two replica ids", &[record(1, 3), record(1, 4)], Some("wrong-record")),
    ]
}

/// Content identifiers as others publish them: of no bytes and of "hello", by both hashes.
const PUBLISHED: [(&str, &[u8], &str, &str); 2] = [
    (
        "no bytes",
        b"",
        "bafkr4ifpcne3t5pzugtkaqcn5i3nzskjtpfslsnnyejlpte2spfoihzsmi",
        "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku",
    ),
    (
        "hello",
        b"hello",
        "bafkr4ihkr4ld3m4gqkjf4reryxsy2s5tkbxprqkow6fin2iiyvreuzzab4",
        "bafkreibm6jg3ux5qumhcn2b3flc3tyu6dmlb4xa7u5bf44yegnrjhc4yeq",
    ),
];

fn cids() -> Vec<Value> {
    use sha2::{Digest, Sha256};
    let case = |(name, bytes, blake3, sha256): (&str, &[u8], &str, &str)| {
        assert_eq!(cid(0x1e, blake3::hash(bytes).as_bytes()), blake3, "{name}");
        assert_eq!(cid(0x12, &Sha256::digest(bytes).into()), sha256, "{name}");
        json!({ "name": name, "bytes": hex::encode(bytes), "blake3": blake3, "sha2_256": sha256 })
    };
    PUBLISHED.map(case).to_vec()
}

/// The digest of §3, with a few of the points.
pub(crate) fn generators_section() -> String {
    let mut text = String::from("```text\n");
    let mut line = |label: &str, bytes: &[u8]| text += &format!("{label}\n{}", dump(bytes));
    line("generators digest", &generators_digest());
    line("G_1", &generators()[0].bytes());
    line("G_529", &generators()[528].bytes());
    line("H", &generators()[529].bytes());
    text + "```\n"
}

pub(crate) fn worked_example() -> String {
    let object = Object::new(16_385);
    let table = object.table();
    let record = object.record(Some(&table), &[]);
    let mut text = String::from("```text\n");
    let mut line = |label: &str, bytes: &[u8]| text += &format!("{label}\n{}", dump(bytes));
    line("object: 16,385 bytes, byte t = t mod 251; its root", &object.root());
    line("limb d_0,1", &encode(object.block(0))[0].bytes());
    line("limb d_0,529", &encode(object.block(0))[528].bytes());
    line("limb d_1,1", &encode(object.block(1))[0].bytes());
    line("blinding scalar r_0: blinding key 32 times 0x77, replica id 3", &object.blinding(0).bytes());
    line("blinding scalar r_1", &object.blinding(1).bytes());
    line("commitment C_0", &object.commitment(0).bytes());
    line("commitment C_1", &object.commitment(1).bytes());
    line("table root", blake3::hash(&table).as_bytes());
    line("record: height 2,000, no tokens, checker the development name \"checker\"", &record[..232]);
    line("record digest", &record_digest(&record));
    line("what the checker signs", &record_signing_digest(&record));
    text +=
        &format!("\ntable: {} bytes; points file: {} bytes\n", table.len(), object.points_file(&table).len());
    text += &format!("content identifier by BLAKE3   {}\n", cid(0x1e, &object.root()));
    use sha2::{Digest, Sha256};
    text += &format!("content identifier by SHA-256  {}\n", cid(0x12, &Sha256::digest(&object.bytes).into()));
    text + "```\n"
}
